#include "simulation/windows.hpp"

#include <freshet/window/session.hpp>

namespace freshet::simulated {

std::vector<events> session_windows(const events& in, const plan_node& of,
                                    const std::string& name) {
  return windows_with(session{.gap = duration{of.a}}, in, of, name);
}

}  // namespace freshet::simulated
