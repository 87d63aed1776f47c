#include "pool_scheduler.hpp"

#include <algorithm>

namespace freshet::detail {

void pool_scheduler::enqueue(task& ready) {
  worker* woken = nullptr;
  {
    const std::lock_guard lock(mutex_);
    // At first, tasks of equal number together: those that most rows go between.
    if (!ready.home) ready.home = ready.number() % workers_.size();
    worker& home = workers_[*ready.home];
    (ready.has_sources() ? home.sources : home.others).push_back(&ready);
    if (sleeping_ == 0) return;
    woken = &home;
    if (!home.sleeps) {
      woken = &*std::find_if(workers_.begin(), workers_.end(),
                             [](const worker& each) { return each.sleeps; });
    }
    // As soon as that: the next ready task wakes another one.
    woken->sleeps = false;
    --sleeping_;
  }
  woken->ready_again.notify_one();
}

void pool_scheduler::start_workers() {
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    threads_.emplace_back([this, number] { work(number); });
  }
}

void pool_scheduler::stop_workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (worker& each : workers_) each.ready_again.notify_all();
  threads_.clear();
}

/// The next task of its own that is ready; null when there is none.
task* pool_scheduler::worker::take() {
  const bool prefers = !others.empty() && (sources.empty() || preferred < preferred_max);
  preferred = prefers ? preferred + 1 : 0;
  std::deque<task*>& from = prefers ? others : sources;
  if (from.empty()) return nullptr;
  task* next = from.front();
  from.pop_front();
  return next;
}

/// Takes a ready task of the worker's own, or of the one that has most. Null when there is none.
/// \pre the mutex is held.
task* pool_scheduler::next_of(std::size_t number) {
  task* next = workers_[number].take();
  if (next == nullptr) {
    next = std::max_element(workers_.begin(), workers_.end(), [](const worker& a, const worker& b) {
             return a.size() < b.size();
           })->take();
  }
  if (next != nullptr) next->home = number;
  return next;
}

void pool_scheduler::work(std::size_t number) {
  worker& own = workers_[number];
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (task* next = next_of(number)) {
      lock.unlock();
      run_slice(*next);
      lock.lock();
      continue;
    }
    own.sleeps = true;
    ++sleeping_;
    own.ready_again.wait(lock, [&] { return stopping_ || !own.sleeps; });
  }
}

}  // namespace freshet::detail
