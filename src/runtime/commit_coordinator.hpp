// Takes a job through a commit: barriers into the sources, every task's part of the snapshot, one
// durable step, and the publishing of what sinks have prepared.
//
// Tasks go on working meanwhile; what they do after their barrier belongs to the next commit. One
// commit is under way at a time. While its barriers are, it can be abandoned: what tasks have
// handed in by then they will not hand in again, so that it is kept for the next one.
//
// Threads: the supervising one; tasks hand in their parts from any.
#pragma once

#include "checkpoint.hpp"
#include "task.hpp"
#include "wake_signal.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace freshet::detail {

class commit_coordinator {
 public:
  /// `tasks` must outlive it.
  commit_coordinator(const graph& of, checkpointer& checkpoints, const std::vector<task*>& tasks,
                     std::shared_ptr<wake_signal> signal);

  /// Sends barriers through all tasks. `last`: of a job that will not go on from here, so that
  /// sinks complete their output. `stops`: sources read nothing after their barrier. `moves`: key
  /// groups move at it.
  void begin(bool last, bool stops, bool moves);
  /// Whether some barriers are still on their way, of a commit that the job can do without.
  bool can_abandon();
  /// Gives the commit under way up: `advance` tells when all tasks have. \pre can_abandon().
  void abandon();
  /// Keys and values of the newest commit.
  std::uint64_t bytes_written() const { return bytes_written_; }
  /// The longest alignment of a task for the newest commit, and what all had to hold back for it.
  duration alignment() const { return alignment_; }
  std::uint64_t held_batches() const { return held_batches_; }
  bool under_way() const { return phase_ != phase::none; }
  bool abandoned() const { return abandoned_; }
  /// Does what can be done now. \return whether the commit is complete, or `abandoned`. Throws
  /// `job_failure`.
  bool advance();

 private:
  enum class phase : std::uint8_t { none, collecting, abandoning, publishing };
  struct collected {
    std::mutex mutex;
    std::vector<task_snapshot> snapshots;
    std::size_t published = 0;
    std::size_t gave_up = 0;
  };

  bool all_collected();
  bool all_gave_up();
  void keep_collected();
  void commit();
  void publish();
  std::vector<source_record> merge_positions(const std::vector<task_snapshot>& parts) const;

  const graph& graph_;
  checkpointer& checkpoints_;
  const std::vector<task*>& tasks_;
  std::shared_ptr<wake_signal> signal_;
  std::shared_ptr<collected> collected_ = std::make_shared<collected>();
  phase phase_ = phase::none;
  bool last_ = false;
  bool needed_ = false;        ///< It must not be abandoned.
  bool abandoned_ = false;     ///< The newest one.
  std::uint32_t barrier_ = 0;  ///< The number of the newest.
  snapshot_draft kept_;        ///< Of those abandoned since the last commit.
  std::size_t publishing_ = 0;
  std::uint64_t bytes_written_ = 0;
  duration alignment_{0};
  std::uint64_t held_batches_ = 0;
  std::vector<source_record> sources_;
  std::vector<sink_record> sinks_;
};

}  // namespace freshet::detail
