#include "task.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/event_time_operator.hpp>
#include <freshet/pipeline/detail/frontier_combiner.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

namespace freshet::detail {

outlet_base& sink_base::output(std::size_t) {
  assert(!"a sink has no output");
  std::abort();
}

void wake_signal::notify() {
  {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }
  changed_.notify_one();
}

void wake_signal::wait(std::optional<duration> at_most) {
  // Longer waits are as good as endless, and may overflow the clock that the wait is measured with.
  constexpr duration long_wait = std::chrono::hours(24);
  std::unique_lock lock(mutex_);
  if (polls_) {
    changed_.wait_for(lock, std::chrono::milliseconds(1), [this] { return notified_; });
  } else if (at_most) {
    changed_.wait_for(lock, std::min(*at_most, long_wait), [this] { return notified_; });
  } else {
    changed_.wait(lock, [this] { return notified_; });
  }
  notified_ = false;
}

std::optional<duration> shorter(std::optional<duration> a, std::optional<duration> b) {
  if (!a) return b;
  if (!b) return a;
  return std::min(*a, *b);
}

counter_board::counter_board(const graph& of) : graph_(of) {
  for (std::size_t i = 0; i < of.nodes().size(); ++i) {
    counters_.push_back(std::make_unique<operator_counters>());
  }
}

std::uint64_t counter_board::activity() const {
  std::uint64_t all = 0;
  for (const auto& each : counters_) all += each->records_in.load(std::memory_order_relaxed);
  return all;
}

job_metrics counter_board::metrics() const {
  job_metrics all;
  for (node_id id = 0; id < counters_.size(); ++id) {
    const operator_counters& counters = *counters_[id];
    operator_metrics one;
    one.place = graph_.place(id);
    one.kind = graph_.nodes()[id].kind;
    one.name = graph_.nodes()[id].name;
    one.records_in = counters.records_in.load(std::memory_order_relaxed);
    one.records_out = counters.records_out.load(std::memory_order_relaxed);
    one.late = counters.late.load(std::memory_order_relaxed);
    one.dead = counters.dead.load(std::memory_order_relaxed);
    one.unassigned = counters.unassigned.load(std::memory_order_relaxed);
    one.realigned = counters.realigned.load(std::memory_order_relaxed);
    one.regressed = counters.regressed.load(std::memory_order_relaxed);
    one.dropped = counters.dropped.load(std::memory_order_relaxed);
    all.operators.push_back(std::move(one));
  }
  return all;
}

std::vector<counter_record> counter_board::records_of_all() const {
  std::vector<counter_record> all;
  for (operator_metrics& each : metrics().operators) {
    all.push_back({std::move(each.place), each.records_in, each.records_out, each.late, each.dead,
                   each.unassigned, each.realigned, each.regressed, each.dropped});
  }
  return all;
}

void counter_board::restore(const std::vector<counter_record>& records) {
  for (node_id id = 0; id < counters_.size(); ++id) {
    const auto known = std::find_if(
        records.begin(), records.end(),
        [place = graph_.place(id)](const counter_record& each) { return each.place == place; });
    if (known == records.end()) continue;
    counters_[id]->records_in = known->records_in;
    counters_[id]->records_out = known->records_out;
    counters_[id]->late = known->late;
    counters_[id]->dead = known->dead;
    counters_[id]->unassigned = known->unassigned;
    counters_[id]->realigned = known->realigned;
    counters_[id]->regressed = known->regressed;
    counters_[id]->dropped = known->dropped;
  }
}

task::task(const graph& of, counter_board& counters, std::shared_ptr<wake_signal> signal,
           std::function<timestamp()> clock)
    : graph_(of),
      counters_(counters),
      signal_(std::move(signal)),
      clock_(std::move(clock)),
      deadlines_(of.nodes().size(), timestamp_max) {
  for (node_id id = 0; id < graph_.nodes().size(); ++id) {
    member made{id, graph_.nodes()[id].make()};
    node_of_.emplace(made.op.get(), id);
    members_.push_back(std::move(made));
  }
  heads_ = with_role<head>();
  sinks_ = with_role<sink_base>();
  connect();
  for (const member& each : members_) give_context(each.node, false);
}

template <class Role>
std::vector<std::pair<node_id, Role*>> task::with_role() const {
  std::vector<std::pair<node_id, Role*>> found;
  for (const member& each : members_) {
    if (auto* role = dynamic_cast<Role*>(each.op.get())) found.emplace_back(each.node, role);
  }
  return found;
}

void task::connect() {
  for (const member& each : members_) {
    const std::vector<port_of>& inputs = graph_.nodes()[each.node].inputs;
    for (std::size_t port = 0; port < inputs.size(); ++port) {
      members_[inputs[port].node].op->output(inputs[port].port).attach(each.op->input(port));
    }
  }
}

void task::give_context(node_id node, bool single_split) {
  const auto& described = graph_.nodes()[node];
  operator_context context;
  context.task = this;
  context.counters = &counters_.of(node);
  context.name = described.name;
  context.place = graph_.place(node);
  context.number = static_cast<std::uint32_t>(
      stable_hash(described.name.empty() ? context.place : described.name));
  context.single_split = single_split;
  members_[node].op->open(context);
}

/// Whether the rows that a node receives come from the log of a single split, or from an operator
/// that brings several into one order, on a single way.
bool task::follows_single_split(node_id below) const {
  const std::optional<node_id> top = graph_.top_of_single_way(below);
  if (!top) return false;
  const auto* source = dynamic_cast<const head*>(members_[*top].op.get());
  return source == nullptr || source->board().names.size() == 1;
}

bool task::in_order_of_single_split(node_id below) const {
  return follows_single_split(below) && graph_.in_log_order(below);
}

std::vector<std::string> task::unpromised_arrivals() const {
  std::vector<std::string> all;
  for (const member& each : members_) {
    const node& described = graph_.nodes()[each.node];
    const bool decided = described.has_timers ? in_order_of_single_split(each.node)
                                              : follows_single_split(each.node);
    if (decided) continue;
    const std::vector<std::string>& names = described.unpromised_by_arrival;
    all.insert(all.end(), names.begin(), names.end());
  }
  return all;
}

bool task::used_processing_time() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const member& each) { return each.op->used_processing_time(); });
}

void task::open(checkpointer& from) {
  for (std::size_t source = 0; source < heads_.size(); ++source) {
    check(heads_[source].second->open_source(static_cast<std::uint32_t>(source)));
  }
  for (const member& each : members_) {
    give_context(each.node, in_order_of_single_split(each.node));
    auto* listener = dynamic_cast<split_listener*>(each.op.get());
    if (listener == nullptr) continue;
    split_board& board = static_cast<head&>(*members_[graph_.source_of(each.node)].op).board();
    board.wants_entry_frontiers = graph_.nodes()[each.node].wants_entry_frontiers;
    listener->listen(board);
  }
  // Readers first: that the inputs are others than at the commit is their complaint to make.
  for (const auto& [id, source] : heads_) {
    check(source->open_readers(from.source(graph_.nodes()[id].name)));
    running_.push_back(source);
  }
  if (from.found()) restore(from);
}

void task::restore(checkpointer& from) {
  for (const member& each : members_) from.restore(each.node, *each.op);
}

void task::start_sinks(const checkpointer& from) {
  for (const auto& [id, sink] : sinks_) {
    const std::optional<std::string_view> token = from.sink_token(graph_.nodes()[id].name);
    check(sink->start(token));
    // The crash may have come between the commit and its publishing.
    if (token) check(sink->commit(*token, false));
  }
}

/// Sources stay together in event time: the one furthest behind goes first, and the others only
/// when it has nothing. Those without event times each have their turn every time.
std::vector<head*> task::in_turn() const {
  std::vector<head*> order = running_;
  std::stable_sort(order.begin(), order.end(), [](const head* a, const head* b) {
    if (a->board().timed != b->board().timed) return !a->board().timed;
    return a->board().timed && a->frontier() < b->frontier();
  });
  return order;
}

task::step_result task::step() {
  if (!started_) {
    started_ = true;
    for (const auto& [id, source] : heads_) {
      source->send({.what = control::kind::start});
      settle();
    }
  }
  bool worked = meet_deadlines();
  bool timed_source_worked = false;
  for (head* source : in_turn()) {
    if (source->board().timed && timed_source_worked) break;
    const head::step_result result = source->step();
    settle();
    if (result == head::step_result::idle) continue;
    worked = true;
    timed_source_worked |= source->board().timed;
    if (result == head::step_result::finished) std::erase(running_, source);
  }
  if (running_.empty()) return step_result::finished;
  return worked ? step_result::worked : step_result::idle;
}

/// Calls the operators whose deadline of processing time has come, those further up first.
bool task::meet_deadlines() {
  if (next_deadline_ == timestamp_max) return false;
  const timestamp now = clock_();
  if (now < next_deadline_) return false;
  for (const member& each : members_) {
    if (deadlines_[each.node] > now) continue;
    deadlines_[each.node] = timestamp_max;
    each.op->on_processing_time(now);
    settle();
  }
  next_deadline_ = *std::min_element(deadlines_.begin(), deadlines_.end());
  return true;
}

void task::call_at(runtime_operator& of, timestamp when) {
  timestamp& own = deadlines_[node_of_.at(&of)];
  if (own == when) return;
  own = when;
  next_deadline_ = *std::min_element(deadlines_.begin(), deadlines_.end());
}

void task::settle() {
  while (!unfinished_.empty()) {
    runtime_operator* last = unfinished_.back();
    if (last->resume()) std::erase(unfinished_, last);
  }
}

void task::end_input() {
  for (head* source : running_) {
    source->send({.what = control::kind::end});
    settle();
  }
  running_.clear();
}

snapshot_draft task::snapshot(checkpointer& into) {
  snapshot_draft draft;
  collecting_ = &into;
  draft_ = &draft;
  for (const auto& [id, source] : heads_) source->send({.what = control::kind::barrier});
  collecting_ = nullptr;
  draft_ = nullptr;
  return draft;
}

std::vector<source_record> task::source_positions() const {
  std::vector<source_record> all;
  for (const auto& [id, source] : heads_) {
    all.push_back({graph_.nodes()[id].name, graph_.nodes()[id].format, source->position()});
  }
  return all;
}

std::vector<sink_record> task::sink_tokens() const {
  std::vector<sink_record> all;
  for (const auto& [id, sink] : sinks_) all.push_back({graph_.nodes()[id].name, sink->token()});
  return all;
}

void task::publish_sinks(const std::vector<sink_record>& tokens, bool last) {
  // One failing sink must not keep the others from publishing; the first error is told.
  absl::Status first;
  for (const auto& [id, sink] : sinks_) {
    // By name, not by place: tokens may come from a commit of a pipeline composed in another order.
    const auto of_sink = std::find_if(
        tokens.begin(), tokens.end(),
        [&name = graph_.nodes()[id].name](const sink_record& each) { return each.name == name; });
    if (of_sink != tokens.end()) first.Update(sink->commit(of_sink->token, last));
  }
  check(first);
}

void task::tell_committed(const std::vector<source_record>& sources) {
  for (std::size_t i = 0; i < heads_.size(); ++i) heads_[i].second->committed(sources[i].at);
}

std::optional<duration> task::sleep_at_most() const {
  std::optional<duration> at_most;
  for (const head* source : running_) at_most = shorter(at_most, source->ask_again());
  if (next_deadline_ == timestamp_max) return at_most;
  return shorter(at_most, saturating_between(clock_(), next_deadline_));
}

time_state task::frontiers() const {
  time_state all;
  for (const member& each : members_) {
    const auto* combines = dynamic_cast<const frontier_combiner*>(each.op.get());
    if (combines == nullptr) continue;
    combined_frontiers here{combines->combined(), {}, {}};
    if (dynamic_cast<const split_listener*>(each.op.get()) != nullptr) {
      const node_id top = graph_.source_of(each.node);
      here.source = graph_.nodes()[top].name;
      here.splits = static_cast<const head&>(*members_[top].op).board().names;
    }
    all.emplace(each.node, std::move(here));
  }
  return all;
}

std::string task::guarantee(bool checkpoints) const {
  if (!checkpoints) return "none across restarts: checkpoints are off";
  for (const auto& [id, source] : heads_) {
    if (!source->replayable()) {
      return fmt::format("at most once unless the application replays: source '{}' cannot go back",
                         graph_.nodes()[id].name);
    }
  }
  for (const auto& [id, sink] : sinks_) {
    if (sink->guarantee() == sink_guarantee::at_least_once) {
      return fmt::format("at least once: sink '{}' cannot take rows back", graph_.nodes()[id].name);
    }
  }
  return "exactly once";
}

void task::defer(runtime_operator& unfinished) {
  unfinished_.push_back(&unfinished);
}

void task::take_snapshot(runtime_operator& of) {
  if (collecting_ == nullptr) return;
  collecting_->collect(node_of_.at(&of), of, *draft_);
}

std::function<void()> task::waker() {
  return [signal = signal_] { signal->notify(); };
}

}  // namespace freshet::detail
