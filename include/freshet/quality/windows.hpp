// Drift detectors that compare two windows of values: Kolmogorov-Smirnov and PSI.
//
// The first `window` values are the reference. Each further `window` values are compared with it,
// once, when they are complete; where they differ too much, they are the new reference. So a change
// is found after at most two windows, and there is one test for every `window` values, whose chance
// of a false alarm is known. Otherwise as drift.hpp says.
#pragma once

#include <freshet/quality/drift.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace freshet {

/// The largest distance between the empirical distribution functions of two samples, in [0, 1].
/// Ties count in both. \pre both are sorted, without NaN, and not empty.
double ks_distance(std::span<const double> a, std::span<const double> b);

/// How far two samples of `a` and `b` values may be apart by chance: with a probability of about
/// `alpha` they are further. The asymptotic bound, which is on the safe side for small samples.
/// \pre alpha in (0, 1), sizes > 0.
/// \source Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948.
double ks_bound(double alpha, std::size_t a, std::size_t b);

/// The population stability index: the sum over the bins of (actual - expected) * ln(actual /
/// expected), with shares of the counts. Below 0.1 nothing has changed, from 0.25 on a lot has, as
/// credit scoring has it. An empty bin counts as half a record. 0 where either has no record.
/// \pre as many counts in both.
/// \source Siddiqi, "Credit risk scorecards", 2006. It is the sum of the Kullback-Leibler
/// divergences
///         in both directions.
double population_stability_index(std::span<const std::uint64_t> expected,
                                  std::span<const std::uint64_t> actual);

struct ks_windows_state {
  std::vector<double> reference = {};  ///< Sorted once complete.
  std::vector<double> current = {};
  std::uint64_t skipped = 0;
};
BOOST_DESCRIBE_STRUCT(ks_windows_state, (), (reference, current, skipped))

/// The two-sample Kolmogorov-Smirnov test of each window against the reference.
/// \note   Expect `alpha / window` false alarms a value: 0.005 in 10,000 by default.
/// \cost   16 bytes for each value of a window; a sort and a merge of it for each.
/// \source Kifer, Ben-David, and Gehrke, "Detecting change in data streams", VLDB 2004, for two
///         windows with a reference that is replaced when a change was found.
struct ks_windows {
  using state = ks_windows_state;

  std::uint32_t window = 200;  ///< Values, 2 .. 1,000,000.
  double alpha = 1e-4;         ///< Chance of a false alarm of one window, in (0, 1).

  std::optional<drift> add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

struct psi_windows_state {
  std::vector<double> reference = {};        ///< Until it is complete.
  std::vector<double> edges = {};            ///< Bin i holds values in (edges[i - 1], edges[i]].
  std::vector<std::uint64_t> expected = {};  ///< One more than edges.
  std::vector<double> current = {};          ///< Values, because they may be the next reference.
  double mean = 0;                           ///< Of the reference.
  std::uint64_t skipped = 0;
};
BOOST_DESCRIBE_STRUCT(psi_windows_state, (), (reference, edges, expected, current, mean, skipped))

/// The population stability index of each window against the reference, over bins that hold equal
/// shares of the reference, and one for what is below and one for what is above all of it.
/// \note   In a stream that does not change the index of a window of w values is distributed as
///         2 / w times a chi-square with bins - 1 degrees of freedom: with few values per bin it is
///         large by chance.
/// \cost   16 bytes for each value of a window, and 16 for each bin; a binary search per value.
struct psi_windows {
  using state = psi_windows_state;

  std::uint32_t window = 500;  ///< Values, 2 .. 1,000,000.
  std::uint32_t bins = 10;     ///< 2 .. window.
  double threshold = 0.25;     ///< > 0.

  std::optional<drift> add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

}  // namespace freshet
