// The job whose checkpoints are golden: every operator that keeps state, over the structs of either
// version. Its rows are the same in both.
#pragma once

#include "golden/versions.hpp"
#include "pipeline/support.hpp"

#include <freshet/pipeline/run_options.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace golden {

inline constexpr std::array<const char*, 10> sink_names = {
    "tumbling", "sliding", "session", "panes",  "counted",
    "trailing", "tally",   "ordered", "sample", "merged"};
inline constexpr std::size_t log_rows = 200;

using sinks = std::array<freshet::test::kept_rows_handle, sink_names.size()>;

inline sinks fresh_sinks() {
  sinks all;
  for (auto& each : all) each = freshet::test::keeper();
  return all;
}

/// One run of the job.
struct run_of {
  freshet::run_options options;
  /// How many records of a source are read before it fails.
  std::size_t crash_after = std::numeric_limits<std::size_t>::max();
  /// Where not 0: how many records of a source are read before the job is stopped. The records of
  /// both sources in all runs so far are then `stop_at`.
  std::size_t pause_after = 0;
  std::uint64_t stop_at = 0;
  freshet::run_summary summary = {};
};

/// Runs the job over its log, with sinks that have kept what earlier runs gave.
absl::Status run_v1(run_of& run, const sinks& into);
absl::Status run_v2(run_of& run, const sinks& into);

/// The rows of every sink, sorted.
inline std::vector<freshet::test::rows_of_text> rows_of(const sinks& all) {
  std::vector<freshet::test::rows_of_text> rows;
  for (const auto& each : all) rows.push_back(freshet::test::sorted(each->visible()));
  return rows;
}

}  // namespace golden
