// Checkpoints of one job: checks what a directory holds, gives it back, and commits new snapshots.
//
// The order of a commit: sinks prepare, then one atomic step of the backend makes rows and manifest
// durable, then sinks publish. A crash before that step leaves the previous commit; a crash after
// it repeats the publishing. Threads: one at a time, but for `collect`.
#pragma once

#include "change_log.hpp"
#include "evolution.hpp"
#include "manifest.hpp"

#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/cold_rows.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/run_options.hpp>
#include <freshet/state/backend.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// Which state an operator keeps; empty for operators without one.
std::string state_identity(const node& of);

/// What a barrier collects on its way.
class snapshot_draft {
 public:
  /// Takes what the barrier has collected on another way; `later` as in `change_log::add`. \pre no
  /// instance of an operator is in both.
  void add(snapshot_draft other, std::uint32_t later = 0);

  change_log changes;
  /// By node, then by the number of the instance.
  std::map<node_id, std::map<std::size_t, instance_record>> instances;
};

/// A copy of a commit that somebody waits for.
struct savepoint_request {
  std::string directory;
  std::function<void(absl::Status)> answer;  ///< Called once, by the thread that commits.
};

class checkpointer {
 public:
  checkpointer(const graph& of, const run_options& options) : graph_(of), options_(options) {}

  bool enabled() const { return options_.checkpoint.enabled(); }
  /// Whether commits are worth a thread of their own. After `open`.
  bool writes_slowly() const { return backend_ != nullptr && !backend_->commits_quickly(); }

  /// Opens the directory and holds what it finds against the graph and the `resume` option. Changes
  /// nothing in the directory beyond creating it.
  absl::Status open();

  /// Whether operators keep to a limit of memory.
  bool limits_memory() const { return options_.state.memory_limit > 0; }
  /// Divides that among the operators that keep to it, of which each has so many instances. After
  /// `open`, before tasks are made.
  void share_memory(std::size_t instances);
  /// What the operator of a node needs for that; null where it does not, or nothing is limited.
  cold_rows* cold_of(node_id node) const;
  memory_pressure& pressure() { return pressure_; }
  const memory_pressure& pressure() const { return pressure_; }

  /// The commit to go on from.
  const std::optional<manifest>& found() const { return found_; }

  /// What was wrong with the place, what was dropped, and copies that could not be made. Sentences.
  std::vector<std::string> warnings() const;
  /// Why sinks may have published more than the commit found knows of, as
  /// `state_backend::older_because`; empty where they have not.
  std::string older_because() const;

  std::optional<source_commit> source(std::string_view name) const;
  std::optional<std::string_view> sink_token(std::string_view name) const;

  /// Gives an instance of a node's operator its part of the state back: `groups` are its own now,
  /// whoever had them at the commit. Throws `job_failure` when the bytes are damaged.
  void restore(node_id node, const key_group_set& groups, runtime_operator& to);

  /// Begins to take an instance's part of a snapshot. `groups`: the key groups that it owns, which
  /// no other instance of a keyed operator does. Threads: any, with a draft of their own.
  /// \return what `from.continue_snapshot` writes to until it is complete; `into` must stay where
  ///         it is meanwhile. Null where there is nothing to take.
  [[nodiscard]] std::unique_ptr<state_writer> collect(node_id node, std::size_t instance,
                                                      const key_group_set& groups,
                                                      runtime_operator& from,
                                                      snapshot_draft& into) const;

  /// The next commit is to be copied, too; this one if its barrier has not been sent yet.
  void ask_for(savepoint_request which) { savepoints_.push_back(std::move(which)); }

  /// The atomic step, and the copies that are due. Threads: any, while no other uses this object
  /// but for `collect`.
  absl::Status commit(snapshot_draft draft, std::vector<source_record> sources,
                      std::vector<sink_record> sinks, std::vector<counter_record> counters,
                      bool finished);

  /// Notes that the sinks of a finished job have completed their output.
  absl::Status note_published();

  /// Gives the directory free.
  void close() { backend_.reset(); }

 private:
  absl::Status open_commit();
  bool may_be_dropped(const std::string& name) const;
  absl::Status find_dropped_rows();
  absl::Status copy_when_due();
  absl::Status match_operators();
  absl::Status match_layout(const std::string& identity, const operator_record& record,
                            const node& here);
  void number_states();
  absl::Status match_ends();
  const operator_record* found_operator(const std::string& identity) const;
  operator_record record_of(node_id id, std::map<std::size_t, instance_record> instances) const;
  std::string place() const;

  const graph& graph_;
  run_options options_;
  std::unique_ptr<state_backend> backend_;
  std::optional<manifest> found_;
  std::map<std::string, std::uint32_t> states_;  ///< State numbers by identity.
  manifest newest_;                              ///< As committed by this run, or as found.
  std::vector<std::string> dropped_;             ///< What the first commit leaves out.
  std::vector<std::uint32_t> dropped_states_;
  std::vector<state_change> dropped_rows_;
  std::vector<savepoint_request> savepoints_;
  timestamp next_copy_ = timestamp_min;  ///< In processing time.
  std::string copy_failure_;             ///< Of the newest copy that could not be made.
  /// By identity: states that were found in an older layout. Their rows are read through these, and
  /// are written anew by the first commit.
  std::map<std::string, state_conversion> older_;
  memory_pressure pressure_;
  std::map<node_id, std::unique_ptr<cold_rows>> cold_;
};

}  // namespace freshet::detail
