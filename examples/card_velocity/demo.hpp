// The demonstration behind `card_velocity --demo`: kill -9, resume, and nothing is lost or doubled.
//
// Runs this very program as child processes, in wall-clock time. Progress goes to standard error,
// the result to standard output. Linux: it finds itself as /proc/self/exe.
#pragma once

#include <cstdint>
#include <string>

struct demo_options {
  std::uint64_t count = 0;      ///< Payments of a run.
  std::string every = "100ms";  ///< Time between checkpoints.
  std::string directory;        ///< New or empty. Empty text: a temporary one, removed at the end.
};

/// Computes the payments twice: once with two kills (SIGKILL) on the way, each followed by a
/// restart from the newest checkpoint, and once without. Compares the output files byte by byte and
/// prints what they hold.
/// \return the exit code: 0 when all files are equal; 1 when one differs, or a run failed.
/// Throws `std::runtime_error` or `std::filesystem::filesystem_error` when the world does not allow
/// a run: no space, no processes, a directory in use; or when every run ended before it was killed.
int run_demo(const demo_options& options);
