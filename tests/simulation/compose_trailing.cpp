#include "simulation/compose.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/transform.hpp>

#include <tuple>

namespace freshet::simulated {

/// Two spans: an exact one, and one three times as long that may have a resolution.
std::vector<events> trailing_aggregates(const events& in, const plan_node& of,
                                        const std::string& name) {
  const trailing_options options{.include_self = of.include_self,
                                 .emit = of.on_arrival ? emit::on_arrival : emit::on_watermark,
                                 .allowed_lateness = duration{of.lateness}};
  const trailing_span spans[] = {
      {duration{of.a}, {.name = "short"}},
      {duration{3 * of.a}, {.resolution = duration{of.b}, .name = "long"}}};
  const auto rows = in | key_by(&event::key) |
                    trailing(name, spans, options, count("count"), sum("sum", &event::value),
                             first("first", &event::value), last("last", &event::value));
  const events main = rows | map([](const auto& made) {
                        digest all;
                        for (const auto& [count, sum, first, last] : made.trailing) {
                          all.add(static_cast<std::int64_t>(count)).add(sum).add(first).add(last);
                        }
                        return event{made.key, all.value(), made.at};
                      });
  return {main, rows.late()};
}

}  // namespace freshet::simulated
