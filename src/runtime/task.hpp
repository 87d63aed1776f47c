// A task: the operators of one stage, run by one thread at a time.
//
// Cooperative: `step` does a bounded slice of work and returns, without ever waiting. A task takes
// input only while nothing is unfinished and every output has room, so that a slow task below slows
// those above it. Its heads are sources, its inputs channels from other tasks.
//
// Barriers are aligned: a channel that has delivered its barrier is left alone until the others
// have, so that a snapshot holds exactly what came before. A barrier that takes too long is
// abandoned: those channels are read again, and where it comes later it is overlooked. At the
// barrier operators only mark what belongs to the snapshot; the task copies that out slice by slice
// while it goes on, and then hands it in.
//
// Threads: `wake` and `post` from any; everything else from the thread that runs the task.
#pragma once

#include "channel.hpp"
#include "checkpoint.hpp"
#include "counter_board.hpp"
#include "drift.hpp"
#include "explanation.hpp"
#include "key_group_move.hpp"
#include "plan.hpp"
#include "slice_meter.hpp"
#include "wake_signal.hpp"

#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/frontier_combiner.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/detail/outside_work.hpp>
#include <freshet/pipeline/detail/sink_operator.hpp>
#include <freshet/pipeline/detail/source_head.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::detail {

class task;

/// Who is told that a task has work.
class task_waker {
 public:
  virtual ~task_waker() = default;
  /// From any thread. A call while the task runs makes it run again.
  virtual void wake(task& ready) = 0;
};

/// What all tasks of a job share. Outlives them.
struct task_environment {
  const graph& described;
  const plan& laid_out;
  counter_board& counters;
  checkpointer& checkpoints;
  drift_board& drift;
  std::function<timestamp()> clock;  ///< Processing time; must not go back.
  duration flush_after{0};
  duration latency_markers{0};
  bool looks_for_idleness = false;  ///< A source has an idle timeout.
  /// Of a simulation, in which a draw decides instead of `flush_after` how long rows are held.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// What the barrier under way is for, beside a snapshot. Changes only while there is none.
  std::shared_ptr<key_group_move> move = nullptr;
};

/// Where one split of a source stood at a barrier.
struct split_position {
  node_id source = 0;
  std::size_t split = 0;
  std::string name;  ///< Of the split.
  std::string position;
  bool ended = false;
};

/// A task's part of a snapshot.
struct task_snapshot {
  duration alignment{0};         ///< From the first channel's barrier to the last one's.
  std::size_t held_batches = 0;  ///< What had come behind barriers by then, and had to wait.
  snapshot_draft draft;
  std::vector<split_position> positions;
  std::vector<std::pair<node_id, std::string>> sink_tokens;
  std::vector<std::pair<node_id, counter_record>> counters;
};

class task final : public task_services {
 public:
  enum class step_result : std::uint8_t {
    worked,    ///< Call again.
    waits,     ///< Nothing to do until `wake`, or for `sleep_at_most`.
    finished,  ///< No input is left. Barriers may still come.
  };
  struct snapshot_taker {
    std::function<void()> barrier_passed;
    std::function<void(task_snapshot)> take;  ///< When all of it is copied.
  };

  using operators_by_node = std::unordered_map<node_id, std::unique_ptr<runtime_operator>>;

  /// Makes an operator for every node of a stage, but for those that `existing` has, which it takes
  /// out of there. `number`: of the task within its stage.
  task(const task_environment& in, std::size_t stage, std::size_t number,
       operators_by_node& existing);
  ~task() override;

  // Before it runs, in this order, by one thread.

  /// Connects two tasks that one exchange lies between.
  static void connect(const exchange& way, const std::vector<task*>& above,
                      const std::vector<task*>& below, const key_group_owners& owners,
                      std::size_t channel_batches);
  /// Opens readers and restores what the checkpoint holds. `splits_of`: how many splits a source
  /// has. Throws `job_failure`.
  void open(const std::function<std::size_t(node_id)>& splits_of);
  /// Opens the sinks, which changes nothing yet. Throws `job_failure`.
  void open_sinks();
  /// The name of a sink that cannot go back to an older commit. \pre sinks are open.
  std::optional<std::string> not_rolled_back() const;
  /// Starts the sinks: from here on, outside things change. Throws `job_failure`.
  void start_sinks();
  /// Who is to be told, and who takes snapshots.
  void set_waker(task_waker* waker) { waker_.store(waker); }
  void set_snapshot_taker(snapshot_taker taker) { take_ = std::move(taker); }

  /// Tells the scheduler that there may be work.
  void wake();
  /// Has `work` done by the thread that runs the task, between two slices.
  void post(std::function<void()> work);

  /// One slice. Throws `job_failure`.
  step_result step();
  /// Does what was posted, and passes the barrier that it asked for with all of its snapshot, but
  /// takes no input. Throws `job_failure`.
  void serve();
  /// In how long a task that waits should be stepped again; nothing where only a wake-up tells.
  std::optional<duration> sleep_at_most() const;

  /// Sends a barrier through a task with sources as soon as nothing is unfinished. Others get
  /// theirs from above.
  void begin_snapshot(std::uint32_t number) { barrier_wanted_ = number; }
  /// Waits no longer for the barriers up to that number, and passes none of them any more. What
  /// belongs to one that has passed is handed in before.
  void abandon_barrier(std::uint32_t number);
  /// No further input is read from sources.
  void stop_reading() { reads_ = false; }
  /// Treats what has been read from sources as all there is.
  void end_input();
  /// From any thread: what sinks are writing should end soon.
  void interrupt_sinks();
  void publish_sinks(const std::vector<sink_record>& tokens, bool last);
  /// The commit of the barrier with that number is durable.
  void note_durable(std::uint32_t number);
  void tell_committed(const std::vector<source_record>& sources);

  std::size_t stage() const { return stage_; }
  std::size_t number() const { return number_; }
  /// Whose keys are here. From the thread that runs the task.
  const key_group_set& groups() const { return groups_; }
  /// Adds how many rows have been sent to a stage by key group. From any thread.
  void add_load(std::size_t to_stage, key_group_rows& sums) const;
  /// How long it has worked. From any thread.
  duration busy() const { return meter_.busy(); }
  /// How long a barrier, or the copying of a part of its snapshot, has kept it from work at most.
  /// From any thread.
  duration snapshot_pause_longest() const {
    return duration(pause_longest_.load(std::memory_order_relaxed));
  }
  bool has_sources() const { return !heads_.empty(); }
  bool has_sinks() const { return !sinks_.empty(); }
  runtime_operator& operator_of(node_id node) { return *members_.at(index_of_.at(node)).op; }

  /// What takes the pipeline out of "same log, same rows" because of how rows arrive.
  /// \pre `open` has succeeded.
  std::vector<std::string> unpromised_arrivals() const;
  /// Whether an operator's rows have depended on processing time, as only running shows.
  bool used_processing_time() const;
  /// What every frontier is just now. \pre `open` has succeeded.
  time_state frontiers() const;
  /// From any thread.
  task_metrics metrics() const;
  /// Adds the names of the ends that limit the guarantee of the pipeline.
  void add_not_replayable(std::set<std::string>& to) const;
  void add_at_least_once(std::set<std::string>& to) const;

  /// Lets `metrics` see what operators hold just now.
  void publish_state();
  /// From any thread: has a task that rests do so, if it has not since it last worked.
  void ask_for_state();

  // For the scheduler.
  /// Which of several threads runs it, where that is the same one again and again.
  std::optional<std::size_t> home;
  void begin_slice() { meter_.begin_slice(); }
  void end_slice(step_result last);

  void defer(runtime_operator& unfinished) override;
  bool has_room() override { return outputs_have_room(); }
  void take_snapshot(runtime_operator& of) override;
  std::function<void()> waker() override;
  std::function<void()> caller(runtime_operator& of) override;
  timestamp now() const override { return in_.clock(); }
  void call_at(runtime_operator& of, timestamp when) override;

  /// For the scheduler. On a cache line with nothing but what others need to wake the task: they
  /// write it for every message.
  alignas(64) std::atomic<std::uint8_t> run_state{0};

 private:
  std::atomic<task_waker*> waker_{nullptr};

  struct member {
    node_id node = 0;
    std::unique_ptr<runtime_operator> op;
    bool single_split = false;  ///< See `operator_context`.
  };
  /// One exchange above the task.
  struct arrival {
    const exchange* way = nullptr;
    std::unique_ptr<exchange_receiver> receiver;
    std::vector<std::unique_ptr<channel>> channels;
    std::vector<bool> at_barrier;
  };
  /// One exchange below it.
  struct departure {
    const exchange* way = nullptr;
    std::unique_ptr<exchange_sender> sender;
    std::vector<channel*> channels;
    front_counters* front = nullptr;  ///< Where the sender holds state of the operator below.
  };
  /// A snapshot of which some operators still have rows to copy.
  struct unfinished_snapshot {
    struct part {
      runtime_operator* of = nullptr;
      std::unique_ptr<state_writer> to;
    };
    task_snapshot taken;
    std::vector<part> parts;
  };
  /// What sources may hold on to longer than the task lives.
  struct wake_handle {
    std::mutex mutex;
    task* of = nullptr;
  };

  void connect_members();
  void give_context(const member& to);
  std::unique_ptr<exchange_receiver> make_receiver(const exchange& way, const outlet_base& from,
                                                   std::size_t channels);
  std::unique_ptr<exchange_sender> make_sender(const exchange& way, const outlet_base& from,
                                               std::vector<channel_end*> targets,
                                               const key_group_owners& owners) const;
  void own(const key_group_owners& owners);
  bool follows_single_split(node_id below,
                            const std::function<std::size_t(node_id)>& splits_of) const;
  void start();
  void run_posted();
  bool outputs_have_room();
  bool is_full() const;
  bool waits_for_room();
  bool settle();
  bool meet_deadlines();
  std::vector<head*> in_turn() const;
  bool read_sources();
  bool waits_for_others(head& source);
  bool take_message();
  void take(arrival& from, std::size_t channel, message received);
  void meet_barrier(arrival& from, std::size_t channel, std::uint32_t number);
  bool all_at_barrier() const;
  void read_all_channels();
  std::size_t waiting_batches() const;
  bool send_barrier();
  void pass_barrier(std::uint32_t number);
  bool copy_some();
  bool copy_rows(std::size_t rows);
  void finish_copying();
  void note_pause(std::chrono::steady_clock::time_point began);
  void join_move(std::shared_ptr<key_group_move> move);
  bool is_keyed(const member& which) const;
  void raise_frontiers(const std::vector<timestamp>& to);
  void take_over();
  void make_again(member& which, std::span<const full_state> had);
  void repeat_signals(const member& to);
  bool finished() const;
  timestamp input_watermark() const;
  void publish_when_due(step_result last);
  bool flush_when_due(bool worked);
  bool may_hold();
  template <class Role>
  std::vector<std::pair<node_id, Role*>> with_role() const;

  alignas(64) const task_environment& in_;
  const std::size_t stage_;
  const std::size_t number_;
  std::vector<member> members_;                  ///< Those further up first.
  key_group_set groups_ = key_group_set::all();  ///< Whose keys are here.
  std::unordered_map<node_id, std::size_t> index_of_;
  std::unordered_map<const runtime_operator*, std::size_t> index_of_operator_;
  std::vector<std::pair<node_id, head*>> heads_;
  std::vector<std::pair<node_id, sink_base*>> sinks_;
  std::vector<arrival> arrivals_;
  std::vector<departure> departures_;
  std::size_t channel_count_ = 0;  ///< Of all arrivals.
  std::vector<head*> running_;
  std::vector<const frontier_combiner*> combiners_;
  std::vector<const outside_work*> outside_;
  std::vector<std::size_t> unfinished_;  ///< Members that have more to emit.
  std::vector<timestamp> deadlines_;     ///< Of processing time, by member.
  timestamp next_deadline_ = timestamp_max;
  std::optional<std::size_t> drift_place_;
  std::pair<std::size_t, std::size_t> turn_{0, 0};  ///< The channel to look at next.
  std::optional<std::chrono::steady_clock::time_point> held_since_;
  std::minstd_rand draws_;                 ///< Of a simulation.
  std::optional<std::uint32_t> held_for_;  ///< So many steps more, in a simulation.
  std::vector<std::string> unpromised_;
  slice_meter meter_;
  std::atomic<timestamp::rep> watermark_{timestamp_min.time_since_epoch().count()};
  bool started_ = false;
  bool reads_ = true;
  std::uint32_t barrier_wanted_ = 0;  ///< The number of one that sources are to send; 0: none.
  std::uint32_t barriers_done_ = 0;   ///< Those up to this number are passed, or abandoned.
  /// When the first channel came to a barrier that others have not come to.
  std::optional<std::chrono::steady_clock::time_point> aligning_since_;
  bool collecting_ = false;     ///< A barrier is on its way through the operators.
  bool lacks_room_ = false;     ///< As of the last step.
  bool met_deadlines_ = false;  ///< In the last step.
  std::unique_ptr<unfinished_snapshot> copying_;  ///< From the barrier on, until handed in.
  std::atomic<duration::rep> pause_longest_{0};
  std::shared_ptr<key_group_move> moving_;  ///< While the task stands still for it.
  snapshot_taker take_;
  std::shared_ptr<wake_handle> handle_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> has_posted_{false};
  bool has_state_ = false;
  std::atomic<bool> unpublished_{false};  ///< Something has happened since state was published.
  std::chrono::steady_clock::time_point published_at_;
};

}  // namespace freshet::detail
