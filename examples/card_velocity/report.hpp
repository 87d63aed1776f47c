// What came out of a card_velocity run, in a few lines for people.
//
// Reads the files that the run wrote, with freshet itself. One thread; memory for a row per card.
#pragma once

#include <freshet/pipeline/run_options.hpp>

#include <absl/status/status.h>

#include <cstdint>
#include <string>

/// Prints the busiest cards, what was late, and how the training set compares with all payments, to
/// standard output. The run read `input` or, where that is empty, the payments [0, count).
/// \return an error when a file cannot be read.
absl::Status print_report(const std::string& directory, const std::string& input,
                          std::uint64_t count);

/// Prints one line `<payments> payments, <checkpoints> checkpoints` to standard error.
void print_progress(const freshet::job_metrics& now);
