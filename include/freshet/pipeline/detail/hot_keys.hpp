// Which keys a task sees so often that their records should be aggregated before they travel.
// Internal.
//
// Counts a sample of the records and looks every so often which keys are frequent now; older counts
// fade. Deterministic for a sequence of calls; time plays no part. One thread. Memory: 110 KB.
// Cost: while no key is hot, one nanosecond per record at first, and less the longer that lasts; a
// look into a small table for each record while one is.
#pragma once

#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/sketch/space_saving.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace freshet::detail {

class hot_keys {
 public:
  /// A key becomes hot with more than one record in so many, and stays hot down to half of that.
  static constexpr std::uint64_t becomes_hot = 512;
  static constexpr std::uint64_t stays_hot = 2 * becomes_hot;

  hot_keys();

  /// Samples the records of a batch.
  void look_at(const std::vector<std::uint64_t>& hashes) {
    std::size_t row = next_;
    for (; row < hashes.size(); row += gap()) sketch_.add(hashes[row]);
    next_ = row - hashes.size();
    if (sketch_.total() >= look_again_at_) choose();
  }

  bool any() const { return !hot_.empty(); }
  /// Without a branch, because in a skewed stream nothing tells what the next key will be.
  /// \pre `any()`.
  bool contains(std::uint64_t hash) const { return hot_[hash & mask_] == hash; }

  /// The keys that certainly have more than one in `stays_hot` of the sampled records, if these are
  /// enough to say so. At most `heavy_keys_max`. \cost O(keys of the sketch): a microsecond.
  heavy_keys heaviest() const;

  /// Tells how many partial aggregates took the place of how many records. When they were no fewer
  /// than half as many, no key is hot for a while.
  void note_sent(std::uint64_t records, std::uint64_t partials) {
    records_ += records;
    partials_ += partials;
  }

 private:
  static constexpr std::size_t sketch_keys = 1024;
  static constexpr std::uint64_t samples_kept = 16'384;  ///< Then all counts are halved.
  static constexpr std::uint64_t samples_between = 1024;
  static constexpr std::uint64_t samples_least = 8;  ///< Of a key that becomes hot.
  static constexpr std::uint64_t gap_mask = 63;
  static constexpr std::size_t places_per_key = 16;  ///< Few keys lose their place then.
  static constexpr std::size_t places_max = 2048;
  static constexpr int looks_without = 32;  ///< How many times not to try after it did not pay.
  static constexpr int looks_dense = 4;     ///< How many times without hot keys before gaps grow.
  static constexpr int sparser_max = 3;     ///< How often they double then.

  /// How far it is to the next record of the sample: 1 to 64, so that no period of the stream
  /// hides a key, or up to eight times as far where no key has been hot for long. (A linear
  /// congruential generator, of which only high bits are used.)
  std::size_t gap() {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return (static_cast<std::size_t>(random_ >> 58U & gap_mask) + 1) << sparser_;
  }

  void choose();

  space_saving sketch_;
  std::size_t next_ = 0;  ///< Records until the next one of the sample.
  std::uint64_t random_ = 1;
  std::uint64_t look_again_at_ = samples_between;
  /// One place for each hash, and none for a key whose place a hotter one has. What is vacant holds
  /// a number whose place is elsewhere.
  std::vector<std::uint64_t> hot_;
  std::size_t mask_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t partials_ = 0;
  int pause_ = 0;
  int quiet_ = 0;    ///< How many looks in a row have found no hot key.
  int sparser_ = 0;  ///< How often gaps have doubled.
};

}  // namespace freshet::detail
