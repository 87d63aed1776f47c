// What schedulers with several threads share: when a task is ready, who runs it, and what wakes it.
//
// A task is *active* while it is queued or runs, and *notified* when something has happened since
// its last slice began. Whoever wakes a task sets both at once and queues it if it was not active;
// whoever has run it lets it rest only if it was not notified meanwhile. Both are read-modify-write
// operations on one word, so that no wake-up is lost, and no task runs twice at once.
#pragma once

#include "scheduler.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace freshet::detail {

class worker_scheduler : public scheduler {
 public:
  worker_scheduler(std::shared_ptr<wake_signal> signal, bool polls)
      : signal_(std::move(signal)), polls_(polls) {}

  void run(const std::vector<task*>& tasks, supervisor& over) final;
  void wake(task& ready) final;

 protected:
  using clock = std::chrono::steady_clock;

  /// Has `run_slice(ready)` called by a worker.
  virtual void enqueue(task& ready) = 0;
  /// Begins and ends the work of the workers; none runs a slice after `stop_workers`.
  virtual void start_workers() = 0;
  virtual void stop_workers() = 0;

  /// Runs a task that `enqueue` was given, and puts it back if there is more to do.
  void run_slice(task& ready);

  /// Ends the job: its tasks cannot be run.
  void fail(std::exception_ptr why) { over_->note_failed(std::move(why)); }

 private:
  static constexpr std::uint8_t notified = 1;
  static constexpr std::uint8_t active = 2;
  static constexpr std::uint8_t finished = 4;

  void wake_those_due();
  std::optional<duration> until_next_alarm();
  void set_alarm(task& resting);

  std::shared_ptr<wake_signal> signal_;
  const bool polls_;
  supervisor* over_ = nullptr;
  std::mutex alarm_mutex_;
  std::map<task*, clock::time_point> alarms_;  ///< Of tasks that rest until a deadline.
};

}  // namespace freshet::detail
