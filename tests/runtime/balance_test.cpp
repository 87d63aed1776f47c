// Which key groups move: what the busiest task has to do becomes less, or nothing moves.
#include "catch.hpp"

#include "runtime/balance.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace fr = freshet;
using fr::detail::better_owners;
using fr::detail::key_group_owners;
using fr::detail::key_group_rows;

namespace {

std::uint64_t most(const key_group_owners& owners, const key_group_rows& rows, std::size_t tasks) {
  const auto loads = fr::detail::load_of_tasks(owners, rows, tasks);
  return *std::max_element(loads.begin(), loads.end());
}

std::size_t moved(const key_group_owners& before, const key_group_owners& after) {
  std::size_t count = 0;
  for (std::size_t group = 0; group < fr::key_groups; ++group) {
    if (before[group] != after[group]) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("key groups are spread evenly at first", "[runtime][balance]") {
  for (std::size_t tasks = 1; tasks <= fr::key_groups; ++tasks) {
    const key_group_owners owners = fr::detail::spread_evenly(tasks);
    key_group_rows one_each;
    one_each.fill(1);
    const auto loads = fr::detail::load_of_tasks(owners, one_each, tasks);
    CHECK(*std::max_element(loads.begin(), loads.end()) -
              *std::min_element(loads.begin(), loads.end()) <=
          1);
    CHECK(std::is_sorted(owners.begin(), owners.end()));
  }
}

TEST_CASE("nothing moves while nothing is gained", "[runtime][balance]") {
  key_group_rows rows{};
  CHECK_FALSE(better_owners(fr::detail::spread_evenly(4), rows, 4));
  rows.fill(1000);
  CHECK_FALSE(better_owners(fr::detail::spread_evenly(4), rows, 4));
  // A twentieth more for one task is not worth a move.
  for (std::size_t group = 0; group < 64; ++group) rows[group] = 1050;
  CHECK_FALSE(better_owners(fr::detail::spread_evenly(2), rows, 2));
  // One group with everything cannot be divided.
  rows = {};
  rows[17] = 1'000'000;
  CHECK_FALSE(better_owners(fr::detail::spread_evenly(2), rows, 2));
}

TEST_CASE("the other groups leave the task of a hot one", "[runtime][balance]") {
  key_group_rows rows;
  rows.fill(1000);
  rows[5] = 127'000;  // Half of all.
  const key_group_owners before = fr::detail::spread_evenly(2);
  REQUIRE(most(before, rows, 2) == 190'000);
  const auto after = better_owners(before, rows, 2);
  REQUIRE(after);
  CHECK(most(*after, rows, 2) <= 134'000);  // A twentieth is not worth a move.
  CHECK((*after)[5] == before[5]);
  CHECK(moved(before, *after) <= 63);
}

TEST_CASE("no more groups move than it takes", "[runtime][balance]") {
  key_group_rows rows;
  rows.fill(100);
  rows[0] = 3000;
  rows[1] = 3000;
  const auto after = better_owners(fr::detail::spread_evenly(2), rows, 2);
  REQUIRE(after);
  CHECK(moved(fr::detail::spread_evenly(2), *after) == 1);
}

TEST_CASE("random loads: the busiest task has a tenth less to do, or nothing moves",
          "[runtime][balance]") {
  std::mt19937_64 random(20261127);
  int found = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t tasks = 2 + random() % 15;
    key_group_owners before{};
    for (auto& owner : before) owner = static_cast<std::uint16_t>(random() % tasks);
    key_group_rows rows{};
    for (auto& each : rows) each = random() % 3 == 0 ? 0 : random() % (1U << random() % 20U);
    const auto after = better_owners(before, rows, tasks);
    const auto all = std::accumulate(rows.begin(), rows.end(), std::uint64_t{0});
    const std::uint64_t heaviest = *std::max_element(rows.begin(), rows.end());
    const std::uint64_t now = most(before, rows, tasks);
    if (!after) {
      // What cannot be had by any owners, or what this way of moving leaves: twice the best.
      CHECK(now <= 2 * std::max(all / tasks + 1, heaviest));
      continue;
    }
    ++found;
    for (const auto owner : *after) REQUIRE(owner < tasks);
    const std::uint64_t then = most(*after, rows, tasks);
    REQUIRE(10 * then <= 9 * now);
    REQUIRE(then <= 2 * std::max(all / tasks + 1, heaviest));
    for (std::size_t group = 0; group < fr::key_groups; ++group) {
      // A group without rows gains nothing by moving.
      if (rows[group] == 0) REQUIRE((*after)[group] == before[group]);
    }
  }
  CHECK(found > 1000);
}
