// All tasks of a job: lays the graph out, makes the tasks and what lies between them.
//
// Threads: one, until a scheduler runs the tasks.
#pragma once

#include "balance.hpp"
#include "plan.hpp"
#include "task.hpp"

#include <freshet/pipeline/run_options.hpp>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::detail {

class task_set {
 public:
  task_set(const graph& of, counter_board& counters, checkpointer& checkpoints,
           const run_options& options);

  /// Opens the sources, which tell how many splits there are, and makes the tasks. Throws
  /// `job_failure`.
  void make();
  /// Makes the tasks of a job that has nothing left to read: no source is opened.
  void make_ends();
  /// Opens readers, and restores. Throws `job_failure`.
  void open();
  /// Opens all sinks, and starts them, unless one cannot go back to where the job goes on from.
  /// Throws `job_failure`.
  void start_sinks();
  /// What the next barrier is for, beside a snapshot; null for nothing. \pre no barrier is under
  /// way.
  void set_move(std::shared_ptr<key_group_move> move) { environment_.move = std::move(move); }
  bool moves() const { return environment_.move != nullptr; }

  const std::vector<task*>& tasks() const { return tasks_; }
  const plan& laid_out() const { return plan_; }

  /// The end-to-end guarantee, and what limits it.
  std::string guarantee(bool checkpoints) const;
  bool used_processing_time() const;
  /// What takes the pipeline out of "same log, same rows" because of how rows arrive.
  std::vector<std::string> unpromised_arrivals() const;
  /// What every frontier is just now, of tasks that do not run.
  time_state frontiers() const;

 private:
  void lay_out(std::size_t parallelism);
  std::size_t splits_of(node_id source) const;

  const graph& graph_;
  const run_options& options_;
  plan plan_;
  drift_board drift_;
  task_environment environment_;
  task::operators_by_node sources_;                  ///< Until tasks exist.
  std::unordered_map<node_id, std::size_t> splits_;  ///< By source.
  std::vector<std::unique_ptr<task>> owned_;
  std::vector<task*> tasks_;
  std::string duplicates_;  ///< Why rows may come twice, and of which sink; empty if they do not.
};

/// Adds what one task knows to what others do.
void merge_frontiers(time_state& into, const time_state& more);

}  // namespace freshet::detail
