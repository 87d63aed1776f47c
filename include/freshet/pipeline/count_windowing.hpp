// Count windows in a pipeline: `keyed | window(count_window{.size = 100}) | aggregate("name",
// ...)`.
//
// Rows come as soon as the record that completes their window has come. Which records share a
// window depends on the order of arrival alone: deterministic over one split, and over several only
// as far as their rows arrive in the same order; `run_summary::unpromised` then says so.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_checks.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/count_window_operator.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/keyed_windows.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/window/count.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// `aggregate` over count windows.
template <class T, class KeyOf, class... Aggregates>
auto aggregate_counted(const keyed_windows<T, KeyOf, count_window>& upstream,
                       const std::string& name, const Aggregates&... aggregates) {
  using key = key_of_t<KeyOf, T>;
  require_window_aggregates<T, key, Aggregates...>();
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
  fresh.takes = distribution::by_key;
  fresh.format = windows.describe() + " | key " + format_of<key>() + " | " + set.format();
  fresh.layout = &count_window_operator<T, KeyOf, parts, row>::layout;
  // At the end of the input all keys are looked at for their rests.
  fresh.limits_memory = !windows.partial;
  fresh.unpromised_by_arrival = {"count window over several splits"};
  fresh.make = [key_of = keyed.key_of(), windows, set] {
    return std::make_unique<count_window_operator<T, KeyOf, parts, row>>(key_of, windows, set);
  };
  const node_id id = records.graph()->add(std::move(fresh));
  return fired_stream<row>(records.graph(), {id, 0}, std::move(names));
}

}  // namespace detail

}  // namespace freshet
