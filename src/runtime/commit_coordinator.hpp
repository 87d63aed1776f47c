// Takes a job through a commit: barriers into the sources, every task's part of the snapshot, one
// durable step, and the publishing of what sinks have prepared.
//
// Tasks go on working meanwhile, also while it is written; what they do after their barrier belongs
// to the next commit. One commit is under way at a time. While its barriers are, it can be
// abandoned: what tasks have handed in by then they will not hand in again, so that it is kept for
// the next one.
//
// Threads: the supervising one; tasks hand in their parts from any; a thread of its own writes, if
// wanted.
#pragma once

#include "checkpoint.hpp"
#include "commit_writer.hpp"
#include "task.hpp"
#include "wake_signal.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

namespace freshet::detail {

class commit_coordinator {
 public:
  /// `tasks` must outlive it.
  commit_coordinator(const graph& of, checkpointer& checkpoints, const std::vector<task*>& tasks,
                     std::shared_ptr<wake_signal> signal);

  /// From now on commits are written by a thread of its own, and not in `advance`. For a job with
  /// checkpoints.
  void write_in_background() { writer_ = std::make_unique<commit_writer>(signal_); }
  /// The same for a simulation: that a commit takes time is drawn.
  void write_at_random(std::uint64_t seed) { draws_.emplace(seed); }

  /// Sends barriers through all tasks. `last`: of a job that will not go on from here, so that
  /// sinks complete their output. `stops`: sources read nothing after their barrier. `moves`: key
  /// groups move at it.
  void begin(bool last, bool stops, bool moves);
  /// Whether some barriers are still on their way, of a commit that the job can do without.
  bool can_abandon();
  /// Gives the commit under way up: `advance` tells when all tasks have. \pre can_abandon().
  void abandon();
  /// Keys and values of the newest commit, and how many.
  std::uint64_t bytes_written() const { return written_.bytes; }
  std::uint64_t rows_written() const { return written_.rows; }
  /// When it became durable.
  std::chrono::steady_clock::time_point written_at() const { return written_.at; }
  /// The longest alignment of a task for the newest commit, and what all had to hold back for it.
  duration alignment() const { return alignment_; }
  std::uint64_t held_batches() const { return held_batches_; }
  bool under_way() const { return phase_ != phase::none; }
  bool abandoned() const { return abandoned_; }
  /// Does what can be done now. \return whether the commit is complete, or `abandoned`. Throws
  /// `job_failure`.
  bool advance();

 private:
  enum class phase : std::uint8_t { none, collecting, abandoning, writing, publishing };
  struct collected {
    std::mutex mutex;
    std::vector<task_snapshot> snapshots;
    std::size_t passed = 0;  ///< Tasks that the barrier has.
    std::size_t published = 0;
    std::size_t gave_up = 0;
  };

  struct written {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::chrono::steady_clock::time_point at;
  };
  class commit_work;

  bool all_collected();
  bool all_gave_up();
  void keep_collected();
  void write();
  bool is_written();
  void tell_durable();
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
  change_log kept_;            ///< Of those abandoned since the last commit.
  std::size_t publishing_ = 0;
  duration alignment_{0};
  std::uint64_t held_batches_ = 0;
  written written_;
  std::shared_ptr<commit_work> writing_;  ///< In the phase of that name.
  std::optional<std::mt19937_64> draws_;  ///< Of a simulation,
  std::uint64_t writes_for_ = 0;          ///< in which it takes so many more looks.
  std::vector<source_record> sources_;
  std::vector<sink_record> sinks_;
  std::unique_ptr<commit_writer> writer_;  ///< The last member: it may be at work on the others.
};

}  // namespace freshet::detail
