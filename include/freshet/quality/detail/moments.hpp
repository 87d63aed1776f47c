// Count, mean and spread of some numbers, as the detectors keep them. Internal.
//
// A plain value of 24 bytes. The result depends on the order of the values in its last bits only.
#pragma once

#include <boost/describe/class.hpp>

#include <cmath>

namespace freshet::detail {

/// Whether a detector takes a value: not NaN, not infinite, and small enough to be squared and
/// summed up without leaving the range of double.
inline bool is_measurable(double value) {
  return std::abs(value) <= 1e150;
}

/// \source Chan, Golub, and LeVeque, "Updating formulae and a pairwise algorithm for computing
///         sample variances", 1979.
struct moments {
  double count = 0;
  double mean = 0;
  double spread = 0;  ///< The sum of the squared distances from the mean.

  void add(const moments& more) {
    if (!(more.count > 0)) return;
    const double all = count + more.count;
    const double distance = more.mean - mean;
    mean += distance * (more.count / all);
    spread += more.spread + distance * distance * (count * (more.count / all));
    count = all;
  }
  void add(double value) { add(moments{1, value, 0}); }

  double variance() const { return count > 0 ? spread / count : 0; }
  /// Of the sample: over n - 1.
  double deviation() const { return count > 1 ? std::sqrt(spread / (count - 1)) : 0; }
};
BOOST_DESCRIBE_STRUCT(moments, (), (count, mean, spread))

}  // namespace freshet::detail
