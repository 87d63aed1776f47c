// A clock that stands still until it is moved: processing time for tests.
//
// A handle: copies share one time, so that a test moves what a job reads. Threads: any. Time:
// begins at the epoch unless told otherwise, and never goes back. A running job looks at it every
// millisecond.
//
//     freshet::testing::manual_clock clock;
//     absl::StatusOr<freshet::job> job = p.start({.clock = clock});
//     clock.advance(10s);      // idle timeouts, windows and timers of processing time follow
#pragma once

#include <freshet/core/time.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

namespace freshet::testing {

class manual_clock {
 public:
  explicit manual_clock(timestamp start = timestamp{})
      : now_(std::make_shared<std::atomic<std::int64_t>>(start.time_since_epoch().count())) {}

  timestamp now() const { return timestamp{duration{now_->load()}}; }
  /// The same: what `run_options::clock` calls.
  timestamp operator()() const { return now(); }

  /// Moves to `to`; does nothing when it is there already, or further.
  void move_to(timestamp to) {
    const std::int64_t wanted = to.time_since_epoch().count();
    std::int64_t current = now_->load();
    while (current < wanted && !now_->compare_exchange_weak(current, wanted)) {
    }
  }
  /// Moves on by `by`, which must not be negative. Stops at the end of time.
  void advance(duration by) { move_to(saturating_add(now(), by)); }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> now_;
};

}  // namespace freshet::testing
