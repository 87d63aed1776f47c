// The benchmark's rules: worked examples, and the sweep over thresholds against trying them all.
#include "nab/rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

namespace {

/// Rows 0 .. 19, of which the first 3 are not scored; a window at 10 .. 14.
nab::series one_window(std::vector<std::size_t> detected) {
  nab::series of{"one", std::vector<double>(20, 0.0), {{10, 14}}};
  for (const std::size_t row : detected) of.scores[row] = 1;
  return of;
}

}  // namespace

TEST_CASE("the benchmark's sigmoid has the values it is published with", "[quality][nab]") {
  CHECK(nab::scaled_sigmoid(-1) == Approx(0.98661).margin(1e-5));
  CHECK(nab::scaled_sigmoid(-0.5) == Approx(0.84828).margin(1e-5));
  CHECK(nab::scaled_sigmoid(0) == 0);
  CHECK(nab::scaled_sigmoid(1) == Approx(-0.98661).margin(1e-5));
  CHECK(nab::scaled_sigmoid(3) == -1);
  CHECK(nab::probation_of(1000) == 150);
  CHECK(nab::probation_of(1999) == 299);
  CHECK(nab::probation_of(100'000) == 750);
}

TEST_CASE("a window is worth its earliest detection, and each false alarm costs",
          "[quality][nab]") {
  CHECK(nab::score_at(one_window({}), 1) == -1);
  CHECK(nab::score_at(one_window({10}), 1) == Approx(1));
  CHECK(nab::score_at(one_window({10, 11, 12, 14}), 1) == Approx(1));
  CHECK(nab::score_at(one_window({14}), 1) == Approx(0.46212 / 0.98661).margin(1e-4));
  CHECK(nab::score_at(one_window({5}), 1) == Approx(-1.11));
  CHECK(nab::score_at(one_window({16}), 1) == Approx(-1 - 0.11 * 0.84828).margin(1e-5));
  CHECK(nab::score_at(one_window({2}), 1) == -1);  // Within the probation.
  CHECK(nab::score_at(one_window({10}), 1.5) == -1);
}

TEST_CASE("nothing found is worth 0, everything at once 100", "[quality][nab]") {
  CHECK(nab::best_of({one_window({}), one_window({})}).normalized == 0);
  CHECK(nab::best_of({one_window({10}), one_window({10})}).normalized == Approx(100));
  CHECK(nab::best_of({one_window({10}), one_window({})}).normalized == Approx(50));
  // Noise everywhere is worse than silence, so that the threshold stays above it.
  nab::series noise = one_window({});
  noise.scores.assign(40, 0.5);
  noise.windows = {{38, 39}};
  CHECK(nab::best_of({noise}).normalized == 0);
}

TEST_CASE("the best threshold is the best of all thresholds", "[quality][nab]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<nab::series> all(1 + random() % 3);
    std::vector<double> thresholds{std::numeric_limits<double>::infinity()};
    for (nab::series& of : all) {
      of.scores.resize(10 + random() % 60);
      for (double& each : of.scores) each = static_cast<double>(random() % 12);
      thresholds.insert(thresholds.end(), of.scores.begin(), of.scores.end());
      const std::size_t first = random() % of.scores.size();
      of.windows = {{first, std::min(first + random() % 8, of.scores.size() - 1)}};
    }
    double best = -std::numeric_limits<double>::infinity();
    for (const double threshold : thresholds) {
      double sum = 0;
      for (const nab::series& of : all) sum += nab::score_at(of, threshold);
      best = std::max(best, sum);
    }
    CAPTURE(round);
    REQUIRE(nab::best_of(all).raw == Approx(best).margin(1e-9));
  }
}
