// Key groups: the unit in which keyed state is split between instances of an operator, and moved.
//
// A key belongs to the group that the high bits of its stable hash name, so that whatever is in the
// order of hashes is in the order of groups, too, and the rows of one group stand together. The
// number of groups is fixed for good: a checkpoint says which instance had which of them, and a job
// of another parallelism deals them out anew. Plain values; threads: safe to share; time plays no
// part.
#pragma once

#include <freshet/core/codec.hpp>

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace freshet {

/// How many key groups there are, and with that how many instances of an operator can have keys.
inline constexpr std::uint32_t key_groups = 128;

/// The key group of a stable hash: `key_group(hash, key_groups)` in one shift.
constexpr std::uint32_t key_group_of(std::uint64_t hash) noexcept {
  static_assert(std::has_single_bit(key_groups));
  return static_cast<std::uint32_t>(hash >> (64 - std::bit_width(key_groups - 1)));
}

/// Some of the key groups. Empty at first. Can be checkpointed.
class key_group_set {
 public:
  /// Every key group.
  static constexpr key_group_set all() noexcept {
    key_group_set set;
    for (std::uint64_t& word : set.words_) word = std::numeric_limits<std::uint64_t>::max();
    return set;
  }

  /// Whether the group of `hash` is in the set.
  constexpr bool contains(std::uint64_t hash) const noexcept {
    return contains_group(key_group_of(hash));
  }
  /// \pre group < key_groups.
  constexpr bool contains_group(std::uint32_t group) const noexcept {
    assert(group < key_groups);
    return (words_[group / word_bits] >> (group % word_bits) & 1) != 0;
  }
  /// \pre group < key_groups.
  constexpr void insert_group(std::uint32_t group) noexcept {
    assert(group < key_groups);
    words_[group / word_bits] |= std::uint64_t{1} << (group % word_bits);
  }
  /// \pre group < key_groups.
  constexpr void erase_group(std::uint32_t group) noexcept {
    assert(group < key_groups);
    words_[group / word_bits] &= ~(std::uint64_t{1} << (group % word_bits));
  }

  constexpr std::size_t size() const noexcept {
    std::size_t all = 0;
    for (const std::uint64_t word : words_) all += static_cast<std::size_t>(std::popcount(word));
    return all;
  }
  constexpr bool empty() const noexcept { return size() == 0; }
  /// Whether some group is in both sets.
  constexpr bool intersects(const key_group_set& other) const noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((words_[i] & other.words_[i]) != 0) return true;
    }
    return false;
  }

  friend constexpr bool operator==(const key_group_set&, const key_group_set&) = default;

 private:
  friend struct codec<key_group_set>;
  static constexpr std::uint32_t word_bits = 64;
  std::array<std::uint64_t, key_groups / word_bits> words_{};  ///< Group g: bit g % 64 of g / 64.
};

template <>
struct codec<key_group_set> {
  static void encode(byte_writer& writer, const key_group_set& set) {
    freshet::encode(writer, set.words_);
  }
  static bool decode(byte_reader& reader, key_group_set& set) {
    return freshet::decode(reader, set.words_);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<decltype(key_group_set::words_)>(context, "key_groups");
  }
};

}  // namespace freshet
