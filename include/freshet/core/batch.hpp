// A batch: what operators exchange instead of single records. Columns of equal length.
//
// Whoever holds a batch by rvalue or mutable reference is its sole owner and may work in place; a
// const reference is shared between the branches of a fork. Not thread-safe; memory is kept by
// `clear()` so that a batch can be filled again without allocating.
#pragma once

#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How many rows a batch holds at most when it leaves a source.
inline constexpr std::size_t batch_rows_max = 1024;

/// A row whose event time lies before its entry frontier: its split had already promised, when the
/// record entered, that nothing so early would come.
struct behind_row {
  std::uint32_t row = 0;
  timestamp entry_frontier = timestamp_min;
};

/// Rows in columns. Optional columns are either empty or as long as `values`.
template <class T>
struct batch {
  std::vector<T> values;
  std::vector<position> positions;
  std::vector<timestamp> times;       ///< Empty above `event_time`.
  std::vector<std::uint64_t> hashes;  ///< Stable hashes of the keys; empty outside keyed streams.
  std::vector<timestamp>
      entry_frontiers;             ///< Of every row; filled only when a sampler asks for it.
  std::vector<behind_row> behind;  ///< Only the rows behind their frontier, ascending by row.

  std::size_t size() const { return values.size(); }
  bool empty() const { return values.empty(); }

  void clear() {
    values.clear();
    clear_columns();
  }

  /// Takes over every column but `values` from `other`, which keeps this batch's spare memory.
  template <class U>
  void swap_columns(batch<U>& other) {
    positions.swap(other.positions);
    times.swap(other.times);
    hashes.swap(other.hashes);
    entry_frontiers.swap(other.entry_frontiers);
    behind.swap(other.behind);
  }

  /// Copies every column but `values` from `other`.
  template <class U>
  void copy_columns(const batch<U>& other) {
    positions = other.positions;
    times = other.times;
    hashes = other.hashes;
    entry_frontiers = other.entry_frontiers;
    behind = other.behind;
  }

  /// Appends row `row` of `from` with `value` in place of its own. A cursor over `from.behind` that
  /// starts at 0 and is passed to every call finds the sparse entry of ascending rows in O(1).
  template <class U, class V>
  void append_row(const batch<U>& from, std::size_t row, V&& value, std::size_t& cursor) {
    while (cursor < from.behind.size() && from.behind[cursor].row < row) ++cursor;
    if (cursor < from.behind.size() && from.behind[cursor].row == row) {
      behind.push_back({static_cast<std::uint32_t>(size()), from.behind[cursor].entry_frontier});
    }
    positions.push_back(from.positions[row]);
    if (!from.times.empty()) times.push_back(from.times[row]);
    if (!from.hashes.empty()) hashes.push_back(from.hashes[row]);
    if (!from.entry_frontiers.empty()) entry_frontiers.push_back(from.entry_frontiers[row]);
    values.push_back(std::forward<V>(value));
  }

  /// Appends the rows of `from` whose numbers are in `rows`, ascending, column by column: the same
  /// as `append_row` for each of them. Values are moved where `from` is not const.
  void append_rows(batch& from, std::span<const std::uint32_t> rows) {
    append_columns(from, rows);
    append_values(rows, [&from](std::uint32_t row) -> T&& { return std::move(from.values[row]); });
  }
  void append_rows(const batch& from, std::span<const std::uint32_t> rows) {
    append_columns(from, rows);
    append_values(rows, [&from](std::uint32_t row) -> const T& { return from.values[row]; });
  }

  /// Keeps the rows for which `keep(row)` is true, in order and in place. When `keep` throws, rows
  /// from its row on are where they were.
  template <class Keep>
  void keep_rows(Keep&& keep) {
    // Some rows at a time are chosen first, without a branch, and then moved column by column.
    constexpr std::size_t chunk = 256;
    std::array<std::uint32_t, chunk> chosen;
    std::size_t kept = 0;
    std::size_t behind_kept = 0;
    std::size_t cursor = 0;
    for (std::size_t begin = 0; begin < size(); begin += chunk) {
      const std::size_t end = std::min(begin + chunk, size());
      std::size_t count = 0;
      for (std::size_t row = begin; row < end; ++row) {
        chosen[count] = static_cast<std::uint32_t>(row);
        count += keep(row) ? 1U : 0U;
      }
      const std::span<const std::uint32_t> rows(chosen.data(), count);
      for (; cursor < behind.size() && behind[cursor].row < end; ++cursor) {
        const auto found = std::lower_bound(rows.begin(), rows.end(), behind[cursor].row);
        if (found == rows.end() || *found != behind[cursor].row) continue;
        const auto place = kept + static_cast<std::size_t>(found - rows.begin());
        behind[behind_kept++] = {static_cast<std::uint32_t>(place), behind[cursor].entry_frontier};
      }
      move_rows(rows, kept);
      kept += count;
    }
    truncate(kept);
    behind.resize(behind_kept);
  }

 private:
  void clear_columns() {
    positions.clear();
    times.clear();
    hashes.clear();
    entry_frontiers.clear();
    behind.clear();
  }

  template <class C, class Cell>
  static void append_cells(std::vector<C>& to, std::span<const std::uint32_t> rows, Cell cell) {
    const auto chosen = rows | std::views::transform(cell);
    to.insert(to.end(), chosen.begin(), chosen.end());
  }

  template <class C>
  static void append_column(std::vector<C>& to, const std::vector<C>& from,
                            std::span<const std::uint32_t> rows) {
    if (from.empty()) return;
    append_cells(to, rows, [&from](std::uint32_t row) -> const C& { return from[row]; });
  }

  /// \pre the values are not appended yet.
  void append_columns(const batch& from, std::span<const std::uint32_t> rows) {
    append_behind(from, rows);
    append_column(positions, from.positions, rows);
    append_column(times, from.times, rows);
    append_column(hashes, from.hashes, rows);
    append_column(entry_frontiers, from.entry_frontiers, rows);
  }

  template <class Value>
  void append_values(std::span<const std::uint32_t> rows, Value value) {
    if constexpr (std::is_trivially_copyable_v<T> && std::is_copy_assignable_v<T>) {
      append_cells(values, rows, [&](std::uint32_t row) -> const T& { return value(row); });
    } else {
      // Moved one by one, which values that cannot be assigned allow, too.
      const std::size_t wanted = size() + rows.size();
      if (wanted > values.capacity()) values.reserve(std::max(wanted, 2 * values.capacity()));
      for (const std::uint32_t row : rows) values.push_back(value(row));
    }
  }

  void append_behind(const batch& from, std::span<const std::uint32_t> rows) {
    auto chosen = rows.begin();
    for (const behind_row& each : from.behind) {
      chosen = std::lower_bound(chosen, rows.end(), each.row);
      if (chosen == rows.end()) return;
      if (*chosen != each.row) continue;
      const auto place = static_cast<std::size_t>(chosen - rows.begin());
      behind.push_back({static_cast<std::uint32_t>(size() + place), each.entry_frontier});
    }
  }

  /// Moves the rows `rows`, ascending, to `to` and on; none of them to a later place.
  void move_rows(std::span<const std::uint32_t> rows, std::size_t to) {
    if (rows.empty() || rows.back() == to + rows.size() - 1) return;  // They are there.
    move_cells(values, rows, to);
    move_cells(positions, rows, to);
    move_cells(times, rows, to);
    move_cells(hashes, rows, to);
    move_cells(entry_frontiers, rows, to);
  }

  template <class C>
  static void move_cells(std::vector<C>& column, std::span<const std::uint32_t> rows,
                         std::size_t to) {
    if (column.empty()) return;
    for (const std::uint32_t row : rows) {
      // What has a destructor may not survive being moved to itself.
      if (std::is_trivially_copyable_v<C> || row != to) column[to] = std::move(column[row]);
      ++to;
    }
  }

  void truncate(std::size_t rows) {
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(rows), values.end());
    positions.resize(rows);
    if (!times.empty()) times.resize(rows);
    if (!hashes.empty()) hashes.resize(rows);
    if (!entry_frontiers.empty()) entry_frontiers.resize(rows);
  }
};

}  // namespace freshet
