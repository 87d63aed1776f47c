// What happens to records whose input comes back to a combined frontier from behind it. Internal.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace freshet::detail {

/// Makes every row of an input that others do not wait for enter no earlier than `floor`, the
/// combined frontier: what was promised downstream holds for it too.
/// \return how many rows were raised behind the frontier or further behind it.
template <class T>
std::size_t raise_entry_frontiers(batch<T>& rows, timestamp floor) {
  std::size_t raised = 0;
  std::vector<behind_row> behind;
  std::size_t cursor = 0;
  for (std::size_t row = 0; row < rows.size() && !rows.times.empty(); ++row) {
    std::optional<timestamp> entry;
    if (cursor < rows.behind.size() && rows.behind[cursor].row == row) {
      entry = rows.behind[cursor++].entry_frontier;
    }
    if (!rows.entry_frontiers.empty()) {
      rows.entry_frontiers[row] = std::max(rows.entry_frontiers[row], floor);
    }
    if (rows.times[row] < floor && entry.value_or(timestamp_min) < floor) {
      entry = floor;
      ++raised;
    }
    if (entry) behind.push_back({static_cast<std::uint32_t>(row), *entry});
  }
  rows.behind.swap(behind);
  return raised;
}

}  // namespace freshet::detail
