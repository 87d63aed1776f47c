// Sums of scores and losses that do not depend on the order in which they were added.
//
// Plain values, 24 bytes.
#pragma once

#include <boost/describe/class.hpp>

#include <cstdint>

namespace freshet {

/// A sum of scores, exact whatever their order: a fixed-point number of 128 bits, so that merging
/// is exact too.
struct score_sum {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;  ///< In 2^-64.
  std::uint64_t records = 0;

  /// \pre 0 <= score <= 2^32.
  void add(double score);
  void add(const score_sum& other);
  double value() const;
};
BOOST_DESCRIBE_STRUCT(score_sum, (), (whole, fraction, records))

}  // namespace freshet
