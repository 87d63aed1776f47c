// Tumbling windows: fixed-size, contiguous, non-overlapping spans aligned to the epoch.
//
// Time: every event time, before the epoch too, has exactly one span; spans saturate at the ends of
// time. Order: a span depends on the event time alone. Threads: immutable value, safe to share.
// Memory: none. Example: size 2 s groups event times {0, 1, 2, 3, 4} s as [0, 1] [2, 3] [4].
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <string>
#include <vector>

namespace freshet {

/// Assigns each record to the one span `[offset + k*size, offset + (k+1)*size)` that holds its
/// event time. Write `tumbling(10min)` or `tumbling{.size = 24h, .offset = -8h}`.
/// \pre    size > 0 and -size < offset < size, else `window` throws `std::invalid_argument` when
///         the pipeline is composed.
/// \note   Spans are half-open: a record at exactly `end` belongs to the next window. A span that
///         crosses an end of time is cut there; one that ends at `timestamp_max` takes it in.
/// \note   An offset shifts by a fixed time: it can follow a time zone, but not daylight saving.
/// \source Akidau et al., "The Dataflow Model", VLDB 2015, section 1.2 (called "fixed windows").
/// \cost   Two divisions per call, which `window` makes once per run of records in one span.
struct tumbling {
  duration size{0};
  duration offset{0};

  static constexpr bool merges = false;
  static constexpr bool partitions = true;

  /// The span that holds `at`.
  constexpr window_span span_of(timestamp at) const {
    const duration past = distance_past_multiple(at, size, offset);
    // Counted from `at`, because `begin` may have saturated and would displace the end with it.
    return {saturating_subtract(at, past), saturating_add(at, size - past)};
  }

  /// Appends one span.
  void assign(timestamp at, std::vector<window_span>& out) const { out.push_back(span_of(at)); }

  /// `tumbling 10min`, followed by `offset 1h` when there is one.
  std::string describe() const;
  std::string check() const;

  friend constexpr bool operator==(const tumbling&, const tumbling&) = default;
};

}  // namespace freshet
