// Stochastic gradient descent, one example at a time.
#include <freshet/model/online.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace freshet {

namespace {

bool usable(std::span<const double> features, double label, loss_kind loss) {
  if (!std::isfinite(label)) return false;
  if (loss == loss_kind::logistic && !(label >= 0 && label <= 1)) return false;
  return std::all_of(features.begin(), features.end(),
                     [](double each) { return std::abs(each) <= 1e100; });
}

/// The loss of a sum of weighted features. Written so that large sums lose no digits.
double loss_of(loss_kind kind, double sum, double label) {
  if (kind == loss_kind::squared) return (sum - label) * (sum - label) / 2;
  const double unsure = std::log1p(std::exp(-std::abs(sum)));
  return std::max(sum, 0.0) - sum * label + unsure;
}

double predicted(loss_kind kind, double sum) {
  return kind == loss_kind::logistic ? 1 / (1 + std::exp(-sum)) : sum;
}

/// Page-Hinkley upwards: half a deviation is allowed, 30 of them are too many. It begins when the
/// model has had time to learn: until then losses fall.
bool has_grown(loss_watch& seen, double loss) {
  constexpr double begins_after = 200;
  seen.count += 1;
  const double distance = loss - seen.mean;
  seen.mean += distance / seen.count;
  seen.spread += distance * (loss - seen.mean);
  if (seen.count < begins_after) return false;
  const double deviation = std::sqrt(seen.spread / (seen.count - 1));
  if (!(deviation > 0)) return false;
  seen.sum += (loss - seen.mean) / deviation - 0.5;
  seen.lowest = std::min(seen.lowest, seen.sum);
  return seen.sum - seen.lowest > 30;
}

}  // namespace

online_prediction learn_one(const online_options& how, online_linear& model,
                            std::span<const double> features, double label, double draw) {
  if (model.weights.size() != features.size()) model.weights.assign(features.size(), 0);
  if (!usable(features, label, how.loss)) {
    ++model.skipped;
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    return {none, none, false, false};
  }
  double sum = model.bias;
  for (std::size_t i = 0; i < features.size(); ++i) sum += model.weights[i] * features[i];
  online_prediction found;
  found.prediction = predicted(how.loss, sum);
  found.loss = loss_of(how.loss, sum, label);
  found.held_out = draw < how.holdout;
  if (how.holdout == 0 || found.held_out) {
    ++model.scored;
    const double weight =
        std::max(1 - std::exp2(-1 / how.half_life), 1 / static_cast<double>(model.scored));
    model.mean_loss += weight * (found.loss - model.mean_loss);
  }
  if (!found.held_out) {
    ++model.learned;
    // Both losses have this gradient by the sum.
    const double error = found.prediction - label;
    // Not further than to where the error would be 0: far features cannot make it diverge.
    double square = 1;
    for (const double each : features) square += each * each;
    const double step = std::min(how.rate, 1 / square) * error;
    for (std::size_t i = 0; i < features.size(); ++i) {
      model.weights[i] -= step * features[i] + how.rate * how.decay * model.weights[i];
    }
    model.bias -= step;
  }
  if (how.reset_on_drift && has_grown(model.watch, found.loss)) {
    found.reset = true;
    std::fill(model.weights.begin(), model.weights.end(), 0.0);
    model.bias = 0;
    model.learned = 0;
    model.scored = 0;
    model.mean_loss = 0;
    model.watch = {};
    ++model.resets;
  }
  return found;
}

mlp online_linear::model(loss_kind loss) const {
  std::vector<float> rounded;
  for (const double each : weights) rounded.push_back(static_cast<float>(each));
  mlp made =
      linear_model(std::move(rounded), static_cast<float>(bias),
                   loss == loss_kind::logistic ? output_link::logistic : output_link::identity);
  made.version = resets;
  return made;
}

std::string online_options::check() const {
  if (!(rate > 0 && rate <= 1)) {
    return fmt::format("rate {} is not in (0, 1]; give .rate a step such as 0.05", rate);
  }
  if (!(decay >= 0 && rate * decay <= 1)) {
    return fmt::format("decay {} is not in [0, 1 / rate]; give .decay a number such as 1e-4",
                       decay);
  }
  if (!(holdout >= 0 && holdout < 1)) {
    return fmt::format("holdout {} is not in [0, 1); give .holdout a share such as 0.1", holdout);
  }
  if (!(half_life > 0 && std::isfinite(half_life))) {
    return fmt::format("half_life {} is not positive; give .half_life a number such as 1000",
                       half_life);
  }
  return {};
}

std::string online_options::describe() const {
  return fmt::format("online {} {} {} {} {} {}", static_cast<int>(loss), rate, decay, holdout,
                     half_life, reset_on_drift);
}

}  // namespace freshet
