// Schedulers: who steps the tasks, and where.
//
// The interface is made for several tasks on several threads; the one scheduler that exists steps
// the one task of a job with parallelism 1 in the thread that calls it.
#pragma once

#include "task.hpp"

#include <memory>
#include <optional>

namespace freshet::detail {

/// What a job does between slices: requests, deadlines, checkpoints.
class supervisor {
 public:
  enum class verdict : std::uint8_t { go_on, stop };
  virtual ~supervisor() = default;
  /// Called between slices, when no emission is unfinished. `worked`: the last slice did something.
  virtual verdict between_slices(bool worked) = 0;
  /// How long a thread without work may sleep at most; nothing: until it is woken.
  virtual std::optional<duration> sleep_at_most() const = 0;
};

class scheduler {
 public:
  virtual ~scheduler() = default;
  /// Steps the tasks until all have finished or the supervisor says stop. Throws `job_failure`.
  virtual void run(const std::vector<task*>& tasks, supervisor& over) = 0;
};

/// Steps tasks in turn in the calling thread and sleeps when none has work: deterministic.
class inline_scheduler final : public scheduler {
 public:
  explicit inline_scheduler(std::shared_ptr<wake_signal> signal) : signal_(std::move(signal)) {}
  void run(const std::vector<task*>& tasks, supervisor& over) override;

 private:
  std::shared_ptr<wake_signal> signal_;
};

}  // namespace freshet::detail
