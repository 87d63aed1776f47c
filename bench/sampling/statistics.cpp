#include "statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace sampling_benchmark {

double mean_of(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double each : numbers) sum += each;
  return sum / static_cast<double>(numbers.size());
}

double median_of(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t middle = numbers.size() / 2;
  if (numbers.size() % 2 == 1 || numbers[middle - 1] == numbers[middle]) return numbers[middle];
  return (numbers[middle - 1] + numbers[middle]) / 2;
}

double lower_bound_95(const std::vector<double>& numbers) {
  // Student's t at 0.975 for 1 to 30 degrees of freedom; beyond, that of 30 is a little too
  // careful.
  constexpr std::array<double, 30> quantiles{
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  if (numbers.size() < 2) return -std::numeric_limits<double>::infinity();
  const double mean = mean_of(numbers);
  double squares = 0;
  for (const double each : numbers) squares += (each - mean) * (each - mean);
  const auto count = static_cast<double>(numbers.size());
  const double t = quantiles[std::min(numbers.size() - 2, quantiles.size() - 1)];
  return mean - t * std::sqrt(squares / (count - 1) / count);
}

}  // namespace sampling_benchmark
