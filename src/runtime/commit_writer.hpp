// A thread that writes commits while tasks go on working.
//
// One piece of work at a time: whoever begins one asks for its result before the next.
// Threads: `begin` and `take_result` belong to one.
#pragma once

#include "wake_signal.hpp"

#include <absl/status/status.h>

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace freshet::detail {

class commit_writer {
 public:
  /// `signal` is notified when a piece of work is done. \throws std::system_error where the system
  /// has no thread left.
  explicit commit_writer(std::shared_ptr<wake_signal> signal);
  /// Waits for the work under way: what a disk has begun to write cannot be taken back.
  ~commit_writer();
  commit_writer(const commit_writer&) = delete;
  commit_writer& operator=(const commit_writer&) = delete;

  void begin(std::function<absl::Status()> work);
  /// What the work came to, once; nothing while it is under way. Throws what it threw.
  std::optional<absl::Status> take_result();

 private:
  void run();

  std::shared_ptr<wake_signal> signal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<absl::Status()> work_;
  std::optional<absl::Status> result_;
  std::exception_ptr thrown_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace freshet::detail
