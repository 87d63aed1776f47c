// Compares what csv_windows has written with what the evaluator says it must write.
//
// Counts, extrema, and the rows that are late or dead must be equal; sums and means may differ by
// 1e-12 of the sum of absolute values. Order is not compared: the definition names a set of rows.
// Memory: the whole of both.
#pragma once

#include "csv_windows/evaluator.hpp"

#include <string>
#include <vector>

namespace csv_windows_test {

/// Tells how the text of OUT.csv differs from the windows wanted; empty when it does not.
std::string window_differences(const std::string& out, const evaluation& wanted);

/// The same for LATE.csv, whose first line must be `header`.
std::string late_differences(const std::string& late, const std::string& header,
                             const evaluation& wanted);

/// The same for DEAD.csv; `files` are the names given as --input.
std::string dead_differences(const std::string& dead, const std::vector<std::string>& files,
                             const evaluation& wanted);

/// Whether the summary that csv_windows prints counts what is wanted.
std::string summary_differences(const std::string& summary, const evaluation& wanted);

}  // namespace csv_windows_test
