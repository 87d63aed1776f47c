// The claim about sampling as something that can fail: tuning, runs over seeds, and the four bars.
//
// One thread. Everything but processor times is a function of the data and the options.
#pragma once

#include "trial.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sampling_benchmark {

struct study_options {
  std::vector<double> rates;
  std::size_t seeds = 20;
  std::uint64_t first_seed = 1;
  std::size_t tuning_seeds = 2;  ///< Others than those of the runs.
  bool json = false;
};

/// A method at a rate, with the learning rate that was best on the validation rows.
struct contender {
  method what = method::full;
  double rate = 1;
  double learning_rate = 0;
  bool at_edge = false;              ///< Whether that is the smallest or largest of the grid.
  std::vector<trial_result> runs{};  ///< By seed.
  std::vector<std::optional<double>> rows_to_target{};  ///< Nothing where it never got there.
};

struct bar {
  std::string claim;
  double found = 0;
  double wanted = 0;
  bool held = false;
};

struct study {
  std::string data;
  std::vector<contender> contenders;  ///< The first is `full`.
  std::vector<bar> bars;              ///< Those whose rates were asked for.
};

/// Tunes, runs, prints each seed and a summary to standard output, and judges.
study run_study(const dataset& data, const study_options& options);

}  // namespace sampling_benchmark
