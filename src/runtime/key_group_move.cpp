#include "key_group_move.hpp"

#include <algorithm>
#include <utility>

namespace freshet::detail {

key_group_move::key_group_move(std::size_t stage, const key_group_owners& before,
                               const key_group_owners& after)
    : stage_(stage), after_(after) {
  for (std::size_t group = 0; group < key_groups; ++group) {
    if (before[group] == after[group]) continue;
    ++size_;
    concerned_.push_back(before[group]);
    concerned_.push_back(after[group]);
  }
  std::sort(concerned_.begin(), concerned_.end());
  concerned_.erase(std::unique(concerned_.begin(), concerned_.end()), concerned_.end());
  missing_ = concerned_.size();
  waiting_ = concerned_.size();
}

bool key_group_move::concerns(std::size_t task) const {
  return std::binary_search(concerned_.begin(), concerned_.end(), task);
}

key_group_set key_group_move::groups_of(std::size_t task) const {
  key_group_set own;
  for (std::uint32_t group = 0; group < key_groups; ++group) {
    if (after_[group] == task) own.insert_group(group);
  }
  return own;
}

void key_group_move::hand_in(part given, std::function<void()> wake) {
  std::vector<std::function<void()>> woken;
  {
    const std::lock_guard lock(mutex_);
    if (wakes_.empty()) {
      began_ = std::chrono::steady_clock::now();
      frontiers_ = given.frontiers;
    }
    for (std::size_t input = 0; input < frontiers_.size(); ++input) {
      frontiers_[input] = std::max(frontiers_[input], given.frontiers[input]);
    }
    for (auto& [node, state] : given.states) states_[node].push_back(std::move(state));
    wakes_.push_back(std::move(wake));
    if (--missing_ > 0) return;
    woken.swap(wakes_);
    complete_.store(true, std::memory_order_release);
  }
  for (const auto& each : woken) each();
}

void key_group_move::note_taken_over() {
  const std::lock_guard lock(mutex_);
  if (--waiting_ > 0) return;
  states_.clear();
  took_ = std::chrono::duration_cast<duration>(std::chrono::steady_clock::now() - began_);
  done_.store(true, std::memory_order_release);
}

}  // namespace freshet::detail
