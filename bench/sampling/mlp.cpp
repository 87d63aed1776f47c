// The network: every inner loop runs over the 32 hidden units, so that it is compiled to vectors.
#include "mlp.hpp"

#include <freshet/sampling/sampler.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

namespace sampling_benchmark {
namespace {

constexpr std::size_t classes_max = 16;

/// Turns logits of all classes into probabilities.
void softmax(float* logits, std::size_t classes) {
  const float largest = *std::max_element(logits, logits + classes);
  float sum = 0;
  for (std::size_t i = 0; i < classes; ++i) sum += logits[i] = std::exp(logits[i] - largest);
  for (std::size_t i = 0; i < classes; ++i) logits[i] /= sum;
}

}  // namespace

mlp::mlp(std::size_t features, std::size_t classes, double learning_rate, std::uint64_t seed)
    : features_(features),
      classes_(classes),
      outputs_(classes == 2 ? 1 : classes),
      learning_rate_(learning_rate),
      weights_(features * hidden + hidden + outputs_ * hidden + outputs_),
      gradient_(weights_.size()),
      mean_(weights_.size()),
      square_(weights_.size()) {
  std::mt19937_64 random(seed);
  const auto normal = [&random] {
    const double radius = std::sqrt(-2 * std::log(1 - freshet::unit_interval(random())));
    return radius * std::cos(6.283185307179586 * freshet::unit_interval(random()));
  };
  const double first = std::sqrt(2.0 / static_cast<double>(features));
  for (std::size_t i = 0; i < hidden_bias(); ++i) {
    weights_[i] = static_cast<float>(normal() * first);
  }
  const double second = std::sqrt(1.0 / static_cast<double>(hidden));
  for (std::size_t i = output_weights(); i < output_bias(); ++i) {
    weights_[i] = static_cast<float>(normal() * second);
  }
}

void mlp::forward(const float* row, float* units, float* logits) const {
  std::copy_n(&weights_[hidden_bias()], hidden, units);
  for (std::size_t i = 0; i < features_; ++i) {
    const float number = row[i];
    if (number == 0) continue;
    const float* const weights = &weights_[i * hidden];
    for (std::size_t j = 0; j < hidden; ++j) units[j] += number * weights[j];
  }
  for (std::size_t j = 0; j < hidden; ++j) units[j] = std::max(units[j], 0.0F);
  const std::size_t fixed = classes_ - outputs_;  // The first of two classes has the logit 0.
  std::fill_n(logits, fixed, 0.0F);
  for (std::size_t k = 0; k < outputs_; ++k) {
    const float* const weights = &weights_[output_weights() + k * hidden];
    float sum = weights_[output_bias() + k];
    for (std::size_t j = 0; j < hidden; ++j) sum += weights[j] * units[j];
    logits[fixed + k] = sum;
  }
}

double mlp::learn(const float* row, std::size_t label, const float* offsets) {
  std::array<float, hidden> units;
  std::array<float, classes_max> output;
  forward(row, units.data(), output.data());
  if (offsets != nullptr) {
    for (std::size_t k = 0; k < classes_; ++k) output[k] += offsets[k];
  }
  softmax(output.data(), classes_);
  const double loss = -std::log(std::max(1e-12, static_cast<double>(output[label])));

  const std::size_t fixed = classes_ - outputs_;
  std::array<float, hidden> back{};
  for (std::size_t k = 0; k < outputs_; ++k) {
    const float error = output[fixed + k] - (label == fixed + k ? 1.0F : 0.0F);
    const float* const weights = &weights_[output_weights() + k * hidden];
    float* const gradient = &gradient_[output_weights() + k * hidden];
    gradient_[output_bias() + k] += error;
    for (std::size_t j = 0; j < hidden; ++j) {
      gradient[j] += error * units[j];
      back[j] += error * weights[j];
    }
  }
  for (std::size_t j = 0; j < hidden; ++j) {
    if (units[j] <= 0) back[j] = 0;
    gradient_[hidden_bias() + j] += back[j];
  }
  for (std::size_t i = 0; i < features_; ++i) {
    const float number = row[i];
    if (number == 0) continue;
    float* const gradient = &gradient_[i * hidden];
    for (std::size_t j = 0; j < hidden; ++j) gradient[j] += number * back[j];
  }
  if (++waiting_ == batch_rows) step();
  return loss;
}

void mlp::finish() {
  if (waiting_ > 0) step();
}

void mlp::step() {
  constexpr float mean_decay = 0.9F;
  constexpr float square_decay = 0.999F;
  mean_decayed_ *= mean_decay;
  square_decayed_ *= square_decay;
  const auto scale = 1.0F / static_cast<float>(waiting_);
  const auto rate = static_cast<float>(learning_rate_ / (1 - mean_decayed_));
  const auto correction = static_cast<float>(1 / (1 - square_decayed_));
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const float slope = gradient_[i] * scale;
    mean_[i] = mean_decay * mean_[i] + (1 - mean_decay) * slope;
    square_[i] = square_decay * square_[i] + (1 - square_decay) * slope * slope;
    weights_[i] -= rate * mean_[i] / (std::sqrt(square_[i] * correction) + 1e-8F);
    gradient_[i] = 0;
  }
  waiting_ = 0;
}

void mlp::predict(const float* row, float* probabilities) const {
  std::array<float, hidden> units;
  forward(row, units.data(), probabilities);
  softmax(probabilities, classes_);
}

}  // namespace sampling_benchmark
