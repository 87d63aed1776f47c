#include <freshet/testing/detail/driven_job.hpp>

#include "runtime/job_runner.hpp"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace freshet::detail {

namespace {

/// In kill mode, before which kills there is a commit.
constexpr std::size_t kills_per_commit = 3;

}  // namespace

/// Marks the job while its operators run.
class driven_job::busy_mark {
 public:
  explicit busy_mark(driven_job& job) : job_(job) { job_.busy_ = true; }
  ~busy_mark() { job_.busy_ = false; }
  busy_mark(const busy_mark&) = delete;
  busy_mark& operator=(const busy_mark&) = delete;

 private:
  driven_job& job_;
};

driven_job::driven_job(const testing::harness_options& options)
    : options_(options),
      pipeline_(options.name),
      clock_(options.clock_start),
      checkpoint_(options.checkpoint ? options.checkpoint : std::make_shared<memory_checkpoint>()) {
  if (options_.batch_rows > 0) return;
  throw std::invalid_argument("harness: batch_rows is 0; give at least 1");
}

driven_job::~driven_job() = default;

std::size_t driven_job::add(std::shared_ptr<hand_queue_base> queue) {
  inputs_.push_back(std::move(queue));
  return inputs_.size() - 1;
}

void driven_job::add(std::shared_ptr<collected_base> output) {
  outputs_.push_back(std::move(output));
}

void driven_job::require_own(const graph_handle& other, std::string_view place) const {
  if (other == pipeline_.graph()) return;
  throw std::invalid_argument(fmt::format(
      "{}: the stream belongs to another pipeline; begin it with this harness's input()", place));
}

void driven_job::require_outside() const {
  if (!busy_) return;
  throw std::logic_error(
      "harness: a function of the pipeline drives the harness it runs in; do so from the test");
}

void driven_job::require_running(const std::string& place) {
  require_outside();
  if (phase_ == phase::composing) open();
  switch (phase_) {
    case phase::stopped:
      throw std::logic_error(place + ": the job is stopped or killed; call resume() before this");
    case phase::finished:
      throw std::logic_error(place + ": the job has ended with its input; do this before");
    default:
      return;
  }
}

void driven_job::require_open(std::size_t input, std::size_t split) {
  const hand_queue_base& queue = *inputs_[input];
  require_running(queue.place());
  if (!queue.ended(split)) return;
  throw std::logic_error(queue.place(split) + ": it has ended; give it items before end()");
}

void driven_job::given(std::size_t input, std::size_t split, hand_kind what) {
  const bool change = what == hand_kind::idle || what == hand_kind::active;
  const bool elsewhere = waiting_ && (waiting_->input != input || waiting_->split != split);
  if (elsewhere || change) let_in_waiting();
  if (!waiting_) waiting_ = {input, split, 0, 0};
  waiting_->until = inputs_[input]->given(split);
  if (what == hand_kind::record) ++waiting_->records;
  const bool full = waiting_->records >= options_.batch_rows || options_.batch_rows == 1;
  if (full || change || what == hand_kind::end) let_in_waiting();
}

void driven_job::let_in_waiting() {
  if (!waiting_) return;
  const delivery next = *waiting_;
  waiting_.reset();
  let_in(next);
  interrupt();
}

/// In a failed job it is only remembered: a source would still have it after a restart.
void driven_job::let_in(const delivery& next) {
  since_commit_.push_back(next);
  if (phase_ != phase::running) return;
  inputs_[next.input]->allow(next.split, next.until);
  settle();
}

void driven_job::settle() {
  const busy_mark mark(*this);
  const absl::StatusOr<bool> finished = runner_->settle();
  if (!finished.ok()) {
    fail(finished.status());
  } else if (*finished) {
    end_by_itself();
  }
}

void driven_job::end_by_itself() {
  const absl::Status result = runner_->execute();
  if (!result.ok()) {
    fail(result);
    return;
  }
  since_commit_.clear();
  leave(phase::finished);
}

void driven_job::fail(const absl::Status& why) {
  failure_ = why;
  leave(phase::failed);
}

void driven_job::leave(phase next) {
  if (runner_) {
    last_metrics_ = runner_->metrics();
    last_summary_ = runner_->summary();
  }
  runner_.reset();
  phase_ = next;
}

/// What the options want after every item.
void driven_job::interrupt() {
  if (phase_ != phase::running) return;
  if (options_.restore_between_items) {
    snapshot_and_restore();
  } else if (options_.kill_between_items) {
    if (++kills_ % kills_per_commit == 0) commit();
    restore();
  }
}

void driven_job::open() {
  run_options options;
  options.checkpoint.backend =
      [kept = checkpoint_]() -> absl::StatusOr<std::unique_ptr<state_backend>> {
    return memory_backend(kept);
  };
  options.checkpoint.every = duration::max();  // Only when the test says so.
  options.clock = clock_;
  runner_ = std::make_unique<job_runner>(pipeline_.graph(), options);
  phase_ = phase::running;
  absl::Status opened;
  {
    const busy_mark mark(*this);
    opened = runner_->open();
  }
  if (opened.ok()) {
    settle();
  } else {
    fail(opened);
  }
}

void driven_job::restore() {
  if (phase_ != phase::running) return;
  kill();
  resume();
}

void driven_job::bring_up_to_date() {
  require_outside();
  if (phase_ == phase::composing) open();
  let_in_waiting();
  // Something outside of the pipeline may have answered.
  if (phase_ == phase::running) settle();
}

void driven_job::look() {
  bring_up_to_date();
  if (failure_.ok()) return;
  throw std::runtime_error("harness: the job has failed: " + std::string(failure_.message()));
}

void driven_job::move_clock(timestamp to) {
  require_running("harness clock");
  let_in_waiting();
  // What a kill lets in again must find the time that it found before.
  if (options_.kill_between_items) commit();
  clock_.move_to(to);
  if (phase_ != phase::running) return;
  settle();
  interrupt();
}

void driven_job::commit() {
  require_running("harness commit");
  let_in_waiting();
  if (phase_ != phase::running) return;
  const busy_mark mark(*this);
  if (const absl::Status result = runner_->commit_now(); !result.ok()) {
    fail(result);
  } else {
    since_commit_.clear();
  }
}

void driven_job::snapshot_and_restore() {
  commit();
  restore();
}

void driven_job::kill() {
  require_running("harness kill");
  if (waiting_) {
    // It was given: a source would have it to read again.
    since_commit_.push_back(*waiting_);
    waiting_.reset();
  }
  leave(phase::stopped);
  failure_ = absl::OkStatus();
  for (const auto& output : outputs_) output->take_back();
}

void driven_job::resume() {
  require_outside();
  if (phase_ != phase::stopped) {
    throw std::logic_error(
        "harness: resume() where nothing was stopped; call kill() or stop() before");
  }
  open();
  const std::vector<delivery> again = std::exchange(since_commit_, {});
  for (const delivery& each : again) let_in(each);
}

void driven_job::finish() {
  if (phase_ == phase::finished) return;
  require_running("harness finish");
  for (std::size_t input = 0; input < inputs_.size(); ++input) {
    for (std::size_t split = 0; split < inputs_[input]->splits(); ++split) {
      if (inputs_[input]->ended(split)) continue;
      inputs_[input]->append_end(split);
      given(input, split, hand_kind::end);
    }
  }
  if (phase_ != phase::running) return;
  throw std::logic_error(
      "harness finish: all inputs have ended, and another source of the pipeline has not; use "
      "drain(), or let that source end");
}

void driven_job::end_on_request(void (job_runner::*request)(), phase next) {
  require_running("harness");
  let_in_waiting();
  if (phase_ != phase::running) return;
  const busy_mark mark(*this);
  (*runner_.*request)();
  const absl::Status result = runner_->execute();
  if (!result.ok()) {
    fail(result);
    return;
  }
  since_commit_.clear();
  leave(next);
}

void driven_job::drain() {
  end_on_request(&job_runner::request_drain, phase::finished);
}

void driven_job::stop() {
  end_on_request(&job_runner::request_stop, phase::stopped);
}

absl::Status driven_job::status() {
  bring_up_to_date();
  return failure_;
}

job_metrics driven_job::metrics() {
  // As they are: who only counts does not make sources read on.
  require_outside();
  if (phase_ == phase::composing) open();
  let_in_waiting();
  return runner_ ? runner_->metrics() : last_metrics_;
}

run_summary driven_job::summary() {
  bring_up_to_date();
  return runner_ ? runner_->summary() : last_summary_;
}

}  // namespace freshet::detail
