#include "host_scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace freshet::detail {

void host_scheduler::enqueue(task& ready) {
  {
    const std::lock_guard lock(under_way_->mutex);
    if (under_way_->stopping) return;
    ++under_way_->count;
  }
  const auto leave = [under_way = under_way_] {
    const std::lock_guard lock(under_way->mutex);
    --under_way->count;
    under_way->done.notify_all();
  };
  try {
    enqueue_([this, next = &ready, under_way = under_way_, leave] {
      bool runs = false;
      {
        const std::lock_guard lock(under_way->mutex);
        runs = !under_way->stopping;
      }
      if (runs) run_slice(*next);
      leave();
    });
  } catch (...) {
    leave();
    fail(std::current_exception());  // The task stays active, and so is never queued again.
  }
}

void host_scheduler::start_workers() {
  try_concurrency();
}

void host_scheduler::stop_workers() {
  std::unique_lock lock(under_way_->mutex);
  under_way_->stopping = true;
  under_way_->done.wait(lock, [this] { return under_way_->count == 0; });
}

/// Hands over as many pieces of work as tasks are to run at once, each of which waits for the
/// others: those that meet do run at once.
void host_scheduler::try_concurrency() {
  struct meeting {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t present = 0;
    std::size_t most = 0;
    std::size_t left = 0;
    bool over = false;
  };
  static constexpr std::chrono::milliseconds patience{200};
  const auto trial = std::make_shared<meeting>();
  for (std::size_t i = 0; i < threads_; ++i) {
    enqueue_([trial, wanted = threads_] {
      std::unique_lock lock(trial->mutex);
      trial->most = std::max(trial->most, ++trial->present);
      trial->changed.notify_all();
      trial->changed.wait_for(lock, patience, [&] { return trial->over || trial->most >= wanted; });
      --trial->present;
      ++trial->left;
      trial->changed.notify_all();
    });
  }
  std::unique_lock lock(trial->mutex);
  trial->changed.wait_for(lock, patience, [&] { return trial->most >= threads_; });
  trial->over = true;
  trial->changed.notify_all();
  if (trial->most < threads_) {
    warnings_.push_back(fmt::format(
        "the workers run {} task{} at once, and parallelism is {}; give them more threads (oneTBB: "
        "hold a global_control of one more than that), or ask for less",
        trial->most, trial->most == 1 ? "" : "s", threads_));
  }
}

}  // namespace freshet::detail
