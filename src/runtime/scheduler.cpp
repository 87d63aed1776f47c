#include "scheduler.hpp"

#include <algorithm>

namespace freshet::detail {

void inline_scheduler::run(const std::vector<task*>& tasks, supervisor& over) {
  std::vector<task*> running = tasks;
  while (!running.empty()) {
    bool worked = false;
    std::erase_if(running, [&](task* each) {
      const task::step_result result = each->step();
      worked |= result != task::step_result::idle;
      return result == task::step_result::finished;
    });
    if (running.empty()) return;
    if (over.between_slices(worked) == supervisor::verdict::stop) return;
    if (worked) continue;
    std::optional<duration> at_most = over.sleep_at_most();
    for (const task* each : running) at_most = shorter(at_most, each->sleep_at_most());
    signal_->wait(at_most);
  }
}

}  // namespace freshet::detail
