// SpaceSaving: the keys that carry most of the weight of a stream, in fixed memory.
//
// Counts 64-bit key hashes (`stable_hash`) with whole weights in `capacity` counters. What it tells
// of a key are bounds that always hold, whatever the order and the hashes: `at_least()` <= true
// weight <= `count`. No event time: whoever wants old keys to fade calls `halve()`. Deterministic
// for a sequence of calls, also where the sketch went through its bytes in between. Memory: 24
// bytes per counter in use and 32 to 128 for the table over them, allocated as keys come. One
// thread at a time.
#pragma once

#include <freshet/core/codec.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace freshet {

/// What a sketch knows of one key.
struct counted_hash {
  std::uint64_t hash = 0;
  std::uint64_t count = 0;  ///< The key's weight is at most this.
  std::uint64_t error = 0;  ///< By how much `count` may be too large; <= count.

  /// The key's weight is at least this.
  std::uint64_t at_least() const { return count - error; }
  bool operator==(const counted_hash&) const = default;
};

/// Finds heavy hitters. With n the sum of all weights and k the capacity: every key with more than
/// n / k is among `items()`, and no `count` is more than n / k too large. (Once `halve` was called,
/// rounding adds at most 2 to n / k.)
///
/// `halve` and `merge` keep the bounds. Weights and their sums stop at 2^64 - 1.
/// \source Metwally, Agrawal, and El Abbadi, "Efficient computation of frequent and top-k elements
///         in data streams", ICDT 2005 (Space-Saving). Instead of their list of buckets, a cursor
///         walks over the counters and replaces those of the lowest count that it meets.
class space_saving {
 public:
  /// Throws `std::invalid_argument` unless 1 <= capacity <= 2^20.
  explicit space_saving(std::size_t capacity);
  space_saving() : space_saving(128) {}

  static constexpr std::size_t capacity_max = std::size_t{1} << 20;
  static constexpr std::size_t no_counter = std::numeric_limits<std::size_t>::max();

  /// Counts a key once more, or by a whole weight; weight 0 changes nothing.
  /// \return the number of the counter, below `size()`, that the key has newly got, perhaps that
  ///         of a key which is not tracked any more; `no_counter` where it had one before.
  /// \cost O(1) amortised for unit weights: a replacement may walk over all k counters, but each
  ///       walk raises the lowest count, which is at most n / k. O(k) at worst for one call.
  std::size_t add(std::uint64_t hash, std::uint64_t weight = 1) {
    total_ = saturating_sum(total_, weight);
    const std::size_t slot = slot_of(hash);
    if (table_[slot] != vacant) {
      std::uint64_t& count = counts_[table_[slot]];
      count = saturating_sum(count, weight);
    } else if (weight > 0) {
      return admit(hash, weight, slot);
    }
    return no_counter;
  }

  /// Counts every key once, in order: the same as `add` for each.
  void add(std::span<const std::uint64_t> hashes) {
    for (const std::uint64_t hash : hashes) add(hash);
  }

  std::size_t capacity() const { return capacity_; }
  std::size_t size() const { return counts_.size(); }

  /// The keys by the numbers of their counters, which `merge` changes.
  std::span<const std::uint64_t> hashes() const { return hashes_; }

  /// The numbers of the first `wanted` counters in the order of `items()`.
  /// \cost O(k log wanted).
  std::vector<std::uint32_t> heaviest(std::size_t wanted) const;

  /// \pre counter < size().
  counted_hash at(std::size_t counter) const {
    return {hashes_[counter], counts_[counter], errors_[counter]};
  }

  std::size_t memory_bytes() const {
    return sizeof(*this) + table_.capacity() * sizeof(std::uint32_t) +
           (hashes_.capacity() + counts_.capacity() + errors_.capacity()) * sizeof(std::uint64_t);
  }

  /// The weight of all keys together; after `halve`, what is left of it, rounded up.
  std::uint64_t total() const { return total_; }

  /// A key that is not among `items()` has at most this weight. At most total() / capacity(), plus
  /// 1 once `halve` was called; `merge` says what is so for different capacities.
  std::uint64_t untracked_at_most() const { return level_; }

  /// The bounds of one key: of one that is not tracked 0 and `untracked_at_most()`.
  counted_hash estimate(std::uint64_t hash) const {
    const std::uint32_t index = table_[slot_of(hash)];
    if (index == vacant) return {hash, level_, level_};
    return {hash, counts_[index], errors_[index]};
  }

  /// All tracked keys: by `count`, the largest first; equal ones by `error`, the smallest first,
  /// then by hash. \cost O(k log k).
  std::vector<counted_hash> items() const;

  /// The keys that may have more than `threshold`, in the order of `items()`: all that have, if
  /// `threshold` is `untracked_at_most()` or more. \cost O(k + f log f) for f found keys.
  std::vector<counted_hash> may_exceed(std::uint64_t threshold) const;

  /// The keys that have more than `threshold` for certain, in the order of `items()`. (Metwally et
  /// al. call them guaranteed.)
  std::vector<counted_hash> must_exceed(std::uint64_t threshold) const;

  /// Halves every weight, so that keys that do not come any more fade. The bounds are those of the
  /// halved true weights; `count` is rounded up, `at_least()` down. \cost O(k).
  void halve();

  /// Adds what `other` has counted, which may be this sketch itself. The bounds hold for the sums
  /// of the weights. The promises of n / k go on to hold, with the smaller k of the two.
  /// \source Agarwal et al., "Mergeable summaries", PODS 2012; Cafaro, Pulimeno, and Tempesta,
  ///         "A parallel space saving algorithm for frequent items", Information Sciences 2016.
  void merge(const space_saving& other);

 private:
  friend struct codec<space_saving>;

  static constexpr std::uint32_t vacant = std::numeric_limits<std::uint32_t>::max();

  static std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t sum = a + b;
    return sum < a ? std::numeric_limits<std::uint64_t>::max() : sum;
  }

  /// Where a hash would like to stand. The factor (2^64 by the golden ratio) spreads numbers in a
  /// row, so that the hashes need not be good ones.
  std::size_t home_of(std::uint64_t hash) const { return (hash * 0x9e3779b97f4a7c15U) >> shift_; }

  /// The table slot that holds `hash`, or the vacant one where it would go.
  std::size_t slot_of(std::uint64_t hash) const {
    std::size_t slot = home_of(hash);
    while (table_[slot] != vacant && hashes_[table_[slot]] != hash) slot = (slot + 1) & mask_;
    return slot;
  }

  template <class Wanted>
  std::vector<counted_hash> sorted_if(Wanted wanted) const;
  std::size_t admit(std::uint64_t hash, std::uint64_t weight, std::size_t slot);
  std::size_t next_victim();
  void vacate(std::size_t slot);
  void track(const counted_hash& fresh);
  void make_table(std::size_t slots);

  std::size_t capacity_;
  std::size_t mask_;  ///< Slots of the table - 1.
  int shift_;
  std::vector<std::uint32_t> table_;  ///< Open addressing, linear probing: indices of counters.
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint64_t> counts_;
  std::vector<std::uint64_t> errors_;
  std::uint64_t total_ = 0;
  // No count is below `level_`, and none before `cursor_` is equal to it. It is the count of the
  // last key that was replaced; 0 while none was.
  std::uint64_t level_ = 0;
  std::size_t cursor_ = 0;
};

/// Capacity, total, level and cursor, then hash, count and error of each counter.
template <>
struct codec<space_saving> {
  static constexpr std::uint32_t version = 1;
  static void encode(byte_writer& writer, const space_saving& value);
  static bool decode(byte_reader& reader, space_saving& value);
  static std::string format() { return "space_saving"; }
};

}  // namespace freshet
