// How many rows an exchange sends for each key group. Internal.
//
// An estimate: every eighth batch is looked at, and counts for eight. Counting every row would cost
// a twentieth of what the exchange costs, because the rows of a hot key wait for one counter.
//
// Threads: one counts, any read.
#pragma once

#include <freshet/core/key_group.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace freshet::detail {

/// Rows by key group.
using key_group_rows = std::array<std::uint64_t, key_groups>;

class key_group_load {
 public:
  /// Looks at a batch, but for the rows that `left_out`, where it is not empty, marks with 1.
  void look_at(const std::vector<std::uint64_t>& hashes, std::span<const std::uint8_t> left_out) {
    if (batches_++ % one_in != 0) return;
    for (std::size_t row = 0; row < hashes.size(); ++row) {
      const std::uint64_t counts = left_out.empty() || left_out[row] == 0 ? one_in : 0;
      std::atomic<std::uint64_t>& rows = rows_[key_group_of(hashes[row])];
      rows.store(rows.load(std::memory_order_relaxed) + counts, std::memory_order_relaxed);
    }
  }

  void add_to(key_group_rows& sums) const {
    for (std::size_t group = 0; group < key_groups; ++group) {
      sums[group] += rows_[group].load(std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::uint64_t one_in = 8;

  std::uint64_t batches_ = 0;
  std::array<std::atomic<std::uint64_t>, key_groups> rows_{};
};

}  // namespace freshet::detail
