// Windows over the records of a simulation, mapped back to records.
#pragma once

#include "simulation/compose.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>

#include <string>
#include <tuple>
#include <vector>

namespace freshet::simulated {

/// Everything that a window can say of its records.
inline auto all_aggregates(const std::string& name) {
  return aggregate(name, count("count"), sum("sum", &event::value), first("first", &event::value),
                   last("last", &event::value), collect("all", &event::value));
}

template <class Row>
events events_of_rows(const stream<Row>& rows) {
  return rows | map([](const Row& fired) {
           const auto& [count, sum, first, last, all] = fired.values;
           const std::int64_t value = window_value(
               tick_of(fired.window.begin), tick_of(fired.window.end),
               static_cast<std::int64_t>(count), sum, first, last, all, fired.pane.index);
           return event{fired.key, value, at_tick(tick_of(fired.window.end) - 1)};
         });
}

template <class Assigner>
std::vector<events> windows_with(Assigner assigner, const events& in, const plan_node& of,
                                 const std::string& name) {
  const window_options options{
      .allowed_lateness = duration{of.lateness},
      .fire = of.at_close ? firing::at_close : firing::on_time,
      .pre_aggregate = of.a % 2 == 0 ? pre_aggregation::always : pre_aggregation::adaptive};
  const auto rows = in | key_by(&event::key) | window(assigner, options) | all_aggregates(name);
  return {events_of_rows(rows), rows.late()};
}

}  // namespace freshet::simulated
