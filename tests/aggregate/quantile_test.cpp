#include "aggregate/rows.hpp"
#include "catch.hpp"
#include "sketch/shapes.hpp"

#include <freshet/aggregate/quantile.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

/// Numbers that are no number, infinite, zero, equal, of both signs and of very different sizes.
reading draw_any_value(fr::contract_random& random) {
  reading row = draw_reading(random);
  const double size = std::ldexp(row.value, static_cast<int>(random() % 80) - 40);
  const std::vector<double> some{infinity, -infinity, 0.0, -0.0, 1, 1, 1, -1};
  row.value = random() % 4 == 0 ? some[random() % some.size()] : size;
  if (random() % 200 == 0) row.value = quiet;
  return row;
}

/// The oracle: linear between the values around q * (n - 1).
double naive_quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto lower = static_cast<std::size_t>(position);
  const std::size_t upper = std::min(lower + 1, values.size() - 1);
  const double share = position - static_cast<double>(lower);
  return values[lower] * (1 - share) + values[upper] * share;
}

}  // namespace

TEST_CASE("quantile agrees with sorted values of every shape", "[aggregate][quantile]") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    for (const auto& [name, values] : shapes(seed, 1 + 4 * seed)) {
      if (name == "edges") continue;  // Halves of the largest numbers are rounded differently.
      for (const double q : {0.0, 0.1, 0.25, 0.5, 0.9, 1.0}) {
        INFO(name << ", seed " << seed << ", quantile " << q);
        const std::optional<double> found =
            result_of(fr::quantile("q", &reading::value, q), valued(values));
        REQUIRE(found);
        REQUIRE(*found == Approx(naive_quantile(values, q)).epsilon(1e-12).margin(1e-12));
      }
    }
  }
}

TEST_CASE("median is the middle value, or the mean of the two in the middle",
          "[aggregate][quantile]") {
  const auto median = fr::median("m", &reading::value);
  REQUIRE(result_of(median, valued({3, 1, 2})) == 2.0);
  REQUIRE(result_of(median, valued({4, 1, 3, 2})) == 2.5);
  REQUIRE(result_of(median, valued({7})) == 7.0);
  REQUIRE(result_of(median, std::vector<reading>{}) == std::nullopt);
  REQUIRE(result_of(fr::median("m", &reading::whole), wholes({1, 2})) == 1.5);
  REQUIRE(result_of(median, valued({-1e308, 1e308})) == 0.0);
  REQUIRE(result_of(median, valued({1, infinity})) == infinity);
  REQUIRE(result_of(median, valued({infinity, infinity})) == infinity);
  REQUIRE(std::isnan(*result_of(median, valued({-infinity, infinity}))));
  REQUIRE(std::isnan(*result_of(median, valued({1, 2, quiet}))));
  REQUIRE_FALSE(std::signbit(*result_of(median, valued({-0.0}))));
}

TEST_CASE("quantile has no result for more values than it may keep", "[aggregate][quantile]") {
  const auto three = fr::median("m", &reading::value, {.values_max = 3});
  REQUIRE(result_of(three, valued({1, 2, 3})) == 2.0);
  REQUIRE(result_of(three, valued({1, 2, 3, 4})) == std::nullopt);
  auto some = fold(three, valued({1, 2}));
  three.merge(some, fold(three, valued({3, 4})));
  REQUIRE(three.result(some) == std::nullopt);
  REQUIRE(some.values.empty());
  auto none = fold(three, valued({}));
  three.merge(none, some);
  REQUIRE(three.result(none) == std::nullopt);
}

TEST_CASE("approx_quantile is near the value of its rank", "[aggregate][quantile]") {
  for (const double accuracy : {0.001, 0.01, 0.1}) {
    for (const auto& [name, values] : shapes(11, 2000)) {
      if (name == "edges") continue;  // Wider than any sketch of this accuracy.
      std::vector<double> sorted = values;
      std::sort(sorted.begin(), sorted.end());
      for (const double q : {0.0, 0.5, 0.9, 0.999, 1.0}) {
        INFO(name << ", accuracy " << accuracy << ", quantile " << q);
        const auto wanted = sorted[static_cast<std::size_t>(q * 1999)];
        const double found =
            result_of(fr::approx_quantile("q", &reading::value, q,
                                          {.accuracy = accuracy, .buckets_max = 20'000}),
                      valued(values));
        REQUIRE(std::abs(found - wanted) <= accuracy * std::abs(wanted));
      }
    }
  }
}

TEST_CASE("approx_quantiles answers for several quantiles from one state",
          "[aggregate][quantile]") {
  const std::vector<double> fractions{0.9, 0.5};
  const auto several = fr::approx_quantiles("q", &reading::value, fractions);
  const auto rows = valued({5, 1, 4, 2, 3, 6, 7, 8, 9, 10});
  const std::vector<double> found = result_of(several, rows);
  REQUIRE(found.size() == 2);
  REQUIRE(found[0] == result_of(fr::approx_quantile("q", &reading::value, 0.9), rows));
  REQUIRE(found[1] == Approx(5).epsilon(0.01));
  REQUIRE(result_of(several, valued({})).empty());
}

TEST_CASE("approx_quantile of no values is NaN, or empty where values may be absent",
          "[aggregate][quantile]") {
  REQUIRE(std::isnan(result_of(fr::approx_quantile("q", &reading::value, 0.5), valued({}))));
  const auto optional = fr::approx_quantile("q", &reading::perhaps, 0.5);
  STATIC_REQUIRE(
      std::is_same_v<fr::aggregate_result<decltype(optional), reading>, std::optional<double>>);
  REQUIRE(result_of(optional, std::vector<reading>(3)) == std::nullopt);
}

TEST_CASE("quantiles refuse options out of range, and name the aggregate",
          "[aggregate][quantile]") {
  using Catch::Matchers::Contains;
  REQUIRE_THROWS_WITH(fr::quantile("p99", &reading::value, 99),
                      Contains("aggregate 'p99': quantile 99 is not in [0, 1]"));
  REQUIRE_THROWS_AS(fr::approx_quantile("q", &reading::value, quiet), std::invalid_argument);
  REQUIRE_THROWS_AS(fr::approx_quantiles("q", &reading::value, {0.5, 2}), std::invalid_argument);
  REQUIRE_THROWS_WITH(fr::approx_quantile("q", &reading::value, 0.5, {.accuracy = 1}),
                      Contains("aggregate 'q': ddsketch: accuracy 1 is not in"));
  REQUIRE_THROWS_WITH(fr::median("m", &reading::value, {.values_max = 0}),
                      Contains("aggregate 'm': values_max is 0"));
}

TEST_CASE("the kind of an approximate quantile says which options its state has",
          "[aggregate][quantile]") {
  const auto kind = [](fr::ddsketch_options options) {
    return fr::approx_quantile("q", &reading::value, 0.5, options).kind;
  };
  REQUIRE(kind({}) == "approx_quantile(0.01/2048)");
  REQUIRE(kind({.accuracy = 0.02}) != kind({}));
  REQUIRE(kind({.buckets_max = 64}) != kind({}));
}

TEST_CASE("quantiles keep the aggregate contract bit by bit", "[aggregate][contract]") {
  const fr::aggregate_contract_options options{.cases = 300, .rows_max = 200};
  const auto narrow = fr::approx_quantile("q", &reading::value, 0.3, {.buckets_max = 64});
  const auto wide = fr::approx_quantile("q", &reading::value, 0.5, {.buckets_max = 8192});
  REQUIRE_NOTHROW(fr::check_aggregate(wide, draw_any_value, options));
  // What was collapsed stays so when the largest values are taken back.
  REQUIRE_NOTHROW(fr::check_aggregate(narrow, draw_any_value,
                                      {.cases = 300, .rows_max = 200, .subtract = false}));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::approx_quantiles("q", &reading::perhaps, {0.1, 0.9}),
                                      draw_any_value, options));
  REQUIRE_NOTHROW(
      fr::check_aggregate(fr::quantile("q", &reading::value, 0.7), draw_any_value, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::median("m", &reading::perhaps, {.values_max = 50}),
                                      draw_any_value, options));
}
