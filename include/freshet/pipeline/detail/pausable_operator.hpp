// What operators share that may emit more than they receive: they can pause between two records.
// Internal.
//
// While the outputs of its task have no room, such an operator keeps the rest of its input instead
// of emitting more. Whatever arrives meanwhile waits behind that, so that no row, watermark or end
// overtakes another. No barrier meets an operator that has paused: the task sees to it.
//
// Threads: one task. Memory: the rest of a batch, and what operators further up in the same task
// emit before they pause, too; what one call of a user's function emits cannot be bounded. Cost:
// one comparison per record, and a look at the room below once per batch of rows that are emitted.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class In, class Out>
class pausable_operator : public resumable_operator<In, Out> {
 public:
  void consume(batch<In>& rows) final {
    owns_rows_ = true;
    const std::optional<std::size_t> rest = begin(rows);
    if (!rest) return;
    waiting& kept = wait();
    std::swap(kept.rows, rows);
    kept.next = *rest;
  }

  void share(const batch<In>& rows) final {
    owns_rows_ = false;
    const std::optional<std::size_t> rest = begin(rows);
    if (!rest) return;
    std::vector<std::uint32_t> numbers(rows.size() - *rest);
    std::iota(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(*rest));
    wait().rows.append_rows(rows, numbers);
  }

  void signal(const control& what) final {
    if (is_busy()) {
      wait().signal = what;
    } else {
      meet(what);
    }
  }

  void on_processing_time(timestamp now) final {
    this->catch_up();
    if (meet_deadline(now)) return;
    wait().deadline = now;
    this->context().task->defer(*this);
  }

  /// One thing after the other: what it makes operators below do comes before the next.
  bool resume() final {
    if (this->answers()) {
      if (!resumable_operator<In, Out>::resume()) return false;
    } else {
      waiting& first = waiting_.front();
      if (first.signal) {
        const control what = *first.signal;
        waiting_.pop_front();
        meet(what);
      } else {
        owns_rows_ = true;
        if (!(first.deadline ? meet_deadline(*first.deadline) : work(first.rows, first.next))) {
          return false;
        }
        spare_ = std::move(first.rows);
        spare_.clear();
        waiting_.pop_front();
      }
    }
    return !is_busy();
  }

 protected:
  /// Works at `rows` from row `next` on, which it moves, and sends what it has emitted. \return
  /// false where it has paused; then it is called again, perhaps with a copy that begins with row
  /// `next`. That is `rows.size()` where there is still something to do after the last row.
  virtual bool work(const batch<In>& rows, std::size_t& next) = 0;
  /// During `work`: whether nobody else wants the rows, so that they may be moved from. Those from
  /// `next` on have to stay as they are.
  bool owns_rows() const { return owns_rows_; }
  /// `on_processing_time`; false where it has paused.
  virtual bool meet_deadline(timestamp /*now*/) { return true; }
  /// `signal`, in its turn.
  virtual void meet(const control& what) { resumable_operator<In, Out>::signal(what); }

  /// To be asked between two calls of a user's function.
  bool should_pause() {
    const std::uint64_t sent =
        this->context().counters->records_out.load(std::memory_order_relaxed);
    if (sent < next_look_) return false;
    next_look_ = sent + batch_rows_max;
    return !this->context().task->has_room();
  }

 private:
  /// Rows from `next` on, unless one of the others is there.
  struct waiting {
    batch<In> rows;
    std::size_t next = 0;
    std::optional<control> signal;
    std::optional<timestamp> deadline;
  };

  bool is_busy() const { return !waiting_.empty() || this->answers(); }

  /// \return from which row on the batch has to wait, if it has to.
  std::optional<std::size_t> begin(const batch<In>& rows) {
    this->catch_up();
    this->count_in(rows);
    if (is_busy()) return 0;
    std::size_t next = 0;
    if (work(rows, next)) return std::nullopt;
    this->context().task->defer(*this);
    return next;
  }

  waiting& wait() {
    waiting& last = waiting_.emplace_back();
    last.rows = std::move(spare_);
    last.rows.clear();
    return last;
  }

  std::deque<waiting> waiting_;
  batch<In> spare_;              ///< Empty, with memory to fill.
  bool owns_rows_ = false;       ///< Of the batch at which it works.
  std::uint64_t next_look_ = 0;  ///< How many rows will have been sent when room is looked for.
};

}  // namespace freshet::detail
