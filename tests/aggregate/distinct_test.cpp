#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/distinct.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

TEST_CASE("distinct agrees with an ordered set", "[aggregate][distinct]") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto rows = draw_readings(seed, seed * 10);
    std::set<std::string> labels;
    std::set<std::pair<std::string, bool>> pairs;
    for (const reading& row : rows) {
      labels.insert(row.label);
      pairs.emplace(row.label, row.flag);
    }
    const auto of_pairs =
        fr::distinct("pairs", [](const reading& row) { return std::pair(row.label, row.flag); });
    REQUIRE(result_of(fr::distinct("labels", &reading::label), rows) == labels.size());
    REQUIRE(result_of(fr::distinct("labels", &reading::label_view), rows) == labels.size());
    REQUIRE(result_of(of_pairs, rows) == pairs.size());
  }
}

TEST_CASE("distinct takes both zeros for one value, and all NaNs", "[aggregate][distinct]") {
  const double quiet = std::numeric_limits<double>::quiet_NaN();
  const auto distinct = fr::distinct("values", &reading::value);
  REQUIRE(result_of(distinct, valued({0.0, -0.0, 0.0})) == 1);
  REQUIRE(result_of(distinct, valued({quiet, -quiet, 1.0, quiet})) == 2);
}

TEST_CASE("distinct states of the same values have the same bytes", "[aggregate][distinct]") {
  const auto distinct = fr::distinct("values", &reading::value);
  const double quiet = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(fr::to_bytes(fold(distinct, valued({-0.0, 3.0, quiet}))) ==
          fr::to_bytes(fold(distinct, valued({-quiet, 0.0, 3.0, 3.0}))));
}

TEST_CASE("distinct does not count absent values", "[aggregate][distinct]") {
  auto rows = valued({1, 2, 2, 3});
  rows[3].perhaps.reset();
  REQUIRE(result_of(fr::distinct("values", &reading::perhaps), rows) == 2);
}

TEST_CASE("distinct keeps the aggregate contract bit by bit", "[aggregate][contract]") {
  REQUIRE_NOTHROW(fr::check_aggregate(fr::distinct("d", &reading::label), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::distinct("d", &reading::perhaps), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::distinct("d", &reading::flag), draw_reading));
}
