// Sliding windows: spans of one size that begin every `slide`, and so overlap or leave gaps.
//
// Time: spans are aligned to the epoch plus an offset, exist before the epoch too, and saturate at
// the ends of time. Order: spans come in ascending order of their ends and depend on the event time
// alone. Threads: immutable value, safe to share. Memory: none of its own. Example: size 3 s, slide
// 1 s puts second 5 into [3, 6) [4, 7) [5, 8).
//
// `window(sliding(...))` adds a record once, to the pane that all its windows share, and makes
// windows from panes when they fire; with `panes{...}` of its own, and on the processing clock, it
// adds each record to size / slide windows.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

/// Assigns each record to every span `[offset + k*slide, offset + k*slide + size)` that holds its
/// event time. Write `sliding(10min, 1min)` or `sliding{.size = 10min, .slide = 1min}`.
/// \pre    size > 0, slide > 0, -slide < offset < slide, and at most `spans_per_record_max` slides
///         in a size, else `window` throws `std::invalid_argument` when the pipeline is composed.
/// \note   `slide` need not divide `size`: the number of spans per record then alternates between
///         two neighbouring numbers. Where slide > size, records between two spans get none.
/// \note   Spans are half-open and cut at the ends of time, as those of `tumbling`.
/// \source Akidau et al., "The Dataflow Model", VLDB 2015, section 1.2; Kafka Streams: "hopping".
/// \cost   `assign`: O(size / slide).
struct sliding {
  duration size{0};
  duration slide{0};
  duration offset{0};

  static constexpr bool merges = false;

  /// More spans than this for one record are taken for a mistake in the units.
  static constexpr std::int64_t spans_per_record_max = 1'000'000;

  /// Appends the spans that hold `at`, possibly none, in ascending order of their ends.
  void assign(timestamp at, std::vector<window_span>& out) const {
    const duration past = distance_past_multiple(at, slide, offset);
    if (past >= size) return;
    // `past + k*slide` stays below `size` for all these k, so nothing here can overflow.
    for (std::int64_t k = (size - past - duration{1}) / slide; k >= 0; --k) {
      const duration before = past + k * slide;
      out.push_back({saturating_subtract(at, before), saturating_add(at, size - before)});
    }
  }

  /// `sliding 10min every 1min`, followed by `offset 5s` when there is one.
  std::string describe() const;
  std::string check() const;

  friend constexpr bool operator==(const sliding&, const sliding&) = default;
};

}  // namespace freshet
