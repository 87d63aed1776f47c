// A small neural network that learns row by row: 32 hidden units, Adam, batches of 64.
//
// Plain C++, single precision, one thread. Equal seeds and rows give equal weights on one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampling_benchmark {

/// One hidden layer of rectified units; softmax over the classes, of which the first has the logit
/// 0 where there are two.
/// \source Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1,
/// with
///         its constants but for the learning rate; He et al., "Delving deep into rectifiers", ICCV
///         2015, for the first weights.
class mlp {
 public:
  static constexpr std::size_t hidden = 32;
  static constexpr std::size_t batch_rows = 64;

  mlp(std::size_t features, std::size_t classes, double learning_rate, std::uint64_t seed);

  /// Learns a row. `offsets`, one per class, are added to the logits, here and not in `predict`.
  /// \return the cross entropy in nats, before the row changed anything.
  double learn(const float* row, std::size_t label, const float* offsets = nullptr);

  /// Learns what is left of a batch.
  void finish();

  /// Writes the probability of each class.
  void predict(const float* row, float* probabilities) const;

 private:
  void forward(const float* row, float* units, float* logits) const;
  void step();

  // Where the parts of `weights_` begin: features * hidden, hidden, outputs * hidden, outputs.
  std::size_t hidden_bias() const { return features_ * hidden; }
  std::size_t output_weights() const { return hidden_bias() + hidden; }
  std::size_t output_bias() const { return output_weights() + outputs_ * hidden; }

  std::size_t features_;
  std::size_t classes_;
  std::size_t outputs_;
  double learning_rate_;
  std::vector<float> weights_, gradient_, mean_, square_;
  std::size_t waiting_ = 0;  ///< Rows of the batch so far.
  double mean_decayed_ = 1;
  double square_decayed_ = 1;
};

}  // namespace sampling_benchmark
