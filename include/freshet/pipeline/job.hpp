// A running pipeline, in a thread of its own.
//
// All members may be called from any thread but from inside the pipeline's own functions.
#pragma once

#include <freshet/pipeline/run_options.hpp>
#include <freshet/pipeline/view.hpp>
#include <freshet/pipeline/window_explanation.hpp>
#include <freshet/window/assigner.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace freshet {

namespace detail {
class job_runner;
}  // namespace detail

/// Returned by `pipeline::start`. Destroying it stops the job, also one that drains, and waits for
/// it: for `run_options::stop_within`, and for the function or sink that is being called then.
class job {
 public:
  explicit job(std::unique_ptr<detail::job_runner> runner);
  job(job&&) noexcept;
  job& operator=(job&&) noexcept;
  ~job();

  /// Asks the job to commit and stop. Open windows stay in the checkpoint for the next start;
  /// without checkpoints they are given up, and sinks complete what they have. Does not wait. Of
  /// `stop` and `drain` the first one counts.
  void stop();

  /// Asks the job to treat what it has read as all there is: every window closes, sinks complete,
  /// and the job counts as finished. Does not wait.
  void drain();

  /// Commits, and copies the commit to `directory`, which is new or empty, in a folder that exists:
  /// the copy shares no file with the checkpoint, nobody removes it but you, and
  /// `checkpoint_options::restore_from` starts a job from it. Waits until it is durable. What has
  /// been read before the call is in it; `stop` after it adds nothing, where the input has been
  /// idle since. Errors: FailedPrecondition without a checkpoint directory, after the end, from
  /// inside the pipeline, and when `directory` holds something; those of the disk, after which the
  /// job goes on; DeadlineExceeded after `at_most`, when it will still be made, or not.
  absl::Status savepoint(const std::string& directory, duration at_most = std::chrono::minutes(10));

  /// Waits for the end: of the input, or of a `stop` or `drain`. Returns the first error, if any.
  absl::Status wait();

  /// Waits for the end, but no longer than `at_most`; true when it has come.
  bool wait_for(duration at_most);

  /// Counts so far.
  job_metrics metrics() const;

  /// Why the window `span` of the window operator `name` has not fired yet: the watermark that it
  /// needs, and what every split that feeds it has promised. The job answers between two batches;
  /// after its end, the last it knew is told.
  /// Errors: NotFound with the names there are; InvalidArgument for windows that do not wait for a
  /// watermark (of counts, of processing time, without a firing at their end) and empty spans;
  /// DeadlineExceeded when the job is busy with one batch for longer than `at_most`;
  /// FailedPrecondition when a function of the pipeline asks.
  absl::StatusOr<window_explanation> why_not_fired(
      std::string_view name, const window_span& span,
      duration at_most = std::chrono::seconds(5)) const;

  /// The windows of the window operator `name`, to be read while the job runs. `Row`: the type of
  /// its rows. See view.hpp.
  /// Errors: NotFound with the names there are; InvalidArgument when its rows are of another type,
  /// or it keeps none that can be read (windows of counts and of processing time).
  /// The same for tables that `upsert` keeps: `view<balance, std::string>("latest")`.
  template <class Row, class Key = typename detail::key_of_row<Row>::type>
  absl::StatusOr<freshet::view<Row, Key>> view(std::string_view name) const {
    static_assert(!std::is_void_v<Key>,
                  "freshet: a view of a table needs the type of its keys: view<row, key>(name)");
    absl::StatusOr<detail::view_source> found =
        detail::find_view(*runner_, name, typeid(detail::readable_rows<Key, Row>));
    if (!found.ok()) return found.status();
    return freshet::view<Row, Key>(*found);
  }

  /// What the run came to. Before its end, only whether it `resumed` and has `nothing_to_do`.
  const run_summary& summary() const;

 private:
  std::unique_ptr<detail::job_runner> runner_;
};

}  // namespace freshet
