// A pipeline driven by hand, for tests: records and watermarks when the test says so, a clock that
// the test moves, restarts wherever it wants them.
//
// What runs is the engine itself (the graph, the task, the operators and the checkpoints of `run`),
// in the calling thread. After every call the pipeline is at rest: there is nothing to wait for,
// and nothing depends on timing.
//
//     namespace frt = freshet::testing;
//     frt::harness h;
//     const auto in = h.input<event>("events");
//     const auto windows = in.stream() | key_by(&event::key) | window(tumbling{10s}) |
//                          aggregate("w", count("n"));
//     const auto rows = h.collect(windows);
//     const auto late = h.collect(windows.late());
//     in.push({"a", 1}, frt::at(3s));
//     in.watermark(frt::at(10s));             // No more records before 10 s: [0 s, 10 s) fires.
//     REQUIRE(rows.take().size() == 1);
//     h.snapshot_and_restore();
//     REQUIRE(h.finish().ok());
//
// Compose first: the first record, restart, move of the clock or look at a result opens the job,
// and ends composing. Handles (inputs, outputs) share the job. Threads: one. Memory: every record
// until a commit holds it, and every collected row. Cost of a restart: opening the job and
// restoring its state.
//
// Not seen: what depends on several threads, on real time, or on a disk.
#pragma once

#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/testing/detail/collecting_sink.hpp>
#include <freshet/testing/detail/driven_job.hpp>
#include <freshet/testing/hand_input.hpp>
#include <freshet/testing/harness_options.hpp>
#include <freshet/testing/row_text.hpp>

#include <absl/status/status.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet::testing {

/// The moment that lies `since_epoch` after 1970-01-01T00:00:00Z.
constexpr timestamp at(duration since_epoch) {
  return timestamp{since_epoch};
}

/// The rows of a stream, as a reader of a committed file would find them: each one once, whatever
/// restarts there were. Looking lets in what the inputs still hold back for a batch; after a
/// failure of the job it throws `std::runtime_error` with the failure's text.
template <class T>
class collected {
 public:
  collected(std::shared_ptr<detail::driven_job> job,
            std::shared_ptr<detail::collected_rows<T>> rows)
      : job_(std::move(job)), rows_(std::move(rows)) {}

  /// Every row so far, in the order in which they came.
  const std::vector<collected_row<T>>& all() const {
    job_->look();
    return rows_->rows();
  }
  std::size_t size() const { return all().size(); }
  bool empty() const { return all().empty(); }

  /// The rows that came since the last take of any kind.
  std::vector<collected_row<T>> take() const {
    const std::vector<collected_row<T>>& rows = all();
    const std::size_t from = std::min(rows_->taken, rows.size());
    rows_->taken = std::max(rows_->taken, rows.size());
    return {rows.begin() + static_cast<std::ptrdiff_t>(from), rows.end()};
  }
  /// The same, values only.
  std::vector<T> take_values() const {
    std::vector<T> values;
    for (collected_row<T>& each : take()) values.push_back(std::move(each.value));
    return values;
  }
  /// The same, as text: `a|0|10|2@9`, see `row_text`. Without `@` in a stream without event times.
  std::vector<std::string> take_text() const { return texts(take()); }
  /// Every row so far as text.
  std::vector<std::string> text() const { return texts(all()); }

 private:
  std::vector<std::string> texts(const std::vector<collected_row<T>>& rows) const {
    std::vector<std::string> all;
    for (const collected_row<T>& each : rows) {
      all.push_back(rows_->timed() ? testing::row_text(each.value, each.at)
                                   : testing::row_text(each.value));
    }
    return all;
  }

  std::shared_ptr<detail::driven_job> job_;
  std::shared_ptr<detail::collected_rows<T>> rows_;
};

/// The clock of processing time of a harness.
class harness_clock {
 public:
  explicit harness_clock(std::shared_ptr<detail::driven_job> job) : job_(std::move(job)) {}

  timestamp now() const { return job_->clock().now(); }
  /// Moves the clock, after everything that was given before; then does what is due. Does nothing
  /// when `to` is in the past.
  void move_to(timestamp to) const { job_->move_clock(to); }
  /// Moves the clock on by `by`, in one step. Stops at the end of time.
  void advance(duration by) const { job_->move_clock(saturating_add(now(), by)); }

 private:
  std::shared_ptr<detail::driven_job> job_;
};

/// Options of one input.
struct input_options {
  /// At least 1.
  std::size_t splits = 1;
  /// As `event_time_options::idle_after`, by the harness's clock. Zero: only `idle()` makes a split
  /// idle.
  duration idle_after{0};
};

class harness {
 public:
  /// Throws `std::invalid_argument` when an option is out of range.
  explicit harness(const harness_options& options = {})
      : job_(std::make_shared<detail::driven_job>(options)) {}

  // --- Composing. What is wrong is thrown as `std::invalid_argument`.

  /// An input whose event times and watermarks come from the test. `name` as in `pipeline::from`.
  template <class T>
  hand_input<T> input(const std::string& name, const input_options& options = {}) {
    return {job_, name, options.splits, options.idle_after};
  }
  /// An input of bare records.
  template <class T>
  untimed_hand_input<T> untimed_input(const std::string& name, std::size_t splits = 1) {
    return {job_, name, splits, duration::zero()};
  }

  /// Keeps the rows of a stream for the test to look at. `name` as in `to`; by default a number.
  template <stream_handle Stream>
  auto collect(const Stream& from, std::string name = {}) {
    using row = typename Stream::value_type;
    job_->require_own(from.graph(), "harness: collect");
    auto rows = std::make_shared<detail::collected_rows<row>>(from.graph()->timed(from.from()));
    if (name.empty()) name = "collected " + std::to_string(job_->outputs() + 1);
    static_cast<const stream<row>&>(from) |
        to(std::move(name), detail::collecting_description<row>{rows});
    job_->add(rows);
    return collected<row>(job_, rows);
  }

  /// The pipeline under test, for what is composed in other ways: `h.pipeline().from(...)`. Its
  /// other sources are read until they have nothing; one that never rests would never let the test
  /// go on.
  freshet::pipeline& pipeline() { return job_->composed(); }

  // --- Running. What fails, fails the job: see `status`.

  /// Processing time. It stands still until it is moved here.
  harness_clock clock() const { return harness_clock(job_); }

  /// Commits, destroys the job, and opens it again from the commit.
  void snapshot_and_restore() { job_->snapshot_and_restore(); }
  /// Commits.
  void commit() { job_->commit(); }
  /// Destroys the job without a commit, as `kill -9` would, also after a failure. Rows that no
  /// commit holds are gone until `resume`.
  void kill() { job_->kill(); }
  /// After `kill`: opens the job from its last commit, and lets in again, in the same order, what
  /// came since.
  void resume() { job_->resume(); }

  // --- The end. Nothing can be given afterwards.

  /// Ends every split of every input: windows close, timers of event time fire, outputs complete.
  /// The pipeline's other sources must have come to their ends by themselves.
  void finish() { job_->finish(); }
  /// As `job::drain`: what has been read is all there is.
  void drain() { job_->drain(); }
  /// As `job::stop`: commits, and keeps open windows for whoever goes on from `checkpoint()`.
  void stop() { job_->stop(); }

  // --- What it came to.

  /// OK, or the failure that has ended the job, as `run` would return it.
  absl::Status status() { return job_->status(); }
  /// Counts so far.
  job_metrics metrics() { return job_->metrics(); }
  /// Complete once the job has ended.
  run_summary summary() { return job_->summary(); }
  /// What is committed: to look at, or for another harness to go on from.
  std::shared_ptr<memory_checkpoint> checkpoint() const { return job_->checkpoint(); }

 private:
  std::shared_ptr<detail::driven_job> job_;
};

}  // namespace freshet::testing
