// Which rows of a batch go to which of several tasks. Internal.
//
// Plain scratch memory that is kept from batch to batch. Threads: one. Order: the rows of a target
// stay in the order of the batch. Cost: about a nanosecond per row.
#pragma once

#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/key_group_load.hpp>
#include <freshet/pipeline/detail/ways.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace freshet::detail {

class target_lists {
 public:
  explicit target_lists(std::size_t targets) : targets_(targets) {}

  /// Lists the rows with these hashes anew, but for those that `left_out`, where it is not empty,
  /// marks with 1. \pre `owners` are less than the number of targets.
  void assign(const std::vector<std::uint64_t>& hashes, const key_group_owners& owners,
              std::span<const std::uint8_t> left_out = {}) {
    load_.look_at(hashes, left_out);
    owner_of_row_.resize(hashes.size());
    for (std::size_t row = 0; row < hashes.size(); ++row) {
      owner_of_row_[row] = owners[key_group_of(hashes[row])];
    }
    // As if there were one more target, whose rows nobody asks for.
    const auto nobody = static_cast<std::uint16_t>(targets_);
    for (std::size_t row = 0; row < left_out.size(); ++row) {
      owner_of_row_[row] = left_out[row] != 0 ? nobody : owner_of_row_[row];
    }
    begins_.assign(targets_ + 2, 0);
    if (targets_ <= few_) {
      list_in_passes();
    } else {
      list_by_counting();
    }
  }

  /// The rows of a target, ascending. Until the next `assign`.
  std::span<const std::uint32_t> operator[](std::size_t target) const {
    return {listed_.data() + begins_[target], listed_.data() + begins_[target + 1]};
  }

  /// How many rows have been listed by key group. From any thread.
  const key_group_load& load() const { return load_; }

 private:
  /// Up to how many targets a pass for each is faster than counting: with few of them, a counter in
  /// memory waits for its own last value nearly every time.
  static constexpr std::size_t few_ = 4;

  /// One pass per target, whose only state is in a register.
  void list_in_passes() {
    const std::size_t rows = owner_of_row_.size();
    listed_.resize(rows + 1);  // A row of another target is written, and then overwritten.
    std::size_t listed = 0;
    for (std::size_t target = 0; target < targets_; ++target) {
      for (std::size_t row = 0; row < rows; ++row) {
        listed_[listed] = static_cast<std::uint32_t>(row);
        listed += static_cast<std::size_t>(owner_of_row_[row] == target);
      }
      begins_[target + 1] = listed;
    }
  }

  /// Two passes for any number of targets.
  void list_by_counting() {
    for (const std::uint16_t owner : owner_of_row_) ++begins_[owner + std::size_t{1}];
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    next_ = begins_;
    listed_.resize(owner_of_row_.size());
    for (std::size_t row = 0; row < owner_of_row_.size(); ++row) {
      listed_[next_[owner_of_row_[row]]++] = static_cast<std::uint32_t>(row);
    }
  }

  std::size_t targets_;
  std::vector<std::uint16_t> owner_of_row_;
  std::vector<std::uint32_t> listed_;  ///< Those of target 0 first.
  std::vector<std::size_t> begins_;    ///< Of each target's list, and the end of the last one.
  std::vector<std::size_t> next_;
  key_group_load load_;
};

}  // namespace freshet::detail
