// Time as text: reading ISO 8601, epoch numbers, and durations such as `10min`.
//
// Pure functions without exceptions, locale, allocation, or state: safe from any thread. The whole
// text must match, blanks around it included; what does not match, or does not fit the type, is an
// empty optional, never a clamped or guessed value. Digits finer than a microsecond are accepted
// and floored (toward the past for points, toward minus infinity for lengths), in exact integer
// arithmetic. Writing is in core/time.hpp; what `to_iso_8601` and `to_text` write reads back equal.
#pragma once

#include <freshet/core/time.hpp>

#include <optional>
#include <string_view>

namespace freshet {

/// Reads a point of time in ISO 8601:
///
///     2013-07-04   2013-07-04T09:30   2013-07-04 09:30:00.25   2013-07-04T11:30:00,25+02:00
///
/// A date, then optionally `T`, `t`, or one space and a time `hh:mm[:ss[.fraction]]` (also with a
/// decimal comma), which a zone `Z`, `z`, `+hh:mm`, `+hhmm`, or `+hh` may follow. Without a zone
/// the text is UTC; without a time it is midnight. Years have four digits, or a sign and four to
/// six. Month lengths and leap years are checked. Hour 24 is refused, because the day it ends and
/// the day it begins are easily confused, and so is second 60: a `timestamp` has no leap seconds.
/// \cost About 20 ns for the usual form `YYYY-MM-DDThh:mm:ss`, with or without fraction and zone.
std::optional<timestamp> parse_iso_8601(std::string_view text) noexcept;

/// What one unit of an epoch number counts, since 1970-01-01T00:00:00Z.
enum class epoch_unit { seconds, milliseconds, microseconds };

/// Reads a point of time as a decimal number of `unit` since the epoch: `1436918400.25`, `-3`.
/// Exact to the microsecond for every value in range. A sign is optional; exponents are refused.
std::optional<timestamp> parse_epoch(std::string_view text, epoch_unit unit) noexcept;

/// Reads a length of time: `10min`, `1.5h`, `-3s`, `1h30min`. Units are `us ms s min h d`; several
/// parts stand in falling order of unit, each unit at most once, under one leading sign; only the
/// last part may have a fraction.
std::optional<duration> parse_duration(std::string_view text) noexcept;

}  // namespace freshet
