// How a task gives and takes key groups at a barrier; key_group_move.hpp tells the whole of it.
#include "task.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace freshet::detail {

/// What a barrier means for a task when key groups move at it. \pre it has passed, and no emission
/// is unfinished.
void task::join_move(std::shared_ptr<key_group_move> move) {
  for (const departure& each : departures_) {
    const bool by_key = each.way->how == distribution::by_key;
    if (by_key && each.way->to_stage == move->stage()) each.sender->set_owners(move->after());
  }
  if (stage_ != move->stage()) return;
  bool ended = true;
  key_group_move::part own;
  for (const arrival& each : arrivals_) {
    own.frontiers.push_back(each.receiver->frontier());
    ended &= each.way->how != distribution::by_key || each.receiver->ended();
  }
  const bool takes_part = !ended && move->concerns(number_);
  if (ended) move->cancel();
  if (!takes_part) {
    raise_frontiers(own.frontiers);
    return;
  }
  for (const member& each : members_) {
    if (is_keyed(each)) own.states.emplace(each.node, take_full_state(*each.op, groups_));
  }
  moving_ = std::move(move);
  moving_->hand_in(std::move(own), waker());
}

bool task::is_keyed(const member& which) const {
  return in_.described.nodes()[which.node].takes == distribution::by_key;
}

void task::raise_frontiers(const std::vector<timestamp>& to) {
  for (std::size_t input = 0; input < arrivals_.size(); ++input) {
    if (arrivals_[input].way->how != distribution::by_key) continue;
    arrivals_[input].receiver->raise_frontier(to[input]);
  }
}

/// Goes on with the key groups that belong to it now. \pre the move is complete.
void task::take_over() {
  const std::shared_ptr<key_group_move> move = std::exchange(moving_, nullptr);
  groups_ = move->groups_of(number_);
  raise_frontiers(move->frontiers());
  for (member& each : members_) {
    if (is_keyed(each)) make_again(each, move->states_of(each.node));
  }
  move->note_taken_over();
  for (const member& each : members_) {
    if (is_keyed(each)) repeat_signals(each);
  }
}

/// Puts a fresh operator with the state of `had` in the place of a keyed one.
void task::make_again(member& which, std::span<const full_state> had) {
  std::unique_ptr<runtime_operator> fresh = in_.described.nodes()[which.node].make();
  std::set<std::size_t> ports;
  for (const node& below : in_.described.nodes()) {
    for (const port_of& from : below.inputs) {
      if (from.node == which.node) ports.insert(from.port);
    }
  }
  for (const std::size_t port : ports) {
    fresh->output(port).attach_all_of(which.op->output(port));
  }
  for (arrival& from : arrivals_) {
    for (const input_of& each : from.way->to) {
      if (each.node != which.node) continue;
      from.receiver->output().replace(which.op->input(each.port), fresh->input(each.port));
      if (from.way->pre_aggregates) from.receiver->attach_partials(fresh->input(1));
    }
  }
  const std::size_t index = index_of_.at(which.node);
  index_of_operator_.erase(which.op.get());
  index_of_operator_.emplace(fresh.get(), index);
  call_at(*fresh, timestamp_max);
  which.op = std::move(fresh);
  give_context(which);
  handover_reader reader(had, groups_, in_.described.place(which.node));
  which.op->restore(reader);
}

/// Tells a fresh operator what the one in its place knew of its inputs.
void task::repeat_signals(const member& to) {
  to.op->input(0).signal({.what = control::kind::start});
  for (const arrival& from : arrivals_) {
    const timestamp frontier = from.receiver->frontier();
    for (const input_of& each : from.way->to) {
      if (each.node != to.node) continue;
      inlet_base& input = to.op->input(each.port);
      if (frontier > timestamp_min) {
        input.signal({.what = control::kind::watermark, .frontier = frontier});
      }
      if (from.receiver->ended()) input.signal({.what = control::kind::end});
    }
  }
}

}  // namespace freshet::detail
