#include "wake_signal.hpp"

#include <algorithm>
#include <chrono>

namespace freshet::detail {

void wake_signal::notify() {
  {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }
  changed_.notify_one();
}

void wake_signal::wait(std::optional<duration> at_most) {
  // Longer waits are as good as endless, and may overflow the clock that the wait is measured with.
  constexpr duration long_wait = std::chrono::hours(24);
  std::unique_lock lock(mutex_);
  if (polls_) {
    changed_.wait_for(lock, std::chrono::milliseconds(1), [this] { return notified_; });
  } else if (at_most) {
    changed_.wait_for(lock, std::min(*at_most, long_wait), [this] { return notified_; });
  } else {
    changed_.wait(lock, [this] { return notified_; });
  }
  notified_ = false;
}

std::optional<duration> shorter(std::optional<duration> a, std::optional<duration> b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

}  // namespace freshet::detail
