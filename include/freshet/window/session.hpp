// Session windows: bursts of activity of one key, separated by silence of at least a gap.
//
// Time: a session begins with its first record and ends `gap` after its last one. Order: the spans
// of one key merge wherever they overlap, so a session assembled out of order equals the one
// assembled in order. Threads: immutable value, safe to share. Memory: none.
// Example: gap 5 s groups seconds {0, 4, 8, 13} as [0, 13) [13, 18).
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <string>
#include <vector>

namespace freshet {

/// Gives each record the span `[at, at + gap)`; overlapping spans of one key grow together.
/// \pre    gap > 0, else `window` throws `std::invalid_argument` when the pipeline is composed.
/// \note   Spans are half-open, so records exactly `gap` apart do not share a session (as in Beam
///         and Jet; Flink and Kafka merge them). A span is cut at the end of time.
/// \source Akidau et al., "The Dataflow Model", VLDB 2015, section 1.2.
struct session {
  duration gap{0};

  static constexpr bool merges = true;

  /// Appends one span.
  void assign(timestamp at, std::vector<window_span>& out) const {
    out.push_back({at, saturating_add(at, gap)});
  }

  /// `session 30min`.
  std::string describe() const;
  std::string check() const;

  friend constexpr bool operator==(const session&, const session&) = default;
};

}  // namespace freshet
