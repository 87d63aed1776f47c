// The scoring rules of the Numenta Anomaly Benchmark, standard profile: pure functions on scores.
//
// A series has one score per row, and windows in which an anomaly is known to be. The first 15 % of
// the rows, of 5,000 at most, are not scored. At a threshold t every row with a score of at least t
// is a detection. A window is worth what its earliest detection is, 1 at its left edge, nearly 0
// at its right one, and -1 without any. A detection outside costs 0.11, less when it stands within
// three widths behind a window. One threshold is used for all series: that with the best sum.
// \source Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly
//         Benchmark", ICMLA 2015, sections III.B to III.D; weights of the profile "standard".
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace nab {

inline constexpr double weight_of_hit = 1.0;
inline constexpr double weight_of_miss = 1.0;
inline constexpr double weight_of_false_alarm = 0.11;

/// Rows by number, both ends included.
struct window {
  std::size_t first = 0;
  std::size_t last = 0;
};

struct series {
  std::string name;
  std::vector<double> scores;   ///< One per row; none below 0.
  std::vector<window> windows;  ///< Ascending, apart from each other.
};

/// 2 / (1 + e^(5 x)) - 1: positive left of 0, negative right of it; -1 from 3 on.
double scaled_sigmoid(double position);

/// How many rows at the beginning are not scored.
std::size_t probation_of(std::size_t rows);

/// What a detection in a row is worth. \return the value, and the window the row stands in, or the
/// number of windows.
std::pair<double, std::size_t> worth_of(const series& of, std::size_t row);

/// The sum over windows and false alarms at a threshold. \cost O(rows).
double score_at(const series& of, double threshold);

struct result {
  double threshold = std::numeric_limits<double>::infinity();
  double raw = 0;         ///< The sum over all series at that threshold.
  double normalized = 0;  ///< 0 for a detector that finds nothing, 100 for a perfect one.
};

/// The best threshold for all series together, and what it gives. A score of 0 is never detected.
/// \cost O(n log n) in the rows of all series.
result best_of(const std::vector<series>& all);

}  // namespace nab
