// The queries as one would write them by hand for one thread, to be as fast as that gets: what the
// library is compared with, and the oracle for logs without a golden answer.
//
// They know the whole log and need no watermarks, checkpoints, or names: windows, sessions and
// tables stay in memory until the end, and what comes out of order finds its place.
#pragma once

#include "answer.hpp"
#include "log.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace nexmark {

struct loop_result {
  answer all;
  double cpu_seconds = 0;  ///< Of this thread; without generating, where the log is pregenerated.
};

/// The queries that there are loops for.
const std::vector<std::string_view>& loop_queries();

/// The events that the loop of `query` wants.
kinds loop_wants(std::string_view query);

/// Runs the loop of `query`, one of `loop_queries`. `pregenerated`: all of the log, or null to
/// generate while running. `hashed`: with the checksum instead of the digest.
loop_result run_loop(std::string_view query, const log_options& log, const segment* pregenerated,
                     bool hashed);

}  // namespace nexmark
