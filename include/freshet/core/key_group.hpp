// Key groups: the unit in which keyed state is spread over tasks, and moves between them.
//
// A key belongs to the same group in every run and on every machine, because its hash is stable.
#pragma once

#include <cstddef>
#include <cstdint>

namespace freshet {

/// How many key groups there are: also the largest number of tasks that can share one operator's
/// keys.
inline constexpr std::size_t key_groups = 128;

/// The key group of a key with this stable hash. Rows in the order of their hashes are in the order
/// of their groups, too.
constexpr std::size_t key_group_of(std::uint64_t hash) {
  return static_cast<std::size_t>(hash >> 57);
}

}  // namespace freshet
