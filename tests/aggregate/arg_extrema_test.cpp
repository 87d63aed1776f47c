#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/arg_extrema.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

struct placed_row {
  fr::order_key key;
  reading row;
};

/// Few different values, so that there are ties; some have no number, some none at all.
reading draw_with_ties(fr::contract_random& random) {
  reading row = draw_reading(random);
  row.value = static_cast<double>(random() % 4);
  if (random() % 8 == 0) row.value = random() % 2 == 0 ? quiet : -0.0;
  if (row.perhaps) row.perhaps = row.value;
  return row;
}

/// The oracle: the first in the order of (by, order key) among those whose `by` is a number.
std::optional<std::string> naive_arg(const std::vector<placed_row>& rows, bool largest) {
  std::optional<placed_row> best;
  const auto before = [](double a, double b) {
    return a < b || (a == b && std::signbit(a) && !std::signbit(b));
  };
  for (const placed_row& each : rows) {
    if (std::isnan(each.row.value)) continue;
    const double mine = each.row.value;
    if (!best || (largest ? before(best->row.value, mine) : before(mine, best->row.value)) ||
        (!before(mine, best->row.value) && !before(best->row.value, mine) &&
         each.key < best->key)) {
      best = each;
    }
  }
  if (!best) return std::nullopt;
  return best->row.label;
}

template <class A>
auto result_of_placed(const A& aggregate, const std::vector<placed_row>& rows) {
  fr::aggregate_state<A, reading> state;
  for (const placed_row& each : rows) aggregate.add(state, each.row, each.key);
  return aggregate.result(state);
}

}  // namespace

TEST_CASE("arg_min and arg_max agree with their definition", "[aggregate][arg_extrema]") {
  fr::contract_random random(4);
  for (int round = 0; round < 500; ++round) {
    std::vector<placed_row> rows(random() % 30);
    for (placed_row& each : rows) {
      const fr::timestamp at{fr::duration{static_cast<std::int64_t>(random() % 4)}};
      each = {{at, {random() % 1000, static_cast<std::uint32_t>(random() % 2), 0}},
              draw_with_ties(random)};
    }
    REQUIRE(result_of_placed(fr::arg_max("a", &reading::label, &reading::value), rows) ==
            naive_arg(rows, true).value_or(""));
    REQUIRE(result_of_placed(fr::arg_min("a", &reading::label, &reading::value), rows) ==
            naive_arg(rows, false).value_or(""));
  }
}

TEST_CASE("arg_max of equal values takes the earliest row, not the first to arrive",
          "[aggregate][arg_extrema]") {
  const auto key = [](std::int64_t at, std::uint64_t sequence) {
    return fr::order_key{fr::timestamp{fr::duration{at}}, {sequence, 0, 0}};
  };
  std::vector<placed_row> rows{{key(7, 1), row_of(5)},
                               {key(3, 9), row_of(5)},
                               {key(3, 8), row_of(5)},
                               {key(1, 2), row_of(4)}};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].row.whole = static_cast<std::int64_t>(i);
  REQUIRE(result_of_placed(fr::arg_max("a", &reading::whole, &reading::value), rows) == 2);
  REQUIRE(result_of_placed(fr::arg_min("a", &reading::whole, &reading::value), rows) == 3);
}

TEST_CASE("arg_max is empty where no row decides or the winner has no value",
          "[aggregate][arg_extrema]") {
  std::vector<reading> rows = valued({1, 3, 2});
  rows[1].perhaps.reset();
  const auto value_of_best = fr::arg_max("a", &reading::perhaps, &reading::value);
  STATIC_REQUIRE(std::is_same_v<fr::aggregate_result<decltype(value_of_best), reading>,
                                std::optional<double>>);
  REQUIRE(result_of(value_of_best, rows) == std::nullopt);
  REQUIRE(result_of(fr::arg_max("a", &reading::value, &reading::perhaps), rows) == 2.0);
  REQUIRE(result_of(fr::arg_max("a", &reading::value, &reading::note), rows) == std::nullopt);
  REQUIRE(result_of(fr::arg_max("a", &reading::label, &reading::value), valued({quiet})).empty());
}

TEST_CASE("arg_min and arg_max keep the aggregate contract bit by bit", "[aggregate][contract]") {
  REQUIRE_NOTHROW(
      fr::check_aggregate(fr::arg_min("a", &reading::label, &reading::value), draw_with_ties));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::arg_max("a", &reading::perhaps, &reading::label_view),
                                      draw_with_ties));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::arg_max("a", &reading::label_view, &reading::perhaps),
                                      draw_with_ties));
}
