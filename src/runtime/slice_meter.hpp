// Where the time of a task goes. Two looks at the clock per slice.
//
// Threads: written by the one that runs the task, read by any.
#pragma once

#include <freshet/core/time.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace freshet::detail {

class slice_meter {
 public:
  /// What a task waits for between two slices.
  enum class waiting : std::uint8_t {
    input,   ///< For something to do.
    room,    ///< For a task below to take what it has.
    thread,  ///< For its turn.
  };

  void begin_slice() {
    const auto now = clock::now();
    switch (waits_for_) {
      case waiting::input:
        add(idle_, now);
        break;
      case waiting::room:
        add(blocked_, now);
        break;
      case waiting::thread:
        add(ready_, now);
        break;
    }
    since_ = now;
  }
  void end_slice(waiting next) {
    const auto now = clock::now();
    add(busy_, now);
    since_ = now;
    waits_for_ = next;
  }

  /// When the last slice ended. For the thread that runs the task.
  std::chrono::steady_clock::time_point ended_at() const { return since_; }

  duration busy() const { return read(busy_); }
  duration idle() const { return read(idle_); }
  duration blocked() const { return read(blocked_); }
  duration ready() const { return read(ready_); }

 private:
  using clock = std::chrono::steady_clock;
  using counter = std::atomic<clock::rep>;

  void add(counter& to, clock::time_point until) {
    to.store(to.load(std::memory_order_relaxed) + (until - since_).count(),
             std::memory_order_relaxed);
  }
  static duration read(const counter& from) {
    return std::chrono::duration_cast<duration>(
        clock::duration(from.load(std::memory_order_relaxed)));
  }

  counter busy_{0};
  counter idle_{0};
  counter blocked_{0};
  counter ready_{0};
  clock::time_point since_ = clock::now();
  waiting waits_for_ = waiting::input;
};

}  // namespace freshet::detail
