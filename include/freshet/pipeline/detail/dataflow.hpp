// The operators of a task, and the engine as they see it.
//
// An operator is used by one thread at a time; ways.hpp has the ways between operators. Internal:
// written for operator headers, not for applications.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/exchange.hpp>
#include <freshet/pipeline/detail/ways.hpp>

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace freshet::detail {

/// Unwinds a task whose job cannot go on; thrown and caught inside the engine only.
class job_failure : public std::exception {
 public:
  explicit job_failure(absl::Status status) : status_(std::move(status)) {}
  const absl::Status& status() const { return status_; }
  const char* what() const noexcept override { return "freshet job failure"; }

 private:
  absl::Status status_;
};

/// Throws unless `status` is ok.
void check(const absl::Status& status);

/// Ends the job for an exception from a user's function, naming the operator and the record. Call
/// it in a handler: it looks at the exception in flight.
[[noreturn]] void fail_in_user_function(const std::string& place, const position& where);

/// The same where no single record is at fault: `doing` says what the operator was at.
[[noreturn]] void fail_in_user_function(const std::string& place, std::string_view doing);

class runtime_operator;

/// Receives one instance's part of a snapshot. What is handed to it is copied.
class state_writer {
 public:
  virtual ~state_writer() = default;
  /// Whether it wants every row that the instance has, and not only what changed since the last
  /// snapshot. Then nothing is erased, and the instance's record of changes stays as it was: the
  /// next snapshot of changes is the same as if this one had not been.
  virtual bool everything() const { return false; }
  /// One state row, at most once; rows of equal hash are told apart by `key`. `expires_at`: the
  /// watermark of this operator from which on the row is no longer wanted.
  virtual void put(std::uint64_t hash, std::string_view key, timestamp expires_at,
                   std::string_view value) = 0;
  /// A row that an earlier snapshot has and that is gone. One that is put, too, is not.
  virtual void erase(std::uint64_t hash, std::string_view key) = 0;
  /// The instance's small state, replaced as a whole by every snapshot, and its watermark. What it
  /// holds of single keys names their hashes, so that it can be split.
  virtual void summary(std::string bytes, timestamp frontier) = 0;
};

/// Gives an instance of an operator its part of what `snapshot` wrote: by instances that had the
/// keys before, as many as there were then.
class state_reader {
 public:
  virtual ~state_reader() = default;
  /// What each instance wrote, also those whose keys are others' now. At least one.
  virtual std::vector<std::string_view> summaries() const = 0;
  /// Whether `cold_rows` can read the rows from where they are: an operator that keeps to a limit
  /// need not take all of them.
  virtual bool can_read_back() const { return false; }
  /// Whether the key with this hash belongs to the instance that restores.
  virtual bool owns(std::uint64_t hash) const = 0;
  /// The watermark of the instance that had the key with this hash: rows are as of then. Those of
  /// several instances may differ, by the clock or by inputs that were idle.
  virtual timestamp frontier_of(std::uint64_t hash) const = 0;
  /// Every row of an own key that had not expired, ascending by (hash, key).
  virtual void rows(const std::function<void(std::uint64_t hash, std::string_view key,
                                             std::string_view value)>& row) = 0;
  /// Ends the restore: what was read is not what `snapshot` writes.
  [[noreturn]] virtual void fail(std::string_view reason) const = 0;
  [[noreturn]] void fail(const absl::Status& why) const {
    fail(std::string_view(why.message().data(), why.message().size()));
    __builtin_unreachable();
  }
};

/// The engine as an operator sees it.
class task_services {
 public:
  virtual ~task_services() = default;
  /// Asks for `resume()` until it returns true, before anything else is delivered to this task.
  virtual void defer(runtime_operator& unfinished) = 0;
  /// Whether what this task sends finds room. Where it does not, it is kept until it does: an
  /// operator that emits more than it receives should stop and `defer`. Always true without an
  /// exchange below. Cost: a look at every channel below, worth it once per batch.
  virtual bool has_room() = 0;
  /// Takes `of`'s part of the snapshot that the current barrier asks for.
  virtual void take_snapshot(runtime_operator& of) = 0;
  /// What tells the task, from any thread, that it may have work.
  virtual std::function<void()> waker() = 0;
  /// What asks, from any thread, for `of.on_processing_time` as soon as may be. It may outlive the
  /// task, and does nothing then.
  virtual std::function<void()> caller(runtime_operator& of) = 0;
  /// Processing time; never goes back.
  virtual timestamp now() const = 0;
  /// Asks for `of.on_processing_time` once processing time has reached `when`. An operator has one
  /// deadline, the one it asked for last; `timestamp_max` stands for none.
  virtual void call_at(runtime_operator& of, timestamp when) = 0;
};

class cold_rows;
class sink_latencies;

struct operator_context {
  task_services* task = nullptr;
  operator_counters* counters = nullptr;
  sink_latencies* latencies = nullptr;  ///< Of sinks alone.
  std::string name;                     ///< As the user gave it; may be empty.
  std::string place;                    ///< How messages name the operator: `window 'activity'`.
  std::uint32_t number = 0;   ///< Stable hash of the operator's name: marks its derived rows.
  bool single_split = false;  ///< Rows come in the order of the log of a single split.
  /// Whose rows a keyed operator receives. Its tables are laid out for them.
  key_group_set groups = key_group_set::all();
  /// Where memory is limited, and the node says that its operator keeps to it; else null.
  cold_rows* cold = nullptr;
};

/// One operator of one task.
class runtime_operator {
 public:
  virtual ~runtime_operator() = default;
  runtime_operator() = default;
  runtime_operator(const runtime_operator&) = delete;
  runtime_operator& operator=(const runtime_operator&) = delete;

  virtual inlet_base& input(std::size_t port) = 0;
  virtual outlet_base& output(std::size_t port) = 0;

  virtual void open(const operator_context& context) { context_ = context; }
  /// Called after `open`, before any data, when there is something to go on from: a commit, or what
  /// other instances of the operator hand over while they run. Must not emit.
  virtual void restore(state_reader&) {}
  /// Called when no emission is unfinished. Writes its summary and what else is small, and makes
  /// the rest part of the snapshot, as it is now: `continue_snapshot` writes it, and whatever
  /// changes it before. Where `to` wants everything, all is written at once.
  /// \pre the snapshot before is complete. `to` lives until this one is, or is never continued.
  virtual void snapshot(state_writer& /*to*/) {}
  /// Writes more of the snapshot, for at most `rows`, which it lessens by what it has written or
  /// looked at. Called between batches, also when an emission is unfinished. \pre rows > 0.
  /// \return whether the snapshot is complete.
  virtual bool continue_snapshot(std::size_t& /*rows*/) { return true; }
  /// Everything that it has written for snapshots so far is in the newest commit.
  virtual void note_durable() {}
  /// The deadline given to `task_services::call_at` has come, and is gone. Called between batches,
  /// when no emission is unfinished; may emit. `now`: processing time.
  virtual void on_processing_time(timestamp /*now*/) {}
  /// Goes on with an emission that `task_services::defer` announced; true when it is complete.
  virtual bool resume() { return true; }

  /// What it holds; nothing of an operator that never holds anything. Asked a hundred times a
  /// second at most: may look at every table, and at some of its rows.
  virtual std::optional<state_size> held_state() { return std::nullopt; }

  /// Whether its rows have depended on processing time so far in a way that only running shows.
  virtual bool used_processing_time() const { return false; }

  const operator_context& context() const { return context_; }

 private:
  operator_context context_;
};

/// An operator with one input, and `Out` as its main output. Forwards every signal it is not
/// interested in; at a barrier it takes its snapshot first.
template <class In, class Out>
class unary_operator : public runtime_operator, public inlet<In> {
 public:
  inlet_base& input(std::size_t) override { return *this; }
  outlet_base& output(std::size_t) override { return out_; }

  void signal(const control& what) override {
    switch (what.what) {
      case control::kind::watermark:
        on_watermark(what.frontier);
        return;
      case control::kind::barrier:
        context().task->take_snapshot(*this);
        forward(what);
        return;
      default:
        forward(what);
    }
  }

 protected:
  virtual void on_watermark(timestamp frontier) {
    forward({.what = control::kind::watermark, .frontier = frontier});
  }
  /// Overridden by operators with side outputs, which need every signal too.
  virtual void forward(const control& what) { out_.signal(what); }

  outlet<Out>& out() { return out_; }

  template <class T>
  void count_in(const batch<T>& rows) const {
    context().counters->take(rows.size(), bytes_of(rows));
  }
  template <class T>
  void count_out(const batch<T>& rows) const {
    context().counters->give(rows.size(), bytes_of(rows));
  }

 private:
  outlet<Out> out_;
};

}  // namespace freshet::detail
