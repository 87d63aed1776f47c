// The default: threads of the job's own, which sleep when there is nothing to do.
//
// A task stays with the thread that ran it last, whose caches have its state and the batches that
// it uses again and again. A thread that has no ready task takes one of another thread, which moves
// for good, rather than sleep: nobody rests while there is work, also when a function blocks the
// thread whose turn it would be.
//
// Tasks that read sources come after the others, so that rows are used up while they are in a
// cache, before there are more of them; but for one now and then, however many others are ready.
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
      : worker_scheduler(std::move(signal), polls), workers_(threads) {}
  ~pool_scheduler() override { stop_workers(); }

 protected:
  void enqueue(task& ready) override;
  void start_workers() override;
  void stop_workers() override;

 private:
  struct worker {
    std::deque<task*> sources;  ///< Ready tasks that read.
    std::deque<task*> others;   ///< The other ones.
    std::size_t preferred = 0;  ///< How many others in a row have had their turn.
    std::condition_variable ready_again;
    bool sleeps = false;

    std::size_t size() const { return sources.size() + others.size(); }
    task* take();
  };
  /// How many others come before a source that is ready.
  static constexpr std::size_t preferred_max = 64;

  void work(std::size_t number);
  task* next_of(std::size_t number);

  std::mutex mutex_;  ///< Of all that follows, and of where tasks are at home.
  std::vector<worker> workers_;
  std::size_t sleeping_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace freshet::detail
