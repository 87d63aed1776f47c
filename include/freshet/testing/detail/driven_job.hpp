// The job behind a harness: opened, stepped, committed, killed and opened again in the calling
// thread. Internal; compiled once.
//
// What is given waits until a batch is full, or until someone looks, and is then let in as one read
// of one split. What was let in since the last commit is remembered, so that it can be let in again
// after a kill, in the same order.
#pragma once

#include <freshet/pipeline/pipeline.hpp>
#include <freshet/testing/detail/collecting_sink.hpp>
#include <freshet/testing/detail/hand_queue.hpp>
#include <freshet/testing/harness_options.hpp>
#include <freshet/testing/manual_clock.hpp>

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

class job_runner;

class driven_job {
 public:
  explicit driven_job(const testing::harness_options& options);
  ~driven_job();
  driven_job(const driven_job&) = delete;
  driven_job& operator=(const driven_job&) = delete;

  pipeline& composed() { return pipeline_; }
  testing::manual_clock& clock() { return clock_; }

  /// Takes part in the job from its first opening on. \return the number of the input.
  std::size_t add(std::shared_ptr<hand_queue_base> queue);
  void add(std::shared_ptr<collected_base> output);
  std::size_t outputs() const { return outputs_.size(); }
  /// Throws unless `other` is the graph of this job.
  void require_own(const graph_handle& other, std::string_view place) const;

  /// Opens the job if need be. Throws `std::logic_error` unless an item may be given now.
  void require_open(std::size_t input, std::size_t split);
  /// An item was appended to the queue of `input`.
  void given(std::size_t input, std::size_t split, hand_kind what);

  /// Lets in what waits. Throws `std::runtime_error` with the job's failure, if there is one.
  void look();
  void move_clock(timestamp to);
  void commit();
  void snapshot_and_restore();
  void kill();
  void resume();
  void finish();
  void drain();
  void stop();

  absl::Status status();
  job_metrics metrics();
  run_summary summary();
  std::shared_ptr<memory_checkpoint> checkpoint() const { return checkpoint_; }

 private:
  enum class phase : std::uint8_t { composing, running, failed, stopped, finished };

  /// One read of one split: up to, and without, item number `until`.
  struct delivery {
    std::size_t input = 0;
    std::size_t split = 0;
    std::uint64_t until = 0;
    std::size_t records = 0;
  };
  class busy_mark;

  void require_outside() const;
  void require_running(const std::string& place);
  void bring_up_to_date();
  void let_in_waiting();
  void let_in(const delivery& next);
  void interrupt();
  void open();
  void settle();
  void restore();
  void end_by_itself();
  void end_on_request(void (job_runner::*request)(), phase next);
  void fail(const absl::Status& why);
  void leave(phase next);

  testing::harness_options options_;
  pipeline pipeline_;
  testing::manual_clock clock_;
  std::shared_ptr<memory_checkpoint> checkpoint_;
  std::vector<std::shared_ptr<hand_queue_base>> inputs_;
  std::vector<std::shared_ptr<collected_base>> outputs_;
  std::unique_ptr<job_runner> runner_;  ///< While running.
  phase phase_ = phase::composing;
  bool busy_ = false;  ///< Whether operators are running: they must not drive the harness.
  absl::Status failure_;
  std::optional<delivery> waiting_;
  std::vector<delivery> since_commit_;
  std::size_t kills_ = 0;
  job_metrics last_metrics_;
  run_summary last_summary_;
};

}  // namespace freshet::detail
