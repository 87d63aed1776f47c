#include "worker_scheduler.hpp"

#include <algorithm>
#include <utility>

namespace freshet::detail {

namespace {

/// How many steps a task does before others have their turn: more of them where they are short.
constexpr std::size_t steps_per_slice = 16;
constexpr std::size_t steps_per_slice_max = 128;
constexpr std::chrono::microseconds slice_least{150};

/// Longer waits are as good as endless, and may overflow the clock that they are measured with.
constexpr duration long_wait = std::chrono::hours(24);

}  // namespace

void worker_scheduler::wake(task& ready) {
  const std::uint8_t before =
      ready.run_state.fetch_or(notified | active, std::memory_order_acq_rel);
  if ((before & active) == 0) enqueue(ready);
}

void worker_scheduler::run_slice(task& ready) {
  const inside_mark mark;
  ready.run_state.fetch_and(static_cast<std::uint8_t>(~notified), std::memory_order_acq_rel);
  ready.begin_slice();
  task::step_result result = task::step_result::worked;
  try {
    const clock::time_point enough = clock::now() + slice_least;
    for (std::size_t i = 1; result == task::step_result::worked; ++i) {
      result = ready.step();
      if (i == steps_per_slice_max || (i % steps_per_slice == 0 && clock::now() >= enough)) break;
    }
  } catch (...) {
    over_->note_failed(std::current_exception());
    return;  // It stays active, and so is never queued again.
  }
  ready.end_slice(result);
  if (result == task::step_result::worked) {
    enqueue(ready);
    return;
  }
  if (result == task::step_result::finished &&
      (ready.run_state.fetch_or(finished, std::memory_order_acq_rel) & finished) == 0) {
    over_->note_finished(ready);
  }
  // Before it rests: what is due may come at once.
  set_alarm(ready);
  std::uint8_t state = ready.run_state.load(std::memory_order_relaxed);
  while ((state & notified) == 0) {
    if (ready.run_state.compare_exchange_weak(state, static_cast<std::uint8_t>(state & ~active),
                                              std::memory_order_acq_rel)) {
      return;
    }
  }
  enqueue(ready);
}

void worker_scheduler::set_alarm(task& resting) {
  const std::optional<duration> sleeps = resting.sleep_at_most();
  const std::lock_guard lock(alarm_mutex_);
  if (!sleeps) {
    alarms_.erase(&resting);
    return;
  }
  const duration at_most = polls_ ? std::min<duration>(*sleeps, std::chrono::milliseconds(1))
                                  : std::min(*sleeps, long_wait);
  const clock::time_point when = clock::now() + at_most;
  const bool earliest = std::all_of(alarms_.begin(), alarms_.end(),
                                    [when](const auto& each) { return when < each.second; });
  alarms_[&resting] = when;
  if (earliest) signal_->notify();
}

void worker_scheduler::wake_those_due() {
  std::vector<task*> due;
  {
    const std::lock_guard lock(alarm_mutex_);
    const clock::time_point now = clock::now();
    for (auto each = alarms_.begin(); each != alarms_.end();) {
      if (each->second > now) {
        ++each;
        continue;
      }
      due.push_back(each->first);
      each = alarms_.erase(each);
    }
  }
  for (task* each : due) wake(*each);
}

std::optional<duration> worker_scheduler::until_next_alarm() {
  const std::lock_guard lock(alarm_mutex_);
  if (alarms_.empty()) return std::nullopt;
  const auto earliest =
      std::min_element(alarms_.begin(), alarms_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::max(duration::zero(), std::chrono::ceil<duration>(earliest->second - clock::now()));
}

void worker_scheduler::run(const std::vector<task*>& tasks, supervisor& over) {
  over_ = &over;
  start_workers();
  const auto stop = [this] { stop_workers(); };
  try {
    for (task* each : tasks) wake(*each);
    while (over.supervise() != supervisor::verdict::stop) {
      wake_those_due();
      signal_->wait(shorter(over.sleep_at_most(), until_next_alarm()));
    }
  } catch (...) {
    stop();
    throw;
  }
  stop();
}

}  // namespace freshet::detail
