// One run: a sampler of the library in a pipeline, and the network behind it.
//
// One thread; nothing is shared between runs but the data.
#pragma once

#include "dataset.hpp"
#include "scores.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sampling_benchmark {

/// What the network is trained on.
enum class method {
  full,             ///< Every row.
  uniform,          ///< A uniform sample.
  rarity,           ///< `rarity` by label, its rows as they are.
  rarity_log_odds,  ///< The same rows, with `log_odds` as an offset while training.
  with_loss,        ///< `rarity(...).with_loss(...)`, fed by the network itself; no offset.
};
const char* name_of(method which);

struct trial_options {
  method what = method::full;
  double rate = 1;
  double learning_rate = 0.01;
  std::uint64_t seed = 0;      ///< Of the first weights and of the sampler.
  std::size_t curve_step = 0;  ///< Rows learned between two points of the curve; 0 draws none.
};

struct curve_point {
  std::size_t rows = 0;
  double pr_auc = 0;
};

struct trial_result {
  std::size_t rows = 0;  ///< That were learned.
  std::vector<curve_point> curve;
  double cpu_seconds = 0;  ///< Of pipeline, sampler and learning; evaluation is not in it.
  double pr_auc = 0, log_loss = 0, balanced_accuracy = 0;  ///< On the test rows.
  double validation_pr_auc = 0;
};

/// Runs trials on one data set.
class trial_runner {
 public:
  explicit trial_runner(const dataset& data);
  ~trial_runner();

  /// Throws `std::runtime_error` when the pipeline fails. Without a curve only
  /// `validation_pr_auc` is computed.
  trial_result run(const trial_options& options) const;

 private:
  struct stream;
  const dataset& data_;
  std::unique_ptr<const stream> stream_;
};

}  // namespace sampling_benchmark
