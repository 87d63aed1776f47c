#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/moments.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

// Two passes over the values in long double: 64 bits of mantissa against the 53 under test.
double naive_variance(const std::vector<reading>& rows, bool population = false) {
  long double mean = 0;
  for (const reading& row : rows) mean += row.value;
  mean /= static_cast<long double>(rows.size());
  long double squares = 0;
  long double rest = 0;
  for (const reading& row : rows) {
    squares += (row.value - mean) * (row.value - mean);
    rest += row.value - mean;
  }
  squares -= rest * rest / static_cast<long double>(rows.size());
  return static_cast<double>(squares /
                             static_cast<long double>(rows.size() - (population ? 0 : 1)));
}

// Uniform in [0, 1).
double draw_noise(fr::contract_random& random) {
  return std::ldexp(static_cast<double>(random() >> 11), -53);
}

std::vector<reading> noise_around(double offset, double width, std::size_t count,
                                  std::uint64_t seed) {
  fr::contract_random random(seed);
  std::vector<reading> rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.push_back(row_of(offset + width * draw_noise(random)));
  }
  return rows;
}

const auto variance = fr::variance("variance", &reading::value);
const auto stddev = fr::stddev("stddev", &reading::value);

}  // namespace

TEST_CASE("variance divides by n - 1, and by n for a population", "[aggregate][moments]") {
  const auto rows = valued({2, 4, 4, 4, 5, 5, 7, 9});  // Mean 5, squared distances 32.
  REQUIRE(result_of(variance, rows) == Approx(32.0 / 7).epsilon(1e-15));
  REQUIRE(result_of(stddev, rows) == Approx(std::sqrt(32.0 / 7)).epsilon(1e-15));
  REQUIRE(result_of(fr::variance("v", &reading::value, {.population = true}), rows) == 4);
  REQUIRE(result_of(fr::stddev("s", &reading::value, {.population = true}), rows) == 2);
}

TEST_CASE("variance agrees with two passes in long double", "[aggregate][moments]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto rows = draw_readings(seed, 2 + seed * 40);
    REQUIRE(result_of(variance, rows) == Approx(naive_variance(rows)).epsilon(1e-13));
  }
}

TEST_CASE("variance of small noise far from zero keeps its digits", "[aggregate][moments]") {
  for (const double offset : {1e9, -1e9, 1e12}) {
    const auto rows = noise_around(offset, 1e-3, 10000, 11);
    REQUIRE(result_of(variance, rows) == Approx(naive_variance(rows)).epsilon(1e-12));
  }
}

TEST_CASE("variance does not suffer from a first value far from the others",
          "[aggregate][moments]") {
  // The first value is where distances are counted from; at 0 it is 1e9 away from all that follow.
  auto rows = noise_around(1e9, 1, 100000, 12);
  rows.insert(rows.begin(), row_of(0.0));
  REQUIRE(result_of(variance, rows) == Approx(naive_variance(rows)).epsilon(1e-12));
}

TEST_CASE("variance survives a mean that drifts far away", "[aggregate][moments]") {
  std::vector<reading> rows;
  for (int i = 0; i < 100000; ++i) rows.push_back(row_of(std::ldexp(1.0, i / 2500)));
  REQUIRE(result_of(variance, rows) == Approx(naive_variance(rows)).epsilon(1e-12));
}

TEST_CASE("variance of equal values is exactly zero and never negative", "[aggregate][moments]") {
  REQUIRE(result_of(variance, valued(std::vector<double>(1000, 0.1))) == 0);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    REQUIRE(result_of(variance, noise_around(1e15, 0.5, 3, seed)) >= 0);
  }
}

TEST_CASE("variance of partial states agrees with that of the whole", "[aggregate][moments]") {
  auto near = fold(variance, noise_around(1e9, 1e-3, 1000, 13));
  const auto far = fold(variance, noise_around(-5.0, 2, 1000, 14));
  auto all = noise_around(1e9, 1e-3, 1000, 13);
  const auto rest = noise_around(-5.0, 2, 1000, 14);
  all.insert(all.end(), rest.begin(), rest.end());
  variance.merge(near, far);
  REQUIRE(variance.result(near) == Approx(naive_variance(all)).epsilon(1e-12));
}

TEST_CASE("variance of many merged panes agrees with that of the whole", "[aggregate][moments]") {
  std::vector<reading> all;
  fr::aggregate_state<decltype(variance), reading> merged;
  for (std::uint64_t pane = 0; pane < 2000; ++pane) {
    const auto rows = noise_around(1e6, 10, 5, pane);
    variance.merge(merged, fold(variance, rows));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  REQUIRE(variance.result(merged) == Approx(naive_variance(all)).epsilon(1e-12));
}

TEST_CASE("variance without enough values is NaN, or empty where values may be absent",
          "[aggregate][moments]") {
  const std::vector<reading> none;
  REQUIRE(std::isnan(result_of(variance, none)));
  REQUIRE(std::isnan(result_of(stddev, valued({3}))));
  REQUIRE(result_of(fr::variance("v", &reading::value, {.population = true}), valued({3})) == 0);
  const auto optional = fr::stddev("s", &reading::perhaps);
  STATIC_REQUIRE(
      std::is_same_v<fr::aggregate_result<decltype(optional), reading>, std::optional<double>>);
  REQUIRE(result_of(optional, valued({3})) == std::nullopt);
  REQUIRE(result_of(optional, valued({3, 3})) == 0.0);
}

TEST_CASE("variance of values that are not finite is NaN", "[aggregate][moments]") {
  for (const double bad : {infinity, -infinity, quiet}) {
    REQUIRE(std::isnan(result_of(variance, valued({bad, 1, 2}))));
    REQUIRE(std::isnan(result_of(variance, valued({1, 2, bad, 3, 4}))));
    REQUIRE(std::isnan(result_of(variance, valued({bad, bad}))));
  }
  REQUIRE(std::isnan(result_of(variance, valued({1e200, -1e200}))));
}

TEST_CASE("variance takes integers", "[aggregate][moments]") {
  REQUIRE(result_of(fr::variance("v", &reading::whole), wholes({1, 2, 3, 4})) ==
          Approx(5.0 / 3).epsilon(1e-15));
}

TEST_CASE("moments keep the aggregate contract to 1e-12", "[aggregate][contract]") {
  // Offsets and widths of many sizes, the widths large enough that double still sees the noise.
  const auto draw = [](fr::contract_random& random) {
    const double offset = random() % 2 == 0 ? 0.0 : 1e9;
    reading row = row_of(offset + 1000 * draw_noise(random));
    if (random() % 3 == 0) row.perhaps.reset();
    if (random() % 500 == 0) row.value = infinity;
    return row;
  };
  const fr::aggregate_contract_options options{.tolerance = 1e-12};
  REQUIRE_NOTHROW(fr::check_aggregate(variance, draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(stddev, draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::variance("v", &reading::perhaps), draw, options));
}
