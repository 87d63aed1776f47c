// Windows of processing time as a part of a pipeline: what `window(processing_time(...))` and the
// `aggregate` below it compose. See window/processing_time.hpp for what they mean.
#pragma once

#include <freshet/pipeline/detail/aggregate_checks.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/keyed_window_kernel.hpp>
#include <freshet/pipeline/detail/processing_window_operator.hpp>
#include <freshet/pipeline/fired_stream.hpp>
#include <freshet/pipeline/keyed_windows.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/window/processing_time.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// `aggregate` over windows of processing time.
template <class T, class KeyOf, class Assigner, class... Aggregates>
auto aggregate_clocked(const keyed_windows<T, KeyOf, processing_time_windows<Assigner>>& upstream,
                       const std::string& name, const Aggregates&... aggregates) {
  const Assigner& assigner = upstream.windows().assigner;
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
  require_usable(place, assigner.check());
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
  fresh.format = "processing time " + assigner.describe() + " | key " + format_of<key>() + " | " +
                 set.format();
  fresh.layout = &processing_window_operator<T, KeyOf, kernel>::layout;
  fresh.unpromised = {"processing time"};
  fresh.make = [key_of = keyed.key_of(), assigner, set] {
    return std::make_unique<processing_window_operator<T, KeyOf, kernel>>(
        key_of, kernel(assigner, window_options{}, set));
  };
  const node_id id = records.graph()->add(std::move(fresh));
  return fired_stream<row>(records.graph(), {id, 0}, std::move(names));
}

}  // namespace detail

}  // namespace freshet
