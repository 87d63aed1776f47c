// Networks against their definition in double, in batches of any size, and in 8 bits.
#include <freshet/model/mlp.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;

namespace {

fr::mlp random_model(std::mt19937_64& random, const std::vector<std::uint32_t>& sizes) {
  std::normal_distribution<float> normal;
  fr::mlp model;
  model.link = random() % 2 == 0 ? fr::output_link::identity : fr::output_link::logistic;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    fr::dense_layer layer{sizes[i], sizes[i + 1], {}, {}};
    const float unit = 1 / std::sqrt(static_cast<float>(sizes[i]));
    for (std::size_t w = 0; w < std::size_t{sizes[i]} * sizes[i + 1]; ++w) {
      layer.weights.push_back(normal(random) * unit);
    }
    for (std::uint32_t b = 0; b < sizes[i + 1]; ++b) layer.bias.push_back(normal(random) / 4);
    model.layers.push_back(std::move(layer));
  }
  return model;
}

std::vector<float> random_features(std::mt19937_64& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> all(count);
  for (float& each : all) each = normal(random);
  return all;
}

std::vector<double> naive(const fr::mlp& model, std::vector<double> row) {
  for (std::size_t l = 0; l < model.layers.size(); ++l) {
    const fr::dense_layer& layer = model.layers[l];
    std::vector<double> next(layer.outputs);
    for (std::size_t j = 0; j < layer.outputs; ++j) {
      next[j] = static_cast<double>(layer.bias[j]);
      for (std::size_t i = 0; i < layer.inputs; ++i) {
        next[j] += row[i] * static_cast<double>(layer.weights[i * layer.outputs + j]);
      }
      if (l + 1 < model.layers.size()) next[j] = std::max(next[j], 0.0);
    }
    row = next;
  }
  if (model.link == fr::output_link::logistic) {
    for (double& each : row) each = 1 / (1 + std::exp(-each));
  }
  return row;
}

}  // namespace

TEST_CASE("a network gives what its definition gives", "[model][mlp]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::uint32_t> sizes;
    for (std::size_t i = 2 + random() % 3; i > 0; --i) {
      sizes.push_back(static_cast<std::uint32_t>(1 + random() % 40));
    }
    const fr::mlp model = random_model(random, sizes);
    REQUIRE(model.check().empty());
    const std::vector<float> features = random_features(random, model.inputs());
    std::vector<float> scores(model.outputs());
    model.predict(features, scores);
    const std::vector<double> wanted = naive(model, {features.begin(), features.end()});
    for (std::size_t j = 0; j < scores.size(); ++j) {
      REQUIRE(static_cast<double>(scores[j]) == Approx(wanted[j]).epsilon(1e-4).margin(1e-5));
    }
  }
}

TEST_CASE("a row's scores do not depend on its batch, to the last bit", "[model][mlp]") {
  std::mt19937_64 random(2);
  const fr::mlp model = random_model(random, {13, 33, 7, 2});
  const fr::quantized_mlp small = fr::quantize(model);
  const std::vector<float> features = random_features(random, 13 * 100);
  const auto check = [&](const auto& any) {
    std::vector<float> whole(200);
    any.predict(features, whole);
    for (const std::size_t rows : {1U, 2U, 3U, 7U, 64U}) {
      std::vector<float> parts;
      for (std::size_t at = 0; at < 100; at += rows) {
        const std::size_t count = std::min<std::size_t>(rows, 100 - at);
        std::vector<float> part(count * 2);
        any.predict(std::span(features).subspan(at * 13, count * 13), part);
        parts.insert(parts.end(), part.begin(), part.end());
      }
      REQUIRE(parts == whole);
    }
  };
  check(model);
  check(small);
}

TEST_CASE("eight bits cost little: scores are off by about a hundredth of their spread",
          "[model][mlp]") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 10; ++round) {
    fr::mlp model = random_model(random, {32, 64, 1});
    model.link = fr::output_link::identity;
    const fr::quantized_mlp small = fr::quantize(model);
    const std::vector<float> features = random_features(random, 32 * 500);
    std::vector<float> exact(500);
    std::vector<float> rounded(500);
    model.predict(features, exact);
    small.predict(features, rounded);
    double error = 0;
    double spread = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      error += std::pow(static_cast<double>(exact[i] - rounded[i]), 2);
      spread += std::pow(static_cast<double>(exact[i] - model.layers.back().bias[0]), 2);
    }
    CAPTURE(round);
    REQUIRE(std::sqrt(error / spread) < 0.03);
    REQUIRE(error > 0);  // Else it would not be in 8 bits.
  }
}

TEST_CASE("features that are no numbers give scores that are none", "[model][mlp]") {
  std::mt19937_64 random(4);
  fr::mlp model = random_model(random, {3, 4, 1});
  for (float& each : model.layers[0].weights) each = -1;  // NaN must not be rectified away.
  const fr::quantized_mlp small = fr::quantize(model);
  const std::vector<float> features{1, std::nanf(""), 2};
  std::vector<float> scores(1);
  model.predict(features, scores);
  CHECK(std::isnan(scores[0]));
  small.predict(features, scores);
  CHECK(std::isnan(scores[0]));
  small.predict(std::vector<float>{0, 0, 0}, scores);
  CHECK(std::isfinite(scores[0]));
}

TEST_CASE("models and rows that do not fit are refused", "[model][mlp]") {
  std::mt19937_64 random(5);
  const fr::mlp good = random_model(random, {3, 4, 1});
  CHECK(fr::mlp{}.check() == "the model has no layers; give it at least one");
  fr::mlp bad = good;
  bad.layers[1].inputs = 5;
  CHECK(!bad.check().empty());
  bad = good;
  bad.layers[0].weights.pop_back();
  CHECK(bad.check() == "layer 0 has 11 weights and 4 biases, wanted 12 and 4");
  bad = good;
  bad.layers[0].weights[0] = std::numeric_limits<float>::infinity();
  CHECK(!bad.check().empty());
  CHECK_THROWS_AS(fr::quantize(bad), std::invalid_argument);
  std::vector<float> scores(1);
  CHECK_THROWS_AS(good.predict(std::vector<float>(4), scores), std::invalid_argument);
  CHECK_THROWS_AS(good.predict(std::vector<float>(6), scores), std::invalid_argument);
  CHECK_THROWS_AS(fr::mlp{}.predict({}, {}), std::invalid_argument);
  // Also what nobody has checked, such as a model from damaged bytes.
  bad = good;
  bad.layers[1].weights.pop_back();
  CHECK_THROWS_AS(bad.predict(std::vector<float>(3), scores), std::invalid_argument);
  fr::quantized_mlp small = fr::quantize(good);
  small.layers[0].scales.pop_back();
  CHECK_THROWS_AS(small.predict(std::vector<float>(3), scores), std::invalid_argument);
}

TEST_CASE("a model keeps its bits through its bytes", "[model][mlp]") {
  std::mt19937_64 random(6);
  const fr::mlp model = random_model(random, {5, 6, 2});
  CHECK(fr::to_bytes(*fr::from_bytes<fr::mlp>(fr::to_bytes(model))) == fr::to_bytes(model));
  const fr::quantized_mlp small = fr::quantize(model);
  CHECK(fr::to_bytes(*fr::from_bytes<fr::quantized_mlp>(fr::to_bytes(small))) ==
        fr::to_bytes(small));
}
