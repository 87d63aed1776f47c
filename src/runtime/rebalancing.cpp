#include "rebalancing.hpp"

#include <algorithm>
#include <utility>

namespace freshet::detail {

namespace {

/// How many looks must have seen a load before it is acted upon, and how many are let pass after a
/// move, whose effect they have to show.
constexpr std::size_t looks_first = 2;
constexpr int looks_after = 4;
/// A move may stop its tasks for this part of the time.
constexpr int time_between = 20;
/// Longer intervals are as good as endless, and may overflow the clock that they are measured with.
constexpr duration looks_rarest = std::chrono::years(1);
/// Fewer rows than these say nothing.
constexpr std::uint64_t rows_min = 10'000;

}  // namespace

rebalancing::rebalancing(const plan& of, const std::vector<task*>& tasks,
                         const run_options& options)
    : tasks_(tasks),
      every_(std::min<duration>(options.rebalance_every, looks_rarest)),
      draws_moves_(options.scheduler.is == scheduling::kind::simulation),
      draws_(static_cast<std::uint32_t>(options.scheduler.seed + 7)),
      looked_(clock::now()),
      not_before_(looked_) {
  for (const exchange& way : of.exchanges) {
    const std::size_t count = of.stages[way.to_stage].tasks;
    if (way.how != distribution::by_key || count < 2) continue;
    const bool known = std::any_of(stages_.begin(), stages_.end(), [&way](const watched& each) {
      return each.stage == way.to_stage;
    });
    if (known) continue;
    stages_.push_back({way.to_stage, count, spread_evenly(count), {}, {}, {}, looked_, 0});
    stages_.back().busy.assign(count, duration::zero());
  }
}

std::vector<std::size_t> rebalancing::stages() const {
  std::vector<std::size_t> all;
  for (const watched& each : stages_) all.push_back(each.stage);
  return all;
}

key_group_owners rebalancing::owners_of(std::size_t stage) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(stages_.begin(), stages_.end(),
                                  [stage](const watched& each) { return each.stage == stage; });
  return found == stages_.end() ? key_group_owners{} : found->owners;
}

key_group_rows rebalancing::rows_of(std::size_t stage) const {
  key_group_rows sums{};
  for (const task* each : tasks_) each->add_load(stage, sums);
  return sums;
}

std::optional<duration> rebalancing::sleep_at_most() const {
  if (stages_.empty() || every_ == duration::zero() || draws_moves_) return std::nullopt;
  const auto due = std::max(looked_ + std::chrono::microseconds(every_), not_before_);
  return std::max(duration::zero(), std::chrono::ceil<duration>(due - clock::now()));
}

std::shared_ptr<key_group_move> rebalancing::propose() {
  if (stages_.empty() || every_ == duration::zero()) return nullptr;
  if (under_way_ != nullptr) {
    if (!under_way_->done()) return nullptr;
    note_done();
  }
  return draws_moves_ ? drawn() : by_load();
}

void rebalancing::note_done() {
  const std::shared_ptr<key_group_move> made = std::exchange(under_way_, nullptr);
  if (made->cancelled()) return;
  for (watched& each : stages_) {
    if (each.stage != made->stage()) continue;
    const std::lock_guard lock(mutex_);
    each.owners = made->after();
  }
  moves_.fetch_add(1, std::memory_order_relaxed);
  groups_moved_.fetch_add(made->size(), std::memory_order_relaxed);
  longest_.store(std::max(made->took().count(), longest_.load(std::memory_order_relaxed)),
                 std::memory_order_relaxed);
  not_before_ = clock::now() + std::max(looks_after * every_, time_between * made->took());
}

std::shared_ptr<key_group_move> rebalancing::start(watched& of, const key_group_owners& after) {
  of.looks = 0;
  under_way_ = std::make_shared<key_group_move>(of.stage, of.owners, after);
  return under_way_;
}

std::shared_ptr<key_group_move> rebalancing::by_load() {
  const auto now = clock::now();
  if (now - looked_ < std::chrono::microseconds(every_)) return nullptr;
  looked_ = now;
  for (watched& each : stages_) {
    if (!look_at(each, now) || now < not_before_ || each.looks < looks_first) continue;
    const auto wanted = better_owners(each.owners, each.recent, each.tasks);
    if (wanted) return start(each, *wanted);
  }
  return nullptr;
}

/// Takes note of what a stage has done since it was looked at, once that says something.
/// \return whether one of its tasks is busy.
bool rebalancing::look_at(watched& of, clock::time_point now) const {
  const key_group_rows all = rows_of(of.stage);
  key_group_rows fresh = all;
  std::uint64_t sum = 0;
  for (std::size_t group = 0; group < key_groups; ++group) {
    fresh[group] -= of.seen[group];
    sum += fresh[group];
  }
  if (sum < rows_min) return false;
  for (std::size_t group = 0; group < key_groups; ++group) {
    of.recent[group] = of.recent[group] / 2 + fresh[group];
  }
  of.seen = all;
  ++of.looks;
  const auto since = std::chrono::duration_cast<duration>(now - std::exchange(of.looked, now));
  return one_is_busy(of, since);
}

/// Whether a task has worked for more than half of the time: a job with little to do needs nothing.
bool rebalancing::one_is_busy(watched& of, duration since) const {
  bool found = false;
  for (const task* each : tasks_) {
    if (each->stage() != of.stage) continue;
    const duration busy = each->busy();
    found |= 2 * (busy - of.busy[each->number()]) > since;
    of.busy[each->number()] = busy;
  }
  return found;
}

/// Any groups to any tasks, now and then.
std::shared_ptr<key_group_move> rebalancing::drawn() {
  if (draws_() % 16 != 0) return nullptr;
  watched& of = stages_[draws_() % stages_.size()];
  key_group_owners after = of.owners;
  const std::size_t one_in = 1 + draws_() % 4;
  for (std::uint16_t& owner : after) {
    if (draws_() % one_in == 0) owner = static_cast<std::uint16_t>(draws_() % of.tasks);
  }
  if (after == of.owners) return nullptr;
  return start(of, after);
}

}  // namespace freshet::detail
