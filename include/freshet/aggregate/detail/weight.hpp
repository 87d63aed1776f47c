// How much a row counts: once, or as often as the sampler that kept it says. Internal.
//
// Pure functions. Sketches count whole numbers, because these add up to the same in every order:
// weights become multiples of 2^-20, by which a weight, at least 1, changes by less than a
// millionth. Their sum may reach 1.7e13.
#pragma once

#include <freshet/core/weighted.hpp>

#include <cmath>
#include <cstdint>

namespace freshet::detail {

inline constexpr double units_per_row = 1 << 20;

/// \return `row.weight` of a sampled row, else 1.
template <class T>
double weight_of([[maybe_unused]] const T& row) {
  if constexpr (is_sampled<T>) {
    return row.weight;
  } else {
    return 1;
  }
}

/// The weight of a sampled row in units; 1 of any other row. What no sampler gives, a weight that
/// is not positive or beyond 2^43, counts as the nearest that one could give.
template <class T>
std::uint64_t units_of([[maybe_unused]] const T& row) {
  if constexpr (is_sampled<T>) {
    const double weight = std::fmin(std::fmax(row.weight, 0), 0x1p43);
    return static_cast<std::uint64_t>(std::nearbyint(weight * units_per_row));
  } else {
    return 1;
  }
}

}  // namespace freshet::detail
