// Anomaly detectors: they judge each value against those before it.
//
//     ewma_zscore how{.half_life = 100};          // A description: options only.
//     ewma_zscore::state seen;                    // What it knows; checkpointable.
//     const judged found = how.add(seen, value);  // found.score, found.flagged, found.expected
//
//   zscore       the mean and the deviation of the last so many values, which all count alike
//   ewma_zscore  the same with weights that halve every so many values: in 32 bytes
//   triple_z     three ewma_zscore of different half-lives, of which so many have to agree
//
// A value is judged first and learned afterwards, at most `threshold` deviations from the mean: an
// outlier is not taken for normal, and a new level is, after a while. Values that are NaN, infinite
// or beyond +-1e150 are always flagged, with the highest score, and never learned.
//
// What a detector says is a function of the sequence of values and of its options alone, to the
// last bit: event times, batches, and clocks play no part. Descriptions are immutable and safe to
// share; a state belongs to one thread at a time. On a stream: pipeline/quality.hpp.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/quality/detail/moments.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

/// What a detector thinks of a value.
struct judged {
  double score = 0;      ///< Distance from `expected` in `deviation`s; 0 while it warms up.
  bool flagged = false;  ///< The score exceeds the threshold, and no flag holds.
  double expected = 0;   ///< The mean of what is normal.
  double deviation = 0;  ///< The standard deviation of what is normal.
};
BOOST_DESCRIBE_STRUCT(judged, (), (score, flagged, expected, deviation))

/// Scores end here: where values never varied, any other one is infinitely far away.
inline constexpr double anomaly_score_max = 1e6;

/// When a score becomes a flag.
struct alarm_options {
  double threshold = 5;        ///< Scores above it are flagged; > 0. Normal values reach 5 once in
                               ///< 1.7 million.
  std::uint32_t warm_up = 50;  ///< So many values, >= 2, are learned before any is judged.
  std::uint32_t hold = 0;      ///< After a flag so many values are not flagged, whatever their
                               ///< score: one event, one flag.
};

/// A description of an anomaly detector; `check` and `describe` as those of a `drift_detector`.
template <class D>
concept anomaly_detector = checkpointable<typename D::state> &&
                           requires(const D& how, typename D::state& seen, double value) {
                             { how.add(seen, value) } -> std::same_as<judged>;
                             { how.check() } -> std::convertible_to<std::string>;
                             { how.describe() } -> std::convertible_to<std::string>;
                           };

struct zscore_state {
  std::vector<double> values;  ///< The last ones, as learned: a ring.
  std::uint64_t next = 0;      ///< Where the next one goes.
  detail::moments sum = {};    ///< Of `values`; computed anew once per round.
  std::uint32_t held = 0;      ///< So many values are still not flagged.
};
BOOST_DESCRIBE_STRUCT(zscore_state, (), (values, next, sum, held))

/// The distance from the mean of the last `window` values in their standard deviations.
/// \cost 8 bytes per value of the window; O(1) amortised.
struct zscore {
  using state = zscore_state;

  std::uint32_t window = 500;  ///< Values, 2 .. 1,000,000.
  alarm_options alarm = {};

  judged add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

/// A mean and a variance with weights that halve.
struct decayed_moments {
  double count = 0;  ///< Values so far.
  double mean = 0;
  double variance = 0;

  /// Adds a value with the weight 1 - 2^(-1 / half_life); at first 1 / count, so that the first
  /// values count alike.
  void add(double value, double half_life);
};
BOOST_DESCRIBE_STRUCT(decayed_moments, (), (count, mean, variance))

struct ewma_zscore_state {
  decayed_moments known = {};
  std::uint32_t held = 0;
};
BOOST_DESCRIBE_STRUCT(ewma_zscore_state, (), (known, held))

/// The distance from an exponentially weighted mean, in the deviation with the same weights.
/// \source Roberts, "Control chart tests based on geometric moving averages", Technometrics 1,
///         1959; for the variance West, "Updating mean and variance estimates", CACM 22, 1979.
struct ewma_zscore {
  using state = ewma_zscore_state;

  double half_life = 100;  ///< In values, > 0: after so many a value counts half.
  alarm_options alarm = {};

  judged add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

struct triple_z_state {
  std::array<decayed_moments, 3> known = {};
  std::uint32_t held = 0;
};
BOOST_DESCRIBE_STRUCT(triple_z_state, (), (known, held))

/// Three `ewma_zscore` at once: what is far away for a short memory need not be for a long one, as
/// with every night, and the other way round, as with a trend. The score is the `agree`-th largest
/// of the three; `expected` and `deviation` are those of the baseline that it comes from.
struct triple_z {
  using state = triple_z_state;

  std::array<double, 3> half_lives{10, 100, 1000};  ///< In values, > 0.
  std::uint32_t agree = 2;                          ///< 1 .. 3.
  alarm_options alarm = {};

  judged add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

}  // namespace freshet
