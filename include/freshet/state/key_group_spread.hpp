// How a table that holds only some of the key groups finds places for their hashes.
//
// A table takes the place of a row from the high bits of its hash. Where most key groups belong to
// others, all rows would meet in the few places that are left to theirs, and searches would become
// walks through the whole table. A plain value, never changed; threads: safe to share.
#pragma once

#include <freshet/core/key_group.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

namespace freshet {

/// Spreads the hashes of some key groups evenly over all 64-bit numbers, and keeps their order.
/// Hashes of other groups are legal and cost time: they meet where the next group begins.
class key_group_spread {
 public:
  explicit key_group_spread(const key_group_set& groups) {
    const std::size_t count = groups.size();
    std::uint32_t before = key_groups;
    for (std::uint32_t group = 0; group < key_groups; ++group) {
      if (!groups.contains_group(group)) continue;
      if (before == key_groups) {
        first_ = first_of(group);
        is_range_ = true;
      } else {
        is_range_ &= before + 1 == group;
      }
      before = group;
      last_ = first_of(group) + (most / key_groups);
    }
    const std::uint64_t width = count == 0 ? 0 : most / count;
    std::uint64_t begin = 0;
    for (std::uint32_t group = 0; group < key_groups; ++group) {
      const bool own = groups.contains_group(group);
      parts_[group] = {begin, own ? width : 0};
      if (own) begin += width;
    }
  }

  /// Whether the groups stand together, so that all their hashes lie from `first()` to `last()`,
  /// both included, and stretching that range does the same for less.
  bool is_range() const noexcept { return is_range_; }
  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t last() const noexcept { return last_; }

  std::uint64_t operator()(std::uint64_t hash) const noexcept {
    __extension__ using wide = unsigned __int128;
    const part& of = parts_[key_group_of(hash)];
    // What the hash is within its group, in the high bits, times the group's width.
    return of.begin +
           static_cast<std::uint64_t>(static_cast<wide>(hash * key_groups) * of.width >> 64);
  }

 private:
  static constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t first_of(std::uint32_t group) {
    return (most / key_groups + 1) * group;
  }
  struct part {
    std::uint64_t begin = 0;
    std::uint64_t width = 0;
  };
  std::array<part, key_groups> parts_{};
  std::uint64_t first_ = 0;
  std::uint64_t last_ = most;
  bool is_range_ = false;
};

/// Shared by the tables of an instance that owns `groups`. Null where that is all of them, or none:
/// there is nothing to spread.
using key_group_spread_handle = std::shared_ptr<const key_group_spread>;
inline key_group_spread_handle spread_over(const key_group_set& groups) {
  if (groups.empty() || groups == key_group_set::all()) return nullptr;
  return std::make_shared<const key_group_spread>(groups);
}

}  // namespace freshet
