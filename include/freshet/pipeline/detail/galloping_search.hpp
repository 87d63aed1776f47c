// Searching what is sorted by time, near a place where it probably is. Internal.
//
// Pure function. \source Bentley and Yao, "An almost optimal algorithm for unbounded searching",
// Information Processing Letters 5 (1976).
#pragma once

#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstddef>

namespace freshet::detail {

/// The first index in [0, size) whose time is not before `at`, or `size`; looks around `near`
/// first. `time(i)` ascends. Cost: O(log of the distance).
template <class Time>
std::size_t first_not_before(timestamp at, std::size_t size, std::size_t near, Time&& time) {
  std::size_t low = 0;
  std::size_t high = size;
  near = std::min(near, size);
  if (near > 0 && time(near - 1) >= at) {
    high = near - 1;
    for (std::size_t step = 1; high > 0; step *= 2) {
      const std::size_t probe = high - std::min(high, step);
      if (time(probe) < at) {
        low = probe + 1;
        break;
      }
      high = probe;
    }
  } else {
    low = near;
    for (std::size_t step = 1; low < size; step *= 2) {
      const std::size_t probe = std::min(size, low + step) - 1;
      if (time(probe) >= at) {
        high = probe;
        break;
      }
      low = probe + 1;
    }
  }
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (time(middle) < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace freshet::detail
