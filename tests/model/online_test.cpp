// Online learning: finds the weights that made the data, validates itself, and begins anew.
#include <freshet/model/online.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;

namespace {

struct example {
  std::vector<double> features;
  double label;
};

/// Labels of known weights: numbers with noise, or classes drawn by their probability.
std::vector<example> examples_of(std::uint64_t seed, std::size_t count, fr::loss_kind loss,
                                 const std::vector<double>& weights, double bias) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  std::vector<example> all(count);
  for (example& each : all) {
    double sum = bias;
    for (const double weight : weights) {
      each.features.push_back(normal(random));
      sum += weight * each.features.back();
    }
    each.label = loss == fr::loss_kind::squared ? sum + 0.1 * normal(random)
                                                : (uniform(random) < 1 / (1 + std::exp(-sum)));
  }
  return all;
}

}  // namespace

TEST_CASE("the weights come close to those that made the labels", "[model][online]") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    CAPTURE(seed);
    const std::vector<double> weights{2, -1, 0, 0.5};
    fr::online_linear squared;
    const fr::online_options linear{.loss = fr::loss_kind::squared, .rate = 0.01, .half_life = 200};
    for (const example& each : examples_of(seed, 5000, linear.loss, weights, 3)) {
      (void)fr::learn_one(linear, squared, each.features, each.label, 1);
    }
    fr::online_linear logistic;
    const fr::online_options classes{.loss = fr::loss_kind::logistic, .rate = 0.01};
    for (const example& each : examples_of(seed, 40'000, classes.loss, weights, -1)) {
      (void)fr::learn_one(classes, logistic, each.features, each.label, 1);
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      REQUIRE(squared.weights[i] == Approx(weights[i]).margin(0.05));
      REQUIRE(logistic.weights[i] == Approx(weights[i]).margin(0.35));
    }
    REQUIRE(squared.bias == Approx(3).margin(0.05));
    REQUIRE(logistic.bias == Approx(-1).margin(0.35));
    REQUIRE(squared.resets + logistic.resets == 0);
    // That of the noise, 0.1^2 / 2, and of the probabilities.
    REQUIRE(squared.mean_loss == Approx(0.005).margin(0.002));
    REQUIRE(logistic.mean_loss < 0.5);
  }
}

TEST_CASE("examples held out are predicted, scored, and never learned", "[model][online]") {
  const fr::online_options how{.holdout = 0.5};
  fr::online_linear model;
  fr::online_linear only;
  const auto all = examples_of(1, 2000, how.loss, {1, 1}, 0);
  std::uint64_t held = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double draw = i % 3 == 0 ? 0.25 : 0.75;
    const auto found = fr::learn_one(how, model, all[i].features, all[i].label, draw);
    REQUIRE(found.held_out == (i % 3 == 0));
    if (found.held_out) ++held;
    // A model that never sees them has the same weights.
    if (!found.held_out) {
      (void)fr::learn_one({.reset_on_drift = false}, only, all[i].features, all[i].label, 1);
    }
  }
  CHECK(model.weights == only.weights);
  CHECK(model.scored == held);
  CHECK(model.learned == all.size() - held);
}

TEST_CASE("when the concept changes the model begins anew, once", "[model][online]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    const fr::online_options how{};
    fr::online_linear model;
    for (const example& each : examples_of(seed, 3000, how.loss, {3, -3}, 0)) {
      (void)fr::learn_one(how, model, each.features, each.label, 1);
    }
    REQUIRE(model.resets == 0);
    std::size_t reset_after = 0;
    std::size_t count = 0;
    for (const example& each : examples_of(seed + 100, 1000, how.loss, {-3, 3}, 0)) {
      ++count;
      if (fr::learn_one(how, model, each.features, each.label, 1).reset) reset_after = count;
    }
    REQUIRE(model.resets == 1);
    REQUIRE(reset_after <= 100);
    REQUIRE(model.weights[0] < -1);
  }
}

TEST_CASE("far features and numbers that are none do no harm", "[model][online]") {
  for (const fr::loss_kind loss : {fr::loss_kind::squared, fr::loss_kind::logistic}) {
    const fr::online_options how{.loss = loss, .rate = 1, .reset_on_drift = false};
    fr::online_linear model;
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
      const double far = std::ldexp(1.0, static_cast<int>(random() % 100));
      const std::vector<double> features{far, -far / 3};
      (void)fr::learn_one(how, model, features, random() % 2 == 0 ? 1 : 0, 1);
      REQUIRE(std::isfinite(model.weights[0]));
      REQUIRE(std::isfinite(model.bias));
    }
    const fr::online_linear before = model;
    const double nan = std::nan("");
    CHECK(std::isnan(fr::learn_one(how, model, std::vector<double>{nan, 1}, 1, 1).prediction));
    CHECK(std::isnan(fr::learn_one(how, model, std::vector<double>{1, 1}, nan, 1).prediction));
    CHECK(model.skipped == 2);
    CHECK(model.weights == before.weights);
  }
}

TEST_CASE("the model that is handed out scores as the one that learns", "[model][online]") {
  const fr::online_options how{};
  fr::online_linear model;
  const auto all = examples_of(3, 500, how.loss, {1, -2, 0.5}, 0.3);
  for (const example& each : all) (void)fr::learn_one(how, model, each.features, each.label, 1);
  const fr::mlp out = model.model(how.loss);
  REQUIRE(out.check().empty());
  std::vector<float> score(1);
  for (const example& each : all) {
    fr::online_linear copy = model;
    const double wanted = fr::learn_one(how, copy, each.features, each.label, 1).prediction;
    out.predict(std::vector<float>(each.features.begin(), each.features.end()), score);
    REQUIRE(static_cast<double>(score[0]) == Approx(wanted).margin(1e-5));
  }
}

TEST_CASE("options of learning that cannot be meant are named", "[model][online]") {
  CHECK(fr::online_options{}.check().empty());
  CHECK(!fr::online_options{.rate = 0}.check().empty());
  CHECK(!fr::online_options{.decay = -1}.check().empty());
  CHECK(!fr::online_options{.holdout = 1}.check().empty());
  CHECK(!fr::online_options{.half_life = std::nan("")}.check().empty());
}
