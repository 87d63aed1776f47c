// What a source and its event_time tell each other about the source's splits. Internal.
//
// Shared by operators of one task, used by one thread.
#pragma once

#include <freshet/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace freshet::detail {

/// Frontiers are written by `event_time` and read by the source to choose which split to read next;
/// `silent_at` is written by the source and read by `event_time` to tell a split that has nothing
/// from one that is not being read.
struct split_board {
  std::uint32_t source = 0;          ///< Number of the source in its pipeline.
  std::vector<std::string> names;    ///< Of the splits, by index.
  std::vector<bool> mine;            ///< By index: whether this task reads the split.
  std::vector<timestamp> frontiers;  ///< By index; `timestamp_min` where nothing is known.
  /// By index: processing time at which a split was last known to have nothing; none for a split
  /// that gave something at the last read, or says that it has something.
  std::vector<std::optional<timestamp>> silent_at;
  bool timed = false;  ///< Whether an `event_time` reports here.
  /// Splits whose frontier is past this one are not read now, so that others can catch up.
  timestamp read_limit = timestamp_max;
  bool wants_entry_frontiers = false;
};

}  // namespace freshet::detail
