#include "checkpoint_figures.hpp"

#include <algorithm>

namespace freshet::detail {

namespace {

template <class Number>
void note(std::atomic<Number>& last, std::atomic<Number>& most, Number now) {
  last.store(now, std::memory_order_relaxed);
  most.store(std::max(now, most.load(std::memory_order_relaxed)), std::memory_order_relaxed);
}

duration::rep since(std::chrono::steady_clock::time_point began,
                    std::chrono::steady_clock::time_point until) {
  return std::chrono::duration_cast<duration>(until - began).count();
}

}  // namespace

void checkpoint_figures::note_commit(std::chrono::steady_clock::time_point began,
                                     const commit_coordinator& made) {
  commits_.fetch_add(1, std::memory_order_relaxed);
  note(last_, longest_, since(began, std::chrono::steady_clock::now()));
  durable_.store(since(began, made.written_at()), std::memory_order_relaxed);
  rows_.store(made.rows_written(), std::memory_order_relaxed);
  bytes_.store(made.bytes_written(), std::memory_order_relaxed);
  note(alignment_last_, alignment_longest_, made.alignment().count());
  note<std::uint64_t>(batches_last_, batches_most_, made.held_batches());
}

void checkpoint_figures::tell(job_metrics& to) const {
  const auto time = [](const std::atomic<duration::rep>& of) {
    return duration(of.load(std::memory_order_relaxed));
  };
  to.checkpoints = commits_.load(std::memory_order_relaxed);
  to.checkpoint_last = time(last_);
  to.checkpoint_longest = time(longest_);
  to.checkpoint_durable = time(durable_);
  to.checkpoint_rows = rows_.load(std::memory_order_relaxed);
  to.checkpoint_bytes = bytes_.load(std::memory_order_relaxed);
  to.checkpoints_abandoned = abandoned_.load(std::memory_order_relaxed);
  to.alignment_last = time(alignment_last_);
  to.alignment_longest = time(alignment_longest_);
  to.alignment_batches_last = batches_last_.load(std::memory_order_relaxed);
  to.alignment_batches_most = batches_most_.load(std::memory_order_relaxed);
}

}  // namespace freshet::detail
