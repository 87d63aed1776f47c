// The statistics of two windows against their definitions.
#include <freshet/quality/windows.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;

namespace {

double share_up_to(const std::vector<double>& values, double at) {
  const auto below = std::count_if(values.begin(), values.end(), [&](double v) { return v <= at; });
  return static_cast<double>(below) / static_cast<double>(values.size());
}

double naive_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (const auto* all : {&a, &b}) {
    for (const double at : *all) {
      largest = std::max(largest, std::abs(share_up_to(a, at) - share_up_to(b, at)));
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("the distance of two samples is that of their distribution functions, ties included",
          "[quality][windows]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<double> a(1 + random() % 40);
    std::vector<double> b(1 + random() % 40);
    const std::uint64_t distinct = 1 + random() % 50;
    for (double& each : a) each = static_cast<double>(random() % distinct);
    for (double& each : b) each = static_cast<double>(random() % distinct) + (round % 3);
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    CAPTURE(round);
    REQUIRE(fr::ks_distance(a, b) == naive_distance(a, b));
  }
}

TEST_CASE("samples of one distribution are further apart than the bound as often as alpha says",
          "[quality][windows]") {
  // 20,000 pairs at alpha 0.05: 1,000 expected if the asymptotic bound were exact, with a deviation
  // of 31; it is on the safe side.
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> uniform;
  int further = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::array<double, 100> a{};
    std::array<double, 100> b{};
    for (double& each : a) each = uniform(random);
    for (double& each : b) each = uniform(random);
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    further += fr::ks_distance(a, b) > fr::ks_bound(0.05, 100, 100) ? 1 : 0;
  }
  CHECK(further <= 1100);
  CHECK(further >= 600);
}

TEST_CASE("the population stability index of a known pair is 0.2282", "[quality][windows]") {
  const std::array<std::uint64_t, 4> expected{25, 25, 25, 25};
  const std::array<std::uint64_t, 4> actual{10, 20, 30, 40};
  CHECK(fr::population_stability_index(expected, actual) == Approx(0.2282).margin(5e-5));
  CHECK(fr::population_stability_index(actual, expected) == Approx(0.2282).margin(5e-5));
  CHECK(fr::population_stability_index(expected, expected) == 0);
}

TEST_CASE("empty bins count as half a record, and no records as no change", "[quality][windows]") {
  const std::array<std::uint64_t, 2> all_left{100, 0};
  const std::array<std::uint64_t, 2> all_right{0, 100};
  const std::array<std::uint64_t, 2> none{0, 0};
  CHECK(fr::population_stability_index(all_left, all_right) ==
        Approx(2 * 0.995 * std::log(1 / 0.005)));
  CHECK(fr::population_stability_index(all_left, none) == 0);
  CHECK(fr::population_stability_index(none, all_right) == 0);
  CHECK(fr::population_stability_index({}, {}) == 0);
}

TEST_CASE("a window that differs becomes the reference", "[quality][windows]") {
  // Two levels in turn, of 100 values each: each is a change, and none is one any more once it has
  // come twice in a row.
  const fr::ks_windows how{.window = 100, .alpha = 1e-4};
  fr::ks_windows::state seen;
  std::vector<int> found;
  for (int window = 0; window < 8; ++window) {
    const int level = std::array{0, 0, 5, 5, 0, 5, 5, 5}[static_cast<std::size_t>(window)];
    bool any = false;
    for (int i = 0; i < 100; ++i) any |= how.add(seen, level + i * 0.01).has_value();
    if (any) found.push_back(window);
  }
  CHECK(found == std::vector<int>{2, 4, 5});
}
