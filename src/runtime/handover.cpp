#include "handover.hpp"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace freshet::detail {

void full_state::put(std::uint64_t hash, std::string_view key, timestamp expires_at,
                     std::string_view value) {
  assert(groups_.contains(hash));
  rows_.push_back({hash, std::string(key), expires_at, std::string(value)});
}

void full_state::erase(std::uint64_t, std::string_view) {
  assert(!"an operator that is asked for everything erases nothing");
}

void full_state::summary(std::string bytes, timestamp frontier) {
  summary_ = std::move(bytes);
  frontier_ = frontier;
}

void full_state::settle() {
  std::erase_if(rows_, [this](const row& each) { return each.expires_at <= frontier_; });
  std::sort(rows_.begin(), rows_.end(), [](const row& a, const row& b) {
    return std::tie(a.hash, a.key) < std::tie(b.hash, b.key);
  });
}

std::span<const full_state::row> full_state::rows_of(std::uint32_t group) const {
  const auto first = std::partition_point(rows_.begin(), rows_.end(), [group](const row& each) {
    return key_group_of(each.hash) < group;
  });
  const auto last = std::partition_point(
      first, rows_.end(), [group](const row& each) { return key_group_of(each.hash) == group; });
  return {first, last};
}

full_state take_full_state(runtime_operator& from, const key_group_set& groups) {
  full_state taken;
  taken.groups_ = groups;
  from.snapshot(taken);
  taken.settle();
  return taken;
}

handover_reader::handover_reader(std::span<const full_state> from, const key_group_set& own,
                                 std::string place)
    : from_(from), own_(own), place_(std::move(place)) {
  assert(!from_.empty());
}

std::vector<std::string_view> handover_reader::summaries() const {
  std::vector<std::string_view> all;
  for (const full_state& each : from_) all.push_back(each.summary());
  return all;
}

timestamp handover_reader::frontier_of(std::uint64_t hash) const {
  if (const full_state* owner = owner_of(key_group_of(hash))) return owner->frontier();
  timestamp smallest = timestamp_max;
  for (const full_state& each : from_) smallest = std::min(smallest, each.frontier());
  return smallest;
}

void handover_reader::rows(
    const std::function<void(std::uint64_t, std::string_view, std::string_view)>& row) {
  for (std::uint32_t group = 0; group < key_groups; ++group) {
    if (!own_.contains_group(group)) continue;
    const full_state* owner = owner_of(group);
    if (owner == nullptr) continue;
    for (const full_state::row& each : owner->rows_of(group)) row(each.hash, each.key, each.value);
  }
}

void handover_reader::fail(std::string_view reason) const {
  throw job_failure(absl::InternalError(fmt::format(
      "{}: what its instances handed over is not what they write ({})", place_, reason)));
}

const full_state* handover_reader::owner_of(std::uint32_t group) const {
  const auto owner = std::find_if(from_.begin(), from_.end(), [group](const full_state& each) {
    return each.groups().contains_group(group);
  });
  return owner == from_.end() ? nullptr : &*owner;
}

}  // namespace freshet::detail
