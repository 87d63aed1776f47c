// What the tests of detectors share: seeded values of a normal distribution, and damaged states.
#pragma once

#include <freshet/core/codec.hpp>

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
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

/// `state` as it may come from damaged bytes: a copy of it with some bytes changed, for as long as
/// the bytes can be read at all.
template <class State>
State damaged(const State& state, std::mt19937_64& random) {
  while (true) {
    std::string bytes = to_bytes(state);
    for (std::size_t i = 1 + random() % 4; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (absl::StatusOr<State> read = from_bytes<State>(bytes); read.ok()) return *std::move(read);
  }
}

}  // namespace freshet::test
