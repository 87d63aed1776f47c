// The parts of bench/sampling_benchmark: its scores against definitions, its network against
// numerical slopes, and its statistics.
#include "catch.hpp"

#include <dataset.hpp>
#include <mlp.hpp>
#include <scores.hpp>
#include <statistics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

using namespace sampling_benchmark;

namespace {

/// Precision summed over the positive rows, each at the threshold that just admits it.
double precision_by_definition(const std::vector<float>& scores,
                               const std::vector<bool>& positive) {
  double sum = 0;
  double found = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!positive[i]) continue;
    double said = 0, right = 0;
    for (std::size_t j = 0; j < scores.size(); ++j) {
      said += scores[j] >= scores[i] ? 1 : 0;
      right += scores[j] >= scores[i] && positive[j] ? 1 : 0;
    }
    sum += right / said;
    ++found;
  }
  return found > 0 ? sum / found : 0;
}

double balanced_by_definition(const predictions& of, float threshold) {
  std::array<double, 2> right{}, rows{};
  for (std::size_t i = 0; i < of.labels.size(); ++i) {
    const bool said = of.probabilities[2 * i + 1] >= threshold;
    rows[of.labels[i]] += 1;
    right[of.labels[i]] += said == (of.labels[i] == 1) ? 1 : 0;
  }
  return (right[0] / rows[0] + right[1] / rows[1]) / 2;
}

}  // namespace

TEST_CASE("average precision is the mean precision at the positive rows, ties together",
          "[sampling_benchmark]") {
  std::mt19937_64 random(1);
  for (std::size_t round = 0; round < 200; ++round) {
    std::vector<float> scores;
    std::vector<bool> positive;
    for (std::size_t i = 0; i < 1 + round % 40; ++i) {
      scores.push_back(static_cast<float>(random() % 12) / 12);
      positive.push_back(random() % 3 == 0);
    }
    REQUIRE(average_precision(scores, positive) ==
            Approx(precision_by_definition(scores, positive)).margin(1e-12));
  }
  CHECK(average_precision(std::vector<float>{0.1F, 0.9F}, {false, true}) == 1);
}

TEST_CASE("no threshold has a better balanced accuracy than the one that is tuned",
          "[sampling_benchmark]") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    predictions some;
    for (std::size_t i = 0; i < 30; ++i) {
      const float score = static_cast<float>(random() % 10) / 10;
      some.probabilities.insert(some.probabilities.end(), {1 - score, score});
      some.labels.push_back(static_cast<std::uint8_t>(i < 2 ? i : random() % 2));
    }
    const std::vector<float> tuned = tune_thresholds(some);
    REQUIRE(tuned.size() == 1);
    const double found = balanced_accuracy(some, tuned);
    REQUIRE(found == Approx(balanced_by_definition(some, tuned[0])));
    for (int step = 0; step <= 10; ++step) {
      REQUIRE(found >= balanced_by_definition(some, static_cast<float>(step) / 10) - 1e-9);
    }
  }
}

TEST_CASE("log-loss and macro PR-AUC average over rows and classes", "[sampling_benchmark]") {
  const predictions three{3, {0.5F, 0.25F, 0.25F, 0.1F, 0.8F, 0.1F, 0.2F, 0.2F, 0.6F}, {0, 1, 2}};
  CHECK(log_loss(three) == Approx(-(std::log(0.5) + std::log(0.8) + std::log(0.6)) / 3));
  CHECK(pr_auc(three) == Approx(1));
  predictions turned = three;
  turned.labels = {1, 0, 2};
  CHECK(pr_auc(turned) == Approx((1.0 / 3 + 1.0 / 2 + 1) / 3));
}

TEST_CASE("the network falls down the slope of its loss, with offsets and without",
          "[sampling_benchmark]") {
  // Adam's first step has the size of the learning rate in every weight that has a slope, against
  // its sign: so the loss must fall by about as much for any row, label and number of classes.
  std::mt19937_64 random(3);
  for (const std::size_t classes : {2U, 5U}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      std::array<float, 6> row;
      for (float& number : row) number = static_cast<float>(random() % 100) / 50 - 1;
      const std::array<float, 5> offsets{0, -1, 1, 0.5F, -2};
      const float* const given = seed % 2 == 0 ? nullptr : offsets.data();
      const std::size_t label = random() % classes;
      mlp model(row.size(), classes, 1e-4, seed);
      const double before = model.learn(row.data(), label, given);
      model.finish();
      const double after = model.learn(row.data(), label, given);
      INFO("classes " << classes << " seed " << seed << ": " << before << " then " << after);
      REQUIRE(after < before);
      std::array<float, 5> probabilities;
      model.predict(row.data(), probabilities.data());
      float sum = 0;
      for (std::size_t k = 0; k < classes; ++k) sum += probabilities[k];
      REQUIRE(sum == Approx(1));
    }
  }
}

TEST_CASE("the network learns what no line separates", "[sampling_benchmark]") {
  mlp model(2, 2, 0.01, 4);
  std::mt19937_64 random(4);
  const auto draw = [&random](std::array<float, 2>& row) {
    for (float& number : row) number = random() % 2 == 0 ? 1.0F : -1.0F;
    return row[0] * row[1] < 0 ? 1U : 0U;
  };
  std::array<float, 2> row;
  for (int i = 0; i < 64 * 200; ++i) {
    const std::size_t label = draw(row);
    model.learn(row.data(), label);
  }
  for (int i = 0; i < 20; ++i) {
    const std::size_t label = draw(row);
    std::array<float, 2> probabilities;
    model.predict(row.data(), probabilities.data());
    CHECK(probabilities[label] > 0.9F);
  }
}

TEST_CASE("offsets move the logits while learning only", "[sampling_benchmark]") {
  // Learning from labels that are half positive, with an offset of ln 9 for the positive ones,
  // gives a model that says 0.1: what the labels would be had nothing been favoured.
  mlp model(1, 2, 0.01, 5);
  const std::array<float, 1> row{1};
  const std::array<float, 2> offsets{0, static_cast<float>(std::log(9.0))};
  for (std::size_t i = 0; i < 64 * 500; ++i) model.learn(row.data(), i % 2, offsets.data());
  std::array<float, 2> probabilities;
  model.predict(row.data(), probabilities.data());
  CHECK(probabilities[1] == Approx(0.1).epsilon(0.05));
}

TEST_CASE("medians, and the lower bound of Student's t", "[sampling_benchmark]") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(median_of({3, 1, 2}) == 2);
  CHECK(median_of({4, 1, 3, 2}) == 2.5);
  CHECK(median_of({infinity, infinity, 1, infinity}) == infinity);
  // Mean 2, deviation 1, n = 3: 2 - 4.303 / sqrt(3).
  CHECK(lower_bound_95({1, 2, 3}) == Approx(2 - 4.303 / std::sqrt(3.0)));
  CHECK(lower_bound_95({5}) == -infinity);
}

TEST_CASE("rows that are made are the same in every run, and standardised ones have mean 0",
          "[sampling_benchmark]") {
  dataset data = make_rows(5000);
  CHECK(data.train.numbers == make_rows(5000).train.numbers);
  CHECK(data.train.size() == 3600);
  CHECK(data.times.size() == data.train.size());
  CHECK(std::is_sorted(data.times.begin(), data.times.end()));
  standardise(data);
  double sum = 0, squares = 0;
  for (std::size_t row = 0; row < data.train.size(); ++row) {
    const double number = data.train.numbers[row * data.features];
    sum += number;
    squares += number * number;
  }
  CHECK(sum / 3600 == Approx(0).margin(1e-3));
  CHECK(squares / 3600 == Approx(1).epsilon(1e-3));
}
