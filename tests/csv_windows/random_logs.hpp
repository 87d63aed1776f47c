// Seeded random CSV files and window definitions for the tests of csv_windows.
//
// The same seed gives the same bytes on every platform. Times and lengths are microseconds. Pure
// functions; memory: the texts.
#pragma once

#include "csv_windows/evaluator.hpp"
#include "csv_windows/support.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace csv_windows_test {

/// A length of time as an option takes it: `90s` for 90,000,000.
std::string duration_text(std::int64_t microseconds);

/// --window and the options that go with it.
arguments window_options(const window_definition& of);

/// --time, --time-format, --key, and --value.
arguments column_options(const columns_wanted& of);

/// Files and what to ask about them.
struct random_case {
  std::vector<std::string> texts;  ///< One per file.
  columns_wanted columns;
  window_definition windows;
  bool one_header = true;  ///< All files have the same header line, as late rows need it.
};

/// One to four files of up to 250 rows with everything that a CSV may hold: keys with quotes,
/// commas, and line breaks, all texts of times and numbers, equal and negative times, gaps,
/// disorder, rows that are dead, rows that are late, empty lines, byte order marks, and both kinds
/// of line end.
random_case draw_case(std::uint64_t seed);

/// A log with the columns at (in epoch milliseconds), key, and value; about one row per
/// millisecond. Most are at most 2 s out of order, one in 50 up to 8 s, one in 1,000 is dead.
std::string large_log(std::uint64_t seed, std::size_t rows);

}  // namespace csv_windows_test
