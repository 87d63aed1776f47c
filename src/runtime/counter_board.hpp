// The counts of a job's operators. Outlives the tasks that write them.
//
// Threads: each task writes the counts of its own operators, any thread reads.
#pragma once

#include "manifest.hpp"
#include "plan.hpp"

#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/run_options.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace freshet::detail {

/// How long the markers of each source took to one sink. Memory: 4 KiB per source.
class sink_latencies {
 public:
  explicit sink_latencies(std::size_t sources) : by_source_(sources) {}
  /// By the thread that runs the sink.
  void record(std::size_t source, duration length) { by_source_[source].record(length); }
  latency_histogram of(std::size_t source) const { return by_source_[source].copy(); }

 private:
  std::vector<live_latency_histogram> by_source_;
};

/// What a task above an operator holds of its state, and knows of its keys. Written by that task,
/// which never waits: what cannot be told now will be told the next time.
class front_counters {
 public:
  void tell(const state_size& held, heavy_keys heavy) {
    state_entries.store(held.entries, std::memory_order_relaxed);
    state_bytes.store(held.bytes, std::memory_order_relaxed);
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock()) heavy_ = std::move(heavy);
  }
  heavy_keys heavy() const {
    const std::lock_guard lock(mutex_);
    return heavy_;
  }

  std::atomic<std::uint64_t> state_entries{0};
  std::atomic<std::uint64_t> state_bytes{0};

 private:
  mutable std::mutex mutex_;
  heavy_keys heavy_;
};

/// What the senders to one operator know together. A key of which some know nothing has at most
/// what those say of keys that they do not name.
std::vector<hot_key> merge_heavy_keys(const std::vector<heavy_keys>& all);

class counter_board {
 public:
  explicit counter_board(const graph& of);

  /// Makes room for the tasks of a plan. Before any of them counts.
  void make_room(const plan& of);

  operator_counters& of(node_id node, std::size_t task) { return *counters_[node][task]; }
  /// Of task number `above` among those that send to `node`. While the tasks are made.
  front_counters& front_of(node_id node, std::size_t above);
  /// Null but for a sink.
  sink_latencies* latencies_of(node_id node) { return latencies_[node].get(); }

  /// Grows with everything that a commit would keep: records read, and rows that operators and
  /// sinks took, also those of windows that an idle timeout closed.
  std::uint64_t activity() const;
  job_metrics metrics() const;

  /// For the manifest, and back from it: operators that are new since count from zero.
  counter_record record_of(node_id node, std::size_t task) const;
  void restore(const std::vector<counter_record>& records);

 private:
  state_size state_of(node_id node) const;
  std::vector<latency_metrics> latencies() const;

  const graph& graph_;
  std::vector<std::vector<std::unique_ptr<operator_counters>>> counters_;  ///< By node and task.
  std::vector<std::vector<std::unique_ptr<front_counters>>> fronts_;  ///< By node and task above.
  std::vector<node_id> sources_;                            ///< In the order that numbers them.
  std::vector<std::unique_ptr<sink_latencies>> latencies_;  ///< By node.
};

/// Adds what was counted at one place to the record of another.
void add_counts(counter_record& to, const counter_record& more);

}  // namespace freshet::detail
