// Ways to run a plan, and what came of it compared with the oracle.
//
// Threads: the calling one, and those of the jobs. Memory: all rows.
#pragma once

#include "simulation/compose.hpp"
#include "simulation/oracle.hpp"

#include <freshet/pipeline/run_options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace freshet::simulated {

/// One way to run a plan. None may change a row.
struct way {
  enum class interruption : std::uint8_t { none, kills, stop };

  std::size_t rows_max = 1024;
  bool rows_vary = false;
  replay::pause pauses = replay::pause::none;
  interruption interrupted = interruption::none;
  std::size_t parallelism = 1;
  bool threads = false;    ///< A pool of them, instead of a simulation in the calling thread.
  std::uint64_t seed = 0;  ///< Of what varies: pieces, moments, schedules.
};

/// Sets what says how tasks run: parallelism and scheduler. `opening`: a job that is started again
/// may run in another way than before.
/// \return the same in words.
std::string vary_schedule(run_options& options, const way& how, std::size_t opening);

/// The ways in which one plan is run.
std::vector<way> random_ways(std::mt19937_64& random);

/// What runs have come to. Comparing what never happens proves nothing.
struct happened {
  std::uint64_t moves = 0;      ///< Of key groups between tasks.
  std::uint64_t abandoned = 0;  ///< Checkpoints whose barriers were on their way.
  std::uint64_t evicted = 0;    ///< Rows, from memory,
  std::uint64_t read_back = 0;  ///< and into it.
  std::array<std::uint64_t, crash_point_names.size()> crashes{};
};

/// Runs a plan to its end in one way.
/// \return what is not as it must be, in words; nothing when all is.
std::optional<std::string> first_difference(const plan& all, const input_log& input,
                                            const std::vector<outcome>& wanted, const way& how,
                                            happened& all_happened);

/// Makes input and plan of a seed and runs them in all ways. \return a report of a failure, with
/// the operator that is at fault.
std::optional<std::string> failure_of_seed(std::uint64_t seed, happened& all_happened);

}  // namespace freshet::simulated
