#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();
constexpr auto signed_max = std::numeric_limits<std::int64_t>::max();
constexpr auto signed_min = std::numeric_limits<std::int64_t>::min();

const std::vector<reading> no_rows;

double naive_sum(const std::vector<reading>& rows) {
  long double sum = 0;
  for (const reading& row : rows) sum += row.value;
  return static_cast<double>(sum);
}

template <class A>
using result_for = fr::aggregate_result<A, reading>;

// Values whose extrema are easy to get wrong.
reading draw_edge(fr::contract_random& random) {
  constexpr double edges[] = {0.0, -0.0, 1.0, -1.0, infinity, -infinity, 5e-324};
  reading row = row_of(edges[random() % std::size(edges)]);
  if (random() % 40 == 0) row.value = random() % 2 == 0 ? quiet : -quiet;
  return row;
}

}  // namespace

TEST_CASE("count counts rows, matching rows, and rows that have a value", "[aggregate][count]") {
  std::vector<reading> rows = valued({1, 2, 3, 4, 5});
  rows[1].flag = rows[4].flag = rows[0].flag = true;
  rows[2].perhaps.reset();
  REQUIRE(result_of(fr::count("n"), rows) == 5);
  REQUIRE(result_of(fr::count("n", &reading::flag), rows) == 3);
  REQUIRE(result_of(fr::count("n", &reading::perhaps), rows) == 4);
  REQUIRE(result_of(fr::count("n", [](const reading& row) { return row.value > 3; }), rows) == 2);
  REQUIRE(result_of(fr::count("n"), no_rows) == 0);
}

TEST_CASE("an aggregate's name is the one it was made with", "[aggregate]") {
  REQUIRE(fr::count("payments").name == "payments");
  REQUIRE(fr::max("amount_max", &reading::value).name == "amount_max");
}

TEST_CASE("sum of integers is exact where the partial sums leave 64 bits", "[aggregate][sum]") {
  const auto sum = fr::sum("sum", &reading::whole);
  REQUIRE(result_of(sum, wholes({signed_max, signed_max, -signed_max, -5})) == signed_max - 5);
  REQUIRE(result_of(sum, wholes({signed_min, signed_min, signed_max, signed_max})) == -2);
}

TEST_CASE("sum of integers is clamped to the ends of its type", "[aggregate][sum]") {
  const auto sum = fr::sum("sum", &reading::whole);
  STATIC_REQUIRE(std::is_same_v<result_for<decltype(sum)>, std::int64_t>);
  REQUIRE(result_of(sum, wholes({signed_max, 1})) == signed_max);
  REQUIRE(result_of(sum, wholes({signed_min, -1})) == signed_min);
  const auto natural = fr::sum("sum", [](const reading& row) { return std::uint64_t(row.whole); });
  STATIC_REQUIRE(std::is_same_v<result_for<decltype(natural)>, std::uint64_t>);
  REQUIRE(result_of(natural, wholes({-1, -1})) == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("sum of bool counts the true ones", "[aggregate][sum]") {
  const auto sum = fr::sum("flags", &reading::flag);
  STATIC_REQUIRE(std::is_same_v<result_for<decltype(sum)>, std::uint64_t>);
  std::vector<reading> rows(3);
  rows[0].flag = rows[2].flag = true;
  REQUIRE(result_of(sum, rows) == 2);
}

TEST_CASE("sum of floating point agrees with long double", "[aggregate][sum]") {
  const auto sum = fr::sum("sum", &reading::value);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<reading> rows = draw_readings(seed, 2000);
    REQUIRE(result_of(sum, rows) == Approx(naive_sum(rows)).epsilon(1e-13));
  }
  REQUIRE(result_of(sum, valued({1e16, 1, 1, -1e16})) == 2);
}

TEST_CASE("sum of floating point lets infinity through and nothing else be NaN",
          "[aggregate][sum]") {
  const auto sum = fr::sum("sum", &reading::value);
  REQUIRE(result_of(sum, valued({infinity, 1, 1e308})) == infinity);
  REQUIRE(result_of(sum, valued({3, -infinity})) == -infinity);
  REQUIRE(std::isnan(result_of(sum, valued({infinity, -infinity}))));
  REQUIRE(std::isnan(result_of(sum, valued({1, quiet, 1}))));
}

TEST_CASE("sum reads through functions and member functions and skips absent values",
          "[aggregate][sum]") {
  std::vector<reading> rows = valued({1, 2, 4});
  rows[1].perhaps.reset();
  REQUIRE(result_of(fr::sum("sum", &reading::doubled), rows) == 14);
  REQUIRE(result_of(fr::sum("sum", [](const reading& row) { return row.value / 2; }), rows) == 3.5);
  REQUIRE(result_of(fr::sum("sum", &reading::perhaps), rows) == 5);
  REQUIRE(result_of(fr::sum("sum", &reading::perhaps), no_rows) == 0);
}

TEST_CASE("mean of integers comes from their exact sum", "[aggregate][mean]") {
  const auto mean = fr::mean("mean", &reading::whole);
  REQUIRE(result_of(mean, wholes({1, 2})) == 1.5);
  REQUIRE(result_of(mean, wholes({-1, -2, -2})) == Approx(-5.0 / 3).epsilon(1e-16));
  REQUIRE(result_of(mean, wholes({signed_max, signed_max})) == std::ldexp(1.0, 63));
  REQUIRE(result_of(mean, wholes({signed_max, 7, -signed_max})) == Approx(7.0 / 3).epsilon(1e-16));
}

TEST_CASE("mean of floating point agrees with long double", "[aggregate][mean]") {
  const std::vector<reading> rows = draw_readings(7, 3000);
  REQUIRE(result_of(fr::mean("mean", &reading::value), rows) ==
          Approx(naive_sum(rows) / 3000).epsilon(1e-13));
}

TEST_CASE("mean of nothing is NaN, or empty where values may be absent", "[aggregate][mean]") {
  REQUIRE(std::isnan(result_of(fr::mean("mean", &reading::value), no_rows)));
  REQUIRE(std::isnan(result_of(fr::mean("mean", &reading::whole), no_rows)));
  const auto optional = fr::mean("mean", &reading::perhaps);
  STATIC_REQUIRE(std::is_same_v<result_for<decltype(optional)>, std::optional<double>>);
  std::vector<reading> rows(2);
  REQUIRE(result_of(optional, rows) == std::nullopt);
  rows[0].perhaps = 4;
  REQUIRE(result_of(optional, rows) == 4);
}

TEST_CASE("min and max agree with the standard algorithms", "[aggregate][extrema]") {
  const std::vector<reading> rows = draw_readings(3, 500);
  const auto [least, most] = std::minmax_element(
      rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.whole < b.whole; });
  REQUIRE(result_of(fr::min("min", &reading::whole), rows) == least->whole);
  REQUIRE(result_of(fr::max("max", &reading::whole), rows) == most->whole);
}

TEST_CASE("min and max order strings, views, and times", "[aggregate][extrema]") {
  std::vector<reading> rows(3);
  rows[0].label = "pear";
  rows[1].label = "apple, which is longer than any small string";
  rows[2].label = "plum";
  rows[1].when = fr::timestamp_min;
  rows[2].when = fr::timestamp_max;
  REQUIRE(result_of(fr::min("min", &reading::label), rows) == rows[1].label);
  REQUIRE(result_of(fr::max("max", &reading::label_view), rows) == std::string("plum"));
  REQUIRE(result_of(fr::min("min", &reading::when), rows) == fr::timestamp_min);
  REQUIRE(result_of(fr::max("max", &reading::when), rows) == fr::timestamp_max);
}

TEST_CASE("min and max are NaN as soon as one value is", "[aggregate][extrema]") {
  for (const auto& values : {std::vector<double>{quiet, 1, 2}, {1, quiet, 2}, {1, 2, quiet}}) {
    REQUIRE(std::isnan(result_of(fr::min("min", &reading::value), valued(values))));
    REQUIRE(std::isnan(result_of(fr::max("max", &reading::value), valued(values))));
  }
}

TEST_CASE("min and max order the two zeros", "[aggregate][extrema]") {
  for (const auto& values : {std::vector<double>{0.0, -0.0}, {-0.0, 0.0}}) {
    REQUIRE(std::signbit(result_of(fr::min("min", &reading::value), valued(values))));
    REQUIRE_FALSE(std::signbit(result_of(fr::max("max", &reading::value), valued(values))));
  }
}

TEST_CASE("min and max of nothing are empty where values may be absent", "[aggregate][extrema]") {
  REQUIRE(result_of(fr::min("min", &reading::perhaps), std::vector<reading>(2)) == std::nullopt);
  REQUIRE(result_of(fr::max("max", &reading::note), std::vector<reading>(2)) == std::nullopt);
  REQUIRE(result_of(fr::max("max", &reading::perhaps), valued({-2, -1})) == -1);
  REQUIRE(std::isnan(result_of(fr::min("min", &reading::value), no_rows)));
  REQUIRE(result_of(fr::max("max", &reading::label), no_rows).empty());
}

TEST_CASE("min and max have states that are not taken for each other", "[aggregate][extrema]") {
  using least = fr::aggregate_state<decltype(fr::min("x", &reading::value)), reading>;
  using most = fr::aggregate_state<decltype(fr::max("x", &reading::value)), reading>;
  REQUIRE(fr::format_of<least>() != fr::format_of<most>());
}

TEST_CASE("exact aggregates keep the aggregate contract bit by bit", "[aggregate][contract]") {
  REQUIRE_NOTHROW(fr::check_aggregate(fr::count("count"), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::count("count_if", &reading::flag), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::count("count_of", &reading::note), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::sum("sum", &reading::whole), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::sum("sum", &reading::natural), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::mean("mean", &reading::whole), draw_reading));
}

TEST_CASE("extrema keep the aggregate contract bit by bit", "[aggregate][contract]") {
  REQUIRE_NOTHROW(fr::check_aggregate(fr::min("min", &reading::value), draw_edge));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::max("max", &reading::value), draw_edge));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::min("min", &reading::perhaps), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::max("max", &reading::label_view), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::max("max", &reading::note), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::min("min", &reading::when), draw_reading));
}

TEST_CASE("floating sums and means keep the aggregate contract to 1e-12", "[aggregate][contract]") {
  // All of one sign, so that nothing cancels; infinities must not depend on order either.
  const auto draw = [](fr::contract_random& random) {
    const int exponent = static_cast<int>(random() % 200) - 100;
    reading row = row_of(std::ldexp(static_cast<double>(random() >> 11), exponent));
    if (random() % 3 == 0) row.perhaps.reset();
    if (random() % 100 == 0) row.value = random() % 4 == 0 ? -infinity : infinity;
    return row;
  };
  const fr::aggregate_contract_options options{.tolerance = 1e-12, .subtract = false};
  REQUIRE_NOTHROW(fr::check_aggregate(fr::sum("sum", &reading::value), draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::sum("sum", &reading::perhaps), draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::mean("mean", &reading::value), draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::mean("mean", &reading::perhaps), draw, options));
}

TEST_CASE("floating sums and means take rows of like sizes back to 1e-12",
          "[aggregate][contract]") {
  const auto draw = [](fr::contract_random& random) {
    reading row = row_of(1 + std::ldexp(static_cast<double>(random() >> 11), -53));
    if (random() % 3 == 0) row.perhaps = 1;
    return row;
  };
  const fr::aggregate_contract_options options{.tolerance = 1e-12};
  REQUIRE_NOTHROW(fr::check_aggregate(fr::sum("sum", &reading::value), draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::mean("mean", &reading::perhaps), draw, options));
}
