#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/ewma.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

struct dated {
  fr::timestamp at;
  double value;
};

/// The oracle: ages from the latest row, weights by their definition.
double naive_ewma(const std::vector<dated>& rows, fr::duration half_life) {
  fr::timestamp latest = fr::timestamp_min;
  for (const dated& row : rows) latest = std::max(latest, row.at);
  long double values = 0;
  long double weights = 0;
  for (const dated& row : rows) {
    const auto age = static_cast<long double>((latest - row.at).count());
    const long double weight = std::exp2(-age / static_cast<long double>(half_life.count()));
    values += weight * row.value;
    weights += weight;
  }
  return static_cast<double>(values / weights);
}

template <class A>
auto result_of_dated(const A& aggregate, const std::vector<dated>& rows) {
  fr::aggregate_state<A, reading> state;
  for (const dated& row : rows) aggregate.add(state, row_of(row.value), {row.at, {}});
  return aggregate.result(state);
}

}  // namespace

TEST_CASE("ewma agrees with the definition of its weights", "[aggregate][ewma]") {
  fr::contract_random random(1);
  for (int round = 0; round < 400; ++round) {
    const fr::duration half_life{1 + static_cast<std::int64_t>(random() >> (24 + random() % 40))};
    const auto from = static_cast<std::int64_t>(random() >> 10) - (std::int64_t{1} << 53);
    const std::uint64_t width = 1 + 20 * static_cast<std::uint64_t>(half_life.count());
    std::vector<dated> rows(1 + random() % 60);
    for (dated& row : rows) {
      row.at = fr::timestamp{fr::duration{from + static_cast<std::int64_t>(random() % width)}};
      row.value = 1 + static_cast<double>(random() >> 11) * 0x1p-50;
    }
    const double found = result_of_dated(fr::ewma("e", &reading::value, half_life), rows);
    REQUIRE(found == Approx(naive_ewma(rows, half_life)).epsilon(1e-12));
  }
}

TEST_CASE("ewma lets a value count half after the half-life", "[aggregate][ewma]") {
  const auto mean = fr::ewma("e", &reading::value, 1min);
  const fr::timestamp noon = fr::timestamp{} + 12h;
  REQUIRE(result_of_dated(mean, {{noon, 0}, {noon + 1min, 3}}) == Approx(2).epsilon(1e-15));
  REQUIRE(result_of_dated(mean, {{noon, 0}, {noon + 2min, 5}}) == Approx(4).epsilon(1e-15));
  REQUIRE(result_of_dated(mean, {{noon, 1}, {noon, 5}}) == Approx(3).epsilon(1e-15));
  // Before the epoch, too, and in any order.
  const fr::timestamp before = fr::timestamp{} - 90s;
  REQUIRE(result_of_dated(mean, {{before + 1min, 3}, {before, 0}}) == Approx(2).epsilon(1e-15));
}

TEST_CASE("ewma at the ends of time does not overflow", "[aggregate][ewma]") {
  for (const fr::duration half_life : {fr::duration{1}, fr::duration{24h}, fr::duration::max()}) {
    const auto mean = fr::ewma("e", &reading::value, half_life);
    const double found =
        result_of_dated(mean, {{fr::timestamp_max, 1}, {fr::timestamp_min, 2}, {{}, 3}});
    const bool ages_count = half_life == fr::duration::max();
    REQUIRE((ages_count ? found > 1.1 && found < 3 : found == 1.0));
  }
}

TEST_CASE("ewma of values that are not finite is NaN or infinite in every order",
          "[aggregate][ewma]") {
  const auto mean = fr::ewma("e", &reading::value, 1s);
  const fr::timestamp late = fr::timestamp{} + 24h;
  for (const double bad : {infinity, -infinity}) {
    REQUIRE(result_of_dated(mean, {{{}, bad}, {late, 1}}) == bad);
    REQUIRE(result_of_dated(mean, {{late, 1}, {{}, bad}}) == bad);
  }
  REQUIRE(std::isnan(result_of_dated(mean, {{late, 1}, {{}, quiet}})));
  REQUIRE(std::isnan(result_of_dated(mean, {{late, infinity}, {{}, -infinity}})));
  REQUIRE(std::isnan(result_of_dated(mean, {})));
}

TEST_CASE("ewma of no values is empty where values may be absent", "[aggregate][ewma]") {
  const auto optional = fr::ewma("e", &reading::perhaps, 1s);
  REQUIRE(result_of(optional, std::vector<reading>(2)) == std::nullopt);
  REQUIRE(result_of(optional, valued({4})) == 4.0);
}

TEST_CASE("ewma refuses a half-life that is not positive, and names the aggregate",
          "[aggregate][ewma]") {
  REQUIRE_THROWS_WITH(fr::ewma("e", &reading::value, 0s),
                      Catch::Matchers::Contains("aggregate 'e': half_life 0 us is not positive"));
  REQUIRE(fr::ewma("e", &reading::value, 1s).kind == "ewma(1000000 us)");
}

TEST_CASE("ewma keeps the aggregate contract to 1e-12", "[aggregate][contract]") {
  const auto draw = [](fr::contract_random& random) {
    reading row = row_of(1 + static_cast<double>(random() >> 11));
    if (random() % 3 == 0) row.perhaps.reset();
    if (random() % 300 == 0) row.value = infinity;
    return row;
  };
  // Rows are up to 8 us apart.
  const fr::aggregate_contract_options options{.tolerance = 1e-12};
  REQUIRE_NOTHROW(fr::check_aggregate(fr::ewma("e", &reading::value, 1us), draw, options));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::ewma("e", &reading::perhaps, 3us), draw, options));
}
