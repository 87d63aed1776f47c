// Random items for one split: a time that wanders forward, records in disorder, and promises that
// some of them break.
//
// The same seed gives the same items on every platform. Times are ticks of 1 us.
#pragma once

#include "semantics/cases.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace freshet::test {

struct random_split {
  std::size_t records = 60;
  std::uint64_t behind = 25;       ///< Records lie less than so far behind the time.
  std::uint64_t naps_in_1000 = 0;  ///< Per record: that the split is idle for a while.
  bool may_end = true;             ///< Before the others.
};

/// Items of the split `number` for three keys; values tell all records of all splits apart.
inline items random_items(std::mt19937_64& random, const random_split& of, std::size_t number = 0) {
  items all;
  std::int64_t now = static_cast<std::int64_t>(random() % 20) - 10;
  for (std::size_t i = 0; i < of.records; ++i) {
    now += static_cast<std::int64_t>(random() % 3);
    const std::string key(1, static_cast<char>('a' + random() % 3));
    item each = e(key, now - static_cast<std::int64_t>(random() % of.behind));
    each.record.value = static_cast<std::int64_t>(1000 * number + i);
    all.push_back(on(number, std::move(each)));
    if (random() % 3 == 0) {
      all.push_back(on(number, frontier(now - static_cast<std::int64_t>(random() % of.behind))));
    }
    if (random() % 1000 < of.naps_in_1000) {
      all.push_back(on(number, idle()));
      if (random() % 2 == 0) all.push_back(on(number, active()));
    }
  }
  if (of.may_end && random() % 2 == 0) all.push_back(on(number, ended()));
  return all;
}

/// The items of all splits, each split in its own order, interleaved at random.
inline items interleaved(std::mt19937_64& random, const std::vector<items>& splits) {
  std::vector<std::size_t> turns;
  for (std::size_t split = 0; split < splits.size(); ++split) {
    turns.insert(turns.end(), splits[split].size(), split);
  }
  for (std::size_t i = turns.size(); i > 1; --i) std::swap(turns[i - 1], turns[random() % i]);
  std::vector<std::size_t> next(splits.size());
  items all;
  for (const std::size_t split : turns) all.push_back(splits[split][next[split]++]);
  return all;
}

}  // namespace freshet::test
