// Runs a query and its loop beside each other, and says what each cost.
#pragma once

#include "queries.hpp"

#include <freshet/core/time.hpp>

#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <string>

namespace nexmark {

/// The command line, as far as a measurement goes by it.
struct measure_options {
  log_options log;
  std::size_t parallelism = 1;
  bool pregenerated = false;    ///< `--mode pre`.
  bool check = false;           ///< Compare with the loop and the golden answer.
  std::size_t repeat = 3;       ///< How often both are timed, in turn; the best time counts.
  std::string checkpoint = {};  ///< A directory, for jobs that go on where they were killed.
  fr::duration every = std::chrono::seconds(1);
};

struct measurement {
  std::string query = {};
  answer all = {};         ///< Rows and checksum.
  double cpu_seconds = 0;  ///< Of the whole process while the job ran.
  double wall_seconds = 0;
  double loop_seconds = 0;  ///< CPU time of the loop's thread.
  bool resumed = false;     ///< Went on from a commit: the times are those of the rest.
};

/// Times loop and job, each `repeat` times, over digests of their rows; then runs the job once more
/// for the checksum. With a checkpoint all of it is one run over checksums. Errors: what the job
/// says; DataLoss when a result is not that of the loop, or not the golden one.
absl::StatusOr<measurement> measure(const query& what, const measure_options& options);

}  // namespace nexmark
