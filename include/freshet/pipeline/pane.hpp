// Panes: the rows that one window emits for one key, how they follow each other, and how to ask for
// more of them.
//
// Time: a pane's event time is its window's end - 1 us, whenever it is emitted. Order: panes of one
// key and window are numbered from 0; those that the end of the window or late records cause are a
// function of the log, early ones are not. Plain values, safe to share; no memory of their own.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <compare>
#include <cstdint>
#include <string>

namespace freshet {

/// What made a window emit a row.
enum class pane_timing : std::uint8_t {
  early,    ///< A period or a count, before the end of the window was reached.
  on_time,  ///< The watermark at the window's end (at its close, with `firing::at_close`).
  late,     ///< Records that came after that and were still accepted.
};

/// `early`, `on_time`, `late`.
std::string to_text(pane_timing timing);

/// Which of its key's and window's rows a row is.
struct pane_info {
  pane_timing timing = pane_timing::on_time;
  /// 0, 1, 2, ...: how many rows were emitted before for this key and window, or for the sessions
  /// that have grown into it. A retraction has the number of the row that it takes back.
  std::uint32_t index = 0;
  /// Takes back the row with this span and index: what it said holds no longer.
  bool retraction = false;

  friend constexpr auto operator<=>(const pane_info&, const pane_info&) = default;
};
BOOST_DESCRIBE_STRUCT(pane_info, (), (timing, index, retraction))

/// What becomes of records that come after their window has fired and are still accepted.
enum class late_firing : std::uint8_t {
  each_record,  ///< Each of them makes its window emit a late pane at once.
  at_close,     ///< One late pane for all of them, when the window closes.
};

/// What a pane says about the panes before it.
enum class accumulation : std::uint8_t {
  accumulate,  ///< Each pane holds everything so far; the newest one replaces the others.
  discard,     ///< Each pane holds what came since the last one; their sum is the result.
  retract,  ///< As `accumulate`, and before a new pane the rows that it replaces are emitted again
            ///< as retractions. Keeps each window's last emitted state beside the current one.
};

/// The third argument of `window`: panes beside the one at the window's end.
///
/// An early pane comes only for keys and windows that got records since their last pane. It depends
/// on what had arrived by then, so that `run_summary::unpromised` names "early panes", but for
/// panes by count alone where the log decides the order of arrival: over a single split, or below
/// `ordered`. In `accumulate` mode the rows at the end of windows and those of late records stay a
/// function of the log in any case, but for their `index`.
/// \source Akidau et al., "The Dataflow Model", VLDB 2015, section 2.3 (triggers, and how
///         refinements relate).
struct panes {
  /// Event time: an early pane whenever the watermark reaches a multiple of it, counted from the
  /// epoch. Zero: none.
  duration every{0};
  /// Processing time: an early pane whenever the clock reaches a multiple of it. Zero: none.
  duration every_processing_time{0};
  /// An early pane with the n-th record of a key and window since its last pane. Zero: none.
  std::uint64_t every_count = 0;
  late_firing late = late_firing::each_record;
  accumulation mode = accumulation::accumulate;

  /// Whether any early pane is asked for.
  constexpr bool early() const {
    return every != duration::zero() || every_processing_time != duration::zero() ||
           every_count != 0;
  }
  /// Whether the order of the records decides all of them.
  constexpr bool early_by_count_alone() const {
    return every_count != 0 && every == duration::zero() &&
           every_processing_time == duration::zero();
  }
  /// `panes every 10s every 100 records, late at close, discard`: for the fingerprint.
  std::string describe() const;
  /// Empty, or what was found, what was wanted and what to do.
  std::string check() const;

  friend constexpr bool operator==(const panes&, const panes&) = default;
};

}  // namespace freshet
