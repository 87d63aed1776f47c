#include "simulation/compose.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/window/watermark.hpp>

#include <stdexcept>

namespace freshet::simulated {

events records_of(pipeline& in, const plan_node& of, const std::string& name, const source_log& log,
                  std::shared_ptr<replay> how) {
  (void)of;
  const events read = in.from(name, replayed{&log.splits, std::move(how)});
  const auto timed = event_time(&event::at, bounded_disorder{duration{log.disorder}},
                                {.jump_max = duration{log.jump_max}});
  if (log.drops == 0) return read | timed;
  return read | filter([d = log.drops](const event& e) { return e.value % d != 0; }) | timed;
}

namespace {

std::vector<events> outputs_of(pipeline& in, const plan_node& of, const std::string& name,
                               const std::vector<events>& from, const input_log& input,
                               const std::shared_ptr<replay>& how) {
  const std::int64_t a = of.a;
  const std::int64_t b = of.b;
  switch (of.what) {
    case op::source:
      return {records_of(in, of, name, input[static_cast<std::size_t>(a)], how)};
    case op::map:
      return {from[0] | map([a, b](const event& e) { return mapped(e, a, b); })};
    case op::rekey:
      return {from[0] | map([a](const event& e) { return rekeyed(e, a); })};
    case op::filter:
      return {from[0] | filter([a, b](const event& e) { return passes(e, a, b); })};
    case op::flat_map:
      return {from[0] | flat_map<event>([a, b](const event& e, auto& emit) {
                for (const event& each : fanned_out(e, a, b)) emit(each);
              })};
    case op::merge:
      if (from.size() == 2) return {merge(from[0], from[1])};
      return {merge(from[0], from[1], from[2])};
    case op::ordered:
      return {from[0] | ordered(name)};
    case op::counting:
      return count_windows(from[0], of, name);
    case op::tumbling:
      return tumbling_windows(from[0], of, name);
    case op::sliding:
      return sliding_windows(from[0], of, name);
    case op::session:
      return session_windows(from[0], of, name);
    case op::trailing:
      return trailing_aggregates(from[0], of, name);
    case op::process:
      return process_calls(from[0], of, name);
  }
  throw std::logic_error("simulation: no such operator");
}

}  // namespace

void compose(pipeline& in, const plan& all, const input_log& input, std::shared_ptr<replay> how,
             outputs& to) {
  std::vector<std::vector<events>> made;
  for (std::size_t node = 0; node < all.size(); ++node) {
    std::vector<events> from;
    for (const outlet_of& each : all[node].inputs) from.push_back(made[each.node][each.port]);
    made.push_back(outputs_of(in, all[node], name_of(node), from, input, how));
  }
  for (std::size_t node = 0; node < all.size(); ++node) {
    for (std::size_t port = 0; port < all[node].ports(); ++port) {
      if (!all[node].tapped[port]) continue;
      auto& kept = to[{node, port}];
      if (!kept) kept = std::make_shared<kept_rows>();
      made[node][port] |
          freshet::to(name_of(node) + "." + std::to_string(port), keep_in{kept, how->crash});
    }
  }
}

}  // namespace freshet::simulated
