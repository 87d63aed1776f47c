// What metrics tell of a job's checkpoints. Written by the thread that commits, read by any.
#pragma once

#include "commit_coordinator.hpp"

#include <freshet/core/time.hpp>
#include <freshet/pipeline/run_options.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace freshet::detail {

class checkpoint_figures {
 public:
  /// `began`: when its barrier was asked for.
  void note_commit(std::chrono::steady_clock::time_point began, const commit_coordinator& made);
  void note_abandoned() { abandoned_.fetch_add(1, std::memory_order_relaxed); }

  void tell(job_metrics& to) const;

 private:
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<duration::rep> last_{0};
  std::atomic<duration::rep> longest_{0};
  std::atomic<duration::rep> durable_{0};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> abandoned_{0};
  std::atomic<duration::rep> alignment_last_{0};
  std::atomic<duration::rep> alignment_longest_{0};
  std::atomic<std::uint64_t> batches_last_{0};  ///< Held during the alignment.
  std::atomic<std::uint64_t> batches_most_{0};
};

}  // namespace freshet::detail
