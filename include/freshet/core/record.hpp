// Where a record stands: its position in the log it came from, and the total order of records.
//
// Plain values without memory of their own. Positions come from the sources and survive restarts:
// the same log gives every record the same position, whatever the batch size or the number of
// workers, which is what makes samples, ties, and error messages reproducible.
#pragma once

#include <freshet/core/time.hpp>

#include <compare>
#include <cstdint>

namespace freshet {

/// A record's place in the logs of a pipeline. Unique, but for a stream merged with itself.
struct position {
  std::uint64_t sequence =
      0;                     ///< Counts within a split: file byte, channel order, generator count.
  std::uint32_t split = 0;   ///< Which split of which source: see `split_number`.
  std::uint32_t fanout = 0;  ///< Index among the rows that one source record was turned into.

  friend constexpr auto operator<=>(const position&, const position&) = default;
};

/// The total order behind `first`, `last`, `collect`, and every tie: event time, then position.
struct order_key {
  timestamp at = timestamp_min;
  position where;

  friend constexpr auto operator<=>(const order_key&, const order_key&) = default;
};

/// How many splits one source can have; the bits above number the source in its pipeline.
inline constexpr std::uint32_t splits_per_source_max = 1U << 24;

/// The number under which a source's split appears in positions.
/// \pre `source` < 256 and `split` < `splits_per_source_max`.
constexpr std::uint32_t split_number(std::uint32_t source, std::uint32_t split) {
  return source * splits_per_source_max + split;
}

}  // namespace freshet
