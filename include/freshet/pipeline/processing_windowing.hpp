// Windows of processing time as a part of a pipeline: what `window(processing_time(...))` and the
// `aggregate` below it compose. See window/processing_time.hpp for what they mean.
#pragma once

#include <freshet/pipeline/detail/aggregate_checks.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/keyed_window_kernel.hpp>
#include <freshet/pipeline/detail/processing_window_operator.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/window/processing_time.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Records with key and windows of processing time, on the way to `aggregate`.
template <class T, class KeyOf, class Assigner>
class clocked_stream {
 public:
  clocked_stream(keyed_stream<T, KeyOf> records, Assigner assigner)
      : records_(std::move(records)), assigner_(std::move(assigner)) {}

  const keyed_stream<T, KeyOf>& records() const { return records_; }
  const Assigner& assigner() const { return assigner_; }

  template <class Operator>
    requires std::is_invocable_v<const Operator&, const clocked_stream&>
  friend auto operator|(const clocked_stream& upstream, const Operator& operation) {
    return operation(upstream);
  }

 private:
  keyed_stream<T, KeyOf> records_;
  Assigner assigner_;
};

namespace detail {

/// `aggregate` over windows of processing time.
template <class T, class KeyOf, class Assigner, class... Aggregates>
auto aggregate_clocked(const clocked_stream<T, KeyOf, Assigner>& upstream, const std::string& name,
                       const Aggregates&... aggregates) {
  using key = key_of_t<KeyOf, T>;
  require_window_aggregates<T, key, Aggregates...>();
  using parts = aggregate_set<T, Aggregates...>;
  using kernel =
      std::conditional_t<Assigner::merges, keyed_window_kernel<T, key, Assigner, parts, false>,
                         fixed_window_kernel<T, key, Assigner, parts>>;
  using row = typename kernel::row;

  const keyed_stream<T, KeyOf>& keyed = upstream.records();
  const stream<T>& records = keyed.records();
  const parts set(aggregates...);
  const std::string place = "window '" + name + "'";
  require_usable(place, upstream.assigner().check());
  std::vector<std::string> names = columns<row>::names(keyed.key_name(), set.names());
  require_distinct(place, names);
  node fresh;
  fresh.kind = "window";
  fresh.name = name;
  fresh.named = true;
  fresh.timed = true;
  fresh.reorders = true;
  fresh.inputs = {records.from()};
  fresh.format = "processing time " + upstream.assigner().describe() + " | key " +
                 format_of<key>() + " | " + set.format();
  fresh.unpromised = {"processing time"};
  fresh.make = [key_of = keyed.key_of(), assigner = upstream.assigner(), set] {
    return std::make_unique<processing_window_operator<T, KeyOf, kernel>>(
        key_of, kernel(assigner, window_options{}, set));
  };
  const node_id id = records.graph()->add(std::move(fresh));
  return fired_stream<row>(records.graph(), {id, 0}, std::move(names));
}

}  // namespace detail

}  // namespace freshet
