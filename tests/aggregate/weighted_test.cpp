// Aggregates of sampled rows: each row counts as often as its weight says.
#include "catch.hpp"

#include <freshet/aggregate/approx_distinct.hpp>
#include <freshet/aggregate/approx_top_k.hpp>
#include <freshet/aggregate/arg_extrema.hpp>
#include <freshet/aggregate/ewma.hpp>
#include <freshet/aggregate/quantile.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

using kept = fr::sampled<double>;

const auto value_of = [](const kept& row) { return row.value; };

kept row_of(double value, double weight) {
  return {value, 1 / weight, weight, "", 0};
}

/// Weights from 1 to 100, as of samplers that keep at least a hundredth; some are no whole number.
kept draw_kept(fr::contract_random& random) {
  return row_of(static_cast<double>(random() % 30), 1 + static_cast<double>(random() % 991) / 10);
}

template <class A>
auto result_of(const A& aggregate, const std::vector<kept>& rows) {
  fr::aggregate_state<A, kept> state;
  std::int64_t at = 0;
  for (const kept& row : rows) {
    fr::aggregate_add(aggregate, state, row, {fr::timestamp{fr::duration{at++}}, {}});
  }
  return aggregate.result(state);
}

}  // namespace

TEST_CASE("approx_quantile of sampled rows goes by the sum of weights", "[aggregate][weighted]") {
  const std::vector<kept> rows{row_of(1, 1), row_of(2, 97), row_of(3, 2)};
  const auto at = [&](double q) {
    return std::round(result_of(fr::approx_quantile("q", value_of, q), rows));
  };
  REQUIRE(at(0) == 1);
  REQUIRE(at(0.011) == 2);
  REQUIRE(at(0.979) == 2);
  REQUIRE(at(0.981) == 3);
}

TEST_CASE("ewma of sampled rows of one moment is their weighted mean", "[aggregate][weighted]") {
  const auto mean = fr::ewma("e", value_of, fr::duration::max());
  REQUIRE(result_of(mean, {row_of(1, 1), row_of(4, 2)}) == Approx(3).epsilon(1e-12));
}

TEST_CASE("approx_top_k of sampled rows counts weights, rounded outwards",
          "[aggregate][weighted]") {
  const auto top = fr::approx_top_k("t", value_of, {.k = 2, .capacity = 5});
  const auto found = result_of(top, {row_of(7, 1.5), row_of(8, 40), row_of(7, 1.25)});
  REQUIRE(found.size() == 2);
  REQUIRE(found[0] == fr::frequent_value<double>{8, 40, 0});
  REQUIRE(found[1] == fr::frequent_value<double>{7, 3, 1});  // 2.75 is at least 2, at most 3.
}

TEST_CASE("a weight that no sampler gives does no harm", "[aggregate][weighted]") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double quiet = std::numeric_limits<double>::quiet_NaN();
  for (const double weight : {0.0, -1.0, infinity, quiet}) {
    const kept bad{5, 1, weight, "", 0};
    REQUIRE_NOTHROW(result_of(fr::approx_quantile("q", value_of, 0.5), {bad, row_of(1, 2)}));
    REQUIRE_NOTHROW(result_of(fr::approx_top_k("t", value_of), {bad, row_of(1, 2)}));
  }
}

TEST_CASE("aggregates of sampled rows keep the contract", "[aggregate][weighted]") {
  const fr::aggregate_contract_options options{.cases = 300};
  REQUIRE_NOTHROW(fr::check_aggregate(fr::approx_quantile("q", value_of, 0.7), draw_kept, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::approx_top_k("t", value_of, {.k = 5, .capacity = 40}),
                                      draw_kept, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::ewma("e", value_of, 2us), draw_kept,
                                      {.cases = 300, .tolerance = 1e-12}));
}
