// Scoring with small networks.
//
// In both kinds of weights one row is computed by one function, whatever batch it comes in, so that
// its bits do not depend on the batch. Loops over outputs (floats) and over inputs (integers) are
// those that compilers vectorise without changing an order of additions.
#include <freshet/model/mlp.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace freshet {

namespace {

float finish(float sum, output_link link) {
  return link == output_link::logistic ? 1 / (1 + std::exp(-sum)) : sum;
}

/// Negative sums become 0; a NaN stays one.
void rectify(std::span<float> sums) {
  for (float& sum : sums) sum = sum < 0 ? 0 : sum;
}

void apply(const dense_layer& layer, std::span<const float> in, std::span<float> out) {
  std::copy(layer.bias.begin(), layer.bias.end(), out.begin());
  const float* weights = layer.weights.data();
  float* const sums = out.data();
  const std::size_t outputs = layer.outputs;
  for (const float value : in) {
    for (std::size_t j = 0; j < outputs; ++j) sums[j] += value * weights[j];
    weights += outputs;
  }
}

/// Room for a row on its way through the layers.
struct row_buffers {
  std::vector<float> in;
  std::vector<float> out;
  std::vector<std::int16_t> rounded;
};

void apply(const quantized_layer& layer, std::span<const float> in, std::span<float> out,
           std::vector<std::int16_t>& rounded) {
  float largest = 0;
  bool finite = true;
  for (const float value : in) {
    finite &= std::isfinite(value);
    largest = std::max(largest, std::abs(value));
  }
  if (!finite) {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const float scale = largest / 127;
  rounded.resize(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    rounded[i] = scale > 0 ? static_cast<std::int16_t>(std::lrint(in[i] / scale)) : std::int16_t{0};
  }
  const std::int8_t* weights = layer.weights.data();
  const std::size_t inputs = layer.inputs;
  const std::int16_t* const values = rounded.data();
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < inputs; ++i) {
      sum += static_cast<std::int32_t>(values[i]) * static_cast<std::int32_t>(weights[i]);
    }
    weights += inputs;
    out[j] = static_cast<float>(sum) * (scale * layer.scales[j]) + layer.bias[j];
  }
}

template <class Model>
void require_sizes(const Model& model, std::span<const float> features, std::span<float> scores) {
  const std::size_t inputs = model.inputs();
  const std::size_t outputs = model.outputs();
  if (inputs > 0 && features.size() % inputs == 0 &&
      scores.size() == features.size() / inputs * outputs) {
    return;
  }
  throw std::invalid_argument(fmt::format(
      "predict: {} features and room for {} scores do not fit a model of {} inputs and {} outputs; "
      "give whole rows and room for each of them",
      features.size(), scores.size(), inputs, outputs));
}

template <class Model, class Apply>
void predict_rows(const Model& model, std::span<const float> features, std::span<float> scores,
                  Apply&& apply_layer) {
  require_sizes(model, features, scores);
  row_buffers row;
  const std::size_t inputs = model.inputs();
  const std::size_t outputs = model.outputs();
  for (std::size_t at = 0; at * inputs < features.size(); ++at) {
    std::span<const float> in = features.subspan(at * inputs, inputs);
    for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
      row.out.resize(model.layers[layer].outputs);
      apply_layer(model.layers[layer], in, row);
      if (layer + 1 < model.layers.size()) rectify(row.out);
      row.in.swap(row.out);
      in = row.in;
    }
    for (std::size_t j = 0; j < outputs; ++j) scores[at * outputs + j] = finish(in[j], model.link);
  }
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float each) { return std::isfinite(each); });
}

/// What is wrong with the shape of the layers.
template <class Layer>
std::string check_shape(const std::vector<Layer>& layers) {
  if (layers.empty()) return "the model has no layers; give it at least one";
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& each = layers[i];
    if (each.inputs == 0 || each.outputs == 0) {
      return fmt::format("layer {} has {} inputs and {} outputs; give it at least one of each", i,
                         each.inputs, each.outputs);
    }
    const std::size_t weights = std::size_t{each.inputs} * each.outputs;
    if (each.weights.size() != weights || each.bias.size() != each.outputs) {
      return fmt::format("layer {} has {} weights and {} biases, wanted {} and {}", i,
                         each.weights.size(), each.bias.size(), weights, each.outputs);
    }
    if (!all_finite(each.bias)) return fmt::format("layer {} has a bias that is not finite", i);
    if (i > 0 && layers[i - 1].outputs != each.inputs) {
      return fmt::format("layer {} has {} inputs, and the layer before {} outputs; give as many", i,
                         each.inputs, layers[i - 1].outputs);
    }
  }
  return {};
}

}  // namespace

std::string mlp::check() const {
  if (std::string wrong = check_shape(layers); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!all_finite(layers[i].weights)) {
      return fmt::format("layer {} has a weight that is not finite", i);
    }
  }
  return {};
}

void mlp::predict(std::span<const float> features, std::span<float> scores) const {
  predict_rows(*this, features, scores,
               [](const dense_layer& layer, std::span<const float> in, row_buffers& row) {
                 apply(layer, in, row.out);
               });
}

mlp linear_model(std::vector<float> weights, float bias, output_link link) {
  dense_layer only{static_cast<std::uint32_t>(weights.size()), 1, std::move(weights), {bias}};
  return {.layers = {std::move(only)}, .link = link, .version = 0};
}

std::string quantized_mlp::check() const {
  if (std::string wrong = check_shape(layers); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    // Sums of products of 8 bits must fit 32.
    if (layers[i].inputs > 100'000) {
      return fmt::format("layer {} has {} inputs, at most 100000 are possible in 8 bits", i,
                         layers[i].inputs);
    }
    if (layers[i].scales.size() != layers[i].outputs || !all_finite(layers[i].scales)) {
      return fmt::format("layer {} needs a finite scale for each of its {} outputs", i,
                         layers[i].outputs);
    }
  }
  return {};
}

void quantized_mlp::predict(std::span<const float> features, std::span<float> scores) const {
  predict_rows(*this, features, scores,
               [](const quantized_layer& layer, std::span<const float> in, row_buffers& row) {
                 apply(layer, in, row.out, row.rounded);
               });
}

quantized_mlp quantize(const mlp& model) {
  if (const std::string wrong = model.check(); !wrong.empty()) {
    throw std::invalid_argument("quantize: " + wrong);
  }
  quantized_mlp small{.layers = {}, .link = model.link, .version = model.version};
  for (const dense_layer& from : model.layers) {
    quantized_layer to{from.inputs, from.outputs, {}, {}, from.bias};
    to.weights.resize(from.weights.size());
    for (std::size_t j = 0; j < from.outputs; ++j) {
      float largest = 0;
      for (std::size_t i = 0; i < from.inputs; ++i) {
        largest = std::max(largest, std::abs(from.weights[i * from.outputs + j]));
      }
      const float scale = largest / 127;
      to.scales.push_back(scale);
      for (std::size_t i = 0; i < from.inputs; ++i) {
        const float weight = from.weights[i * from.outputs + j];
        to.weights[j * from.inputs + i] =
            scale > 0 ? static_cast<std::int8_t>(std::lrint(weight / scale)) : std::int8_t{0};
      }
    }
    small.layers.push_back(std::move(to));
  }
  if (const std::string wrong = small.check(); !wrong.empty()) {
    throw std::invalid_argument("quantize: " + wrong);
  }
  return small;
}

}  // namespace freshet
