// Time-biased sampling: one sample of everything so far, in which recent records are likelier.
//
// The sample is carried from epoch to epoch, and comes out whole when the watermark has passed the
// end of an epoch that had records: what a model should be trained on at that time. Its rows have
// the event time of the epoch's last moment. See sampling/ranking.hpp for order, memory, and
// threads. Example: `trips | sample("recent", time_biased{.k = 10'000, .half_life = 24h})`.
#pragma once

#include <freshet/sampling/ranking.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace freshet {

/// Keeps exactly `k` of all records so far, or all while there are fewer. A record of event time t
/// has the weight w = 2^(t / half_life), and the probability min(1, w * threshold): of two records,
/// both with a probability below 1, the one that is a half-life older is half as likely to be in
/// the sample. Time passing changes all weights by one factor, and so no ratio: where nothing new
/// comes, nothing leaves.
///
/// `probability` is tracked, as the threshold falls with every epoch. It is conditional on the
/// ranks of the other records, as for `priority`: sums of `sampled::weight * f` over the rows of
/// one epoch have the sum of f over all records so far as their mean, and sums of weight *
/// 2^(-age / half_life) * f the decayed sum, which they estimate best. Sums over all of the past
/// rest on a few old records with large weights.
/// \note   A record with an event time far in the future stays until time has come there: see
///         `jump_max` of `event_time`.
/// \note   The rows of an epoch repeat those of the one before, but for what changed: count the
/// rows
///         of one epoch, not of all.
/// \source Aggarwal, "On biased reservoir sampling in the presence of stream evolution", VLDB 2006
///         (the exponential bias); Hentschel, Haas and Tian, "Temporally-biased sampling for online
///         model management", EDBT 2018, whose R-TBS lets samples shrink when little comes, so that
///         probabilities decay in absolute terms, too: here only their ratios do. The k smallest
///         u / w, with the probabilities of Duffield, Lund, and Thorup (see priority.hpp), do not
///         depend on the order of records, as those reservoirs do.
/// \cost   One hash and one logarithm per record; O(log k) for those that stay for a while, and O(k
///         * log k) at the end of each epoch.
struct time_biased {
  static constexpr bool carries = true;

  std::uint32_t k = 0;  ///< Records, in [1, 1,000,000].
  /// Of event time; > 0. Weights are exact to 2^-52 of the half-lives since 1970: to 2e-7 for a
  /// second, but only to 2e-4 for a millisecond.
  duration half_life{};
  /// How often the sample comes out; > 0. Default: the half-life.
  std::optional<duration> epoch = std::nullopt;
  std::uint64_t seed = 0;

  template <class T>
  sample_rank rank(const T& /*value*/, const position& where, timestamp at) const {
    return rank_at(where, at);
  }
  template <class T>
  sample_decision decide(const T& /*value*/, timestamp at, const ranked_total& total) const {
    return decide_at(at, total);
  }
  ranking_capacity capacity() const { return {.per_stratum = k}; }
  duration epoch_length() const { return epoch.value_or(half_life); }
  /// All records are of one category, whose text is empty.
  template <class T>
  std::string category_of(const T& /*value*/) const {
    return {};
  }
  std::string check() const;
  std::string describe() const;

  // Of records of any type. Ranks are logarithms to base 2: weights themselves would overflow.
  sample_rank rank_at(const position& where, timestamp at) const;
  sample_decision decide_at(timestamp at, const ranked_total& total) const;
  double half_lives(timestamp at) const;  ///< Since 1970.
};

}  // namespace freshet
