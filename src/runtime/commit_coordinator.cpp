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
    each->set_snapshot_taker({[into = collected_] {
                                const std::lock_guard lock(into->mutex);
                                ++into->passed;
                              },
                              [into = collected_, wake = signal_](task_snapshot part) {
                                {
                                  const std::lock_guard lock(into->mutex);
                                  into->snapshots.push_back(std::move(part));
                                }
                                wake->notify();
                              }});
  }
}

void commit_coordinator::begin(bool last, bool stops, bool moves) {
  phase_ = phase::collecting;
  last_ = last;
  needed_ = last || stops || moves;
  abandoned_ = false;
  ++barrier_;
  {
    const std::lock_guard lock(collected_->mutex);
    collected_->passed = 0;
  }
  for (task* each : tasks_) {
    if (!each->has_sources()) continue;
    each->post([each, stops, number = barrier_] {
      if (stops) each->stop_reading();
      each->begin_snapshot(number);
    });
  }
}

bool commit_coordinator::can_abandon() {
  if (phase_ != phase::collecting || needed_) return false;
  const std::lock_guard lock(collected_->mutex);
  return collected_->passed < tasks_.size();
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
  for (task_snapshot& part : parts) kept_.add(std::move(part.draft.changes), 1);
  kept_ = kept_.latest();
}

bool commit_coordinator::all_collected() {
  const std::lock_guard lock(collected_->mutex);
  return collected_->snapshots.size() == tasks_.size();
}

bool commit_coordinator::advance() {
  if (phase_ == phase::collecting && all_collected()) write();
  if (phase_ == phase::writing && is_written()) {
    tell_durable();
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

/// What one commit needs; done by any thread.
class commit_coordinator::commit_work {
 public:
  /// `older`: changes of snapshots that were abandoned.
  commit_work(checkpointer& checkpoints, std::vector<task_snapshot> parts, change_log older)
      : checkpoints_(checkpoints), parts_(std::move(parts)), older_(std::move(older)) {}

  std::vector<source_record> sources;
  std::vector<sink_record> sinks;
  std::vector<counter_record> counters;
  bool last = false;

  absl::Status run() {
    snapshot_draft draft;
    draft.changes = std::move(older_);
    for (task_snapshot& part : parts_) draft.add(std::move(part.draft), 1);
    parts_.clear();
    written_.rows = draft.changes.rows();
    written_.bytes = draft.changes.bytes();
    absl::Status done = checkpoints_.commit(std::move(draft), std::move(sources), std::move(sinks),
                                            std::move(counters), last);
    written_.at = std::chrono::steady_clock::now();
    return done;
  }
  /// After `run`.
  const written& came_to() const { return written_; }

 private:
  checkpointer& checkpoints_;
  std::vector<task_snapshot> parts_;
  change_log older_;
  written written_;
};

void commit_coordinator::write() {
  phase_ = phase::writing;
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
  for (task_snapshot& part : parts) {
    for (auto& [node, token] : part.sink_tokens) {
      sinks_.push_back({graph_.nodes()[node].name, std::move(token)});
    }
    for (auto& [node, counts] : part.counters) {
      const auto [known, is_new] = counters.emplace(node, counts);
      if (!is_new) add_counts(known->second, counts);
    }
    alignment_ = std::max(alignment_, part.alignment);
    held_batches_ += part.held_batches;
  }
  if (!checkpoints_.enabled()) return;
  writing_ =
      std::make_shared<commit_work>(checkpoints_, std::move(parts), std::exchange(kept_, {}));
  writing_->sources = sources_;
  writing_->sinks = sinks_;
  writing_->last = last_;
  for (auto& [node, counts] : counters) writing_->counters.push_back(std::move(counts));
  if (draws_) writes_for_ = (*draws_)() % 12;
  if (writer_ != nullptr) writer_->begin([work = writing_] { return work->run(); });
}

/// Whether the commit is durable. Throws where it has failed.
bool commit_coordinator::is_written() {
  if (writing_ == nullptr) return true;  // There are no checkpoints.
  if (writes_for_ > 0) {
    --writes_for_;
    signal_->notify();
    return false;
  }
  const std::optional<absl::Status> done =
      writer_ == nullptr ? writing_->run() : writer_->take_result();
  if (!done) return false;
  check(*done);
  written_ = writing_->came_to();
  writing_.reset();
  return true;
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

/// Operators may drop rows now that the commit has, and sources go on that have waited for that.
void commit_coordinator::tell_durable() {
  if (!checkpoints_.limits_memory()) return;
  checkpoints_.pressure().wants_commit.store(false, std::memory_order_relaxed);
  checkpoints_.pressure().sources_wait.store(false, std::memory_order_relaxed);
  for (task* each : tasks_) each->post([each, number = barrier_] { each->note_durable(number); });
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
