// The default: threads of the job's own with one ring of ready tasks, which sleep when it is empty.
//
// Threads: those of the pool run tasks; the supervising one looks after deadlines.
#pragma once

#include "worker_scheduler.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace freshet::detail {

class pool_scheduler final : public worker_scheduler {
 public:
  pool_scheduler(std::size_t threads, std::shared_ptr<wake_signal> signal, bool polls)
      : worker_scheduler(std::move(signal), polls), thread_count_(threads) {}
  ~pool_scheduler() override { stop_workers(); }

 protected:
  void enqueue(task& ready) override;
  void start_workers() override;
  void stop_workers() override;

 private:
  void work();

  const std::size_t thread_count_;
  std::mutex mutex_;
  std::condition_variable ready_again_;
  std::deque<task*> ready_;
  std::size_t sleeping_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace freshet::detail
