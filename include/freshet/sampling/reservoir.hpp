// Reservoir sampling: a given number of records of each epoch, all with the same probability.
//
// Epochs are spans of the records' entry frontiers; what is kept comes out when the watermark has
// passed the end of the epoch. See sampling/ranking.hpp for order, memory, and threads.
// Example: `trips | sample("hourly", reservoir{.k = 1000, .epoch = 1h})`.
#pragma once

#include <freshet/sampling/ranking.hpp>

#include <cstdint>
#include <string>

namespace freshet {

/// Keeps exactly `k` of the n records of each epoch, or all if there are fewer: every set of k with
/// the same chance, so that each record has the probability k / n.
/// \source The k smallest of n random numbers, "bottom-k" (Cohen and Kaplan, "Summarizing data
/// using
///         bottom-k sketches", PODC 2007), have the distribution of Algorithm L (Li, "Reservoir
///         sampling algorithms of time complexity O(n(1 + log(N/n)))", ACM TOMS 1994), but do not
///         depend on the order of the records.
/// \cost   One hash per record; O(log k) for the about k * (1 + ln(n / k)) that stay for a while.
struct reservoir {
  std::uint32_t k = 0;  ///< Records, in [1, 1,000,000].
  duration epoch{};     ///< How long an epoch is; > 0.
  std::uint64_t seed = 0;

  template <class T>
  sample_rank rank(const T& /*value*/, const position& where, timestamp /*at*/) const {
    return {.rank = detail::random_rank(seed, where)};
  }
  template <class T>
  sample_decision decide(const T& /*value*/, timestamp /*at*/, const ranked_total& total) const {
    return {.probability = static_cast<double>(total.kept) / static_cast<double>(total.seen)};
  }
  ranking_capacity capacity() const { return {.per_stratum = k}; }
  duration epoch_length() const { return epoch; }
  /// All records are of one category, whose text is empty.
  template <class T>
  std::string category_of(const T& /*value*/) const {
    return {};
  }
  std::string check() const { return detail::check_ranking("k", k, 1, epoch); }
  std::string describe() const;
};

}  // namespace freshet
