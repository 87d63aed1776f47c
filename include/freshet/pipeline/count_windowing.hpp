// Count windows in a pipeline: `keyed | window(count_window{.size = 100}) | aggregate("name", ...)`.
//
// Rows come as soon as the record that completes their window has come. Which records share a
// window depends on the order of arrival alone: deterministic over one split, and over several only
// as far as their rows arrive in the same order; `run_summary::unpromised` then says so.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/count_window_operator.hpp>
#include <freshet/pipeline/detail/row_matching.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/window/count.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// Records with key and count windows, on the way to `aggregate`.
template <class T, class KeyOf>
class counting_stream {
 public:
  counting_stream(keyed_stream<T, KeyOf> records, count_window windows)
      : records_(std::move(records)), windows_(windows) {}

  const keyed_stream<T, KeyOf>& records() const { return records_; }
  const count_window& windows() const { return windows_; }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const counting_stream&>
  friend auto operator|(const counting_stream& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  keyed_stream<T, KeyOf> records_;
  count_window windows_;
};

/// The rows of count windows. There is no stream of late records, because none is late.
template <class Row>
class counted_stream : public stream<Row> {
 public:
  using stream<Row>::stream;

  /// The rows as described structs, as `aggregated_stream::as`.
  template <described As>
  stream<As> as() const {
    return *this | map(detail::row_matcher<Row, As>(this->columns()));
  }
};

namespace detail {

/// `aggregate` over count windows.
template <class T, class KeyOf, class... Aggregates>
auto aggregate_counted(const counting_stream<T, KeyOf>& upstream, const std::string& name,
                       const Aggregates&... aggregates) {
  using key = key_of_t<KeyOf, T>;
  static_assert((aggregate_of<Aggregates, T> && ...),
                "freshet: an aggregate does not fit these records; check that its member pointer "
                "or function takes a record of this stream, and that sums and means get numbers");
  static_assert(!is_sampled<T> || (honours_weight<Aggregates> && ...),
                "freshet: these records are a sample, and an aggregate of them ignores their "
                "weights; use one that declares honours_weight, or map to the value first to say "
                "that the plain numbers are meant");
  static_assert(checkpointable<key>,
                "freshet: keys of windows must be checkpointable; describe them with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
  using parts = aggregate_set<T, Aggregates...>;
  using row = window_row<key, aggregate_result<Aggregates, T>...>;

  const keyed_stream<T, KeyOf>& keyed = upstream.records();
  const stream<T>& records = keyed.records();
  const parts set(aggregates...);
  const count_window windows = upstream.windows();
  const std::string place = "window '" + name + "'";
  require_usable(place, windows.check());
  records.graph()->require_timed(records.from(), place);
  std::vector<std::string> names = columns<row>::names(keyed.key_name(), set.names());
  require_distinct(place, names);
  node fresh;
  fresh.kind = "window";
  fresh.name = name;
  fresh.named = true;
  fresh.timed = true;
  fresh.reorders = true;
  fresh.inputs = {records.from()};
  fresh.format = windows.describe() + " | key " + format_of<key>() + " | " + set.format();
  fresh.unpromised_by_arrival = {"count window over several splits"};
  fresh.make = [key_of = keyed.key_of(), windows, set] {
    return std::make_unique<count_window_operator<T, KeyOf, parts, row>>(key_of, windows, set);
  };
  const node_id id = records.graph()->add(std::move(fresh));
  return counted_stream<row>(records.graph(), {id, 0}, std::move(names));
}

}  // namespace detail

}  // namespace freshet
