// Small neural networks: linear models and multilayer perceptrons, in 32-bit floats or in 8-bit
// integers. They score; training is elsewhere (`learn` trains linear models on a stream).
//
//     mlp model{.layers = {hidden, last}, .link = output_link::logistic};
//     model.predict(features, scores);        // Row by row: rows * inputs, rows * outputs.
//     const quantized_mlp small = quantize(model);
//
// A linear model is an `mlp` of a single layer. The scores of a row depend on that row alone, to
// the last bit: not on the other rows of a batch, nor on how many there are. A row with a NaN or an
// infinite feature has NaN or infinite scores (in 8 bits: NaN), never a crash. Values; `predict` is
// safe from several threads at once. Memory: the weights, and while predicting two rows of the
// widest layer.
#pragma once

#include <freshet/core/codec.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace freshet {

/// One layer: `outputs` sums over all inputs. Between layers negative sums become 0.
struct dense_layer {
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
  std::vector<float> weights = {};  ///< Of input i to output j at i * outputs + j.
  std::vector<float> bias = {};     ///< One per output.
};
BOOST_DESCRIBE_STRUCT(dense_layer, (), (inputs, outputs, weights, bias))

/// What becomes of the sums of the last layer.
enum class output_link : std::uint8_t {
  identity,  ///< They are the scores.
  logistic,  ///< 1 / (1 + e^-x): a probability.
};

/// A multilayer perceptron with rectified linear units.
struct mlp {
  std::vector<dense_layer> layers = {};
  output_link link = output_link::identity;
  std::uint64_t version = 0;  ///< For whoever exchanges models while a job runs.

  std::size_t inputs() const { return layers.empty() ? 0 : layers.front().inputs; }
  std::size_t outputs() const { return layers.empty() ? 0 : layers.back().outputs; }

  /// Empty, or what is wrong with the layers: sizes that do not fit, or weights that are not
  /// finite.
  std::string check() const;

  /// Scores `features.size() / inputs()` rows.
  /// \pre `check()` is empty, and the sizes fit: else throws `std::invalid_argument`.
  /// \cost One multiplication per weight and row.
  void predict(std::span<const float> features, std::span<float> scores) const;
};
BOOST_DESCRIBE_STRUCT(mlp, (), (layers, link, version))

/// A linear model: bias + the sum of weight * feature.
mlp linear_model(std::vector<float> weights, float bias, output_link link = output_link::identity);

/// A layer in 8-bit integers: weight = `weights` * the `scales` of its output.
struct quantized_layer {
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
  std::vector<std::int8_t> weights = {};  ///< Of input i to output j at j * inputs + i.
  std::vector<float> scales = {};         ///< One per output (per channel).
  std::vector<float> bias = {};
};
BOOST_DESCRIBE_STRUCT(quantized_layer, (), (inputs, outputs, weights, scales, bias))

/// The same network with weights of 8 bits, a scale for each output, and features rounded to 8 bits
/// relative to the largest of their row. A quarter of the memory; whether it is faster depends on
/// size and machine: bench/model_bench prints it.
struct quantized_mlp {
  std::vector<quantized_layer> layers = {};
  output_link link = output_link::identity;
  std::uint64_t version = 0;

  std::size_t inputs() const { return layers.empty() ? 0 : layers.front().inputs; }
  std::size_t outputs() const { return layers.empty() ? 0 : layers.back().outputs; }
  std::string check() const;
  /// As `mlp::predict`.
  void predict(std::span<const float> features, std::span<float> scores) const;
};
BOOST_DESCRIBE_STRUCT(quantized_mlp, (), (layers, link, version))

/// Rounds the weights. Throws `std::invalid_argument` when `model.check()` is not empty.
/// \source Jacob et al., "Quantization and training of neural networks for efficient
///         integer-arithmetic-only inference", CVPR 2018; symmetric, per channel, without training.
quantized_mlp quantize(const mlp& model);

}  // namespace freshet
