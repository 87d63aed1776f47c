// Event time: points, spans, and arithmetic that never overflows.
//
// A timestamp counts microseconds since the Unix epoch, UTC, leap seconds ignored. All arithmetic
// offered here saturates at both ends of the range, so hostile timestamps can neither overflow nor
// wrap. Everything is an immutable value: safe to share between threads, no memory of its own.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <ratio>
#include <string>
#include <string_view>

namespace freshet {

/// A length of event time or processing time, in microseconds.
using duration = std::chrono::microseconds;

/// A point of event time, in microseconds since 1970-01-01T00:00:00Z.
using timestamp = std::chrono::sys_time<duration>;

/// Which of the two times something goes by.
enum class time_domain : std::uint8_t {
  event_time,       ///< When records happened, as far as watermarks say that all are known.
  processing_time,  ///< When they are processed: the clock of the job.
};

/// The frontier before anything is known: every record is on time.
inline constexpr timestamp timestamp_min = timestamp::min();

/// The frontier after the end of input: no more records at all.
inline constexpr timestamp timestamp_max = timestamp::max();

/// `at + by`, clamped to the range of `timestamp`.
constexpr timestamp saturating_add(timestamp at, duration by) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(at.time_since_epoch().count(), by.count(), &sum)) {
    return by.count() > 0 ? timestamp_max : timestamp_min;
  }
  return timestamp{duration{sum}};
}

/// `at - by`, clamped to the range of `timestamp`.
constexpr timestamp saturating_subtract(timestamp at, duration by) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(at.time_since_epoch().count(), by.count(), &difference)) {
    return by.count() > 0 ? timestamp_min : timestamp_max;
  }
  return timestamp{duration{difference}};
}

/// `until - from`, clamped to the range of `duration`.
constexpr duration saturating_between(timestamp from, timestamp until) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(until.time_since_epoch().count(), from.time_since_epoch().count(),
                             &difference)) {
    return until > from ? duration::max() : duration::min();
  }
  return duration{difference};
}

/// `length` in microseconds, clamped to the range of `duration`.
template <class Rep, class Period>
  requires std::convertible_to<std::chrono::duration<Rep, Period>, duration>
constexpr duration saturating_duration(std::chrono::duration<Rep, Period> length) {
  // A length that converts without loss is a whole number of microseconds per tick.
  constexpr std::intmax_t per_tick = std::ratio_divide<Period, std::micro>::num;
  std::int64_t count = 0;
  if (__builtin_mul_overflow(length.count(), per_tick, &count)) {
    return length.count() > 0 ? duration::max() : duration::min();
  }
  return duration{count};
}

/// How far `at` lies behind the last multiple of `step` (counted from the epoch plus `offset`).
/// \pre    step > 0.
/// \return a length in [0, step), for every sign of `at` and `offset`, without overflow.
constexpr duration distance_past_multiple(timestamp at, duration step, duration offset) {
  const auto floor_modulo = [step](std::int64_t value) {
    const std::int64_t rest = value % step.count();
    return rest < 0 ? rest + step.count() : rest;
  };
  const std::int64_t point = floor_modulo(at.time_since_epoch().count());
  const std::int64_t start = floor_modulo(offset.count());
  return duration{point >= start ? point - start : point + (step.count() - start)};
}

/// `2013-07-04T09:30:00.000001Z`: ISO 8601 in UTC, without the fraction when it is zero.
/// Years outside 0000..9999 are written with sign and as many digits as they need.
std::string to_iso_8601(timestamp at);

/// `1h`, `90s`, `1500us`: the largest of `d h min s ms us` that divides `length`.
std::string to_text(duration length);

}  // namespace freshet
