// Takes a job through a commit: barriers into the sources, every task's part of the snapshot, one
// durable step, and the publishing of what sinks have prepared.
//
// Tasks go on working meanwhile; what they do after their barrier belongs to the next commit. One
// commit is under way at a time. Threads: the supervising one; tasks hand in their parts from any.
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
  /// sinks complete their output. `stops`: sources read nothing after their barrier.
  void begin(bool last, bool stops);
  /// Keys and values of the newest commit.
  std::uint64_t bytes_written() const { return bytes_written_; }
  bool under_way() const { return phase_ != phase::none; }
  /// Does what can be done now. \return whether the commit is complete. Throws `job_failure`.
  bool advance();

 private:
  enum class phase : std::uint8_t { none, collecting, publishing };
  struct collected {
    std::mutex mutex;
    std::vector<task_snapshot> snapshots;
    std::size_t published = 0;
  };

  bool all_collected();
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
  std::size_t publishing_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::vector<source_record> sources_;
  std::vector<sink_record> sinks_;
};

}  // namespace freshet::detail
