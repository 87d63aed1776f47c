#include "job_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace freshet::detail {

namespace {

thread_local bool running_operators = false;

/// Marks the thread while operators run in it.
class inside_mark {
 public:
  inside_mark() : before_(std::exchange(running_operators, true)) {}
  ~inside_mark() { running_operators = before_; }
  inside_mark(const inside_mark&) = delete;
  inside_mark& operator=(const inside_mark&) = delete;

 private:
  bool before_;
};

/// How often idle timeouts are looked at.
constexpr std::chrono::milliseconds tick_every{20};

/// The system's time of now, carried on by the steady clock.
std::function<timestamp()> wall_clock() {
  using steady = std::chrono::steady_clock;
  const auto now = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  return [now, began = steady::now()] {
    return now + std::chrono::floor<duration>(steady::now() - began);
  };
}

run_options with_clock(run_options options) {
  if (!options.clock) options.clock = wall_clock();
  return options;
}

}  // namespace

bool inside_pipeline();
bool inside_pipeline() {
  return running_operators;
}

job_runner::job_runner(graph_handle graph, run_options options)
    : graph_(std::move(graph)),
      options_(with_clock(options)),
      counters_(*graph_),
      checkpointer_(*graph_, options_),
      signal_(std::make_shared<wake_signal>(options.clock != nullptr)) {
  graph_->freeze();
  for (const node& each : graph_->nodes()) {
    for (const std::string& what : each.unpromised) {
      must_tick_ |= what == "idle timeout";
      summary_.unpromised.push_back(what);
    }
  }
}

job_runner::~job_runner() {
  request_stop();
  if (thread_.joinable()) thread_.join();
}

absl::Status job_runner::check_options() const {
  const std::string place = fmt::format("pipeline '{}'", graph_->name());
  if (options_.parallelism != 1) {
    return absl::InvalidArgumentError(
        fmt::format("{}: parallelism is {}, and only 1 exists so far; leave it at 1", place,
                    options_.parallelism));
  }
  if (options_.checkpoint.every <= duration::zero()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: checkpoint.every {} is not positive; give a positive duration", place,
                    to_text(options_.checkpoint.every)));
  }
  if (options_.resume == resume::required && !checkpointer_.enabled()) {
    return absl::InvalidArgumentError(
        place + ": resume is required, and there is no checkpoint directory; give one");
  }
  const bool has_source =
      std::any_of(graph_->nodes().begin(), graph_->nodes().end(),
                  [](const node& each) { return each.is == node::role::source; });
  if (!has_source) {
    return absl::InvalidArgumentError(place + ": it has no source; begin with from(name, ...)");
  }
  return absl::OkStatus();
}

absl::Status job_runner::open() {
  started_ = std::chrono::steady_clock::now();
  if (absl::Status wrong = check_options(); !wrong.ok()) return wrong;
  if (absl::Status wrong = checkpointer_.open(); !wrong.ok()) return wrong;
  try {
    const inside_mark mark;
    task_ = std::make_unique<task>(*graph_, counters_, signal_, options_.clock);
    summary_.resumed = checkpointer_.found().has_value();
    summary_.nothing_to_do = summary_.resumed && checkpointer_.found()->finished;
    if (summary_.resumed) counters_.restore(checkpointer_.found()->counters);
    activity_committed_ = counters_.activity();
    if (summary_.nothing_to_do) {
      finish_again();
    } else {
      task_->open(checkpointer_);
      for (std::string& what : task_->unpromised_arrivals()) {
        summary_.unpromised.push_back(std::move(what));
      }
      task_->start_sinks(checkpointer_);
    }
  } catch (const job_failure& failure) {
    return failure.status();
  } catch (const std::exception& error) {
    return absl::InternalError(
        fmt::format("pipeline '{}': starting failed ({})", graph_->name(), error.what()));
  } catch (...) {
    return absl::InternalError(fmt::format(
        "pipeline '{}': starting failed (with something not a std::exception)", graph_->name()));
  }
  next_commit_ = saturating_add(options_.clock(), options_.checkpoint.every);
  return absl::OkStatus();
}

void job_runner::finish_again() {
  summary_.finished = true;
  if (checkpointer_.found()->published) return;
  // The last commit was followed by a crash before its sinks had completed their output.
  task_->start_sinks(checkpointer_);
  task_->publish_sinks(checkpointer_.found()->sinks, true);
  check(checkpointer_.note_published());
}

template <class Work>
absl::Status job_runner::guarded(Work work) {
  try {
    const inside_mark mark;
    work();
    return absl::OkStatus();
  } catch (const job_failure& failure) {
    return failure.status();
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("pipeline '{}': it ended with an exception ({})",
                                           graph_->name(), error.what()));
  } catch (...) {
    return absl::InternalError(
        fmt::format("pipeline '{}': it ended with something not a std::exception", graph_->name()));
  }
}

absl::Status job_runner::execute() {
  end(summary_.nothing_to_do ? absl::OkStatus() : guarded([this] { run_tasks(); }));
  return result_;
}

absl::StatusOr<bool> job_runner::settle() {
  bool finished = summary_.nothing_to_do;
  absl::Status wrong = guarded([&] {
    task::step_result result = task::step_result::worked;
    while (!finished && result == task::step_result::worked) {
      result = task_->step();
      finished = result == task::step_result::finished;
    }
  });
  if (wrong.ok()) return finished;
  end(wrong);
  return wrong;
}

absl::Status job_runner::commit_now() {
  absl::Status wrong = guarded([this] { commit(false); });
  if (!wrong.ok()) end(wrong);
  return wrong;
}

void job_runner::end(absl::Status result) {
  result_ = std::move(result);
  summarize();
  if (!summary_.nothing_to_do) last_ = task_->frontiers();
  task_.reset();
  checkpointer_.close();
  {
    const std::lock_guard lock(ended_mutex_);
    ended_ = true;
  }
  ended_changed_.notify_all();
}

absl::StatusOr<window_explanation> job_runner::explain(std::string_view window,
                                                       const window_span& span, duration at_most) {
  const std::string place = fmt::format("window '{}'", window);
  if (inside_pipeline()) {
    return absl::FailedPreconditionError(
        place +
        ": a function of the pipeline asks why it has not fired, and would wait for itself; ask "
        "from another thread");
  }
  const absl::StatusOr<node_id> id = find_window(*graph_, window, span);
  if (!id.ok()) return id.status();
  // Longer waits are as good as endless, and may overflow the clock that they are measured with.
  constexpr duration long_wait = std::chrono::hours(24);
  std::unique_lock lock(ended_mutex_);
  if (!ended_) {
    const auto mine = std::make_shared<question>(question{*id, span});
    questions_.push_back(mine);
    asked_.store(true);
    signal_->notify();
    ended_changed_.wait_for(lock, std::min(at_most, long_wait),
                            [&] { return mine->answer || ended_; });
    if (mine->answer) return *std::move(mine->answer);
    std::erase(questions_, mine);
    if (!ended_) {
      return absl::DeadlineExceededError(
          fmt::format("{}: the job has been busy with one batch for {}; ask again, or give it more "
                      "time to answer",
                      place, to_text(at_most)));
    }
  }
  return explain_after_end(*id, span);
}

void job_runner::answer_questions() {
  if (!asked_.exchange(false)) return;
  const time_state now = task_->frontiers();
  {
    const std::lock_guard lock(ended_mutex_);
    for (const auto& each : questions_) {
      each->answer = explain_window(*graph_, now, each->window, each->span);
    }
    questions_.clear();
  }
  ended_changed_.notify_all();
}

window_explanation job_runner::explain_after_end(node_id window, const window_span& span) const {
  window_explanation told = explain_window(*graph_, last_, window, span);
  told.job_ended = true;
  return told;
}

bool job_runner::ended_within(duration at_most) {
  std::unique_lock lock(ended_mutex_);
  return ended_changed_.wait_for(lock, at_most, [this] { return ended_; });
}

void job_runner::run_tasks() {
  inline_scheduler scheduler(signal_);
  scheduler.run({task_.get()}, *this);
  switch (request_.load()) {
    case request::stop:
      // Without checkpoints nothing can go on from here, so that sinks complete what they have.
      commit(!checkpointer_.enabled());
      return;
    case request::drain:
      task_->end_input();
      [[fallthrough]];
    case request::none:
      commit(true);
      summary_.finished = true;
      return;
  }
}

supervisor::verdict job_runner::between_slices(bool) {
  answer_questions();
  if (request_.load(std::memory_order_relaxed) != request::none) return verdict::stop;
  if (checkpointer_.enabled() && options_.clock() >= next_commit_) {
    if (counters_.activity() != activity_committed_) commit(false);
    next_commit_ = saturating_add(options_.clock(), options_.checkpoint.every);
  }
  return verdict::go_on;
}

std::optional<duration> job_runner::sleep_at_most() const {
  std::optional<duration> at_most;
  if (checkpointer_.enabled() && counters_.activity() != activity_committed_) {
    at_most = saturating_between(options_.clock(), next_commit_);
  }
  return must_tick_ ? shorter(at_most, tick_every) : at_most;
}

void job_runner::commit(bool finished) {
  const std::uint64_t activity = counters_.activity();
  snapshot_draft draft = task_->snapshot(checkpointer_);
  const std::vector<source_record> sources = task_->source_positions();
  const std::vector<sink_record> sinks = task_->sink_tokens();
  if (checkpointer_.enabled()) {
    check(checkpointer_.commit(std::move(draft), sources, sinks, counters_.records_of_all(),
                               finished));
    checkpoints_.fetch_add(1, std::memory_order_relaxed);
  }
  task_->publish_sinks(sinks, finished);
  if (finished && checkpointer_.enabled()) check(checkpointer_.note_published());
  if (checkpointer_.enabled()) task_->tell_committed(sources);
  activity_committed_ = activity;
}

job_metrics job_runner::metrics() const {
  job_metrics all = counters_.metrics();
  all.checkpoints = checkpoints_.load(std::memory_order_relaxed);
  return all;
}

void job_runner::summarize() {
  summary_.metrics = metrics();
  constexpr const char* by_clock = "processing time";
  auto& unpromised = summary_.unpromised;
  if (task_->used_processing_time() &&
      std::find(unpromised.begin(), unpromised.end(), by_clock) == unpromised.end()) {
    unpromised.emplace_back(by_clock);
  }
  if (!summary_.nothing_to_do) summary_.guarantee = task_->guarantee(checkpointer_.enabled());
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
  summary_.seconds = passed.count();
}

void job_runner::start_thread() {
  thread_ = std::thread([this] { (void)execute(); });
}

absl::Status job_runner::wait() {
  // Any number of threads may wait, so that joining is left to the destructor.
  std::unique_lock lock(ended_mutex_);
  ended_changed_.wait(lock, [this] { return ended_; });
  return result_;
}

void job_runner::request_stop() {
  request expected = request::none;
  request_.compare_exchange_strong(expected, request::stop);
  signal_->notify();
}

void job_runner::request_drain() {
  request expected = request::none;
  request_.compare_exchange_strong(expected, request::drain);
  signal_->notify();
}

}  // namespace freshet::detail
