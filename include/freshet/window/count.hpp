// Count windows: every so many records of a key, in the order in which they arrive.
//
// Time: plays no part in which records belong together, so nothing is late. Order: that of arrival,
// which the log decides where it is read from one split; see docs/reference/time.md. Threads:
// immutable value, safe to share. Memory: none of its own.
// Example: size 4, slide 2 groups the records 1 2 3 4 5 6 of a key as [1 2 3 4] [3 4 5 6].
#pragma once

#include <cstdint>
#include <string>

namespace freshet {

/// The last `size` records of a key, every `slide` records: `window(count_window{.size = 100})`, or
/// `count_window{.size = 100, .slide = 10}`. The first window fires at `size` records.
///
/// A window's row spans from the smallest event time of its records to the largest plus 1 us.
/// \pre    size > 0, slide >= 0, and at most `panes_max` parts of gcd(size, slide) records in a
///         size, else `aggregate` throws `std::invalid_argument` when the pipeline is composed.
/// \note   Not a window assigner: which window a record is in does not depend on its event time.
/// \source Li et al., "No Pane, No Gain", SIGMOD Record 34(1), 2005: tuple-based windows. Flink's
///         countWindow(size, slide) also fires the incomplete first windows.
struct count_window {
  std::int64_t size = 0;
  /// Records from the beginning of one window to that of the next. Zero: as many as `size`. Where
  /// it exceeds `size`, records between two windows are in none, and counted as unassigned.
  std::int64_t slide = 0;
  /// Whether windows that lack records fire, too: those that would have begun before the first
  /// record of their key, and at the end of the input (not at a stop) the one that would have fired
  /// next, with what it has.
  bool partial = false;

  /// More parts for one key than this are taken for a mistake.
  static constexpr std::int64_t panes_max = 1'000'000;

  /// `count 100 every 10 partial`.
  std::string describe() const;
  /// Empty when the parameters are usable.
  std::string check() const;

  friend constexpr bool operator==(const count_window&, const count_window&) = default;
};

}  // namespace freshet
