// Seeded values of a normal distribution, for the tests of detectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace freshet::test {

inline std::vector<double> normal_values(std::uint64_t seed, std::size_t count, double mean = 0,
                                         double deviation = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<double> values(count);
  for (double& each : values) each = normal(random);
  return values;
}

}  // namespace freshet::test
