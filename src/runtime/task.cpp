#include "task.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/event_time_operator.hpp>
#include <freshet/pipeline/detail/frontier_combiner.hpp>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <utility>

namespace freshet::detail {

outlet_base& sink_base::output(std::size_t) {
  assert(!"a sink has no output");
  std::abort();
}

namespace {

/// How often idle timeouts are looked at.
constexpr std::chrono::milliseconds tick_every{20};

/// How often at most is told what operators hold.
constexpr std::chrono::milliseconds publish_every{10};

/// For how long at a time rows of a snapshot are copied, and how many without a look at the clock.
constexpr std::chrono::microseconds copy_for{250};
constexpr std::size_t copied_rows = 64;

spread spread_of(distribution how) {
  switch (how) {
    case distribution::by_key:
      return spread::by_key;
    case distribution::all_to_all:
      return spread::to_everyone;
    default:
      return spread::whole;
  }
}

}  // namespace

task::task(const task_environment& in, std::size_t stage, std::size_t number,
           operators_by_node& existing)
    : in_(in), stage_(stage), number_(number), handle_(std::make_shared<wake_handle>()) {
  handle_->of = this;
  if (in_.seed) draws_.seed(static_cast<std::uint32_t>(*in_.seed + 97 * stage_ + number_));
  for (const node_id node : in_.laid_out.stages[stage].nodes) {
    auto known = existing.extract(node);
    member made{node, known ? std::move(known.mapped()) : in_.described.nodes()[node].make()};
    index_of_.emplace(node, members_.size());
    index_of_operator_.emplace(made.op.get(), members_.size());
    members_.push_back(std::move(made));
  }
  deadlines_.assign(members_.size(), timestamp_max);
  heads_ = with_role<head>();
  sinks_ = with_role<sink_base>();
  connect_members();
  for (const member& each : members_) give_context(each);
}

task::~task() {
  const std::lock_guard lock(handle_->mutex);
  handle_->of = nullptr;
}

template <class Role>
std::vector<std::pair<node_id, Role*>> task::with_role() const {
  std::vector<std::pair<node_id, Role*>> found;
  for (const member& each : members_) {
    if (auto* role = dynamic_cast<Role*>(each.op.get())) found.emplace_back(each.node, role);
  }
  return found;
}

void task::connect_members() {
  for (const member& each : members_) {
    const std::vector<port_of>& inputs = in_.described.nodes()[each.node].inputs;
    for (std::size_t port = 0; port < inputs.size(); ++port) {
      if (in_.laid_out.crosses(in_.described, each.node, port)) continue;
      operator_of(inputs[port].node).output(inputs[port].port).attach(each.op->input(port));
    }
  }
}

void task::connect(const exchange& way, const std::vector<task*>& above,
                   const std::vector<task*>& below, const key_group_owners& owners,
                   std::size_t channel_batches) {
  // Where rows stay as they are, several tasks above share one below, or each has its own.
  const bool one_each = way.how == distribution::as_they_are;
  std::vector<std::vector<channel*>> leaving(above.size());
  for (std::size_t lower = 0; lower < below.size(); ++lower) {
    arrival& into = below[lower]->arrivals_.emplace_back();
    into.way = &way;
    if (way.how == distribution::by_key) below[lower]->own(owners);
    for (std::size_t upper = 0; upper < above.size(); ++upper) {
      if (one_each && upper % below.size() != lower) continue;
      into.channels.push_back(
          std::make_unique<channel>(channel_batches, *above[upper], *below[lower]));
      leaving[upper].push_back(into.channels.back().get());
    }
    into.receiver = below[lower]->make_receiver(
        way, above.front()->operator_of(way.from.node).output(way.from.port), into.channels.size());
    into.at_barrier.assign(into.channels.size(), false);
    below[lower]->channel_count_ += into.channels.size();
    for (const input_of& each : way.to) {
      into.receiver->output().attach(below[lower]->operator_of(each.node).input(each.port));
    }
  }
  for (std::size_t upper = 0; upper < above.size(); ++upper) {
    outlet_base& out = above[upper]->operator_of(way.from.node).output(way.from.port);
    departure& leaves = above[upper]->departures_.emplace_back();
    leaves.way = &way;
    leaves.channels = leaving[upper];
    if (way.pre_aggregates) {
      leaves.front = &above[upper]->in_.counters.front_of(way.to.front().node, upper);
    }
    leaves.sender =
        above[upper]->make_sender(way, out, {leaving[upper].begin(), leaving[upper].end()}, owners);
    out.attach(leaves.sender->input());
  }
}

std::unique_ptr<exchange_receiver> task::make_receiver(const exchange& way, const outlet_base& from,
                                                       std::size_t channels) {
  const node_id first = way.to.front().node;
  operator_counters& counters = in_.counters.of(first, number_);
  if (!way.pre_aggregates) return from.make_receiver(channels, counters);
  auto made = in_.described.nodes()[first].pre_aggregated->make_receiver(channels, counters);
  made->attach_partials(operator_of(first).input(1));
  return made;
}

std::unique_ptr<exchange_sender> task::make_sender(const exchange& way, const outlet_base& from,
                                                   std::vector<channel_end*> targets,
                                                   const key_group_owners& owners) const {
  if (!way.pre_aggregates) return from.make_sender(std::move(targets), spread_of(way.how), owners);
  const node_id below = way.to.front().node;
  return in_.described.nodes()[below].pre_aggregated->make_sender(std::move(targets), owners,
                                                                  in_.described.place(below));
}

void task::own(const key_group_owners& owners) {
  groups_ = {};
  for (std::uint32_t group = 0; group < key_groups; ++group) {
    if (owners[group] == number_) groups_.insert_group(group);
  }
}

void task::give_context(const member& to) {
  const auto& described = in_.described.nodes()[to.node];
  operator_context context;
  context.task = this;
  context.counters = &in_.counters.of(to.node, number_);
  context.latencies = in_.counters.latencies_of(to.node);
  context.name = described.name;
  context.place = in_.described.place(to.node);
  context.number = static_cast<std::uint32_t>(
      stable_hash(described.name.empty() ? context.place : described.name));
  context.single_split = to.single_split;
  context.groups = groups_;
  context.cold = in_.checkpoints.cold_of(to.node);
  to.op->open(context);
}

/// Whether the rows that a node receives come from the log of a single split, or from an operator
/// that brings several into one order, on a single way.
bool task::follows_single_split(node_id below,
                                const std::function<std::size_t(node_id)>& splits_of) const {
  const std::optional<node_id> top = in_.described.top_of_single_way(below);
  if (!top) return false;
  for (node_id at = below; at != *top;) {
    at = in_.described.nodes()[at].inputs.front().node;
    const bool elsewhere = in_.laid_out.stage_of[at] != stage_;
    if (elsewhere && in_.laid_out.tasks_of(at) != 1) return false;
  }
  return in_.described.nodes()[*top].is != node::role::source || splits_of(*top) == 1;
}

void task::open(const std::function<std::size_t(node_id)>& splits_of) {
  for (member& each : members_) {
    const auto& described = in_.described.nodes()[each.node];
    const bool follows = follows_single_split(each.node, splits_of);
    const bool in_order = follows && in_.described.in_log_order(each.node);
    if (!(described.has_timers ? in_order : follows)) {
      const std::vector<std::string>& names = described.unpromised_by_arrival;
      unpromised_.insert(unpromised_.end(), names.begin(), names.end());
    }
    each.single_split = in_order;
    give_context(each);
    const auto* combiner = dynamic_cast<const frontier_combiner*>(each.op.get());
    if (combiner != nullptr) combiners_.push_back(combiner);
    if (const auto* waits = dynamic_cast<const outside_work*>(each.op.get())) {
      outside_.push_back(waits);
    }
    auto* listener = dynamic_cast<split_listener*>(each.op.get());
    if (listener == nullptr) continue;
    auto& source = static_cast<head&>(operator_of(in_.described.source_of(each.node)));
    source.board().wants_entry_frontiers = described.wants_entry_frontiers;
    listener->listen(source.board());
    if (members_.size() < in_.described.nodes().size()) drift_place_ = in_.drift.join(*this);
  }
  has_state_ = std::any_of(members_.begin(), members_.end(),
                           [](const member& each) { return each.op->held_state().has_value(); }) ||
               std::any_of(departures_.begin(), departures_.end(),
                           [](const departure& each) { return each.front != nullptr; });
  // Readers first: that the inputs are others than at the commit is their complaint to make.
  for (const auto& [id, source] : heads_) {
    source->mark_every(in_.latency_markers);
    check(source->open_readers(in_.checkpoints.source(in_.described.nodes()[id].name)));
    running_.push_back(source);
  }
  if (!in_.checkpoints.found()) return;
  for (const member& each : members_) in_.checkpoints.restore(each.node, groups_, *each.op);
}

void task::open_sinks() {
  for (const auto& [id, sink] : sinks_) check(sink->open_sink());
}

std::optional<std::string> task::not_rolled_back() const {
  for (const auto& [id, sink] : sinks_) {
    if (!sink->can_roll_back()) return in_.described.nodes()[id].name;
  }
  return std::nullopt;
}

void task::start_sinks() {
  for (const auto& [id, sink] : sinks_) {
    const std::optional<std::string_view> token =
        in_.checkpoints.sink_token(in_.described.nodes()[id].name);
    check(sink->start(token));
    // The crash may have come between the commit and its publishing.
    if (token) check(sink->commit(*token, false));
  }
}

void task::wake() {
  if (task_waker* waker = waker_.load(std::memory_order_acquire)) waker->wake(*this);
}

void task::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
    has_posted_.store(true, std::memory_order_release);
  }
  wake();
}

void task::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
    has_posted_.store(false, std::memory_order_release);
  }
  for (const auto& each : work) each();
}

void task::serve() {
  run_posted();
  send_barrier();
  finish_copying();
}

/// Sends the barrier that was asked for, when it can pass. \return whether it did.
bool task::send_barrier() {
  if (barrier_wanted_ == 0 || !unfinished_.empty() || !outputs_have_room()) return false;
  pass_barrier(std::exchange(barrier_wanted_, 0));
  return true;
}

task::step_result task::step() {
  if (moving_ != nullptr) {
    if (!moving_->complete()) return step_result::waits;
    take_over();
  }
  run_posted();
  if (!started_) start();
  bool worked = false;
  bool lacked_room = false;
  if (settle()) {
    worked = send_barrier();
    if (std::exchange(met_deadlines_, false)) {
      worked = true;  // What is due at once again must not keep input away for ever.
    } else if (outputs_have_room()) {
      met_deadlines_ = meet_deadlines();
      worked |= met_deadlines_;
    }
    lacked_room = !outputs_have_room();
    if (unfinished_.empty() && !lacked_room && !is_full()) {
      worked |= heads_.empty() ? take_message() : read_sources();
    }
    worked |= flush_when_due(worked);
  }
  worked |= copy_some();
  lacks_room_ = !outputs_have_room();
  if (lacks_room_) {
    return copying_ == nullptr && waits_for_room() ? step_result::waits : step_result::worked;
  }
  // What had no room may have some by now: nobody would wake this task for what it left undone.
  const bool left_undone = lacked_room || !unfinished_.empty() || barrier_wanted_ != 0;
  if (worked || left_undone) return step_result::worked;
  return finished() ? step_result::finished : step_result::waits;
}

void task::start() {
  started_ = true;
  for (const auto& [id, source] : heads_) {
    source->send({.what = control::kind::start});
    settle();
  }
  for (const arrival& each : arrivals_) {
    each.receiver->send({.what = control::kind::start});
    if (!each.channels.empty()) continue;
    // Of the tasks above, all belong to others.
    each.receiver->send({.what = control::kind::watermark, .frontier = timestamp_max});
    each.receiver->send({.what = control::kind::end});
  }
}

bool task::outputs_have_room() {
  bool room = true;
  for (const departure& each : departures_) {
    for (channel* below : each.channels) room &= below->has_room();
  }
  return room;
}

/// Whether an operator waits for so much outside of the pipeline that it can take no more.
bool task::is_full() const {
  return std::any_of(outside_.begin(), outside_.end(),
                     [](const outside_work* each) { return each->is_full(); });
}

/// Asks to be woken when there is room again. \return false when there is some by now, so that
/// nobody would wake this task.
bool task::waits_for_room() {
  bool waits = false;
  for (const departure& each : departures_) {
    for (channel* below : each.channels) {
      if (below->has_room()) continue;
      if (!below->wait_for_room()) return false;
      waits = true;
    }
  }
  return waits;
}

/// Goes on with what is unfinished, that furthest down first, for as long as the outputs have room.
/// \return whether nothing is unfinished any more.
bool task::settle() {
  while (!unfinished_.empty()) {
    if (!outputs_have_room()) return false;
    const auto last = std::max_element(unfinished_.begin(), unfinished_.end());
    const std::size_t index = *last;
    if (members_[index].op->resume()) std::erase(unfinished_, index);
  }
  return true;
}

/// Calls the operators whose deadline of processing time has come, those further up first.
bool task::meet_deadlines() {
  if (next_deadline_ == timestamp_max) return false;
  const timestamp now = in_.clock();
  if (now < next_deadline_) return false;
  for (std::size_t index = 0; index < members_.size() && unfinished_.empty(); ++index) {
    if (deadlines_[index] > now) continue;
    deadlines_[index] = timestamp_max;
    members_[index].op->on_processing_time(now);
    settle();
  }
  next_deadline_ = *std::min_element(deadlines_.begin(), deadlines_.end());
  return true;
}

void task::call_at(runtime_operator& of, timestamp when) {
  timestamp& own = deadlines_[index_of_operator_.at(&of)];
  if (own == when) return;
  own = when;
  next_deadline_ = *std::min_element(deadlines_.begin(), deadlines_.end());
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

bool task::read_sources() {
  if (!reads_ || in_.checkpoints.pressure().sources_wait.load(std::memory_order_relaxed)) {
    return false;
  }
  bool worked = false;
  bool timed_source_worked = false;
  for (head* source : in_turn()) {
    if (source->board().timed && timed_source_worked) break;
    if (drift_place_) source->board().read_limit = in_.drift.limit();
    const head::step_result result = source->step();
    settle();
    if (drift_place_) in_.drift.report(*drift_place_, source->readable_frontier());
    if (result == head::step_result::idle) {
      worked |= drift_place_ && !waits_for_others(*source);
      continue;
    }
    worked = true;
    timed_source_worked |= source->board().timed;
    if (result == head::step_result::finished) std::erase(running_, source);
    if (!unfinished_.empty()) break;
  }
  return worked;
}

/// Whether a source that gave nothing has nothing, or has to wait until others have caught up.
bool task::waits_for_others(head& source) {
  return !source.holds_back() || in_.drift.wait(*drift_place_, source.board().read_limit);
}

bool task::take_message() {
  for (std::size_t looked = 0, all = channel_count_; looked < all; ++looked) {
    auto& [which, index] = turn_;
    while (index >= arrivals_[which].channels.size()) {
      index = 0;
      which = which + 1 == arrivals_.size() ? 0 : which + 1;
    }
    arrival& from = arrivals_[which];
    const std::size_t here = index++;
    if (from.at_barrier[here]) continue;
    std::optional<message> next = from.channels[here]->take();
    if (!next) continue;
    take(from, here, *std::move(next));
    settle();
    return true;
  }
  return false;
}

void task::take(arrival& from, std::size_t index, message received) {
  if (received.rows == nullptr && received.signal.what == control::kind::barrier) {
    meet_barrier(from, index, received.signal.number);
    return;
  }
  if (received.rows != nullptr) {
    from.receiver->take(index, *received.rows);
    from.channels[index]->give_back(std::move(received.rows));
  } else {
    from.receiver->take(index, received.signal);
  }
  if (const auto idles = from.receiver->counted_after(index)) {
    from.channels[index]->set_counted_after(*idles);
  }
}

void task::meet_barrier(arrival& from, std::size_t channel, std::uint32_t number) {
  if (number <= barriers_done_) return;  // Abandoned while it was on its way.
  if (!aligning_since_) aligning_since_ = std::chrono::steady_clock::now();
  from.at_barrier[channel] = true;
  if (all_at_barrier()) pass_barrier(number);
}

void task::read_all_channels() {
  for (arrival& each : arrivals_) each.at_barrier.assign(each.at_barrier.size(), false);
  aligning_since_.reset();
}

void task::abandon_barrier(std::uint32_t number) {
  finish_copying();                      // Nothing is handed in for it later.
  if (number <= barriers_done_) return;  // It has passed.
  barriers_done_ = number;
  barrier_wanted_ = 0;
  read_all_channels();
}

std::size_t task::waiting_batches() const {
  std::size_t sum = 0;
  for (const arrival& from : arrivals_) {
    for (const auto& each : from.channels) sum += each->waiting();
  }
  return sum;
}

bool task::all_at_barrier() const {
  return std::all_of(arrivals_.begin(), arrivals_.end(), [](const arrival& each) {
    return std::find(each.at_barrier.begin(), each.at_barrier.end(), false) ==
           each.at_barrier.end();
  });
}

/// \pre no emission is unfinished.
void task::pass_barrier(std::uint32_t number) {
  assert(unfinished_.empty());
  finish_copying();  // Of a snapshot before that.
  const auto began = std::chrono::steady_clock::now();
  copying_ = std::make_unique<unfinished_snapshot>();
  task_snapshot& taken = copying_->taken;
  if (aligning_since_) {
    taken.alignment = std::chrono::duration_cast<duration>(began - *aligning_since_);
    taken.held_batches = waiting_batches();
  }
  barriers_done_ = number;
  read_all_channels();
  collecting_ = true;
  const control barrier{.what = control::kind::barrier, .number = number};
  for (const auto& [id, source] : heads_) source->send(barrier);
  for (const arrival& each : arrivals_) each.receiver->send(barrier);
  collecting_ = false;
  for (const auto& [id, source] : heads_) {
    source_commit at = source->position();
    for (std::size_t split = 0; split < at.splits.size(); ++split) {
      if (!source->board().mine[split]) continue;
      taken.positions.push_back({id, split, std::move(at.splits[split]),
                                 std::move(at.positions[split]), at.ended[split]});
    }
  }
  for (const auto& [id, sink] : sinks_) taken.sink_tokens.emplace_back(id, sink->token());
  for (const member& each : members_) {
    taken.counters.emplace_back(each.node, in_.counters.record_of(each.node, number_));
  }
  // Once the snapshot is handed in, the next barrier may be prepared.
  const std::shared_ptr<key_group_move> move = in_.move;
  take_.barrier_passed();
  // Operators that are handed over do not go on.
  if (move != nullptr || copying_->parts.empty()) finish_copying();
  note_pause(began);
  if (move != nullptr) join_move(move);
}

/// Copies a part of the snapshot under way. \return whether there was one.
bool task::copy_some() {
  if (copying_ == nullptr) return false;
  const auto began = std::chrono::steady_clock::now();
  if (in_.seed) {
    // A simulation must not depend on how fast it runs, and states in it are small.
    copy_rows(draws_() % 8 == 0 ? 1000 : 1 + draws_() % 4);
  } else {
    while (!copy_rows(copied_rows) && std::chrono::steady_clock::now() - began < copy_for) {
    }
  }
  note_pause(began);
  return true;
}

/// Copies at most so many rows, and hands the snapshot in when it is complete. \return whether it
/// is. \pre there is one.
bool task::copy_rows(std::size_t rows) {
  std::vector<unfinished_snapshot::part>& parts = copying_->parts;
  for (; !parts.empty(); parts.pop_back()) {
    if (rows == 0 || !parts.back().of->continue_snapshot(rows)) return false;
  }
  const std::unique_ptr<unfinished_snapshot> complete = std::move(copying_);
  take_.take(std::move(complete->taken));
  return true;
}

void task::finish_copying() {
  while (copying_ != nullptr) copy_rows(std::numeric_limits<std::size_t>::max());
}

void task::note_pause(std::chrono::steady_clock::time_point began) {
  const duration took =
      std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - began);
  if (took > snapshot_pause_longest()) {
    pause_longest_.store(took.count(), std::memory_order_relaxed);
  }
}

void task::add_load(std::size_t to_stage, key_group_rows& sums) const {
  for (const departure& each : departures_) {
    if (each.way->to_stage != to_stage) continue;
    if (const key_group_load* load = each.sender->load()) load->add_to(sums);
  }
}

bool task::finished() const {
  return running_.empty() && unfinished_.empty() &&
         std::all_of(outside_.begin(), outside_.end(),
                     [](const outside_work* each) { return each->is_done(); }) &&
         std::all_of(arrivals_.begin(), arrivals_.end(),
                     [](const arrival& each) { return each.receiver->ended(); });
}

/// \return whether something was sent.
bool task::flush_when_due(bool worked) {
  const bool holds = std::any_of(departures_.begin(), departures_.end(),
                                 [](const departure& each) { return each.sender->holds(); });
  if (!holds) {
    held_since_.reset();
    held_for_.reset();
    return false;
  }
  if (may_hold() && worked) return false;
  for (const departure& each : departures_) each.sender->flush();
  held_since_.reset();
  held_for_.reset();
  return true;
}

/// Whether what is held may be held for longer. A simulation must not depend on how fast it runs.
bool task::may_hold() {
  if (in_.seed) {
    if (!held_for_) held_for_ = static_cast<std::uint32_t>(draws_() % 16);
    if (*held_for_ == 0) return false;
    --*held_for_;
    return true;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!held_since_) held_since_ = now;
  return now - *held_since_ < in_.flush_after;
}

void task::end_input() {
  for (head* source : running_) {
    source->send({.what = control::kind::end});
    settle();
  }
  running_.clear();
  if (drift_place_) in_.drift.report(*drift_place_, timestamp_max);
}

void task::interrupt_sinks() {
  for (const auto& [id, sink] : sinks_) sink->interrupt();
}

void task::publish_sinks(const std::vector<sink_record>& tokens, bool last) {
  // One failing sink must not keep the others from publishing; the first error is told.
  absl::Status first;
  for (const auto& [id, sink] : sinks_) {
    // By name, not by place: tokens may come from a commit of a pipeline composed in another order.
    const std::string& name = in_.described.nodes()[id].name;
    const auto of_sink =
        std::find_if(tokens.begin(), tokens.end(),
                     [&name](const sink_record& each) { return each.name == name; });
    if (of_sink != tokens.end()) first.Update(sink->commit(of_sink->token, last));
  }
  check(first);
}

void task::note_durable(std::uint32_t number) {
  // Where another barrier has passed by now, its snapshots are not.
  if (barriers_done_ != number) return;
  for (const member& each : members_) each.op->note_durable();
}

void task::tell_committed(const std::vector<source_record>& sources) {
  for (const auto& [id, source] : heads_) {
    const std::string& name = in_.described.nodes()[id].name;
    for (const source_record& each : sources) {
      if (each.name == name) source->committed(each.at);
    }
  }
}

std::optional<duration> task::sleep_at_most() const {
  if (moving_ != nullptr) return std::nullopt;  // The last task to hand in wakes this one.
  if (lacks_room_) return std::nullopt;  // Whatever is due must wait for room, which wakes it.
  std::optional<duration> at_most;
  if (reads_) {
    for (const head* source : running_) at_most = shorter(at_most, source->ask_again());
    if (in_.looks_for_idleness && !running_.empty()) at_most = shorter(at_most, tick_every);
  }
  if (next_deadline_ == timestamp_max) return at_most;
  return shorter(at_most, saturating_between(in_.clock(), next_deadline_));
}

std::vector<std::string> task::unpromised_arrivals() const {
  return unpromised_;
}

bool task::used_processing_time() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const member& each) { return each.op->used_processing_time(); });
}

time_state task::frontiers() const {
  time_state all;
  for (const member& each : members_) {
    const auto* combines = dynamic_cast<const frontier_combiner*>(each.op.get());
    if (combines == nullptr) continue;
    combined_frontiers here{combines->combined(), {}, {}};
    if (dynamic_cast<const split_listener*>(each.op.get()) != nullptr) {
      const node_id top = in_.described.source_of(each.node);
      here.source = in_.described.nodes()[top].name;
      here.splits = static_cast<const head&>(*members_[index_of_.at(top)].op).board().names;
    }
    all.emplace(each.node, std::move(here));
  }
  return all;
}

/// The watermark of a task's input, or of its sources.
timestamp task::input_watermark() const {
  timestamp lowest = timestamp_max;
  for (const arrival& each : arrivals_) lowest = std::min(lowest, each.receiver->frontier());
  if (!arrivals_.empty()) return lowest;
  for (const frontier_combiner* each : combiners_) {
    lowest = std::min(lowest, each->combined().frontier());
  }
  return combiners_.empty() ? timestamp_min : lowest;
}

void task::end_slice(step_result last) {
  watermark_.store(input_watermark().time_since_epoch().count(), std::memory_order_relaxed);
  using waiting = slice_meter::waiting;
  const bool blocked = last == step_result::waits && lacks_room_;
  meter_.end_slice(last == step_result::worked ? waiting::thread
                   : blocked                   ? waiting::room
                                               : waiting::input);
  if (has_state_) publish_when_due(last);
}

/// What is not told now is told when the task works again, or somebody has looked.
void task::publish_when_due(step_result last) {
  if (in_.seed) {
    // A simulation must not depend on how fast it runs.
    if (last != step_result::worked) publish_state();
    return;
  }
  const bool due = meter_.ended_at() - published_at_ >= publish_every;
  unpublished_.store(!due, std::memory_order_relaxed);
  if (!due) return;
  published_at_ = meter_.ended_at();
  publish_state();
}

void task::ask_for_state() {
  if (unpublished_.load(std::memory_order_relaxed)) wake();
}

void task::publish_state() {
  for (const member& each : members_) {
    const std::optional<state_size> held = each.op->held_state();
    if (!held) continue;
    operator_counters& counters = in_.counters.of(each.node, number_);
    counters.state_entries.store(held->entries, std::memory_order_relaxed);
    counters.state_bytes.store(held->bytes, std::memory_order_relaxed);
    counters.cold_entries.store(held->cold, std::memory_order_relaxed);
  }
  for (const departure& each : departures_) {
    if (each.front == nullptr) continue;
    const state_size held = each.sender->held_state().value_or(state_size{});
    each.front->tell(held, each.sender->find_heavy_keys());
  }
}

task_metrics task::metrics() const {
  task_metrics made;
  for (const member& each : members_) made.operators.push_back(in_.described.place(each.node));
  made.number = number_;
  made.records_in = in_.counters.record_of(members_.front().node, number_).records_in;
  made.busy = meter_.busy();
  made.idle = meter_.idle();
  made.blocked = meter_.blocked();
  made.ready = meter_.ready();
  for (const arrival& from : arrivals_) {
    for (const auto& each : from.channels)
      made.queue_fill = std::max(made.queue_fill, each->fill());
  }
  made.watermark = timestamp(duration(watermark_.load(std::memory_order_relaxed)));
  const timestamp now = in_.clock();
  if (made.watermark > timestamp_min && made.watermark < now) {
    made.watermark_lag = saturating_between(made.watermark, now);
  }
  return made;
}

void task::add_not_replayable(std::set<std::string>& to) const {
  for (const auto& [id, source] : heads_) {
    if (!source->replayable()) to.insert(in_.described.nodes()[id].name);
  }
}

void task::add_at_least_once(std::set<std::string>& to) const {
  for (const auto& [id, sink] : sinks_) {
    if (sink->guarantee() == sink_guarantee::at_least_once) {
      to.insert(in_.described.nodes()[id].name);
    }
  }
}

void task::defer(runtime_operator& unfinished) {
  const std::size_t index = index_of_operator_.at(&unfinished);
  const bool known = std::find(unfinished_.begin(), unfinished_.end(), index) != unfinished_.end();
  if (!known) unfinished_.push_back(index);
}

void task::take_snapshot(runtime_operator& of) {
  if (!collecting_) return;
  const node_id node = members_[index_of_operator_.at(&of)].node;
  auto writer = in_.checkpoints.collect(node, number_, groups_, of, copying_->taken.draft);
  if (writer != nullptr) copying_->parts.push_back({&of, std::move(writer)});
}

std::function<void()> task::waker() {
  return [handle = handle_] {
    const std::lock_guard lock(handle->mutex);
    if (handle->of != nullptr) handle->of->wake();
  };
}

std::function<void()> task::caller(runtime_operator& of) {
  return [handle = handle_, &of] {
    const std::lock_guard lock(handle->mutex);
    task* const here = handle->of;
    if (here != nullptr) here->post([here, &of] { here->call_at(of, here->now()); });
  };
}

}  // namespace freshet::detail
