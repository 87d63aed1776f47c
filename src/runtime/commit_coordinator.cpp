#include "commit_coordinator.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace freshet::detail {

commit_coordinator::commit_coordinator(const graph& of, checkpointer& checkpoints,
                                       const std::vector<task*>& tasks,
                                       std::shared_ptr<wake_signal> signal)
    : graph_(of), checkpoints_(checkpoints), tasks_(tasks), signal_(std::move(signal)) {
  for (task* each : tasks_) {
    each->set_snapshot_taker([into = collected_, wake = signal_](task_snapshot part) {
      {
        const std::lock_guard lock(into->mutex);
        into->snapshots.push_back(std::move(part));
      }
      wake->notify();
    });
  }
}

void commit_coordinator::begin(bool last, bool stops, bool moves) {
  phase_ = phase::collecting;
  last_ = last;
  needed_ = last || stops || moves;
  abandoned_ = false;
  ++barrier_;
  for (task* each : tasks_) {
    if (!each->has_sources()) continue;
    each->post([each, stops, number = barrier_] {
      if (stops) each->stop_reading();
      each->begin_snapshot(number);
    });
  }
}

bool commit_coordinator::can_abandon() {
  return phase_ == phase::collecting && !needed_ && !all_collected();
}

void commit_coordinator::abandon() {
  phase_ = phase::abandoning;
  for (task* each : tasks_) {
    each->post([each, number = barrier_, into = collected_, wake = signal_] {
      each->abandon_barrier(number);
      {
        const std::lock_guard lock(into->mutex);
        ++into->gave_up;
      }
      wake->notify();
    });
  }
}

/// From then on no task hands anything in for that barrier.
bool commit_coordinator::all_gave_up() {
  const std::lock_guard lock(collected_->mutex);
  if (collected_->gave_up < tasks_.size()) return false;
  collected_->gave_up = 0;
  return true;
}

/// What was handed in counts as saved where it came from: the next commit has to have it.
void commit_coordinator::keep_collected() {
  std::vector<task_snapshot> parts;
  {
    const std::lock_guard lock(collected_->mutex);
    parts.swap(collected_->snapshots);
  }
  snapshot_draft newer;
  for (task_snapshot& part : parts) newer.add(std::move(part.draft));
  newer.add_older(std::move(kept_));
  kept_ = std::move(newer);
}

bool commit_coordinator::all_collected() {
  const std::lock_guard lock(collected_->mutex);
  return collected_->snapshots.size() == tasks_.size();
}

bool commit_coordinator::advance() {
  if (phase_ == phase::collecting && all_collected()) {
    commit();
    publish();
  }
  if (phase_ == phase::abandoning && all_gave_up()) {
    keep_collected();
    phase_ = phase::none;
    abandoned_ = true;
    return true;
  }
  if (phase_ != phase::publishing) return false;
  {
    const std::lock_guard lock(collected_->mutex);
    if (collected_->published < publishing_) return false;
    collected_->published = 0;
  }
  if (last_ && checkpoints_.enabled()) check(checkpoints_.note_published());
  phase_ = phase::none;
  return true;
}

void commit_coordinator::commit() {
  std::vector<task_snapshot> parts;
  {
    const std::lock_guard lock(collected_->mutex);
    parts.swap(collected_->snapshots);
  }
  sources_ = merge_positions(parts);
  sinks_.clear();
  alignment_ = duration::zero();
  held_batches_ = 0;
  std::map<node_id, counter_record> counters;
  snapshot_draft draft;
  for (task_snapshot& part : parts) {
    for (auto& [node, token] : part.sink_tokens) {
      sinks_.push_back({graph_.nodes()[node].name, std::move(token)});
    }
    for (auto& [node, counts] : part.counters) {
      const auto [known, is_new] = counters.emplace(node, counts);
      if (!is_new) add_counts(known->second, counts);
    }
    draft.add(std::move(part.draft));
    alignment_ = std::max(alignment_, part.alignment);
    held_batches_ += part.held_batches;
  }
  draft.add_older(std::exchange(kept_, {}));
  bytes_written_ = 0;
  for (const state_change& each : draft.changes) {
    bytes_written_ += each.key.size() + (each.value ? each.value->size() : 0);
  }
  if (!checkpoints_.enabled()) return;
  std::vector<counter_record> by_place;
  for (auto& [node, counts] : counters) by_place.push_back(std::move(counts));
  check(checkpoints_.commit(std::move(draft), sources_, sinks_, std::move(by_place), last_));
}

/// Of each source, the position of every split, from the task that reads it.
std::vector<source_record> commit_coordinator::merge_positions(
    const std::vector<task_snapshot>& parts) const {
  std::map<node_id, source_record> all;
  for (const task_snapshot& part : parts) {
    for (const split_position& each : part.positions) {
      source_record& of = all[each.source];
      of.name = graph_.nodes()[each.source].name;
      of.format = graph_.nodes()[each.source].format;
      if (of.at.splits.size() <= each.split) {
        of.at.splits.resize(each.split + 1);
        of.at.positions.resize(each.split + 1);
        of.at.ended.resize(each.split + 1);
      }
      of.at.splits[each.split] = each.name;
      of.at.positions[each.split] = each.position;
      of.at.ended[each.split] = each.ended;
    }
  }
  std::vector<source_record> records;
  for (auto& [node, record] : all) records.push_back(std::move(record));
  return records;
}

void commit_coordinator::publish() {
  phase_ = phase::publishing;
  publishing_ = 0;
  for (task* each : tasks_) {
    const bool tells = each->has_sources() && checkpoints_.enabled();
    if (!each->has_sinks() && !tells) continue;
    ++publishing_;
    each->post([each, tells, sinks = sinks_, sources = sources_, last = last_, into = collected_,
                wake = signal_] {
      each->publish_sinks(sinks, last);
      if (tells) each->tell_committed(sources);
      {
        const std::lock_guard lock(into->mutex);
        ++into->published;
      }
      wake->notify();
    });
  }
}

}  // namespace freshet::detail
