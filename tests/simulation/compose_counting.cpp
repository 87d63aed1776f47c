#include "simulation/windows.hpp"

#include <freshet/window/count.hpp>

namespace freshet::simulated {

std::vector<events> count_windows(const events& in, const plan_node& of, const std::string& name) {
  const count_window windows{.size = of.a, .slide = of.b};
  return {events_of_rows(in | key_by(&event::key) | window(windows) | all_aggregates(name))};
}

}  // namespace freshet::simulated
