#include "scores.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sampling_benchmark {
namespace {

std::vector<std::size_t> by_falling_score(std::span<const float> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [scores](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

/// The classes that count: the second of two, or all.
std::size_t first_class(const predictions& of) {
  return of.classes == 2 ? 1 : 0;
}

std::vector<float> scores_of(const predictions& of, std::size_t label) {
  std::vector<float> scores;
  scores.reserve(of.labels.size());
  for (std::size_t row = 0; row < of.labels.size(); ++row) {
    scores.push_back(of.probabilities[row * of.classes + label]);
  }
  return scores;
}

std::vector<bool> positives_of(const predictions& of, std::size_t label) {
  std::vector<bool> positive;
  positive.reserve(of.labels.size());
  for (const std::uint8_t each : of.labels) positive.push_back(each == label);
  return positive;
}

float best_threshold(std::span<const float> scores, const std::vector<bool>& positive) {
  const auto rows = static_cast<double>(scores.size());
  const auto found = static_cast<double>(std::count(positive.begin(), positive.end(), true));
  const std::vector<std::size_t> order = by_falling_score(scores);
  float best = 0.5F;
  double best_sum = 0;
  double hits = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    hits += positive[order[i]] ? 1 : 0;
    if (i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]]) continue;
    const double alarms = static_cast<double>(i + 1) - hits;
    const double sum = hits / std::max(1.0, found) + 1 - alarms / std::max(1.0, rows - found);
    if (sum > best_sum) {
      best_sum = sum;
      best = scores[order[i]];
    }
  }
  return best;
}

}  // namespace

double average_precision(std::span<const float> scores, const std::vector<bool>& positive) {
  const std::vector<std::size_t> order = by_falling_score(scores);
  const auto found = static_cast<double>(std::count(positive.begin(), positive.end(), true));
  if (found == 0) return 0;
  double sum = 0;
  double hits = 0;
  double hits_before = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    hits += positive[order[i]] ? 1 : 0;
    if (i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]]) continue;
    sum += (hits - hits_before) / found * (hits / static_cast<double>(i + 1));
    hits_before = hits;
  }
  return sum;
}

double pr_auc(const predictions& of) {
  double sum = 0;
  const std::size_t first = first_class(of);
  for (std::size_t label = first; label < of.classes; ++label) {
    sum += average_precision(scores_of(of, label), positives_of(of, label));
  }
  return sum / static_cast<double>(of.classes - first);
}

double log_loss(const predictions& of) {
  double sum = 0;
  for (std::size_t row = 0; row < of.labels.size(); ++row) {
    const float probability = of.probabilities[row * of.classes + of.labels[row]];
    sum -= std::log(std::max(1e-12, static_cast<double>(probability)));
  }
  return sum / static_cast<double>(of.labels.size());
}

std::vector<float> tune_thresholds(const predictions& on) {
  std::vector<float> thresholds;
  for (std::size_t label = first_class(on); label < on.classes; ++label) {
    thresholds.push_back(best_threshold(scores_of(on, label), positives_of(on, label)));
  }
  return thresholds;
}

double balanced_accuracy(const predictions& of, const std::vector<float>& thresholds) {
  double sum = 0;
  const std::size_t first = first_class(of);
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    double hits = 0, misses = 0, alarms = 0, rejections = 0;
    for (std::size_t row = 0; row < of.labels.size(); ++row) {
      const bool said = of.probabilities[row * of.classes + first + i] >= thresholds[i];
      const bool is = of.labels[row] == first + i;
      (is ? said ? hits : misses : said ? alarms : rejections) += 1;
    }
    sum +=
        (hits / std::max(1.0, hits + misses) + rejections / std::max(1.0, rejections + alarms)) / 2;
  }
  return sum / static_cast<double>(thresholds.size());
}

}  // namespace sampling_benchmark
