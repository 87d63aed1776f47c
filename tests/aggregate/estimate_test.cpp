// Estimates over samples: each row counts as many times as its weight says, and over samples the
// estimates have the truth as their mean.
#include "catch.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/estimate.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/sampling/uniform.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace fr = freshet;

namespace {

struct payment {
  double amount = 0;
  std::optional<std::int64_t> items;
};
BOOST_DESCRIBE_STRUCT(payment, (), (amount, items))
using kept = fr::sampled<payment>;

kept row_of(double amount, double weight, std::optional<std::int64_t> items = std::nullopt) {
  kept row;
  row.value = {amount, items};
  row.weight = weight;
  row.probability = 1 / weight;
  return row;
}

template <class A>
double result_of(const A& aggregate, const std::vector<kept>& rows) {
  fr::aggregate_state<A, kept> state;
  for (const kept& row : rows) aggregate.add(state, row);
  return aggregate.result(state);
}

kept draw_row(fr::contract_random& random) {
  const auto number = [&random](std::uint64_t below) {
    return static_cast<double>(random() % below);
  };
  return row_of(number(2000) / 7 - 100, 1 + number(100) / 3,
                random() % 3 == 0 ? std::optional<std::int64_t>{} : std::int64_t{4});
}

template <class A>
constexpr bool honours = fr::detail::honours_weight<A>;
static_assert(honours<fr::estimated_count_aggregate>);
static_assert(honours<decltype(fr::estimated_sum("s", &payment::amount))>);
static_assert(honours<decltype(fr::estimated_mean("m", &payment::amount))>);
static_assert(!honours<decltype(fr::sum("s", &kept::weight))>);

}  // namespace

TEST_CASE("a sampled row counts as many times as its weight", "[aggregate][estimate]") {
  const std::vector<kept> rows = {row_of(10, 2, 1), row_of(4, 5), row_of(1, 1, 3)};
  CHECK(result_of(fr::estimated_count("n"), rows) == 8);
  CHECK(result_of(fr::estimated_sum("s", &payment::amount), rows) == 41);
  CHECK(result_of(fr::estimated_mean("m", &payment::amount), rows) == Approx(41.0 / 8));
  // Rows without a value do not count, and functions may ask the row or the record.
  CHECK(result_of(fr::estimated_mean("m", &payment::items), rows) == Approx(5.0 / 3));
  CHECK(result_of(fr::estimated_sum("s", [](const kept& row) { return row.probability; }), rows) ==
        Approx(3));
  CHECK(result_of(fr::estimated_sum("s", [](const payment& value) { return value.amount / 2; }),
                  rows) == 20.5);
  CHECK(result_of(fr::estimated_sum("s", &payment::amount), {}) == 0);
  CHECK(std::isnan(result_of(fr::estimated_mean("m", &payment::amount), {})));
}

TEST_CASE("estimates keep the aggregate contract", "[aggregate][estimate][contract]") {
  const fr::aggregate_contract_options options{.cases = 200, .tolerance = 1e-12};
  fr::check_aggregate(fr::estimated_count("n"), draw_row, options);
  fr::check_aggregate(fr::estimated_sum("s", &payment::amount), draw_row, options);
  fr::check_aggregate(fr::estimated_mean("m", &payment::items), draw_row, options);
}

TEST_CASE("an estimate that takes a row back is that of the others", "[aggregate][estimate]") {
  const auto mean = fr::estimated_mean("m", &payment::amount);
  fr::aggregate_state<decltype(mean), kept> state;
  for (const kept& row : {row_of(10, 2), row_of(4, 5), row_of(7, 3)}) mean.add(state, row);
  mean.subtract(state, row_of(4, 5));
  CHECK(mean.result(state) == Approx((20 + 21) / 5.0));
}

TEST_CASE("over samples, estimates have the truth as their mean", "[aggregate][estimate]") {
  // 200 samples at 0.3 of 500 records with amounts 0 to 499. An estimated count has a standard
  // deviation of sqrt(500 * 0.7 / 0.3) = 34, the mean of 200 one of 2.4; the sum 9,860 and 697.
  // Four of those are exceeded with a chance of 1 in 16,000.
  double count = 0, sum = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const fr::uniform sampler{.rate = 0.3, .seed = seed};
    std::vector<kept> rows;
    for (std::uint64_t i = 0; i < 500; ++i) {
      const payment value{static_cast<double>(i), {}};
      const fr::sample_decision made = sampler.decide(value, {.sequence = i});
      if (made.keep) rows.push_back(fr::make_sampled(sampler, value, made));
    }
    count += result_of(fr::estimated_count("n"), rows) / 200;
    sum += result_of(fr::estimated_sum("s", &payment::amount), rows) / 200;
  }
  CHECK(std::abs(count - 500) <= 4 * 2.4);
  CHECK(std::abs(sum - 499 * 250) <= 4 * 697);
}
