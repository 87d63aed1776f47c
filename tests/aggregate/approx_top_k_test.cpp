#include "aggregate/rows.hpp"
#include "catch.hpp"
#include "sketch/shapes.hpp"

#include <freshet/aggregate/approx_top_k.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

using exact_counts = std::map<std::string, std::uint64_t>;

/// Labels of which each comes about twice as often as those of twice its number.
std::vector<reading> zipf_rows(std::uint64_t seed, std::size_t count, exact_counts& exact) {
  std::mt19937_64 random(seed);
  std::vector<reading> rows(count);
  for (reading& row : rows) {
    row.label = "page " + std::to_string(static_cast<int>(draw_zipf(random)));
    ++exact[row.label];
  }
  return rows;
}

/// What the documentation promises of a result over `rows` rows.
void require_bounds(const std::vector<fr::frequent_value<std::string>>& found,
                    const exact_counts& exact, std::size_t rows, fr::top_k_options options) {
  REQUIRE(found.size() == std::min(options.k, exact.size()));
  for (const auto& each : found) {
    const std::uint64_t wanted = exact.at(each.value);
    REQUIRE(each.at_least() <= wanted);
    REQUIRE(wanted <= each.count);
    REQUIRE(each.error <= rows / options.capacity);
  }
  std::vector<std::uint64_t> counts;
  for (const auto& [value, count] : exact) counts.push_back(count);
  std::sort(counts.rbegin(), counts.rend());
  // Of those above n / capacity, the k-th one found has no lower bound than its place demands.
  for (std::size_t place = 0; place < found.size(); ++place) {
    if (counts[place] > rows / options.capacity) REQUIRE(found[place].count >= counts[place]);
  }
}

}  // namespace

TEST_CASE("approx_top_k keeps its bounds and finds what is frequent, in one state and in many",
          "[aggregate][approx_top_k]") {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    for (const fr::top_k_options options :
         {fr::top_k_options{5, 20}, fr::top_k_options{10, 200}, fr::top_k_options{3, 3}}) {
      exact_counts exact;
      const auto rows = zipf_rows(seed, 4000, exact);
      const auto top = fr::approx_top_k("top", &reading::label, options);
      require_bounds(result_of(top, rows), exact, rows.size(), options);
      std::vector<decltype(fold(top, rows))> parts(4);
      for (std::size_t i = 0; i < rows.size(); ++i) top.add(parts[i / 7 % 4], rows[i]);
      for (std::size_t i = 1; i < parts.size(); ++i) top.merge(parts[0], parts[i]);
      require_bounds(top.result(parts[0]), exact, rows.size(), options);
    }
  }
}

TEST_CASE("approx_top_k is exact while every value has a counter", "[aggregate][approx_top_k]") {
  const auto top = fr::approx_top_k("top", &reading::whole, {.k = 2, .capacity = 4});
  const auto found = result_of(top, wholes({7, 1, 7, 2, 7, 1, 3}));
  REQUIRE(found == std::vector<fr::frequent_value<std::int64_t>>{{7, 3, 0}, {1, 2, 0}});
  REQUIRE(result_of(top, std::vector<reading>{}).empty());
  REQUIRE(result_of(fr::approx_top_k("top", &reading::note), std::vector<reading>(3)).empty());
}

TEST_CASE("approx_top_k takes values that are the same for one", "[aggregate][approx_top_k]") {
  constexpr double quiet = std::numeric_limits<double>::quiet_NaN();
  const auto top = fr::approx_top_k("top", &reading::value);
  const auto found = result_of(top, valued({-0.0, 0.0, -0.0, quiet, -quiet}));
  REQUIRE(found.size() == 2);
  REQUIRE(found[0].count == 3);
  REQUIRE_FALSE(std::signbit(found[0].value));
  REQUIRE(found[1].count == 2);
}

TEST_CASE("approx_top_k refuses options out of range, and names the aggregate",
          "[aggregate][approx_top_k]") {
  for (const fr::top_k_options wrong :
       {fr::top_k_options{0, 5}, fr::top_k_options{6, 5}, fr::top_k_options{1, 1U << 21}}) {
    REQUIRE_THROWS_WITH(fr::approx_top_k("top", &reading::label, wrong),
                        Catch::Matchers::Contains("aggregate 'top': k "));
  }
  REQUIRE(fr::approx_top_k("top", &reading::label).kind == "approx_top_k(1000)");
}

TEST_CASE("approx_top_k with enough counters keeps the aggregate contract bit by bit",
          "[aggregate][contract]") {
  REQUIRE_NOTHROW(
      fr::check_aggregate(fr::approx_top_k("top", &reading::label, {.k = 3, .capacity = 40}),
                          draw_reading, {.cases = 300}));
  REQUIRE_NOTHROW(
      fr::check_aggregate(fr::approx_top_k("top", &reading::perhaps, {.k = 40, .capacity = 40}),
                          draw_reading, {.cases = 300}));
}

TEST_CASE("approx_top_k goes on from its bytes as if there had been no stop",
          "[aggregate][approx_top_k]") {
  const auto top = fr::approx_top_k("top", &reading::label, {.k = 5, .capacity = 8});
  exact_counts exact;
  const auto rows = zipf_rows(3, 2000, exact);
  auto straight = fold(top, std::vector<reading>{});
  auto stopped = straight;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    top.add(straight, rows[i]);
    top.add(stopped, rows[i]);
    if (i % 37 == 0) stopped = *fr::from_bytes<decltype(stopped)>(fr::to_bytes(stopped));
  }
  REQUIRE(top.result(stopped) == top.result(straight));
  REQUIRE(fr::to_bytes(stopped) == fr::to_bytes(straight));
}
