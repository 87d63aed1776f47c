// What has to hold of the aggregates of any window, with the sentences for where it does not.
// Internal.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>

namespace freshet::detail {

/// Stops the compiler unless `Aggregates` fit records of type `T` with keys of type `Key`.
template <class T, class Key, class... Aggregates>
consteval void require_window_aggregates() {
  static_assert((aggregate_of<Aggregates, T> && ...),
                "freshet: an aggregate does not fit these records; check that its member pointer "
                "or function takes a record of this stream, and that sums and means get numbers");
  static_assert(!is_sampled<T> || (honours_weight<Aggregates> && ...),
                "freshet: these records are a sample, and an aggregate of them ignores their "
                "weights; use one that declares honours_weight, or map to the value first to say "
                "that the plain numbers are meant");
  static_assert(checkpointable<Key>,
                "freshet: keys of windows must be checkpointable; describe them with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
}

}  // namespace freshet::detail
