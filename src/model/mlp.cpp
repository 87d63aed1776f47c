// Scoring with small networks.
//
// Rows go through the layers some at a time, so that what was read of the weights is used for all
// of them. For each row and output the additions are the same ones in the same order, whatever rows
// it comes with: its bits do not depend on the batch.
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

/// Sums of products of 8 bits must fit 32.
constexpr std::size_t quantized_inputs_max = 100'000;

constexpr std::size_t rows_at_once = 32;
/// So many sums stay in registers, in a loop that compilers unroll and vectorise.
constexpr std::size_t sums_at_once = 16;
/// So many inputs at a time: their weights for those sums are 4 KiB, and stay near.
constexpr std::size_t inputs_at_once = 64;

/// Room for some rows on their way through the layers.
struct row_buffers {
  std::vector<float> in;
  std::vector<float> out;
  std::vector<std::int16_t> rounded;
  std::vector<std::int16_t> weights;  ///< Of one output.
  std::vector<float> scales;  ///< Of each row; a NaN for one with a value that is not finite.
};

/// Adds what the inputs from `from` to `to` give to `Size` sums of one row.
template <std::size_t Size>
void add_inputs(const float* in, std::size_t from, std::size_t to, const float* weights,
                std::size_t outputs, float* out) {
  float sums[Size];
  for (std::size_t j = 0; j < Size; ++j) sums[j] = out[j];
  for (std::size_t i = from; i < to; ++i) {
    const float* const of_input = weights + i * outputs;
    for (std::size_t j = 0; j < Size; ++j) sums[j] += in[i] * of_input[j];
  }
  for (std::size_t j = 0; j < Size; ++j) out[j] = sums[j];
}

void apply(const dense_layer& layer, std::size_t rows, std::span<const float> in,
           row_buffers& buffers) {
  const std::size_t inputs = layer.inputs;
  const std::size_t outputs = layer.outputs;
  float* const out = buffers.out.data();
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy(layer.bias.begin(), layer.bias.end(), out + row * outputs);
  }
  for (std::size_t from = 0; from < inputs; from += inputs_at_once) {
    const std::size_t to = std::min(from + inputs_at_once, inputs);
    std::size_t j = 0;
    for (; j + sums_at_once <= outputs; j += sums_at_once) {
      for (std::size_t row = 0; row < rows; ++row) {
        add_inputs<sums_at_once>(in.data() + row * inputs, from, to, layer.weights.data() + j,
                                 outputs, out + row * outputs + j);
      }
    }
    for (; j < outputs; ++j) {
      for (std::size_t row = 0; row < rows; ++row) {
        add_inputs<1>(in.data() + row * inputs, from, to, layer.weights.data() + j, outputs,
                      out + row * outputs + j);
      }
    }
  }
}

/// Rounds a row to 8 bits. \return the unit, or a NaN.
float round_row(std::span<const float> in, std::int16_t* rounded) {
  float largest = 0;
  bool finite = true;
  for (const float value : in) {
    finite &= std::isfinite(value);
    largest = std::max(largest, std::abs(value));
  }
  const float scale = finite ? largest / 127 : std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 0; i < in.size(); ++i) {
    rounded[i] = scale > 0 ? static_cast<std::int16_t>(std::lrint(in[i] / scale)) : std::int16_t{0};
  }
  return scale;
}

std::int32_t product_of(const std::int16_t* a, const std::int16_t* b, std::size_t size) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < size; ++i) {
    sum += static_cast<std::int32_t>(a[i]) * static_cast<std::int32_t>(b[i]);
  }
  return sum;
}

void apply(const quantized_layer& layer, std::size_t rows, std::span<const float> in,
           row_buffers& buffers) {
  const std::size_t inputs = layer.inputs;
  const std::size_t outputs = layer.outputs;
  buffers.rounded.resize(rows * inputs);
  buffers.scales.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    buffers.scales[row] =
        round_row(in.subspan(row * inputs, inputs), buffers.rounded.data() + row * inputs);
  }
  for (std::size_t j = 0; j < outputs; ++j) {
    // Wider once for all rows: machines multiply pairs of 16 bits at a time.
    const std::int8_t* const weights = layer.weights.data() + j * inputs;
    buffers.weights.assign(weights, weights + inputs);
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int32_t sum =
          product_of(buffers.rounded.data() + row * inputs, buffers.weights.data(), inputs);
      buffers.out[row * outputs + j] =
          static_cast<float>(sum) * (buffers.scales[row] * layer.scales[j]) + layer.bias[j];
    }
  }
}

/// Whether the layers hold what they say and fit together. \cost O(layers).
template <class Layer>
bool is_whole(const std::vector<Layer>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& each = layers[i];
    bool whole = each.weights.size() == std::size_t{each.inputs} * each.outputs &&
                 each.bias.size() == each.outputs &&
                 (i == 0 || each.inputs == layers[i - 1].outputs);
    if constexpr (requires { each.scales; }) {
      whole &= each.scales.size() == each.outputs && each.inputs <= quantized_inputs_max;
    }
    if (!whole) return false;
  }
  return true;
}

template <class Model>
void require_sizes(const Model& model, std::span<const float> features, std::span<float> scores) {
  const std::size_t inputs = model.inputs();
  const std::size_t outputs = model.outputs();
  if (inputs > 0 && features.size() % inputs == 0 &&
      scores.size() == features.size() / inputs * outputs && is_whole(model.layers)) {
    return;
  }
  const std::string wrong = model.check();
  if (!wrong.empty()) throw std::invalid_argument("predict: " + wrong);
  throw std::invalid_argument(fmt::format(
      "predict: {} features and room for {} scores do not fit a model of {} inputs and {} outputs; "
      "give whole rows and room for each of them",
      features.size(), scores.size(), inputs, outputs));
}

template <class Model>
void predict_rows(const Model& model, std::span<const float> features, std::span<float> scores) {
  require_sizes(model, features, scores);
  row_buffers buffers;
  const std::size_t inputs = model.inputs();
  const std::size_t outputs = model.outputs();
  const std::size_t all = features.size() / inputs;
  for (std::size_t at = 0; at < all; at += rows_at_once) {
    const std::size_t rows = std::min(rows_at_once, all - at);
    std::span<const float> in = features.subspan(at * inputs, rows * inputs);
    for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
      buffers.out.resize(rows * model.layers[layer].outputs);
      apply(model.layers[layer], rows, in, buffers);
      if (layer + 1 < model.layers.size()) rectify(buffers.out);
      buffers.in.swap(buffers.out);
      in = buffers.in;
    }
    for (std::size_t i = 0; i < rows * outputs; ++i) {
      scores[at * outputs + i] = finish(in[i], model.link);
    }
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
  predict_rows(*this, features, scores);
}

mlp linear_model(std::vector<float> weights, float bias, output_link link) {
  dense_layer only{static_cast<std::uint32_t>(weights.size()), 1, std::move(weights), {bias}};
  return {.layers = {std::move(only)}, .link = link, .version = 0};
}

std::string quantized_mlp::check() const {
  if (std::string wrong = check_shape(layers); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].inputs > quantized_inputs_max) {
      return fmt::format("layer {} has {} inputs, at most {} are possible in 8 bits", i,
                         layers[i].inputs, quantized_inputs_max);
    }
    if (layers[i].scales.size() != layers[i].outputs || !all_finite(layers[i].scales)) {
      return fmt::format("layer {} needs a finite scale for each of its {} outputs", i,
                         layers[i].outputs);
    }
  }
  return {};
}

void quantized_mlp::predict(std::span<const float> features, std::span<float> scores) const {
  predict_rows(*this, features, scores);
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
