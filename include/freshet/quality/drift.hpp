// Drift detectors: they watch a sequence of numbers and say when its distribution has changed.
//
//     adwin how;                                   // A description: options only.
//     adwin::state seen;                           // What it knows; checkpointable.
//     for (double value : values) {
//       if (const auto drift = how.add(seen, value)) report(drift->before, drift->after);
//     }
//
//   adwin           changes of the mean, of any size: the smaller, the more values it takes
//   page_hinkley    changes of the mean, by one and a half deviations or so and quickly
//   ks_windows      changes of the distribution, whatever their kind (windows.hpp)
//   psi_windows     the same, as shares of bins, with the threshold that banks use (windows.hpp)
//
// What a detector says is a function of the sequence of values and of its options alone, to the
// last bit: event times, batches, and clocks play no part. Values that are NaN, infinite, or beyond
// +-1e150 are counted in the state (`skipped`) and otherwise ignored. Descriptions are immutable
// and safe to share; a state belongs to one thread at a time. Memory: as each one says, bounded.
// On a stream: pipeline/quality.hpp.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/quality/detail/moments.hpp>

#include <boost/describe/class.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// What a detector has found, with the value that made it certain.
struct drift {
  double before = 0;     ///< The mean of the values before the change.
  double after = 0;      ///< The mean of the values since, as far as they are known.
  double statistic = 0;  ///< How far apart they are, in the unit of the test.
  double bound = 0;      ///< What the statistic had to exceed.
};
BOOST_DESCRIBE_STRUCT(drift, (), (before, after, statistic, bound))

/// A description of a drift detector. `check()` is empty, or says what is wrong with the options;
/// `describe()` is part of the format of the state, so that a state is not read with other options.
template <class D>
concept drift_detector =
    checkpointable<typename D::state> &&
    requires(const D& how, typename D::state& seen, const typename D::state& read, double value) {
      { how.add(seen, value) } -> std::same_as<std::optional<drift>>;
      { how.check() } -> std::convertible_to<std::string>;
      { how.describe() } -> std::convertible_to<std::string>;
      { read.skipped } -> std::convertible_to<std::uint64_t>;
    };

/// A bucket of an exponential histogram: the mean and the spread of 2^row values.
struct adwin_bucket {
  double mean = 0;
  double spread = 0;
};
BOOST_DESCRIBE_STRUCT(adwin_bucket, (), (mean, spread))

struct adwin_state {
  std::vector<std::vector<adwin_bucket>> rows;  ///< Row r: buckets of 2^r values, the oldest first.
  std::uint64_t since_check = 0;
  std::uint64_t skipped = 0;
};
BOOST_DESCRIBE_STRUCT(adwin_state, (), (rows, since_check, skipped))

/// ADWIN: keeps a window of the newest values that is as long as it can be with one mean. When two
/// parts of it have means further apart than chance allows, the older part goes: that is a drift.
/// Of several such pairs it is the one furthest beyond chance, where the change most likely was, so
/// that most changes are reported once. (The paper drops the oldest values until no such pair is
/// left, which reports a change about five times.)
///
/// With n0 and n1 values in the parts, 1/m = 1/n0 + 1/n1, v the variance of the window and
/// L = ln(2 ln(n) / delta), chance allows sqrt(2 v L / m) + 2 L range / (3 m).
/// \note   The theorem behind it is about values in [0, 1], with `range` 1. By default `range` is
///         the window's standard deviation, so that a change of unit changes nothing; values with
///         long tails are then likelier to raise a false alarm than normal ones.
/// \cost   16 bytes for each of at most 64 * (buckets_per_row + 1) buckets; for n values about
///         buckets_per_row * log2(n / buckets_per_row). A check reads all of them.
/// \source Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007
///         (ADWIN2), with the variance of its section 3; the histogram is that of Datar et al.,
///         "Maintaining stream statistics over sliding windows", 2002.
struct adwin {
  using state = adwin_state;

  /// Chance of a false alarm at a check, in (0, 1); a bound, in practice far smaller.
  double delta = 0.002;
  /// How many values a part must have to be looked at, >= 1.
  std::uint32_t part_min = 5;
  /// A check after so many values each, >= 1.
  std::uint32_t check_every = 8;
  /// How many buckets of one size there are, 2 .. 1000: more find the moment of a change exactlier.
  std::uint32_t buckets_per_row = 5;
  /// The width of the interval that values come from, >= 0; 0: see above.
  double range = 0;

  std::optional<drift> add(state& seen, double value) const;
  /// The values in the window: all since the last drift, about.
  static detail::moments window(const state& seen);
  std::string check() const;
  std::string describe() const;
};

/// One of the two sums of `page_hinkley`, and what came since it was at its lowest.
struct page_hinkley_side {
  double sum = 0;
  double lowest = 0;
  detail::moments since = {};
};
BOOST_DESCRIBE_STRUCT(page_hinkley_side, (), (sum, lowest, since))

struct page_hinkley_state {
  detail::moments all = {};  ///< Since the last drift.
  page_hinkley_side up = {};
  page_hinkley_side down = {};
  std::uint64_t skipped = 0;
};
BOOST_DESCRIBE_STRUCT(page_hinkley_state, (), (all, up, down, skipped))

/// The Page-Hinkley test: sums up by how much values exceed their mean so far, less an allowance,
/// and finds a drift when the sum has risen far above its lowest point; the same downwards. Then it
/// begins anew.
/// \note   Changes below `delta` are never found, and slow ones move the mean along.
/// \cost   120 bytes.
/// \source Page, "Continuous inspection schemes", Biometrika 41, 1954; Hinkley, "Inference about
/// the
///         change-point from cumulative sum tests", Biometrika 58, 1971.
struct page_hinkley {
  using state = page_hinkley_state;

  double delta = 0.5;  ///< The allowance, in units of `scale`, >= 0: half of the change sought.
  double lambda = 20;  ///< How far the sum must rise, in units of `scale`, > 0.
  /// So many values, >= 2, before the test begins: by then their mean must be known well.
  std::uint32_t values_min = 100;
  /// The unit of the above, >= 0; 0: the standard deviation of the values since the last drift.
  double scale = 0;

  std::optional<drift> add(state& seen, double value) const;
  std::string check() const;
  std::string describe() const;
};

}  // namespace freshet
