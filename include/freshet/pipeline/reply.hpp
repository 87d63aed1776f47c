// reply: how a function of async_map gives its answer, from any thread, whenever it has one.
//
// A small copyable handle. The first answer counts; further ones are counted as ignored, as are
// those that come when nobody waits any more, because the attempt has timed out or the job has
// ended. When all copies are gone without an answer, that is a failure of the attempt.
// Cost: an allocation per attempt, and a lock per answer.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

template <class Out>
struct answer {
  std::uint64_t question = 0;
  absl::StatusOr<Out> what;
};

/// Where answers wait for the task that asked. Outlives it, as long as somebody may answer.
template <class Out>
class answer_box {
 public:
  /// \param call  tells the task, from any thread.
  explicit answer_box(std::function<void()> call) : call_(std::move(call)) {}

  void put(answer<Out> given) {
    {
      const std::lock_guard lock(mutex_);
      given_.push_back(std::move(given));
      if (given_.size() > 1) return;  // It has been told.
    }
    call_();
  }
  std::vector<answer<Out>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(given_, {});
  }
  void note_ignored() { ignored_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t take_ignored() { return ignored_.exchange(0, std::memory_order_relaxed); }

 private:
  const std::function<void()> call_;
  std::mutex mutex_;
  std::vector<answer<Out>> given_;
  std::atomic<std::uint64_t> ignored_{0};
};

template <class Out>
class open_question {
 public:
  open_question(std::shared_ptr<answer_box<Out>> to, std::uint64_t number)
      : to_(std::move(to)), number_(number) {}
  open_question(const open_question&) = delete;
  open_question& operator=(const open_question&) = delete;
  ~open_question() {
    if (!answered_.load(std::memory_order_relaxed)) {
      give(absl::UnavailableError("the reply was dropped without an answer"));
    }
  }

  void give(absl::StatusOr<Out> what) {
    if (answered_.exchange(true, std::memory_order_relaxed)) {
      to_->note_ignored();
    } else {
      to_->put({number_, std::move(what)});
    }
  }

 private:
  std::shared_ptr<answer_box<Out>> to_;
  std::uint64_t number_;
  std::atomic<bool> answered_{false};
};

}  // namespace detail

template <class Out>
class reply {
 public:
  using value_type = Out;

  explicit reply(std::shared_ptr<detail::open_question<Out>> to) : to_(std::move(to)) {}

  /// Answers. From any thread; does not block for longer than a lock is held.
  void operator()(Out answer) const { to_->give(std::move(answer)); }
  /// The attempt has failed. OK is no reason, and counts as INTERNAL.
  void fail(absl::Status why) const {
    if (why.ok()) why = absl::InternalError("the reply was told to fail with an OK status");
    to_->give(std::move(why));
  }
  /// Either of the two.
  void operator()(absl::StatusOr<Out> answer) const { to_->give(std::move(answer)); }

 private:
  std::shared_ptr<detail::open_question<Out>> to_;
};

}  // namespace freshet
