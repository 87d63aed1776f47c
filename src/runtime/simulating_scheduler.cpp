#include "simulating_scheduler.hpp"

#include <algorithm>
#include <utility>

namespace freshet::detail {

void simulating_scheduler::wake(task& ready) {
  {
    const std::lock_guard lock(mutex_);
    if (std::find(ready_.begin(), ready_.end(), &ready) == ready_.end()) ready_.push_back(&ready);
  }
  signal_->notify();
}

/// Takes out any of the tasks that are ready; null when there is none.
task* simulating_scheduler::draw() {
  const std::lock_guard lock(mutex_);
  if (ready_.empty()) return nullptr;
  const std::size_t index = below(ready_.size());
  task* chosen = ready_[index];
  ready_[index] = ready_.back();
  ready_.pop_back();
  return chosen;
}

void simulating_scheduler::run(const std::vector<task*>& tasks, supervisor& over) {
  const inside_mark mark;
  std::vector<task*> finished;
  for (task* each : tasks) wake(*each);
  while (true) {
    // The supervisor comes at any moment, as it does from a thread of its own.
    if (below(4) == 0 && over.supervise() == supervisor::verdict::stop) return;
    task* next = draw();
    if (next == nullptr) {
      if (over.supervise() == supervisor::verdict::stop) return;
      std::optional<duration> at_most = over.sleep_at_most();
      for (const task* each : tasks) at_most = shorter(at_most, each->sleep_at_most());
      signal_->wait(at_most);
      for (task* each : tasks) {
        const std::optional<duration> sleeps = each->sleep_at_most();
        if (sleeps && *sleeps <= duration::zero()) wake(*each);
      }
      continue;
    }
    next->begin_slice();
    task::step_result result = task::step_result::worked;
    for (std::size_t steps = 1 + below(4); steps > 0 && result == task::step_result::worked;
         --steps) {
      result = next->step();
    }
    next->end_slice(result);
    if (result == task::step_result::worked) wake(*next);
    if (result == task::step_result::finished &&
        std::find(finished.begin(), finished.end(), next) == finished.end()) {
      finished.push_back(next);
      over.note_finished(*next);
    }
  }
}

}  // namespace freshet::detail
