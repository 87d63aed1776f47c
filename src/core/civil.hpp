// Days of the proleptic Gregorian calendar as numbers and back; shared by writing and reading time.
// `std::chrono::year` ends at 32767, a timestamp does not.
//
// Pure functions on plain integers. Internally years start in March, so that the leap day is the
// last of its year, and are moved up by a multiple of 400, so that divisions never meet a sign.
#pragma once

#include <cstdint>

namespace freshet::detail {

struct civil_date {
  std::int64_t year;  ///< Astronomical: year 0 comes before year 1.
  unsigned month;     ///< 1 to 12.
  unsigned day;       ///< 1 to 31.
};

inline constexpr std::int64_t cycle_years = 400;
inline constexpr std::int64_t cycle_days = 146'097;
inline constexpr std::int64_t cycles_moved_up = 2'500;
/// Days from 0000-03-01 to 1970-01-01.
inline constexpr std::int64_t epoch_day = 719'468;

/// Days from 1970-01-01 to `date`.
/// \pre -999,999 <= year <= 999,999; month and day are those of a real date.
constexpr std::int64_t days_since_epoch(const civil_date& date) {
  const bool before_march = date.month <= 2;
  const std::int64_t year = date.year + cycle_years * cycles_moved_up - (before_march ? 1 : 0);
  const unsigned month = before_march ? date.month + 9 : date.month - 3;
  // Months from March on have 31 30 31 30 31 days, over and over: 153 days in 5 months.
  const std::int64_t day_of_year = (153 * month + 2) / 5 + (date.day - 1);
  return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year -
         (cycles_moved_up * cycle_days + epoch_day);
}

/// The inverse of `days_since_epoch`.
constexpr civil_date date_of(std::int64_t days) {
  const std::int64_t moved = days + epoch_day + cycles_moved_up * cycle_days;
  const std::int64_t cycle = moved / cycle_days;
  const std::int64_t day = moved % cycle_days;
  // The last day of a 4-year, 100-year, and 400-year span is the leap day of its last year: taking
  // the leap days out before dividing by 365 keeps it in that year.
  const std::int64_t year = (day - day / 1'460 + day / 36'524 - day / 146'096) / 365;
  const std::int64_t day_of_year = day - (year * 365 + year / 4 - year / 100);
  const std::int64_t month = (5 * day_of_year + 2) / 153;
  const bool before_march = month >= 10;
  return {(cycle - cycles_moved_up) * cycle_years + year + (before_march ? 1 : 0),
          static_cast<unsigned>(before_march ? month - 9 : month + 3),
          static_cast<unsigned>(day_of_year - (153 * month + 2) / 5 + 1)};
}

}  // namespace freshet::detail
