// Between a window operator and its kernel: the rows that windows fire, and what becomes of
// records. Internal.
//
// Threads: one task. Memory: one batch of rows. Rows get places that are the same in every run.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/window_row.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace freshet::detail {

/// What became of a record behind its frontier.
enum class late_outcome : std::uint8_t { accepted, late, unassigned };

/// Collects the rows that windows fire and sends them on in batches.
template <class Row>
class row_collector {
 public:
  row_collector(outlet<Row>& to, const operator_context& context) : to_(to), context_(context) {}

  /// `promised`: what downstream may have been promised by now, where that can lie after the row.
  void add(Row row, std::uint64_t hash, std::optional<timestamp> promised) {
    const timestamp at = saturating_subtract(row.window.end, duration{1});
    if (promised && at < *promised) {
      rows_.behind.push_back({static_cast<std::uint32_t>(rows_.size()), *promised});
    }
    rows_.positions.push_back(place_of(row, hash));
    rows_.times.push_back(at);
    rows_.values.push_back(std::move(row));
    ++emitted_;
    if (rows_.size() >= batch_rows_max) flush();
  }

  void flush() {
    context_.counters->give(rows_.size(), bytes_of(rows_));
    to_.emit(rows_);
  }

  /// How many more rows belong into this slice.
  std::size_t left_in_slice() const { return slice_rows - std::min(slice_rows, emitted_); }

  /// True once per slice: it is time to let others run.
  bool slice_is_full() {
    if (emitted_ < slice_rows) return false;
    emitted_ = 0;
    return true;
  }

 private:
  static constexpr std::size_t slice_rows = 4 * batch_rows_max;

  /// A place of its own for every row, the same in every run: the panes of one key and window
  /// follow each other, and what takes a pane back comes between it and the next.
  position place_of(const Row& row, std::uint64_t hash) const {
    const auto bits = [](timestamp at) {
      return static_cast<std::uint64_t>(at.time_since_epoch().count());
    };
    const std::uint64_t window =
        combine_hashes(combine_hashes(hash, bits(row.window.begin)), bits(row.window.end));
    return {window, context_.number, 2 * row.pane.index + (row.pane.retraction ? 1 : 0)};
  }

  outlet<Row>& to_;
  const operator_context& context_;
  batch<Row> rows_;
  std::size_t emitted_ = 0;
};

}  // namespace freshet::detail
