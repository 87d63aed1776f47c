// Means, medians and bounds of a few numbers. Plain functions.
#pragma once

#include <vector>

namespace sampling_benchmark {

double mean_of(const std::vector<double>& numbers);
double median_of(std::vector<double> numbers);  ///< Infinity counts as a number.

/// What 95 % confidence leaves of a normal sample's mean: mean - t * s / sqrt(n), two-sided. With
/// fewer than two numbers that is nothing: minus infinity.
double lower_bound_95(const std::vector<double>& numbers);

}  // namespace sampling_benchmark
