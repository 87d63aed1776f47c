#include "simulation/windows.hpp"

#include <freshet/window/sliding.hpp>

namespace freshet::simulated {

std::vector<events> sliding_windows(const events& in, const plan_node& of,
                                    const std::string& name) {
  return windows_with(sliding{.size = duration{of.a}, .slide = duration{of.b}}, in, of, name);
}

}  // namespace freshet::simulated
