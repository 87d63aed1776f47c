// Scaling of features: the running mean and deviation of one number of a record, for `standardize`
// and `clip_outliers`.
//
// Both are functions of the sequence of values alone. A value is scaled by what was known before
// it, then learned, so that no row knows its own future. Values that are NaN, infinite or beyond
// +-1e150 are never learned. When the mean has shifted, which a Page-Hinkley test finds, what is
// known of it is given up for the mean since. Memory: 168 bytes. One thread at a time.
#pragma once

#include <freshet/quality/anomaly.hpp>
#include <freshet/quality/drift.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>

namespace freshet {

/// How a feature is scaled.
struct scaling_options {
  double half_life = 1000;     ///< In values, > 0: after so many a value counts half.
  double limit = 8;            ///< In deviations, > 0: what is further away is clipped, to there.
  std::uint32_t warm_up = 50;  ///< So many values, >= 2, are learned before any is clipped.
  bool follow_shifts = true;   ///< Whether a shift of the mean is followed at once.

  std::string check() const;
  std::string describe() const;
};

/// What is known of one feature.
struct feature_scale {
  decayed_moments known = {};
  page_hinkley::state shift = {};
};
BOOST_DESCRIBE_STRUCT(feature_scale, (), (known, shift))

/// A value on its way.
struct scaled_value {
  double standard = 0;   ///< In deviations from the mean, within the limit; 0 while warming up, for
                         ///< what is no measurement, and where values never varied.
  double clipped = 0;    ///< The value itself, or the limit where it is beyond. What is infinite is
                         ///< beyond; a NaN becomes the mean.
  bool outlier = false;  ///< Whether the two differ.
  double expected = 0;   ///< The mean before the value.
  double deviation = 0;  ///< The standard deviation before it.
};

/// Scales a value, then learns it.
scaled_value scale(const scaling_options& how, feature_scale& seen, double value);

}  // namespace freshet
