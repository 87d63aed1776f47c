// Two runs of the benchmarks held against each other: which changes exceed noise?
#pragma once

#include "results.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace suite {

enum class change : std::uint8_t { none, better, worse, unknown };

/// The rule. A row has changed when all three hold:
/// - the repetitions of one run are all above those of the other,
/// - the medians lie further apart than three times the larger spread, where the spread of a run is
///   1.4826 times the median distance from its median (what it would be called a standard deviation
///   for, if noise were Gaussian, without being moved by one repetition that was disturbed),
/// - and further apart than 2 % of the larger.
/// `unknown`: one side has fewer than three repetitions. That two runs of the same program, with
/// three repetitions each, satisfy the first condition happens by chance once in ten times; the
/// other two are there for that.
change judge(const samples& before, const samples& after, bool more_is_better);

struct comparison {
  std::string text;  ///< What to print.
  std::size_t better = 0, worse = 0, same = 0, unknown = 0;
  std::size_t missing = 0;  ///< Rows of only one of the two.
  std::size_t failed = 0;   ///< Rows that have no figures in the second.
};

/// Compares ratios where both have them, as the loop has felt what the machine did; else figures.
comparison compare(const results& before, const results& after);

}  // namespace suite
