#include "balance.hpp"

#include <algorithm>
#include <iterator>

namespace freshet::detail {

namespace {

/// Two tasks one of which has a twentieth more to do than the other are left alone.
constexpr std::uint64_t close_enough = 20;

/// The group of task `from` whose move to a task with `gap` less to do brings the two closest
/// together; nothing when none does.
std::optional<std::size_t> best_to_move(const key_group_owners& owners, const key_group_rows& rows,
                                        std::size_t from, std::uint64_t gap) {
  std::optional<std::size_t> best;
  std::uint64_t best_left = gap;
  for (std::size_t group = 0; group < key_groups; ++group) {
    if (owners[group] != from || rows[group] == 0 || rows[group] >= gap) continue;
    // What one loses the other gains.
    const std::uint64_t twice = 2 * rows[group];
    const std::uint64_t left = twice > gap ? twice - gap : gap - twice;
    if (left < best_left) {
      best = group;
      best_left = left;
    }
  }
  return best;
}

}  // namespace

key_group_owners spread_evenly(std::size_t tasks) {
  key_group_owners owners{};
  for (std::size_t group = 0; group < key_groups; ++group) {
    owners[group] = static_cast<std::uint16_t>(group * tasks / key_groups);
  }
  return owners;
}

std::vector<std::uint64_t> load_of_tasks(const key_group_owners& owners, const key_group_rows& rows,
                                         std::size_t tasks) {
  std::vector<std::uint64_t> loads(tasks, 0);
  for (std::size_t group = 0; group < key_groups; ++group) loads[owners[group]] += rows[group];
  return loads;
}

std::optional<key_group_owners> better_owners(const key_group_owners& now,
                                              const key_group_rows& rows, std::size_t tasks) {
  key_group_owners owners = now;
  std::vector<std::uint64_t> loads = load_of_tasks(owners, rows, tasks);
  const std::uint64_t most_before = *std::max_element(loads.begin(), loads.end());
  // Every round brings two tasks closer together, so that this ends; the bound is for certain.
  for (std::size_t round = 0; round < 4 * key_groups; ++round) {
    const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
    const auto from = static_cast<std::size_t>(std::distance(loads.begin(), most));
    const auto to = static_cast<std::size_t>(std::distance(loads.begin(), least));
    if ((*most - *least) * close_enough < *most) break;
    const std::optional<std::size_t> group = best_to_move(owners, rows, from, *most - *least);
    if (!group) break;
    owners[*group] = static_cast<std::uint16_t>(to);
    *most -= rows[*group];
    *least += rows[*group];
  }
  const std::uint64_t most_after = *std::max_element(loads.begin(), loads.end());
  if (most_before - most_after < (most_before + 9) / 10 || most_before == 0) return std::nullopt;
  return owners;
}

}  // namespace freshet::detail
