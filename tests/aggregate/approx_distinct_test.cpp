#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/approx_distinct.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

TEST_CASE("approx_distinct is near the exact number for numbers in a row, and for text",
          "[aggregate][approx_distinct]") {
  // Standard errors of 1.6 and 0.8 %: five of them, a false alarm in a million.
  for (const std::int64_t count : {1000, 10'000, 100'000}) {
    std::vector<reading> rows;
    for (std::int64_t i = 0; i < count; ++i) {
      rows.push_back(whole_row_of(i));
      rows.back().label = "user " + std::to_string(i % (count / 2));
    }
    const auto whole = result_of(fr::approx_distinct("d", &reading::whole), rows);
    REQUIRE(std::abs(static_cast<double>(whole) / static_cast<double>(count) - 1) < 0.08);
    const auto text =
        result_of(fr::approx_distinct("d", &reading::label_view, {.precision = 14}), rows);
    REQUIRE(std::abs(static_cast<double>(text) / static_cast<double>(count / 2) - 1) < 0.04);
  }
}

TEST_CASE("approx_distinct of few values is exact, however often they come",
          "[aggregate][approx_distinct]") {
  std::vector<reading> rows;
  for (std::int64_t i = 0; i < 50'000; ++i) rows.push_back(whole_row_of(i % 700));
  REQUIRE(result_of(fr::approx_distinct("d", &reading::whole), rows) == 700);
  REQUIRE(result_of(fr::approx_distinct("d", &reading::flag), rows) == 1);
  REQUIRE(result_of(fr::approx_distinct("d", &reading::note), rows) == 0);
  REQUIRE(result_of(fr::approx_distinct("d", &reading::whole), std::vector<reading>{}) == 0);
}

TEST_CASE("approx_distinct counts values that are the same once", "[aggregate][approx_distinct]") {
  constexpr double quiet = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(result_of(fr::approx_distinct("d", &reading::value),
                    valued({0.0, -0.0, quiet, -quiet, 1})) == 3);
}

TEST_CASE("approx_distinct refuses a precision out of range, and names the aggregate",
          "[aggregate][approx_distinct]") {
  REQUIRE_THROWS_WITH(fr::approx_distinct("users", &reading::whole, {.precision = 19}),
                      Catch::Matchers::Contains("aggregate 'users': hyperloglog: precision 19"));
  REQUIRE(fr::approx_distinct("d", &reading::whole, {.precision = 10}).kind ==
          "approx_distinct(10)");
}

TEST_CASE("approx_distinct keeps the aggregate contract bit by bit", "[aggregate][contract]") {
  const fr::aggregate_contract_options options{.cases = 300, .rows_max = 200};
  REQUIRE_NOTHROW(
      fr::check_aggregate(fr::approx_distinct("d", &reading::whole), draw_reading, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::approx_distinct("d", &reading::perhaps, {.precision = 5}),
                                      draw_reading, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::approx_distinct("d", &reading::natural, {.precision = 7}),
                                      draw_reading, options));
}
