// What a thread waits on until another has something for it.
#pragma once

#include <freshet/core/time.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace freshet::detail {

/// Lets a waiting thread be woken from any other. A wake-up before the wait is not lost.
class wake_signal {
 public:
  /// `polls`: processing time is another clock's, so that no wait is longer than a millisecond.
  explicit wake_signal(bool polls) : polls_(polls) {}
  bool polls() const { return polls_; }

  void notify();
  /// Returns at a notification since the last wait, or after `at_most`, if it is given.
  void wait(std::optional<duration> at_most);

 private:
  const bool polls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool notified_ = false;
};

/// The shorter of two waits, where nothing stands for one without end.
std::optional<duration> shorter(std::optional<duration> a, std::optional<duration> b);

}  // namespace freshet::detail
