// The changes of state rows that a snapshot collects, until they are written.
//
// Rows are appended, key and value behind each other, to blocks of memory that stay where they are:
// no row has an allocation of its own, and what the task that works meanwhile pays for a row is
// copying its bytes. Bringing them into order is left to whoever writes them.
//
// A log may hold changes of several snapshots, of which the earlier ones were given up: of a key
// that is in several the latest counts. Within one snapshot a row that is put counts more than the
// same row erased (`keyed_table::begin_snapshot`).
//
// Threads: one at a time. Memory: keys, values, and 8 bytes a change; 40 to 100 more while they are
// in order.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/state/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// Keys of state rows: state number, hash (both big endian, so that rows sort by key group, hash,
/// key), then the operator's own key bytes.
inline constexpr std::size_t key_prefix_bytes = 12;

class change_log {
 public:
  /// The row of `key`, which has the expiry and `value` from now on. \pre no key or value has 4
  /// GiB.
  void put(std::uint32_t state, std::uint64_t hash, std::string_view key, timestamp expires_at,
           std::string_view value);
  /// The row of `key`, which is gone.
  void erase(std::uint32_t state, std::uint64_t hash, std::string_view key);

  /// Adds changes of the same snapshot, or of ones that came `later` by so many.
  void add(change_log other, std::uint32_t later = 0);

  std::uint64_t rows() const { return rows_; }
  /// Keys and values, with what goes before them.
  std::uint64_t bytes() const { return bytes_; }

  /// Ascending by key, each once. The views are good as long as the log is and nothing is added.
  /// \cost O(n) where hashes are spread evenly, else O(n log n) comparisons; of keys only where
  /// hashes are equal.
  std::vector<state_change_view> in_order() const;

  /// The same changes without those that later ones have replaced, in order, as of one snapshot.
  change_log latest() const;

 private:
  struct block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
    std::size_t used = 0;
    std::uint32_t snapshot = 0;  ///< Counts them; the latest has the largest.
  };
  struct entry;

  char* append(std::uint32_t state, std::uint64_t hash, std::string_view key,
               std::uint32_t value_bytes);
  char* room_for(std::size_t bytes);
  std::vector<entry> entries() const;
  static std::vector<entry> sorted(std::vector<entry> all);

  std::vector<block> blocks_;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace freshet::detail
