// Tests of aggregate/detail/sums.hpp, the arithmetic below sum, mean, and the moments.
#include "catch.hpp"

#include <freshet/aggregate/detail/sums.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using freshet::detail::compensated_sum;
using freshet::detail::exact_sum;

namespace {

__extension__ typedef __int128 wide;  // The oracle; our own code must do without.

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

wide value_of(const exact_sum& sum) {
  return static_cast<wide>(sum.high) * (static_cast<wide>(1) << 64) + static_cast<wide>(sum.low);
}

compensated_sum sum_of(const std::vector<double>& values) {
  compensated_sum sum;
  for (const double value : values) sum.add(value);
  return sum;
}

std::int64_t draw_any_size(std::mt19937_64& random) {
  return static_cast<std::int64_t>(random()) >> (random() % 64);
}

}  // namespace

TEST_CASE("exact_sum agrees with 128-bit arithmetic", "[aggregate][sums]") {
  std::mt19937_64 random(1);
  exact_sum sum;
  wide expected = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::int64_t value = draw_any_size(random);
    const auto natural = static_cast<std::uint64_t>(draw_any_size(random));
    sum.add(value);
    sum.add(natural);
    expected += static_cast<wide>(value) + static_cast<wide>(natural);
    REQUIRE(value_of(sum) == expected);
    REQUIRE(sum.to_double() == Approx(static_cast<double>(expected)).epsilon(1e-15));
  }
}

TEST_CASE("exact_sum takes integers of every width", "[aggregate][sums]") {
  exact_sum sum;
  sum.add(static_cast<std::int8_t>(-128));
  sum.add(static_cast<std::uint8_t>(255));
  sum.add(static_cast<std::int16_t>(-1));
  sum.add(true);
  REQUIRE(sum.to_signed() == 127);
}

TEST_CASE("exact_sum clamps to the type it is read as", "[aggregate][sums]") {
  constexpr auto signed_max = std::numeric_limits<std::int64_t>::max();
  constexpr auto signed_min = std::numeric_limits<std::int64_t>::min();
  constexpr auto unsigned_max = std::numeric_limits<std::uint64_t>::max();
  exact_sum sum;
  sum.add(signed_max);
  REQUIRE(sum.to_signed() == signed_max);
  sum.add(1);
  REQUIRE(sum.to_signed() == signed_max);
  REQUIRE(sum.to_unsigned() == std::uint64_t{1} << 63);
  sum.add(-2);
  REQUIRE(sum.to_signed() == signed_max - 1);
  sum.add(unsigned_max);
  REQUIRE(sum.to_unsigned() == unsigned_max);
  sum = {};
  sum.add(signed_min);
  REQUIRE(sum.to_signed() == signed_min);
  REQUIRE(sum.to_unsigned() == 0);
  sum.add(-1);
  REQUIRE(sum.to_signed() == signed_min);
  sum.add(1);
  REQUIRE(sum.to_signed() == signed_min);
}

TEST_CASE("exact_sum of small negative numbers does not cancel as a double", "[aggregate][sums]") {
  exact_sum sum;
  sum.add(-5);
  REQUIRE(sum.to_double() == -5.0);
  sum.add(std::numeric_limits<std::int64_t>::min());
  sum.add(std::numeric_limits<std::int64_t>::min());
  REQUIRE(sum.to_double() == -std::ldexp(1.0, 64));
}

TEST_CASE("compensated_sum keeps what a plain sum loses", "[aggregate][sums]") {
  REQUIRE(sum_of({1e16, 1.0, 1.0, -1e16}).value() == 2.0);
  REQUIRE(sum_of({1.0, 1e100, 1.0, -1e100}).value() ==
          2.0);  // Where Kahan's own algorithm gives 0.
  compensated_sum sum;
  double plain = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    sum.add(0.1);
    plain += 0.1;
  }
  // 0.1 is 0.1 * (1 + 5.55e-17) in binary.
  REQUIRE(sum.value() == Approx(100000.0).epsilon(1e-15));
  REQUIRE(std::abs(plain - 100000.0) > 1e-7);
}

TEST_CASE("compensated_sum agrees with exact arithmetic in every order and split",
          "[aggregate][sums]") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 300; ++round) {
    // Multiples of 2^-20 below 2^33: their sums are exact in 128 bits.
    std::vector<std::int64_t> units(1 + random() % 200);
    wide exact = 0;
    for (std::int64_t& unit : units) {
      unit = (static_cast<std::int64_t>(random()) >> 11) >> (random() % 40);
      exact += unit;
    }
    const double expected = std::ldexp(static_cast<double>(exact), -20);
    std::vector<compensated_sum> parts(1 + random() % 5);
    std::shuffle(units.begin(), units.end(), random);
    for (const std::int64_t unit : units) {
      parts[random() % parts.size()].add(std::ldexp(static_cast<double>(unit), -20));
    }
    for (std::size_t i = 1; i < parts.size(); ++i) parts[0].merge(parts[i]);
    REQUIRE(std::abs(parts[0].value() - expected) <= 1e-15 * std::abs(expected) + 1e-12);
  }
}

TEST_CASE("compensated_sum passes infinities on and makes NaN of their difference",
          "[aggregate][sums]") {
  REQUIRE(sum_of({1.0, infinity, 2.0}).value() == infinity);
  REQUIRE(sum_of({-infinity, 1e308, 1e308}).value() == -infinity);
  REQUIRE(std::isnan(sum_of({infinity, 1.0, -infinity}).value()));
  REQUIRE(std::isnan(sum_of({1.0, quiet, 2.0}).value()));
  REQUIRE(sum_of({1e308, 1e308}).value() == infinity);
  compensated_sum sum = sum_of({1.0, 2.0});
  sum.merge(sum_of({infinity, 5.0}));
  sum.merge(sum_of({1.0}));
  REQUIRE(sum.value() == infinity);
}
