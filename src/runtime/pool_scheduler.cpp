#include "pool_scheduler.hpp"

namespace freshet::detail {

void pool_scheduler::enqueue(task& ready) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    ready_.push_back(&ready);
    wakes = sleeping_ > 0;
  }
  if (wakes) ready_again_.notify_one();
}

void pool_scheduler::start_workers() {
  for (std::size_t i = 0; i < thread_count_; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

void pool_scheduler::stop_workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_again_.notify_all();
  threads_.clear();
}

void pool_scheduler::work() {
  while (true) {
    task* next = nullptr;
    {
      std::unique_lock lock(mutex_);
      ++sleeping_;
      ready_again_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
      --sleeping_;
      if (stopping_) return;
      next = ready_.front();
      ready_.pop_front();
    }
    run_slice(*next);
  }
}

}  // namespace freshet::detail
