// A push channel: how an application feeds records into a pipeline from its own threads.
//
// Any number of producers, one split, sequence = order of acceptance. Bounded: while the channel is
// full, `push` does what `.when_full` says: wait, which is backpressure, or drop, which is counted
// and sampled. `try_push` does neither. Handles share one channel and may be used from any thread,
// but for the functions of the pipeline that reads it. One job reads it at a time.
//
// A record that was accepted but not yet committed is lost when the process dies: what
// `committed()` tells need not be pushed again after a restart; whatever came later must be, by the
// application. Without that, delivery is at most once.
#pragma once

#include <freshet/connectors/detail/drop_log.hpp>
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

/// What `push` does while the channel is full.
enum class when_full : std::uint8_t {
  block,        ///< Waits for room, so that producers become as slow as the pipeline.
  drop_newest,  ///< Drops the record that is pushed: it is refused, and gets no sequence.
  drop_oldest,  ///< Drops the accepted record that has waited longest, and accepts the new one.
                ///< The sequence of the dropped one is then missing in what the pipeline sees.
};

struct channel_options {
  /// Records that may wait in the channel. At least 1.
  std::size_t capacity = 4096;
  freshet::when_full when_full = freshet::when_full::block;
};

namespace detail {

/// Whether this thread is running a pipeline's operators right now.
bool inside_pipeline();

template <class T>
struct channel_state {
  explicit channel_state(channel_options options)
      : capacity(std::max<std::size_t>(options.capacity, 1)), policy(options.when_full) {}

  bool full() const { return waiting.size() >= capacity; }
  bool refuses() const { return closed || broken || unread; }

  std::mutex mutex;
  std::condition_variable room_again;
  const std::size_t capacity;
  const when_full policy;
  std::deque<T> waiting;        ///< Their sequences are `taken` .. `accepted` - 1.
  std::uint64_t accepted = 0;   ///< Sequence of the next record to accept.
  std::uint64_t taken = 0;      ///< Sequence of the next record to read; none before it is left.
  std::uint64_t committed = 0;  ///< Records before this sequence are in a commit.
  bool closed = false;
  bool broken = false;   ///< The job that read it has ended.
  bool unread = false;   ///< A job was started that had finished before.
  bool is_read = false;  ///< A job has it open.
  drop_log<T> lost;
  std::uint64_t lost_told = 0;  ///< How many of the lost ones the metrics of a job know of.
  std::function<void()> wake;
};

template <class T>
class channel_reader final : public split_reader<T> {
 public:
  /// \pre the state's mutex is held.
  explicit channel_reader(std::shared_ptr<channel_state<T>> state)
      : state_(std::move(state)), told_before_(state_->lost_told) {}

  ~channel_reader() override {
    const std::lock_guard lock(state_->mutex);
    state_->broken = true;
    state_->is_read = false;
    state_->wake = nullptr;
    state_->room_again.notify_all();
  }

  absl::StatusOr<read_state> read(std::size_t limit, batch<T>& rows,
                                  std::vector<dead_letter>&) override {
    const std::lock_guard lock(state_->mutex);
    const std::size_t count = std::min(limit, state_->waiting.size());
    const bool was_full = state_->full();
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
  std::uint64_t dropped() const override {
    const std::lock_guard lock(state_->mutex);
    state_->lost_told = state_->lost.count();
    return state_->lost_told - told_before_;
  }

 private:
  std::shared_ptr<channel_state<T>> state_;
  const std::uint64_t told_before_;
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
    if (state_->is_read) {
      return absl::FailedPreconditionError(
          "channel: another job reads it; give every job a channel of its own");
    }
    state_->is_read = true;
    state_->broken = false;
    state_->unread = false;
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

/// A handle on a channel and, at the same time, the description of the source that reads it:
/// `fr::channel<payment> in; auto payments = p.from("payments", in);`.
template <class T>
class channel {
 public:
  using value_type = T;

  explicit channel(channel_options options = {})
      : state_(std::make_shared<detail::channel_state<T>>(options)) {}

  /// Hands over a record. While the channel is full, also because no job reads it yet, this waits
  /// or drops, as `.when_full` says; only `when_full::block` ever waits.
  /// \return the record's sequence; `ResourceExhausted` when it was dropped (`drop_newest` only);
  ///         `FailedPrecondition` when the channel is closed, its job has ended, also during the
  ///         wait, or the caller is a function of a pipeline (which could wait for itself).
  absl::StatusOr<std::uint64_t> push(T record) {
    if (absl::Status refused = refuse_inside(); !refused.ok()) return refused;
    std::unique_lock lock(state_->mutex);
    switch (state_->policy) {
      case when_full::block:
        state_->room_again.wait(lock, [this] { return state_->refuses() || !state_->full(); });
        break;
      case when_full::drop_newest:
        if (!state_->full() || state_->refuses()) break;
        state_->lost.add(std::move(record));
        lock.unlock();
        return absl::ResourceExhaustedError(
            "channel: it is full, and the record was dropped; push less, or choose another "
            "when_full");
      case when_full::drop_oldest:
        if (!state_->full() || state_->refuses()) break;
        state_->lost.add(std::move(state_->waiting.front()));
        state_->waiting.pop_front();
        ++state_->taken;
        break;
    }
    return accept(std::move(record), lock);
  }

  /// Hands over a record if there is room: `ResourceExhausted` when there is none. Whatever
  /// `.when_full` says, nothing is dropped: the caller knows, and may try again.
  absl::StatusOr<std::uint64_t> try_push(T record) {
    if (absl::Status refused = refuse_inside(); !refused.ok()) return refused;
    std::unique_lock lock(state_->mutex);
    if (state_->full() && !state_->refuses()) {
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
  /// Those that `drop_oldest` dropped among them are settled, too: they are lost.
  std::uint64_t committed() const {
    const std::lock_guard lock(state_->mutex);
    return state_->committed;
  }

  /// How many records `push` has dropped since the channel was made. `operator_metrics::shed` is
  /// this number as the job learned it, since the job began.
  std::uint64_t dropped() const {
    const std::lock_guard lock(state_->mutex);
    return state_->lost.count();
  }

  /// What is being lost: a uniform sample of 64 of the dropped records, or all of them while they
  /// are fewer; in no particular order. So each stands for dropped() / size() records.
  std::vector<T> dropped_sample() const {
    const std::lock_guard lock(state_->mutex);
    return state_->lost.sample();
  }

  /// For the engine: the job that would read it had finished in an earlier run, and will not.
  void abandon() const {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_read) return;
    state_->unread = true;
    state_->room_again.notify_all();
  }

  /// Which records a drop policy spares depends on the moment, not on any log.
  std::vector<std::string> unpromised() const {
    if (state_->policy == when_full::block) return {};
    return {"drop policy"};
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
    if (state_->closed) {
      return absl::FailedPreconditionError("channel: it is closed; push before close()");
    }
    if (state_->broken) {
      return absl::FailedPreconditionError(
          "channel: the job that read it has ended; start it again");
    }
    if (state_->unread) {
      return absl::FailedPreconditionError(
          "channel: its job had finished in an earlier run, and reads nothing; give the pipeline a "
          "new checkpoint directory");
    }
    state_->waiting.push_back(std::move(record));
    if (state_->wake && state_->waiting.size() == 1) state_->wake();
    return state_->accepted++;
  }

  std::shared_ptr<detail::channel_state<T>> state_;
};

}  // namespace freshet
