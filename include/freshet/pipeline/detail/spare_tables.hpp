// Tables that are made and given up with the spans of windows, and their memory. Internal.
//
// Threads: one task. Memory: that of a few tables that are done with.
#pragma once

#include <freshet/state/keyed_table.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class Key, class Value>
class spare_tables {
 public:
  using table = keyed_table<Key, Value>;

  /// Says whose keys will come, before any does.
  void own(const key_group_set& groups) { spread_ = spread_over(groups); }
  const key_group_spread_handle& spread() const { return spread_; }

  /// An empty table.
  table take() {
    if (spare_.empty()) return table(spread_);
    table fresh = std::move(spare_.back());
    spare_.pop_back();
    return fresh;
  }

  /// Keeps the memory of a table for a later span, unless it is much too large for what it held.
  void give(table done) {
    done.finish_snapshot();
    constexpr std::size_t row_bytes = sizeof(Key) + sizeof(Value) + sizeof(std::uint64_t);
    if (spare_.size() >= tables_max) return;
    if (done.memory_bytes() > 16 * (row_bytes * done.size() + 1024)) return;
    done.sweep([](std::uint64_t, const Key&, Value&) { return row_fate::forget; });
    spare_.push_back(std::move(done));
  }

  std::size_t memory_bytes() const {
    std::size_t all = 0;
    for (const table& each : spare_) all += each.memory_bytes();
    return all;
  }

 private:
  static constexpr std::size_t tables_max = 4;

  key_group_spread_handle spread_;
  std::vector<table> spare_;
};

}  // namespace freshet::detail
