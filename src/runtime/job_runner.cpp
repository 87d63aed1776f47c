#include "job_runner.hpp"

#include "check_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace freshet::detail {

namespace {

/// The system's time of now, carried on by the steady clock.
std::function<timestamp()> wall_clock() {
  using steady = std::chrono::steady_clock;
  const auto now = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
  return [now, began = steady::now()] {
    return now + std::chrono::floor<duration>(steady::now() - began);
  };
}

run_options with_clock(run_options options) {
  if (options.clock) return options;
  options.clock = wall_clock();
  // What a seed decides must not depend on the time of day.
  if (options.scheduler.is == scheduling::kind::simulation) {
    options.latency_markers = duration::zero();
  }
  return options;
}

}  // namespace

bool inside_pipeline();

job_runner::job_runner(graph_handle graph, run_options options)
    : graph_(std::move(graph)),
      options_(with_clock(options)),
      counters_(*graph_),
      checkpointer_(*graph_, options_),
      signal_(std::make_shared<wake_signal>(options.clock != nullptr)) {
  graph_->freeze();
  if (options_.scheduler.is == scheduling::kind::simulation) {
    abandoning_draws_.emplace(static_cast<std::uint32_t>(options_.scheduler.seed + 11));
  }
  for (const node& each : graph_->nodes()) {
    summary_.unpromised.insert(summary_.unpromised.end(), each.unpromised.begin(),
                               each.unpromised.end());
  }
}

job_runner::~job_runner() {
  if (!thread_.joinable()) return;
  // Also of a job that drains, which may take longer.
  request_.store(request::stop);
  interrupt_after(options_.stop_within);
  signal_->notify();
  (void)wait();
  thread_.join();
}

void job_runner::limit_parallelism() {
  const std::size_t asked = options_.parallelism;
  options_.parallelism = usable_parallelism(options_.scheduler, asked);
  if (options_.parallelism == asked) return;
  summary_.warnings.push_back(fmt::format(
      "parallelism is {}, and there {} {} core{}: keys are shared by as many tasks, because more "
      "only cost; thread_pool({}) has {} all the same",
      asked, options_.parallelism == 1 ? "is" : "are", options_.parallelism,
      options_.parallelism == 1 ? "" : "s", asked, asked));
}

absl::Status job_runner::open() {
  started_ = std::chrono::steady_clock::now();
  if (absl::Status wrong = check_options(options_, *graph_); !wrong.ok()) return wrong;
  limit_parallelism();
  const absl::Status opened = checkpointer_.open();
  for (const std::string& each : checkpointer_.warnings()) summary_.warnings.push_back(each);
  if (!opened.ok()) return opened;
  checkpointer_.pressure().tell = [signal = signal_] { signal->notify(); };
  checkpointer_.share_memory(options_.parallelism);
  try {
    const inside_mark mark;
    tasks_ = std::make_unique<task_set>(*graph_, counters_, checkpointer_, options_);
    summary_.resumed = checkpointer_.found().has_value();
    summary_.nothing_to_do = summary_.resumed && checkpointer_.found()->finished;
    if (summary_.nothing_to_do) {
      tasks_->make_ends();
    } else {
      tasks_->make();
    }
    rebalancing_ = std::make_unique<rebalancing>(tasks_->laid_out(), tasks_->tasks(), options_);
    note_readable();
    if (summary_.resumed) counters_.restore(checkpointer_.found()->counters);
    activity_committed_ = counters_.activity();
    if (summary_.nothing_to_do) {
      finish_again();
    } else {
      tasks_->open();
      for (std::string& what : tasks_->unpromised_arrivals()) {
        summary_.unpromised.push_back(std::move(what));
      }
      tasks_->start_sinks();
      commits_ =
          std::make_unique<commit_coordinator>(*graph_, checkpointer_, tasks_->tasks(), signal_);
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
  for (const node& each : graph_->nodes()) {
    if (each.abandon) each.abandon();
  }
  if (checkpointer_.found()->published) return;
  // The last commit was followed by a crash before its sinks had completed their output.
  tasks_->start_sinks();
  for (task* each : tasks_->tasks()) each->publish_sinks(checkpointer_.found()->sinks, true);
  check(checkpointer_.note_published());
}

template <class Work>
absl::Status job_runner::guarded(Work work) {
  try {
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
  end(summary_.nothing_to_do ? absl::OkStatus() : guarded([this] {
    const bool polls = signal_->polls();
    scheduler_ = make_scheduler(options_.scheduler, options_.parallelism, signal_, polls);
    for (task* each : tasks_->tasks()) each->set_waker(scheduler_.get());
    choose_how_to_write();
    scheduler_->run(tasks_->tasks(), *this);
  }));
  return result_;
}

/// One step of every task. \return whether one of them worked.
bool job_runner::step_all() {
  const inside_mark mark;
  bool worked = false;
  for (task* each : tasks_->tasks()) {
    const task::step_result result = each->step();
    worked |= result == task::step_result::worked;
    if (result == task::step_result::finished) note_finished(*each);
  }
  return worked;
}

absl::StatusOr<bool> job_runner::settle() {
  if (summary_.nothing_to_do) return true;
  absl::Status wrong = guarded([this] {
    while (step_all()) {
    }
    for (task* each : tasks_->tasks()) each->publish_state();
  });
  if (wrong.ok()) return all_finished();
  end(wrong);
  return wrong;
}

absl::Status job_runner::commit_now() {
  absl::Status wrong = guarded([this] {
    begin_commit(false, false);
    waits_for_commits_ = options_.parallelism == 1;
    while (!advance_commit()) (void)step_all();
    note_committed();
  });
  if (!wrong.ok()) end(wrong);
  return wrong;
}

void job_runner::end(absl::Status result) {
  result_ = std::move(result);
  // What is being written is waited for: it changes what the summary tells of the checkpoints.
  commits_.reset();
  summarize();
  if (!summary_.nothing_to_do) last_ = tasks_->frontiers();
  {
    const std::lock_guard lock(ended_mutex_);
    ended_ = true;
    for (const auto& each : savepoints_) {
      each->result = absl::FailedPreconditionError(fmt::format(
          "savepoint '{}': pipeline '{}' ended before it was made; copy its last commit "
          "with freshet-state",
          each->directory, graph_->name()));
    }
    savepoints_.clear();
  }
  ended_changed_.notify_all();
  // Nobody asks the tasks any more.
  rebalancing_.reset();
  tasks_.reset();
  checkpointer_.close();
  {
    const std::lock_guard lock(ended_mutex_);
    closed_ = true;
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
    const auto mine = std::make_shared<question>();
    mine->unanswered = tasks_->tasks().size();
    for (task* each : tasks_->tasks()) {
      each->post([this, each, mine] {
        const time_state known = each->frontiers();
        {
          const std::lock_guard own(ended_mutex_);
          merge_frontiers(mine->frontiers, known);
          --mine->unanswered;
        }
        ended_changed_.notify_all();
      });
    }
    ended_changed_.wait_for(lock, std::clamp(at_most, duration::zero(), long_wait),
                            [&] { return mine->unanswered == 0 || ended_; });
    if (mine->unanswered == 0) {
      return explain_window(*graph_, mine->frontiers, *id, span);
    }
    if (!ended_) {
      return absl::DeadlineExceededError(
          fmt::format("{}: the job has been busy with one batch for {}; ask again, or give it more "
                      "time to answer",
                      place, to_text(at_most)));
    }
  }
  return explain_after_end(*id, span);
}

window_explanation job_runner::explain_after_end(node_id window, const window_span& span) const {
  window_explanation told = explain_window(*graph_, last_, window, span);
  told.job_ended = true;
  return told;
}

bool job_runner::ended_within(duration at_most) {
  // Longer waits, and those into the far past, may overflow the clock they are measured with.
  constexpr duration long_wait = std::chrono::years(100);
  std::unique_lock lock(ended_mutex_);
  return ended_changed_.wait_for(lock, std::clamp(at_most, duration::zero(), long_wait),
                                 [this] { return closed_; });
}

void job_runner::note_finished(task& which) {
  {
    const std::lock_guard lock(tasks_mutex_);
    finished_.insert(&which);
  }
  signal_->notify();
}

bool job_runner::all_finished() {
  const std::lock_guard lock(tasks_mutex_);
  return finished_.size() == tasks_->tasks().size();
}

void job_runner::note_failed(std::exception_ptr why) {
  {
    const std::lock_guard lock(tasks_mutex_);
    ++failures_;
    if (failure_ == nullptr) failure_ = std::move(why);
  }
  signal_->notify();
}

void job_runner::rethrow_failure() {
  std::exception_ptr first;
  {
    const std::lock_guard lock(tasks_mutex_);
    first = failure_;
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void job_runner::note_committed() {
  activity_committed_ = activity_committing_;
  if (checkpointer_.enabled()) figures_.note_commit(commit_began_, *commits_);
  next_commit_ = saturating_add(options_.clock(), options_.checkpoint.every);
}

duration job_runner::alignment_limit() const {
  // Longer waits are as good as endless, and may overflow the clock that they are measured with.
  return std::min<duration>(options_.checkpoint.alignment_limit, std::chrono::years(100));
}

/// Gives a checkpoint up whose barriers have been on their way for too long.
void job_runner::abandon_when_due() {
  if (!checkpointer_.enabled() || !commits_->can_abandon()) return;
  const bool due = abandoning_draws_
                       ? looks_left_ && (*looks_left_)-- == 0
                       : std::chrono::steady_clock::now() - commit_began_ >= alignment_limit();
  if (!due) return;
  figures_.note_abandoned();
  commits_->abandon();
}

supervisor::verdict job_runner::supervise() {
  rethrow_failure();
  give_up_when_due();
  if (!commits_->under_way()) look_for_work();
  abandon_when_due();
  if (!commits_->under_way() || !advance_commit()) return verdict::go_on;
  if (commits_->abandoned()) {
    next_commit_ = saturating_add(options_.clock(), options_.checkpoint.every);
    return verdict::go_on;
  }
  note_committed();
  return ending_ ? verdict::stop : verdict::go_on;
}

/// Begins a commit or obeys a request, when it is time.
void job_runner::look_for_work() {
  if (all_finished()) {
    summary_.finished = true;
    ending_ = true;
    begin_commit(true, false);
  } else if (request_.load() != obeyed_) {
    obey_request();
  } else if (wants_savepoint()) {
    begin_commit(false, false);
  } else if (checkpointer_.pressure().wants_commit.load(std::memory_order_relaxed)) {
    begin_commit(false, false, rebalancing_->propose());
  } else if (checkpointer_.enabled() && options_.clock() >= next_commit_) {
    if (counters_.activity() != activity_committed_) {
      begin_commit(false, false, rebalancing_->propose());
    } else {
      next_commit_ = saturating_add(options_.clock(), options_.checkpoint.every);
    }
  } else if (std::shared_ptr<key_group_move> move = rebalancing_->propose()) {
    begin_commit(false, false, std::move(move));
  }
}

/// Commits are written while tasks work, but where there is one task and next to nothing to write.
/// A simulation has one thread, and draws when it writes.
void job_runner::choose_how_to_write() {
  const bool simulates = options_.scheduler.is == scheduling::kind::simulation;
  waits_for_commits_ = options_.parallelism == 1 && !simulates && !checkpointer_.writes_slowly();
  if (simulates) {
    commits_->write_at_random(options_.scheduler.seed);
  } else if (checkpointer_.writes_slowly()) {
    commits_->write_in_background();
  }
}

bool job_runner::advance_commit() {
  if (!waits_for_commits_) return commits_->advance();
  while (!commits_->advance()) {
    for (task* each : tasks_->tasks()) each->serve();
  }
  return true;
}

/// Ends a job that has not come to its end in time after a request.
void job_runner::give_up_when_due() {
  const request asked = request_.load();
  if (asked == request::none) return;
  const bool stops = asked == request::stop;
  const duration within = stops ? options_.stop_within : options_.drain_within;
  const auto now = std::chrono::steady_clock::now();
  if (noticed_ != asked) {
    noticed_ = asked;
    // Longer waits are as good as endless, and may overflow the clock that they are measured with.
    give_up_at_ = now + std::min<duration>(within, std::chrono::years(100));
  }
  if (now < *give_up_at_) return;
  throw job_failure(absl::DeadlineExceededError(fmt::format(
      "pipeline '{}': {} was not complete after {}, because a sink or a function is busy; the last "
      "commit stands, and what came after it is read again; give {} more, or look for what is slow "
      "in the metrics",
      graph_->name(), stops ? "stop" : "drain", to_text(within),
      stops ? "stop_within" : "drain_within")));
}

void job_runner::obey_request() {
  obeyed_ = request_.load();
  const bool stops = obeyed_ == request::stop;
  if (stops) {
    ending_ = true;
    // Without checkpoints nothing can go on from here, so that sinks complete what they have.
    begin_commit(!checkpointer_.enabled(), true);
    return;
  }
  for (task* each : tasks_->tasks()) {
    if (each->has_sources()) each->post([each] { each->end_input(); });
  }
}

std::optional<duration> job_runner::sleep_at_most() const {
  std::optional<duration> at_most;
  if (give_up_at_) {
    at_most =
        std::max(duration::zero(),
                 std::chrono::ceil<duration>(*give_up_at_ - std::chrono::steady_clock::now()));
  }
  if (checkpointer_.enabled() && commits_->can_abandon()) {
    const auto left = alignment_limit() - (std::chrono::steady_clock::now() - commit_began_);
    at_most = shorter(at_most, std::max(duration::zero(), std::chrono::ceil<duration>(left)));
  }
  if (commits_->under_way()) return at_most;
  if (const auto looks = rebalancing_->sleep_at_most()) at_most = shorter(at_most, *looks);
  if (!checkpointer_.enabled()) return at_most;
  return shorter(at_most, saturating_between(options_.clock(), next_commit_));
}

void job_runner::begin_commit(bool last, bool stops, std::shared_ptr<key_group_move> move) {
  tasks_->set_move(std::move(move));
  hand_over_savepoints();
  activity_committing_ = counters_.activity();
  commit_began_ = std::chrono::steady_clock::now();
  if (abandoning_draws_) {
    looks_left_.reset();
    if ((*abandoning_draws_)() % 4 == 0) looks_left_ = (*abandoning_draws_)() % 16;
  }
  commits_->begin(last, stops, tasks_->moves());
}

absl::Status job_runner::make_savepoint(const std::string& directory, duration at_most) {
  const auto refused = [&](std::string_view why) {
    return absl::FailedPreconditionError(
        fmt::format("savepoint '{}': pipeline '{}' {}", directory, graph_->name(), why));
  };
  if (inside_pipeline()) {
    return refused(
        "asks for it in a function of its own, and would wait for itself; ask from "
        "another thread");
  }
  if (!checkpointer_.enabled()) {
    return refused("has no checkpoint directory, which it copies; give it one");
  }
  const auto mine = std::make_shared<awaited_savepoint>();
  mine->directory = directory;
  std::unique_lock lock(ended_mutex_);
  if (ended_) return refused("has ended; copy its last commit with freshet-state");
  savepoints_.push_back(mine);
  lock.unlock();
  signal_->notify();
  lock.lock();
  // Longer waits are as good as endless, and may overflow the clock that they are measured with.
  constexpr duration long_wait = std::chrono::years(100);
  ended_changed_.wait_for(lock, std::clamp(at_most, duration::zero(), long_wait),
                          [&] { return mine->result.has_value(); });
  if (mine->result) return *mine->result;
  if (!mine->under_way) std::erase(savepoints_, mine);
  return absl::DeadlineExceededError(fmt::format(
      "savepoint '{}': pipeline '{}' has not made it within {}{}; give it more time, or look for "
      "what is slow in the metrics",
      directory, graph_->name(), to_text(at_most),
      mine->under_way ? ", and still may" : ", and will not"));
}

bool job_runner::wants_savepoint() const {
  const std::lock_guard lock(ended_mutex_);
  return std::any_of(savepoints_.begin(), savepoints_.end(),
                     [](const auto& each) { return !each->under_way; });
}

/// Those asked for from now on wait for another barrier: this one may pass the sources at once.
void job_runner::hand_over_savepoints() {
  const std::lock_guard lock(ended_mutex_);
  for (const auto& each : savepoints_) {
    if (std::exchange(each->under_way, true)) continue;
    checkpointer_.ask_for({each->directory, [this, each](absl::Status result) {
                             {
                               const std::lock_guard own(ended_mutex_);
                               each->result = std::move(result);
                               std::erase(savepoints_, each);
                             }
                             ended_changed_.notify_all();
                           }});
  }
}

job_metrics job_runner::metrics() const {
  job_metrics all = counters_.metrics();
  figures_.tell(all);
  const std::lock_guard lock(ended_mutex_);
  if (ended_ || tasks_ == nullptr) return all;
  for (task* each : tasks_->tasks()) {
    all.tasks.push_back(each->metrics());
    all.checkpoint_pause_longest =
        std::max(all.checkpoint_pause_longest, each->snapshot_pause_longest());
    each->ask_for_state();
  }
  if (rebalancing_ != nullptr) add_key_groups(all);
  return all;
}

void job_runner::add_key_groups(job_metrics& to) const {
  to.moves = rebalancing_->moves();
  to.key_groups_moved = rebalancing_->groups_moved();
  to.move_longest = rebalancing_->longest();
  for (const std::size_t stage : rebalancing_->stages()) {
    key_group_metrics& of = to.key_groups.emplace_back();
    for (const node_id node : tasks_->laid_out().stages[stage].nodes) {
      of.operators.push_back(graph_->place(node));
    }
    of.records = rebalancing_->rows_of(stage);
    of.tasks = rebalancing_->owners_of(stage);
  }
}

void job_runner::summarize() {
  if (!summary_.nothing_to_do) {
    for (task* each : tasks_->tasks()) each->publish_state();
  }
  summary_.metrics = metrics();
  constexpr const char* by_clock = "processing time";
  auto& unpromised = summary_.unpromised;
  if (tasks_->used_processing_time() &&
      std::find(unpromised.begin(), unpromised.end(), by_clock) == unpromised.end()) {
    unpromised.emplace_back(by_clock);
  }
  if (scheduler_) {
    for (std::string& what : scheduler_->warnings()) summary_.warnings.push_back(std::move(what));
  }
  const std::vector<std::string> known = checkpointer_.warnings();
  for (const std::string& each : known) {
    auto& all = summary_.warnings;
    if (std::find(all.begin(), all.end(), each) == all.end()) all.push_back(each);
  }
  if (!summary_.nothing_to_do) summary_.guarantee = tasks_->guarantee(checkpointer_.enabled());
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started_;
  summary_.seconds = passed.count();
}

void job_runner::start_thread() {
  thread_ = std::thread([this] { (void)execute(); });
}

absl::Status job_runner::wait() {
  // Any number of threads may wait, so that joining is left to the destructor.
  std::unique_lock lock(ended_mutex_);
  while (!closed_) {
    if (!interrupt_at_) {
      ended_changed_.wait(lock);
    } else if (ended_changed_.wait_until(lock, *interrupt_at_) == std::cv_status::timeout) {
      // The thread that should give up may itself be in a sink.
      interrupt_at_.reset();
      if (ended_) continue;
      for (task* each : tasks_->tasks()) each->interrupt_sinks();
    }
  }
  return result_;
}

void job_runner::request_stop() {
  request expected = request::none;
  if (!request_.compare_exchange_strong(expected, request::stop)) return;
  interrupt_after(options_.stop_within);
  signal_->notify();
}

void job_runner::request_drain() {
  request expected = request::none;
  if (!request_.compare_exchange_strong(expected, request::drain)) return;
  interrupt_after(options_.drain_within);
  signal_->notify();
}

void job_runner::interrupt_after(duration within) {
  {
    const std::lock_guard lock(ended_mutex_);
    if (ended_) return;
    // Longer waits are as good as endless, and may overflow the clock they are measured with.
    interrupt_at_ =
        std::chrono::steady_clock::now() + std::min<duration>(within, std::chrono::years(100));
  }
  ended_changed_.notify_all();
}

}  // namespace freshet::detail
