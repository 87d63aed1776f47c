// Keeps the tasks that read sources together in event time.
//
// A task whose splits are all further ahead than `max_drift` of what the slowest task reads waits,
// so that files or partitions of very different lengths do not pile up window state. A task with
// nothing to read holds nobody back: that is for idle timeouts to judge. Threads: any.
#pragma once

#include <freshet/core/time.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace freshet::detail {

class task;

class drift_board {
 public:
  explicit drift_board(duration max_drift) : max_drift_(max_drift) {}

  /// Before any task runs: makes a place for one. \return its number.
  std::size_t join(task& reader);

  /// The lowest frontier of what a task can read; `timestamp_max` when it can read nothing. Wakes
  /// those who wait for it.
  void report(std::size_t reader, timestamp frontier);

  /// Up to which frontier splits may be read now.
  timestamp limit() const;

  /// Asks to be woken when the limit moves. \return false when it is past `limit` already.
  bool wait(std::size_t reader, timestamp limit);

 private:
  struct place {
    task* reader = nullptr;
    std::atomic<timestamp::rep> frontier{timestamp_min.time_since_epoch().count()};
    std::atomic<bool> waits{false};
  };

  timestamp lowest() const;

  duration max_drift_;
  std::vector<std::unique_ptr<place>> places_;
};

}  // namespace freshet::detail
