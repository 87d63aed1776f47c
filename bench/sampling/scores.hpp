// How good predictions are: area under the precision-recall curve, log-loss, balanced accuracy.
//
// Plain functions. Of several classes each is held against all others, and the scores are averaged
// (macro); of two, the second class is the one that counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sampling_benchmark {

/// The probability of every class for every row, row by row.
struct predictions {
  std::size_t classes = 2;
  std::vector<float> probabilities;
  std::vector<std::uint8_t> labels;
};

/// Average precision: the sum over distinct scores of precision times the recall gained there.
/// Equal scores count together, so that their order does not matter. 0 without positive rows.
double average_precision(std::span<const float> scores, const std::vector<bool>& positive);

double pr_auc(const predictions& of);
double log_loss(const predictions& of);  ///< Nats per row.

/// The thresholds, one per class that counts, with the best balanced accuracy.
std::vector<float> tune_thresholds(const predictions& on);

/// The mean of both classes' recall, at the thresholds of `tune_thresholds`.
double balanced_accuracy(const predictions& of, const std::vector<float>& thresholds);

}  // namespace sampling_benchmark
