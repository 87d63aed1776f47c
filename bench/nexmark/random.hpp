// The random numbers of Nexmark: SplitMix64, one generator per event.
//
// Plain integers throughout, so that every platform draws the same.
// \source Steele, Lea, and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#pragma once

#include <array>
#include <cstdint>

namespace nexmark {

inline constexpr std::uint64_t golden_gamma = 0x9E3779B97F4A7C15;

constexpr std::uint64_t mix64(std::uint64_t bits) {
  bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ bits >> 27) * 0x94D049BB133111EB;
  return bits ^ bits >> 31;
}

/// Prices are 100 * 10^(6u) cents for u uniform in [0, 1): log-uniform from 1 to 1,000,000 units,
/// by a polynomial in integers whose relative error is 5e-9.
constexpr std::int64_t price_of(std::uint64_t bits) {
  constexpr std::array<std::uint64_t, 6> coefficients = {5322036,    41593263,   238287492,
                                                         1031781945, 2977043408, 4294967296};
  const std::uint64_t exponent = ((bits >> 37) * 85605435163) >> 27;
  const std::uint64_t fraction = exponent & 0xffffffff;
  std::uint64_t power = 939128;
  for (const std::uint64_t coefficient : coefficients)
    power = (power * fraction >> 32) + coefficient;
  return static_cast<std::int64_t>(((100 * power << (exponent >> 32)) + (1ULL << 31)) >> 32);
}

struct random_numbers {
  std::uint64_t state = 0;

  constexpr std::uint64_t next() { return mix64(state += golden_gamma); }
  /// \return a number in [0, limit).
  constexpr std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>(((next() >> 32) * limit) >> 32);
  }
  constexpr std::int64_t price() { return price_of(next()); }
};

}  // namespace nexmark
