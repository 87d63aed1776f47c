// The global window: one span that holds all of time.
//
// Time: nothing is ever late for it, and its end is the end of the input. Order: the span is the
// same for every record. Threads: immutable value, safe to share. Memory: none of its own; the
// state of every key is kept until the end of the input.
// Example: counts per key over a whole file; with `panes{.every = 1h}`, what they were every hour.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <string>
#include <vector>

namespace freshet {

/// Assigns every record to `[timestamp_min, timestamp_max]`, which takes in the end of time.
/// \note   Fires when the input ends. Over an endless input nothing does, unless `panes` ask for
///         more: write `window(global_window{}, {.fire = firing::never}, panes{.every_count =
///         100})` for a row with every 100th record of a key.
/// \source Akidau et al., "The Dataflow Model", VLDB 2015, section 1.2 (called "unwindowed");
/// Flink:
///         "global windows".
struct global_window {
  static constexpr bool merges = false;
  static constexpr bool partitions = true;

  /// Appends the one span.
  void assign(timestamp, std::vector<window_span>& out) const {
    out.push_back({timestamp_min, timestamp_max});
  }

  std::string describe() const { return "global"; }
  std::string check() const { return {}; }

  friend constexpr bool operator==(const global_window&, const global_window&) = default;
};

}  // namespace freshet
