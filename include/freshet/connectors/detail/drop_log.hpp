// What a source dropped: how much, and a sample that shows what. Internal.
#pragma once

#include <freshet/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Counts records and keeps a few, each subset of that many with the same probability.
/// \source Vitter, "Random sampling with a reservoir", ACM TOMS 1985, algorithm R (Waterman's).
template <class T>
class drop_log {
 public:
  /// Records kept at most.
  static constexpr std::size_t sample_max = 64;

  /// The sample is a function of `seed` and the records' order.
  explicit drop_log(std::uint64_t seed = 0) : seed_(seed) {}

  void add(T&& record) {
    ++count_;
    if (sample_.size() < sample_max) {
      sample_.push_back(std::move(record));
      return;
    }
    const std::uint64_t place = below(mix_bits(combine_hashes(seed_, count_)), count_);
    if (place < sample_max) sample_[static_cast<std::size_t>(place)] = std::move(record);
  }

  std::uint64_t count() const { return count_; }
  /// In no particular order.
  const std::vector<T>& sample() const { return sample_; }

 private:
  /// Maps random bits to [0, end).
  /// \source Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019; without the
  ///         rejection, for which `end` is too small to matter.
  static std::uint64_t below(std::uint64_t bits, std::uint64_t end) {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>(wide{bits} * end >> 64);
  }

  std::uint64_t seed_;
  std::uint64_t count_ = 0;
  std::vector<T> sample_;
};

}  // namespace freshet::detail
