#include "kernels.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <tuple>
#include <utility>

namespace kernels {

namespace {

/// Count and sum per key and window of `assigner`.
template <class Assigner>
std::optional<answer> totals(const load& of, Assigner assigner) {
  answer all;
  fr::pipeline p("windows");
  auto rows = p.from("events", fr::generate([of](std::uint64_t k) { return of.at(k); },
                                            {.count = of.count})) |
              fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
              fr::window(std::move(assigner)) |
              fr::aggregate("totals", fr::count("count"), fr::sum("sum", &event::amount));
  using row = typename decltype(rows)::value_type;
  rows | fr::to("answer", fr::callback([&all](const row& each) {
                  ++all.rows;
                  all.sum += each.key * std::get<0>(each.values) +
                             static_cast<std::uint64_t>(std::get<1>(each.values));
                }));
  fr::run_options options;
  options.latency_markers = fr::duration{0};
  if (!p.run(options).ok()) return std::nullopt;
  return all;
}

}  // namespace

std::optional<answer> tumbling(const load& of, fr::duration size) {
  return totals(of, fr::tumbling{size});
}
std::optional<answer> sliding(const load& of, fr::duration size, fr::duration slide) {
  return totals(of, fr::sliding{.size = size, .slide = slide});
}
std::optional<answer> session(const load& of, fr::duration gap) {
  return totals(of, fr::session{.gap = gap});
}

}  // namespace kernels
