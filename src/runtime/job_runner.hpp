// One run of a pipeline, from opening to the last commit.
//
// `open` and `execute` belong to one thread each, one after the other; requests and metrics come
// from any thread.
#pragma once

#include "checkpoint.hpp"
#include "checkpoint_figures.hpp"
#include "commit_coordinator.hpp"
#include "counter_board.hpp"
#include "explanation.hpp"
#include "rebalancing.hpp"
#include "scheduler.hpp"
#include "task_set.hpp"
#include "wake_signal.hpp"

#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/run_options.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>
#include <vector>

namespace freshet::detail {

class job_runner final : private supervisor {
 public:
  job_runner(graph_handle graph, run_options options);
  ~job_runner() override;

  /// Checks options and checkpoint, opens sources and sinks, restores state.
  absl::Status open();
  /// Runs to the end. Call once, after `open` succeeded.
  absl::Status execute();

  /// For a job that is driven from outside, step by step, in the thread that opened it. Between
  /// these calls `execute` may take over, and end it; an error ends it, too.
  ///
  /// Works until nothing is left to do but to wait. \return whether the input has ended, so that
  /// `execute` has only the last commit to make.
  absl::StatusOr<bool> settle();
  /// Commits what has been done so far, as `checkpoint.every` would.
  absl::Status commit_now();

  void start_thread();
  absl::Status wait();
  bool ended_within(duration at_most);
  void request_stop();
  void request_drain();

  /// See `job::savepoint`.
  absl::Status make_savepoint(const std::string& directory, duration at_most);

  job_metrics metrics() const;
  const run_summary& summary() const { return summary_; }

  /// Answered by the threads that run tasks, between two slices; after the job's end from the last
  /// it knew. Errors: those of `find_window`, FailedPrecondition from inside the pipeline,
  /// DeadlineExceeded when the job does not come to it within `at_most`.
  absl::StatusOr<window_explanation> explain(std::string_view window, const window_span& span,
                                             duration at_most);

  /// The operator whose rows can be read under a name; see view.hpp.
  absl::StatusOr<node_id> find_readable(std::string_view name, const std::type_info& row);
  absl::Status read(node_id node, const std::vector<std::uint64_t>& hashes,
                    const std::function<void(runtime_operator&, std::size_t)>& read_one,
                    duration at_most);

 private:
  enum class request : std::uint8_t { none, stop, drain };

  /// Asked by one thread and answered by all tasks, under `ended_mutex_`.
  struct question {
    time_state frontiers;
    std::size_t unanswered = 0;
  };
  struct reading;
  struct awaited_savepoint {
    std::string directory;
    bool under_way = false;
    std::optional<absl::Status> result;
  };

  verdict supervise() override;
  std::optional<duration> sleep_at_most() const override;
  void note_finished(task& which) override;
  void note_failed(std::exception_ptr why) override;

  void limit_parallelism();
  template <class Work>
  absl::Status guarded(Work work);
  void end(absl::Status result);
  window_explanation explain_after_end(node_id window, const window_span& span) const;
  void finish_again();
  void rethrow_failure();
  bool all_finished();
  void obey_request();
  void give_up_when_due();
  void interrupt_after(duration within);
  void look_for_work();
  void begin_commit(bool last, bool stops, std::shared_ptr<key_group_move> move = nullptr);
  void note_readable();
  void ask(task& holder, const std::shared_ptr<reading>& all, std::vector<std::size_t> indices);
  void ask_for_missing(const std::shared_ptr<reading>& all, bool everyone);
  void add_key_groups(job_metrics& to) const;
  void choose_how_to_write();
  bool advance_commit();
  void note_committed();
  void abandon_when_due();
  duration alignment_limit() const;
  bool wants_savepoint() const;
  void hand_over_savepoints();
  bool step_all();
  void summarize();

  graph_handle graph_;
  run_options options_;
  counter_board counters_;
  checkpointer checkpointer_;
  std::shared_ptr<wake_signal> signal_;
  std::unique_ptr<scheduler>
      scheduler_;  ///< Outlives the tasks, which may be woken until they end.
  std::unique_ptr<task_set> tasks_;
  std::unique_ptr<commit_coordinator> commits_;
  std::unique_ptr<rebalancing> rebalancing_;
  std::map<node_id, const std::type_info*> readable_;  ///< What views can read, and its rows' type.
  std::atomic<request> request_{request::none};
  request noticed_ = request::none;  ///< The one whose time runs.
  request obeyed_ = request::none;   ///< The one that has gone to the tasks.
  bool ending_ = false;              ///< The commit under way is the last.
  bool waits_for_commits_ = true;    ///< The one task does nothing while a commit is under way.
  std::optional<std::chrono::steady_clock::time_point> give_up_at_;
  checkpoint_figures figures_;
  std::optional<std::minstd_rand> abandoning_draws_;  ///< Of a simulation.
  std::optional<std::uint32_t> looks_left_;  ///< There: so many later the checkpoint is abandoned.
  std::chrono::steady_clock::time_point commit_began_;
  std::chrono::steady_clock::time_point started_;
  timestamp next_commit_;  ///< In processing time.
  std::uint64_t activity_committing_ = 0;
  std::uint64_t activity_committed_ = 0;
  std::mutex tasks_mutex_;          ///< Of what tasks tell.
  std::set<const task*> finished_;  ///< Those without further input.
  std::exception_ptr failure_;      ///< The first.
  std::size_t failures_ = 0;
  run_summary summary_;
  absl::Status result_;
  mutable std::mutex ended_mutex_;
  /// When sinks are interrupted, unless the job has ended by then.
  std::optional<std::chrono::steady_clock::time_point> interrupt_at_;
  std::condition_variable ended_changed_;
  bool ended_ = false;   ///< The tasks answer no more.
  bool closed_ = false;  ///< All that the job held is free again.
  time_state last_;      ///< As it was at the end.
  std::vector<std::shared_ptr<awaited_savepoint>> savepoints_;  ///< Without a result yet.
  std::thread thread_;
};

}  // namespace freshet::detail
