// Schedulers: who steps the tasks, and where.
//
// Each has one thread that also supervises the job: the one that calls `run`. What the supervisor
// does, it does in that thread alone.
#pragma once

#include "task.hpp"
#include "wake_signal.hpp"

#include <freshet/pipeline/scheduling.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

namespace freshet::detail {

/// What a job does between slices: requests, deadlines, checkpoints.
class supervisor {
 public:
  enum class verdict : std::uint8_t { go_on, stop };
  virtual ~supervisor() = default;
  /// Called by the thread that runs the scheduler, whenever it was woken by the job's signal.
  /// Throws what ends the job.
  virtual verdict supervise() = 0;
  /// How long the supervising thread may sleep at most; nothing: until it is woken.
  virtual std::optional<duration> sleep_at_most() const = 0;
  /// A task has no input left. Once per task, from the thread that ran it.
  virtual void note_finished(task& which) = 0;
  /// A slice has ended with the exception in flight, whose task is not run again. From the thread
  /// that ran it.
  virtual void note_failed(std::exception_ptr why) = 0;
};

class scheduler : public task_waker {
 public:
  /// Runs the tasks until the supervisor says stop or throws. No task runs when it returns.
  virtual void run(const std::vector<task*>& tasks, supervisor& over) = 0;
  /// What was found to be other than asked for: sentences. After `run`.
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// How many tasks an operator should have where so many were asked for: a pool that is left to
/// itself has no more threads than there are cores, and more tasks than threads would only cost.
std::size_t usable_parallelism(const scheduling& how, std::size_t parallelism);

/// `signal`: that of the job, which wakes the supervising thread. `polls`: processing time is not
/// the system's, so that deadlines are looked at every millisecond.
std::unique_ptr<scheduler> make_scheduler(const scheduling& how, std::size_t parallelism,
                                          std::shared_ptr<wake_signal> signal, bool polls);

/// Whether this thread is running a pipeline's operators right now.
class inside_mark {
 public:
  inside_mark();
  ~inside_mark();
  inside_mark(const inside_mark&) = delete;
  inside_mark& operator=(const inside_mark&) = delete;

 private:
  bool before_;
};

}  // namespace freshet::detail
