#include "simulation/windows.hpp"

#include <freshet/window/tumbling.hpp>

namespace freshet::simulated {

std::vector<events> tumbling_windows(const events& in, const plan_node& of,
                                     const std::string& name) {
  return windows_with(tumbling{.size = duration{of.a}}, in, of, name);
}

}  // namespace freshet::simulated
