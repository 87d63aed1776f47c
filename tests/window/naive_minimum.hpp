// The combined frontier of several inputs by its definition, recomputed from all of them at every
// step. The oracle for `frontier_minimum`, and for what is built on it.
#pragma once

#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

namespace freshet::test {

struct naive_minimum {
  enum class is { active, catching_up, idle, finished };
  std::vector<is> status;
  std::vector<timestamp> frontiers;
  timestamp combined = timestamp_min;

  explicit naive_minimum(std::size_t count)
      : status(count, is::active), frontiers(count, timestamp_min) {}

  bool all(is wanted) const {
    return std::all_of(status.begin(), status.end(), [=](is each) { return each == wanted; });
  }
  /// Nothing is to be waited for, and yet something may come.
  bool is_idle() const {
    return !all(is::finished) && std::all_of(status.begin(), status.end(), [](is each) {
      return each == is::idle || each == is::finished;
    });
  }

  void set_idle(std::size_t input) {
    if (status[input] != is::finished) status[input] = is::idle;
    settle();
  }
  void set_active(std::size_t input) {
    if (status[input] == is::idle) {
      status[input] = frontiers[input] >= combined ? is::active : is::catching_up;
    }
    settle();
  }
  void finish(std::size_t input) {
    status[input] = is::finished;
    settle();
  }
  void advance(std::size_t input, timestamp to) {
    if (status[input] == is::idle || status[input] == is::finished) return;
    frontiers[input] = std::max(frontiers[input], to);
    if (frontiers[input] >= combined) status[input] = is::active;
    settle();
  }

 private:
  void settle() {
    std::multiset<timestamp> counting, idle;
    bool catching_up = false;
    for (std::size_t i = 0; i < status.size(); ++i) {
      if (status[i] == is::active) counting.insert(frontiers[i]);
      if (status[i] == is::idle) idle.insert(frontiers[i]);
      catching_up |= status[i] == is::catching_up;
    }
    if (!counting.empty()) {
      combined = std::max(combined, *counting.begin());
    } else if (!catching_up) {
      combined = std::max(combined, idle.empty() ? timestamp_max : *idle.rbegin());
    }
  }
};

}  // namespace freshet::test
