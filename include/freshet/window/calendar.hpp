// Calendar windows: days, weeks, months, quarters and years as the clocks of a time zone show them.
//
// Time: every event time has exactly one span, and the spans of a calendar follow each other
// without gap or overlap; they saturate at the ends of time. Order: a span depends on the event
// time and on the zone's rules alone, which come from the tz database of the machine. Threads:
// immutable value, safe to share. Memory: none of its own; a zone is loaded once per process.
// Example: in Europe/Berlin the day 2024-03-31 is [03-30T23:00Z, 03-31T22:00Z): 23 hours.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

enum class calendar_unit : std::uint8_t { day, week, month, quarter, year };

/// Assigns each record to the one calendar unit that holds its event time:
///
///     calendar{.unit = calendar_unit::day, .zone = "Europe/Berlin", .offset = 6h}
///     calendar{.unit = calendar_unit::week, .zone = "America/New_York",
///              .week_begins = std::chrono::Sunday}
///
/// A unit begins at the first instant at which clocks in the zone show its first midnight plus
/// `offset`, or later, and ends where the next one begins. So a day has 23 or 25 hours when clocks
/// are changed in it. A boundary that clocks skip is where they skip it; one that they show twice
/// is the first of the two, also where clocks are set back across midnight and show the last hour
/// of the day before once more. A day that a zone left out of its calendar has no window.
/// \pre    A known zone, and an offset shorter than the shortest unit (24 h, 7, 28, 90 or 365 d),
///         else `window` throws `std::invalid_argument` when the pipeline is composed.
/// \note   An offset moves the boundary by what clocks show: with 6 h, days change at six o'clock
///         in summer and in winter; with -2 h, at ten in the evening before.
/// \note   Spans are half-open. One that crosses an end of time is cut there; the last one takes in
///         `timestamp_max`.
/// \note   A release of the tz database that changes the units that are open while a job is stopped
///         gives records new windows beside the open ones; those in the past do not change.
/// \cost   Three searches in the zone's rules per call, about 0.2 us; neighbouring records are
///         compared with the previous span instead.
struct calendar {
  calendar_unit unit = calendar_unit::day;
  std::string zone = "UTC";  ///< A name of the IANA time zone database, `Europe/Berlin`.
  duration offset{0};        ///< Of the boundaries, as clocks show it.
  std::chrono::weekday week_begins = std::chrono::Monday;  ///< Of weeks; else without effect.

  static constexpr bool merges = false;
  static constexpr bool partitions = true;  ///< Each event time has one span, without gaps.

  /// The span that holds `at`.
  window_span span_of(timestamp at) const;

  /// Appends one span.
  void assign(timestamp at, std::vector<window_span>& out) const { out.push_back(span_of(at)); }

  /// `calendar day in Europe/Berlin`, followed by `offset 6h` when there is one.
  std::string describe() const;
  std::string check() const;

  friend bool operator==(const calendar&, const calendar&) = default;
};

}  // namespace freshet
