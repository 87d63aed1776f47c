// The counts of a job's operators. Outlives the tasks that write them.
//
// Threads: each task writes the counts of its own operators, any thread reads.
#pragma once

#include "manifest.hpp"
#include "plan.hpp"

#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/run_options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace freshet::detail {

class counter_board {
 public:
  explicit counter_board(const graph& of) : graph_(of), counters_(of.nodes().size()) {}

  /// Makes room for the tasks of a plan. Before any of them counts.
  void make_room(const plan& of);

  operator_counters& of(node_id node, std::size_t task) { return *counters_[node][task]; }

  /// Grows with everything that a commit would keep: records read, and rows that operators and
  /// sinks took, also those of windows that an idle timeout closed.
  std::uint64_t activity() const;
  job_metrics metrics() const;

  /// For the manifest, and back from it: operators that are new since count from zero.
  counter_record record_of(node_id node, std::size_t task) const;
  void restore(const std::vector<counter_record>& records);

 private:
  const graph& graph_;
  std::vector<std::vector<std::unique_ptr<operator_counters>>> counters_;  ///< By node and task.
};

/// Adds what was counted at one place to the record of another.
void add_counts(counter_record& to, const counter_record& more);

}  // namespace freshet::detail
