// Anomaly detectors against their definitions, and what they do with outliers, new levels and
// values that are none.
#include "quality/normal_values.hpp"

#include <freshet/quality/anomaly.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;
using freshet::test::normal_values;

namespace {

template <class D>
std::vector<std::size_t> flags_in(const D& how, const std::vector<double>& values) {
  typename D::state seen;
  std::vector<std::size_t> flags;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (how.add(seen, values[i]).flagged) flags.push_back(i);
  }
  return flags;
}

/// The mean and the deviation of the last values, added up anew each time.
fr::judged naive_zscore(const std::vector<double>& learned, std::size_t window, double value) {
  const std::size_t from = learned.size() - std::min(window, learned.size());
  const auto n = static_cast<double>(learned.size() - from);
  double mean = 0;
  for (std::size_t i = from; i < learned.size(); ++i) mean += learned[i] / n;
  double spread = 0;
  for (std::size_t i = from; i < learned.size(); ++i) {
    spread += (learned[i] - mean) * (learned[i] - mean);
  }
  const double deviation = std::sqrt(spread / (n - 1));
  return {std::abs(value - mean) / deviation, false, mean, deviation};
}

}  // namespace

TEST_CASE("zscore is the distance from the mean of the window, for as long as the stream goes",
          "[quality][anomaly]") {
  const fr::zscore how{.window = 40, .alarm = {.threshold = 3, .warm_up = 10, .hold = 0}};
  fr::zscore::state seen;
  std::vector<double> learned;
  std::size_t clipped = 0;
  // An offset of 1e7 with spikes of 1e5 leaves nothing behind that grows.
  std::vector<double> values = normal_values(1, 4000, 1e7);
  for (std::size_t i = 100; i < values.size(); i += 97) values[i] += 1e5;
  for (const double value : values) {
    const fr::judged found = how.add(seen, value);
    if (learned.size() < 10) {
      REQUIRE(found.score == 0);
      learned.push_back(value);
      continue;
    }
    const fr::judged wanted = naive_zscore(learned, 40, value);
    REQUIRE(found.expected == Approx(wanted.expected).epsilon(1e-12));
    REQUIRE(found.deviation == Approx(wanted.deviation).epsilon(1e-6));
    REQUIRE(found.score == Approx(wanted.score).epsilon(1e-6).margin(1e-6));
    REQUIRE(found.flagged == (found.score > 3));
    const double far = 3 * found.deviation;
    learned.push_back(std::clamp(value, found.expected - far, found.expected + far));
    if (found.flagged) ++clipped;
  }
  CHECK(clipped >= 41);
}

TEST_CASE("weights halve every half-life", "[quality][anomaly]") {
  // The mean of 0 .. n-1 with weights 2^(-age / h), once the first values no longer count.
  fr::decayed_moments seen;
  const std::vector<double> values = normal_values(2, 400);
  for (const double value : values) seen.add(value, 8);
  double weights = 0;
  double mean = 0;
  double square = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = std::exp2(-static_cast<double>(values.size() - 1 - i) / 8);
    weights += weight;
    mean += weight * values[i];
    square += weight * values[i] * values[i];
  }
  mean /= weights;
  CHECK(seen.mean == Approx(mean));
  CHECK(seen.variance == Approx(square / weights - mean * mean));
}

TEMPLATE_TEST_CASE("normal values are hardly ever flagged, and an outlier of ten deviations always",
                   "[quality][anomaly]", fr::zscore, fr::ewma_zscore, fr::triple_z) {
  std::size_t flags = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<double> values = normal_values(seed, 10'000, -4, 0.01);
    flags += flags_in(TestType{}, values).size();
    values[5000] += 0.1;
    const auto with = flags_in(TestType{}, values);
    CAPTURE(seed);
    REQUIRE(std::find(with.begin(), with.end(), 5000U) != with.end());
  }
  // 5 deviations that are known from 100 values or so: a few in 200,000.
  CHECK(flags <= 4);
}

TEMPLATE_TEST_CASE("an outlier is not learned, and a new level is", "[quality][anomaly]",
                   fr::zscore, fr::ewma_zscore, fr::triple_z) {
  const TestType how;
  typename TestType::state seen;
  for (const double value : normal_values(3, 2000)) (void)how.add(seen, value);
  REQUIRE(how.add(seen, 1e9).score == fr::anomaly_score_max);
  CHECK(how.add(seen, 0.5).deviation < 1.5);
  CHECK(how.add(seen, 12).flagged);
  // A level 1,000 deviations away is normal after a few thousand values at the latest.
  for (const double value : normal_values(4, 8000, 1000)) (void)how.add(seen, value);
  CHECK(!how.add(seen, 1000.5).flagged);
  CHECK(how.add(seen, 0).flagged);
}

TEST_CASE("after a flag no value is flagged for as long as it holds", "[quality][anomaly]") {
  std::vector<double> values = normal_values(5, 1000);
  for (std::size_t i = 500; i < 520; ++i) values[i] = 100 + static_cast<double>(i % 2) * 1e5;
  fr::ewma_zscore how;
  how.alarm.hold = 7;
  CHECK(flags_in(how, values).front() == 500);
  const auto flags = flags_in(how, values);
  for (std::size_t i = 1; i < flags.size(); ++i) CHECK(flags[i] - flags[i - 1] > 7);
  how.alarm.hold = 400;
  CHECK(flags_in(how, values) == std::vector<std::size_t>{500});
}

TEST_CASE("triple_z flags what as many baselines as asked find unusual", "[quality][anomaly]") {
  // A slow wave: far from the long mean at its crests, never from the short one.
  std::vector<double> values = normal_values(6, 6000, 0, 0.01);
  for (std::size_t i = 3000; i < 3100; ++i) values[i] += static_cast<double>(i - 3000) * 0.01;
  const auto flags = [&](std::uint32_t agree) {
    return flags_in(fr::triple_z{.agree = agree}, values).size();
  };
  CHECK(flags(1) > flags(2));
  CHECK(flags(2) > flags(3));
  CHECK(flags(3) == 0);
}

TEMPLATE_TEST_CASE("values that are no measurements are flagged and never learned",
                   "[quality][anomaly]", fr::zscore, fr::ewma_zscore, fr::triple_z) {
  TestType how;
  how.alarm.hold = 20;
  typename TestType::state seen;
  typename TestType::state clean;
  for (const double value : normal_values(7, 1000)) {
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1e200}) {
      const fr::judged found = how.add(seen, bad);
      REQUIRE(found.flagged);
      REQUIRE(found.score == fr::anomaly_score_max);
    }
    REQUIRE(how.add(seen, value).score == how.add(clean, value).score);
  }
  CHECK(fr::to_bytes(seen) == fr::to_bytes(clean));
}

TEMPLATE_TEST_CASE("what never varied has no deviation, and any other value the highest score",
                   "[quality][anomaly]", fr::zscore, fr::ewma_zscore, fr::triple_z) {
  const TestType how;
  typename TestType::state seen;
  for (int i = 0; i < 1000; ++i) REQUIRE(how.add(seen, 0.1).score == 0);
  CHECK(how.add(seen, 0.1000001).score == fr::anomaly_score_max);
  CHECK(how.add(seen, 0.1).score < 100);
}

TEMPLATE_TEST_CASE("a detector goes on from its bytes as if nothing had happened",
                   "[quality][anomaly]", fr::zscore, fr::ewma_zscore, fr::triple_z) {
  TestType how;
  how.alarm.threshold = 2;
  how.alarm.hold = 3;
  typename TestType::state whole;
  typename TestType::state restored;
  std::size_t flags = 0;
  std::size_t i = 0;
  for (const double value : normal_values(8, 2000)) {
    if (i++ % 7 == 0) restored = *fr::from_bytes<typename TestType::state>(fr::to_bytes(restored));
    const fr::judged wanted = how.add(whole, value);
    REQUIRE(fr::to_bytes(how.add(restored, value)) == fr::to_bytes(wanted));
    if (wanted.flagged) ++flags;
  }
  CHECK(flags > 10);
  CHECK(fr::to_bytes(restored) == fr::to_bytes(whole));
}

TEMPLATE_TEST_CASE("damaged states do no harm", "[quality][anomaly]", fr::zscore, fr::ewma_zscore,
                   fr::triple_z) {
  // Whatever the detector says then: sanitizers would see what it touches.
  const TestType how;
  typename TestType::state whole;
  for (const double value : normal_values(11, 1300)) (void)how.add(whole, value);
  std::mt19937_64 random(12);
  for (int round = 0; round < 100; ++round) {
    typename TestType::state seen = freshet::test::damaged(whole, random);
    for (const double value : normal_values(13, 600, 3)) (void)how.add(seen, value);
    REQUIRE(fr::from_bytes<typename TestType::state>(fr::to_bytes(seen)).ok());
  }
}

TEST_CASE("options of anomaly detectors that cannot be meant are named", "[quality][anomaly]") {
  CHECK(fr::zscore{}.check().empty());
  CHECK(fr::ewma_zscore{}.check().empty());
  CHECK(fr::triple_z{}.check().empty());
  CHECK(fr::ewma_zscore{.half_life = 0}.check() ==
        "half-life 0 is not positive; give a number of values such as 100");
  CHECK(!fr::zscore{.window = 1}.check().empty());
  CHECK(!fr::zscore{.window = 10}.check().empty());  // Less than the warm-up.
  CHECK(!fr::ewma_zscore{.alarm = {.threshold = std::nan(""), .warm_up = 50, .hold = 0}}
             .check()
             .empty());
  CHECK(!fr::ewma_zscore{.alarm = {.threshold = 5, .warm_up = 1, .hold = 0}}.check().empty());
  CHECK(!fr::triple_z{.agree = 0}.check().empty());
  CHECK(!fr::triple_z{.agree = 4}.check().empty());
  CHECK(!fr::triple_z{.half_lives = {1, 2, -1}}.check().empty());
}
