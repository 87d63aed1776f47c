// Linear models that learn from one example at a time: stochastic gradient descent on the squared
// or the logistic loss.
//
// Each example is predicted before it is learned, so that the mean of the losses says how good the
// model is on examples it has not seen (progressive validation). When the losses grow, which a
// Page-Hinkley test finds, the model begins anew. A function of the sequence of examples alone.
// Examples with a NaN or an infinite number are predicted as NaN, counted, and not learned. Memory:
// 8 bytes per feature and 200 more. One thread at a time.
// \source Blum, Kalai, and Langford, "Beating the hold-out: bounds for k-fold and progressive
//         cross-validation", COLT 1999; Bottou, "Large-scale machine learning with stochastic
//         gradient descent", COMPSTAT 2010.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/model/mlp.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace freshet {

enum class loss_kind : std::uint8_t {
  squared,   ///< (prediction - label)^2 / 2; labels are any numbers.
  logistic,  ///< -ln of the probability given to the label, which is 0 or 1.
};

/// How `online_linear` learns.
struct online_options {
  loss_kind loss = loss_kind::logistic;
  double rate = 0.05;  ///< The step, in (0, 1]: for features of deviation 1, see `standardize`.
  double decay = 0;    ///< By how much of the rate weights shrink in each step, >= 0 (L2).
  double holdout = 0;  ///< The share of examples, in [0, 1), that are predicted and never learned.
  double half_life = 1000;  ///< In examples, > 0: of the mean loss.
  bool reset_on_drift = true;

  std::string check() const;
  std::string describe() const;
};

/// A test whether the losses have grown.
struct loss_watch {
  double count = 0;
  double mean = 0;
  double spread = 0;
  double sum = 0;
  double lowest = 0;
};
BOOST_DESCRIBE_STRUCT(loss_watch, (), (count, mean, spread, sum, lowest))

struct online_linear {
  std::vector<double> weights = {};
  double bias = 0;
  std::uint64_t learned = 0;  ///< Examples since the last reset.
  std::uint64_t skipped = 0;  ///< Examples with numbers that are not finite.
  std::uint64_t resets = 0;
  double mean_loss = 0;      ///< With weights that halve; of the held-out examples, if there are.
  std::uint64_t scored = 0;  ///< How many that is the mean of.
  loss_watch watch = {};

  /// The model as one that scores in 32-bit floats.
  mlp model(loss_kind loss) const;
};
BOOST_DESCRIBE_STRUCT(online_linear, (),
                      (weights, bias, learned, skipped, resets, mean_loss, scored, watch))

/// What was thought of an example before it was learned.
struct online_prediction {
  double prediction = 0;  ///< A number, or the probability of the label 1.
  double loss = 0;
  bool held_out = false;
  bool reset = false;  ///< The losses have grown: the model begins anew after this example.
};

/// Predicts an example, then learns it, unless `draw`, a number in [0, 1), says that it is held
/// out.
online_prediction learn_one(const online_options& how, online_linear& model,
                            std::span<const double> features, double label, double draw);

}  // namespace freshet
