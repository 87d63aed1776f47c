#include "inline_scheduler.hpp"

namespace freshet::detail {

void inline_scheduler::run(const std::vector<task*>& tasks, supervisor& over) {
  const inside_mark mark;
  std::vector<bool> finished(tasks.size(), false);
  while (true) {
    bool worked = false;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      tasks[i]->begin_slice();
      const task::step_result result = tasks[i]->step();
      tasks[i]->end_slice(result);
      worked |= result == task::step_result::worked;
      if (result != task::step_result::finished || finished[i]) continue;
      finished[i] = true;
      over.note_finished(*tasks[i]);
      worked = true;
    }
    if (over.supervise() == supervisor::verdict::stop) return;
    if (worked) continue;
    std::optional<duration> at_most = over.sleep_at_most();
    for (const task* each : tasks) at_most = shorter(at_most, each->sleep_at_most());
    signal_->wait(at_most);
  }
}

}  // namespace freshet::detail
