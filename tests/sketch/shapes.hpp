// Seeded values of several shapes, shared by the tests of sketches and aggregates.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace freshet::test {

struct shape {
  std::string name;
  std::vector<double> values;
};

/// In (0, 1]; the same on every platform.
inline double draw_unit(std::mt19937_64& random) {
  return static_cast<double>((random() >> 11) + 1) * 0x1p-53;
}

inline double draw_normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(draw_unit(random)));
  return radius * std::cos(6.283185307179586 * draw_unit(random));
}

/// Whole numbers from 1 on, of which i comes about twice as often as 2 i.
inline double draw_zipf(std::mt19937_64& random) {
  return std::floor(std::exp(9 * draw_unit(random)));
}

/// `count` values of each shape. None of the shapes is kind to sketches in the same way.
inline std::vector<shape> shapes(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<shape> all{{"uniform", {}},   {"zipf", {}},       {"lognormal", {}},
                         {"normal", {}},    {"constant", {}},   {"two far apart", {}},
                         {"all sizes", {}}, {"descending", {}}, {"edges", {}}};
  constexpr double largest = std::numeric_limits<double>::max();
  constexpr double smallest = std::numeric_limits<double>::min();
  const std::vector<double> edges{
      0, -0.0, smallest, -smallest, largest, -largest, smallest / 2, 1e-310, 1, -1, 2, 0.5};
  for (std::size_t i = 0; i < count; ++i) {
    all[0].values.push_back(1000 * draw_unit(random));
    all[1].values.push_back(draw_zipf(random));
    all[2].values.push_back(std::exp(2 * draw_normal(random)));
    all[3].values.push_back(draw_normal(random));
    all[4].values.push_back(-0.1);
    all[5].values.push_back(i % 2 == 0 ? 1e-9 : 1e6);
    all[6].values.push_back(
        std::ldexp(1 + draw_unit(random), static_cast<int>(random() % 41) - 20));
    all[7].values.push_back(static_cast<double>(count - i));
    all[8].values.push_back(edges[random() % edges.size()]);
  }
  return all;
}

}  // namespace freshet::test
