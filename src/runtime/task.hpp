// A task: the operators of one partition between two exchanges, run by one thread at a time.
//
// Cooperative: `step` does a bounded slice of work and returns. With parallelism 1 the whole graph
// is one task whose heads are the sources.
#pragma once

#include "checkpoint.hpp"
#include "explanation.hpp"

#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/detail/sink_operator.hpp>
#include <freshet/pipeline/detail/source_head.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::detail {

/// The counts of a job's operators, by node. Outlives the tasks that write them.
class counter_board {
 public:
  explicit counter_board(const graph& of);

  operator_counters& of(node_id node) { return *counters_[node]; }
  /// Grows with everything that a commit would keep: records read, and rows that operators and
  /// sinks took, also those of windows that an idle timeout closed.
  std::uint64_t activity() const;
  job_metrics metrics() const;

  /// For the manifest, and back from it: operators that are new since count from zero.
  std::vector<counter_record> records_of_all() const;
  void restore(const std::vector<counter_record>& records);

 private:
  const graph& graph_;
  std::vector<std::unique_ptr<operator_counters>> counters_;
};

/// Lets a waiting thread be woken from any other. A wake-up before the wait is not lost.
class wake_signal {
 public:
  /// `polls`: processing time is another clock's, so that no wait is longer than a millisecond.
  explicit wake_signal(bool polls) : polls_(polls) {}

  void notify();
  /// Returns at a notification since the last wait, or after `at_most`, if it is given.
  void wait(std::optional<duration> at_most);

 private:
  const bool polls_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool notified_ = false;
};

/// The shorter of two waits, where nothing stands for one without end.
std::optional<duration> shorter(std::optional<duration> a, std::optional<duration> b);

class task final : public task_services {
 public:
  enum class step_result : std::uint8_t { worked, idle, finished };

  /// Makes and connects an operator for every node, which counts in `counters` (by node).
  /// `clock`: processing time; must not go back.
  task(const graph& of, counter_board& counters, std::shared_ptr<wake_signal> signal,
       std::function<timestamp()> clock);

  /// Opens sources and readers and restores what `from` holds. Throws `job_failure`.
  void open(checkpointer& from);
  /// Starts the sinks: from here on, outside things change. Throws `job_failure`.
  void start_sinks(const checkpointer& from);

  /// One slice. Throws `job_failure`.
  step_result step();

  /// Treats what has been read as all there is.
  void end_input();

  /// Sends a barrier through the graph and collects what it finds.
  /// \pre no emission is unfinished, which holds between steps.
  snapshot_draft snapshot(checkpointer& into);

  std::vector<source_record> source_positions() const;
  std::vector<sink_record> sink_tokens() const;
  void publish_sinks(const std::vector<sink_record>& tokens, bool last);
  void tell_committed(const std::vector<source_record>& sources);

  /// In how long an idle task should be stepped again; nothing where only a wake-up tells.
  std::optional<duration> sleep_at_most() const;

  /// What takes the pipeline out of "same log, same rows" because of how rows arrive.
  /// \pre `open` has succeeded.
  std::vector<std::string> unpromised_arrivals() const;
  /// Whether an operator's rows have depended on processing time, as only running shows.
  bool used_processing_time() const;

  /// What every frontier is just now. \pre `open` has succeeded.
  time_state frontiers() const;

  /// The end-to-end guarantee, and what limits it.
  /// \pre `open` has succeeded.
  std::string guarantee(bool checkpoints) const;

  void defer(runtime_operator& unfinished) override;
  void take_snapshot(runtime_operator& of) override;
  std::function<void()> waker() override;
  timestamp now() const override { return clock_(); }
  void call_at(runtime_operator& of, timestamp when) override;

 private:
  struct member {
    node_id node = 0;
    std::unique_ptr<runtime_operator> op;
  };

  void connect();
  void give_context(node_id node, bool single_split);
  bool follows_single_split(node_id below) const;
  bool in_order_of_single_split(node_id below) const;
  void restore(checkpointer& from);
  std::vector<head*> in_turn() const;
  void settle();
  bool meet_deadlines();
  template <class Role>
  std::vector<std::pair<node_id, Role*>> with_role() const;

  const graph& graph_;
  counter_board& counters_;
  std::shared_ptr<wake_signal> signal_;
  std::function<timestamp()> clock_;
  std::vector<member> members_;  ///< By node.
  std::unordered_map<const runtime_operator*, node_id> node_of_;
  std::vector<std::pair<node_id, head*>> heads_;
  std::vector<std::pair<node_id, sink_base*>> sinks_;
  std::vector<head*> running_;
  std::vector<runtime_operator*> unfinished_;
  std::vector<timestamp> deadlines_;  ///< Of processing time, by node.
  timestamp next_deadline_ = timestamp_max;
  bool started_ = false;
  checkpointer* collecting_ = nullptr;
  snapshot_draft* draft_ = nullptr;
};

}  // namespace freshet::detail
