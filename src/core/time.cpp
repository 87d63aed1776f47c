// Writing points and lengths of time as text.
#include "core/civil.hpp"

#include <freshet/core/time.hpp>

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

std::string to_iso_8601(timestamp at) {
  // Flooring first keeps the fraction and the time of day positive before the epoch, too.
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const detail::civil_date date = detail::date_of(day.time_since_epoch().count());
  const std::int64_t of_day = (second - day).count();
  // `at - second` would overflow beside `timestamp_min`, whose whole second is out of range.
  const std::int64_t rest = at.time_since_epoch().count() % 1'000'000;
  const std::int64_t fraction = rest < 0 ? rest + 1'000'000 : rest;

  // By hand rather than with a format string: this is a large part of writing a row.
  char text[40];
  char* out = text;
  const auto put_two = [&out](std::int64_t number) {
    *out++ = static_cast<char>('0' + number / 10);
    *out++ = static_cast<char>('0' + number % 10);
  };
  if (date.year >= 0 && date.year <= 9'999) {
    put_two(date.year / 100);
    put_two(date.year % 100);
  } else {
    out = fmt::format_to(out, "{:+05}", date.year);
  }
  *out++ = '-';
  put_two(date.month);
  *out++ = '-';
  put_two(date.day);
  *out++ = 'T';
  put_two(of_day / 3'600);
  *out++ = ':';
  put_two(of_day / 60 % 60);
  *out++ = ':';
  put_two(of_day % 60);
  if (fraction != 0) {
    *out++ = '.';
    put_two(fraction / 10'000);
    put_two(fraction / 100 % 100);
    put_two(fraction % 100);
    while (out[-1] == '0') --out;
  }
  *out++ = 'Z';
  return {text, out};
}

std::string to_text(duration length) {
  struct unit {
    std::int64_t microseconds;
    std::string_view name;
  };
  static constexpr std::array<unit, 6> units = {{{86'400'000'000, "d"},
                                                 {3'600'000'000, "h"},
                                                 {60'000'000, "min"},
                                                 {1'000'000, "s"},
                                                 {1'000, "ms"},
                                                 {1, "us"}}};
  if (length == duration::zero()) return "0s";  // Every unit divides it; seconds read best.
  for (const unit& candidate : units) {
    if (length.count() % candidate.microseconds == 0) {
      return fmt::format("{}{}", length.count() / candidate.microseconds, candidate.name);
    }
  }
  return {};  // Unreachable: one microsecond divides every length.
}

}  // namespace freshet
