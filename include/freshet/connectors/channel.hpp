// A push channel: how an application feeds records into a pipeline from its own threads.
//
// Any number of producers, one split, sequence = order of acceptance. Bounded: `push` waits while
// the channel is full (that is backpressure), `try_push` does not. Handles share one channel and
// may be used from any thread, but for the functions of the pipeline that reads it.
//
// A record that was accepted but not yet committed is lost when the process dies: what
// `committed()` tells need not be pushed again after a restart; whatever came later must be, by the
// application. Without that, delivery is at most once.
#pragma once

#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// Whether this thread is running a pipeline's operators right now.
bool inside_pipeline();

template <class T>
struct channel_state {
  explicit channel_state(std::size_t room) : capacity(room) {}

  std::mutex mutex;
  std::condition_variable room_again;
  const std::size_t capacity;
  std::deque<T> waiting;
  std::uint64_t accepted = 0;   ///< Sequence of the next record to accept.
  std::uint64_t taken = 0;      ///< Sequence of the next record to read.
  std::uint64_t committed = 0;  ///< Records before this sequence are in a commit.
  bool closed = false;
  bool broken = false;  ///< The job that read it has ended.
  std::function<void()> wake;
};

template <class T>
class channel_reader final : public split_reader<T> {
 public:
  explicit channel_reader(std::shared_ptr<channel_state<T>> state) : state_(std::move(state)) {}

  ~channel_reader() override {
    const std::lock_guard lock(state_->mutex);
    state_->broken = true;
    state_->wake = nullptr;
    state_->room_again.notify_all();
  }

  absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                  std::vector<dead_letter>&) override {
    const std::lock_guard lock(state_->mutex);
    const std::size_t count = std::min(limit, state_->waiting.size());
    const bool was_full = state_->waiting.size() >= state_->capacity;
    for (std::size_t i = 0; i < count; ++i) {
      rows.values.push_back(std::move(state_->waiting.front()));
      state_->waiting.pop_front();
      rows.positions.push_back({state_->taken++, 0, 0});
    }
    if (was_full && count > 0) state_->room_again.notify_all();
    if (!state_->waiting.empty()) return read_state::more;
    return state_->closed ? read_state::end : read_state::idle;
  }

  std::string position() const override {
    const std::lock_guard lock(state_->mutex);
    return std::to_string(state_->taken);
  }
  void wake_with(std::function<void()> wake) override {
    const std::lock_guard lock(state_->mutex);
    state_->wake = std::move(wake);
  }
  void committed(std::string_view position) override {
    const std::lock_guard lock(state_->mutex);
    state_->committed = parse_count(position).value_or(state_->committed);
  }

 private:
  std::shared_ptr<channel_state<T>> state_;
};

template <class T>
class channel_source final : public source<T> {
 public:
  explicit channel_source(std::shared_ptr<channel_state<T>> state) : state_(std::move(state)) {}

  std::vector<std::string> splits() const override { return {"channel"}; }
  bool replayable() const override { return false; }
  bool bounded() const override { return false; }

  void committed(std::size_t, std::string_view position) override {
    const std::lock_guard lock(state_->mutex);
    state_->committed = parse_count(position).value_or(state_->committed);
  }

  absl::StatusOr<std::unique_ptr<split_reader<T>>> open(
      std::size_t, std::optional<std::string_view> position) override {
    const std::optional<std::uint64_t> next = position ? parse_count(*position) : 0;
    if (!next) return absl::DataLossError("channel: the checkpoint's position is not a number");
    const std::lock_guard lock(state_->mutex);
    state_->broken = false;
    if (*next > state_->taken) {
      // After a restart counting goes on, so that record ids stay unique.
      state_->taken = *next;
      state_->accepted = *next + state_->waiting.size();
      state_->committed = *next;
    }
    return std::make_unique<channel_reader<T>>(state_);
  }

 private:
  std::shared_ptr<channel_state<T>> state_;
};

}  // namespace detail

struct channel_options {
  /// Records that may wait in the channel. At least 1.
  std::size_t capacity = 4096;
};

/// A handle on a channel and, at the same time, the description of the source that reads it:
/// `fr::channel<payment> in; auto payments = p.from("payments", in);`.
template <class T>
class channel {
 public:
  using value_type = T;

  explicit channel(channel_options options = {})
      : state_(std::make_shared<detail::channel_state<T>>(
            std::max<std::size_t>(options.capacity, 1))) {}

  /// Hands over a record; waits while the channel is full.
  /// \return the record's sequence; `FailedPrecondition` when the channel is closed, its job has
  ///         ended, or the caller is a function of a pipeline (which could wait for itself).
  absl::StatusOr<std::uint64_t> push(T record) {
    if (absl::Status refused = refuse_inside(); !refused.ok()) return refused;
    std::unique_lock lock(state_->mutex);
    state_->room_again.wait(lock, [this] {
      return state_->closed || state_->broken || state_->waiting.size() < state_->capacity;
    });
    return accept(std::move(record), lock);
  }

  /// Hands over a record if there is room: `ResourceExhausted` when there is none.
  absl::StatusOr<std::uint64_t> try_push(T record) {
    if (absl::Status refused = refuse_inside(); !refused.ok()) return refused;
    std::unique_lock lock(state_->mutex);
    if (!state_->closed && !state_->broken && state_->waiting.size() >= state_->capacity) {
      return absl::ResourceExhaustedError("channel: it is full; try again, or use push to wait");
    }
    return accept(std::move(record), lock);
  }

  /// Ends the input: what was accepted is still read. Idempotent.
  void close() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->room_again.notify_all();
    if (state_->wake) state_->wake();
  }

  /// Records with a smaller sequence are in a commit and need not be pushed again after a crash.
  std::uint64_t committed() const {
    const std::lock_guard lock(state_->mutex);
    return state_->committed;
  }

  absl::StatusOr<std::unique_ptr<source<T>>> open() const {
    return std::make_unique<detail::channel_source<T>>(state_);
  }

 private:
  static absl::Status refuse_inside() {
    if (!detail::inside_pipeline()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "channel: push was called from inside a pipeline, which could wait for itself; push from a "
        "thread of your own");
  }

  absl::StatusOr<std::uint64_t> accept(T&& record, std::unique_lock<std::mutex>&) {
    if (state_->closed || state_->broken) {
      return absl::FailedPreconditionError(
          state_->closed ? "channel: it is closed; push before close()"
                         : "channel: the job that read it has ended; start it again");
    }
    state_->waiting.push_back(std::move(record));
    if (state_->wake && state_->waiting.size() == 1) state_->wake();
    return state_->accepted++;
  }

  std::shared_ptr<detail::channel_state<T>> state_;
};

}  // namespace freshet
