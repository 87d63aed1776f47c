// Reading points and lengths of time from text.
#include "core/civil.hpp"

#include <freshet/core/time_text.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace freshet {

namespace {

/// The value of 8 digits, all at once; `not_digits` when one of them is none.
/// \source D. Lemire, "Quickly parsing eight digits" (2018): add neighbours, doubling the width.
constexpr std::uint32_t not_digits = 0xffffffff;

std::uint32_t eight_digits(const char* text) {
  if constexpr (std::endian::native == std::endian::little) {
    std::uint64_t digits = 0;
    std::memcpy(&digits, text, sizeof digits);
    digits -= 0x3030303030303030U;
    // Above 9, a byte has its high bit set here or after the addition.
    if (((digits | (digits + 0x7676767676767676U)) & 0x8080808080808080U) != 0) return not_digits;
    digits = digits * 10 + (digits >> 8);
    constexpr std::uint64_t pairs = 0x000000ff000000ffU;
    digits = (digits & pairs) * (100 + (std::uint64_t{1'000'000} << 32)) +
             (digits >> 16 & pairs) * (1 + (std::uint64_t{10'000} << 32));
    return static_cast<std::uint32_t>(digits >> 32);
  } else {
    std::uint32_t value = 0;
    for (int digit = 0; digit < 8; ++digit) {
      if (text[digit] < '0' || text[digit] > '9') return not_digits;
      value = value * 10 + static_cast<std::uint32_t>(text[digit] - '0');
    }
    return value;
  }
}

constexpr bool is_digit(char character) { return character >= '0' && character <= '9'; }

/// Takes the leading digits off `text`.
std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (text.size() - count >= 8 && eight_digits(text.data() + count) != not_digits) count += 8;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes exactly two digits off `text`; -1 when there are no two.
int take_two_digits(std::string_view& text) {
  if (text.size() < 2 || !is_digit(text[0]) || !is_digit(text[1])) return -1;
  const int value = (text[0] - '0') * 10 + (text[1] - '0');
  text.remove_prefix(2);
  return value;
}

/// A part of a unit in whole microseconds, and whether something smaller was floored away.
struct fraction {
  std::int64_t microseconds = 0;
  bool exact = true;
};

/// `0.digits` of a unit of `unit` microseconds, for any number of digits. Working from the last
/// digit to the first is exact, since floor((n + x) / 10) equals floor((n + floor(x)) / 10).
fraction fraction_of(std::string_view digits, std::int64_t unit) {
  fraction result;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    const std::int64_t tenths = (*digit - '0') * unit + result.microseconds;
    result.exact = result.exact && tenths % 10 == 0;
    result.microseconds = tenths / 10;
  }
  return result;
}

/// `value += digits * unit`, or false when that overflows.
bool add_digits(std::string_view digits, std::int64_t unit, std::uint64_t& value) {
  std::uint64_t number = 0;
  for (int group = 0; group < 2 && digits.size() >= 8; ++group) {
    number = number * 100'000'000 + eight_digits(digits.data());  // 16 digits cannot overflow.
    digits.remove_prefix(8);
  }
  for (const char digit : digits) {
    if (__builtin_mul_overflow(number, std::uint64_t{10}, &number)) return false;
    const auto ones = static_cast<std::uint64_t>(digit - '0');
    if (__builtin_add_overflow(number, ones, &number)) return false;
  }
  return !__builtin_mul_overflow(number, static_cast<std::uint64_t>(unit), &number) &&
         !__builtin_add_overflow(value, number, &value);
}

/// The number of `size`, plus a part of one that was floored away unless `exact`, with its sign,
/// floored toward minus infinity; nothing when that is out of range.
std::optional<std::int64_t> with_sign(bool negative, std::uint64_t size, bool exact) {
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!negative) {
    if (size > largest) return std::nullopt;
    return static_cast<std::int64_t>(size);
  }
  if (!exact && __builtin_add_overflow(size, std::uint64_t{1}, &size)) return std::nullopt;
  if (size > largest + 1) return std::nullopt;
  return static_cast<std::int64_t>(~size + 1);
}

bool is_date(const detail::civil_date& date) {
  static constexpr std::array<unsigned char, 13> month_days = {0,  31, 28, 31, 30, 31, 30,
                                                               31, 31, 30, 31, 30, 31};
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  if (date.day <= month_days[date.month]) return true;
  const bool leap_year = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
  return date.month == 2 && date.day == 29 && leap_year;
}

/// Takes `YYYY-MM-DDThh:mm:ss` off `text`, the form that nearly all points of time have, at once;
/// false, with nothing taken, for any other form, which may be right or wrong.
bool take_usual_form(std::string_view& text, detail::civil_date& date, std::int64_t& seconds) {
  constexpr std::size_t length = 19;
  if (text.size() < length) return false;
  const char* const at = text.data();
  bool digits_only = true;
  const auto two_digits = [at, &digits_only](std::size_t index) {
    const auto tens = static_cast<unsigned>(at[index] - '0');
    const auto ones = static_cast<unsigned>(at[index + 1] - '0');
    digits_only = digits_only & (tens <= 9) & (ones <= 9);
    return tens * 10 + ones;
  };
  date = {two_digits(0) * 100 + two_digits(2), two_digits(5), two_digits(8)};
  const unsigned hour = two_digits(11);
  const unsigned minute = two_digits(14);
  const unsigned second = two_digits(17);
  const bool separated = (at[4] == '-') & (at[7] == '-') & (at[10] == 'T' || at[10] == ' ') &
                         (at[13] == ':') & (at[16] == ':');
  const bool in_day = (hour <= 23) & (minute <= 59) & (second <= 59);
  if (!(digits_only && separated && in_day && is_date(date))) return false;
  seconds = hour * 3'600 + minute * 60 + second;
  text.remove_prefix(length);
  return true;
}

bool take_date(std::string_view& text, detail::civil_date& date) {
  const bool negative = take(text, '-');
  const bool has_sign = negative || take(text, '+');
  const std::string_view year = take_digits(text);
  if (year.size() < 4 || year.size() > (has_sign ? 6U : 4U)) return false;
  date.year = 0;
  for (const char digit : year) date.year = date.year * 10 + (digit - '0');
  if (negative) date.year = -date.year;

  if (!take(text, '-')) return false;
  const int month = take_two_digits(text);
  if (month < 1 || !take(text, '-')) return false;
  const int day = take_two_digits(text);
  if (day < 1) return false;
  date.month = static_cast<unsigned>(month);
  date.day = static_cast<unsigned>(day);
  return is_date(date);
}

/// Takes `.fraction` or nothing.
bool take_fraction(std::string_view& text, std::int64_t& microseconds) {
  if (!take(text, '.') && !take(text, ',')) return true;
  std::size_t count = 0;
  for (; count < text.size() && is_digit(text[count]); ++count) {
    if (count < 6) microseconds = microseconds * 10 + (text[count] - '0');
  }
  for (std::size_t missing = count; missing < 6; ++missing) microseconds *= 10;
  text.remove_prefix(count);
  return count > 0;
}

/// Takes `hh:mm[:ss[.fraction]]`.
bool take_time(std::string_view& text, std::int64_t& seconds, std::int64_t& microseconds) {
  const int hour = take_two_digits(text);
  if (hour < 0 || hour > 23 || !take(text, ':')) return false;
  const int minute = take_two_digits(text);
  if (minute < 0 || minute > 59) return false;
  seconds = hour * 3'600 + minute * 60;
  if (!take(text, ':')) return true;
  const int second = take_two_digits(text);
  if (second < 0 || second > 59) return false;
  seconds += second;
  return take_fraction(text, microseconds);
}

/// Takes a zone, whose offset east of UTC is `seconds`; nothing left over means UTC.
bool take_zone(std::string_view& text, std::int64_t& seconds) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return true;
  const bool west = take(text, '-');
  if (!west && !take(text, '+')) return false;
  const int hour = take_two_digits(text);
  if (hour < 0 || hour > 23) return false;
  int minute = 0;
  if (!text.empty()) {
    static_cast<void>(take(text, ':'));
    minute = take_two_digits(text);
    if (minute < 0 || minute > 59) return false;
  }
  seconds = hour * 3'600 + minute * 60;
  if (west) seconds = -seconds;
  return true;
}

/// `seconds` and a fraction in [0, 1,000,000) as one timestamp, or nothing when out of range.
std::optional<timestamp> joined(std::int64_t seconds, std::int64_t microseconds) {
  // The whole second below `timestamp_min` is out of range although the sum may be in it: start
  // from the second above, and go back.
  if (seconds < 0) {
    seconds += 1;
    microseconds -= 1'000'000;
  }
  std::int64_t count = 0;
  if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000}, &count)) return std::nullopt;
  if (__builtin_add_overflow(count, microseconds, &count)) return std::nullopt;
  return timestamp{duration{count}};
}

}  // namespace

std::optional<timestamp> parse_iso_8601(std::string_view text) noexcept {
  detail::civil_date date{};
  std::int64_t of_day = 0;
  std::int64_t microseconds = 0;
  std::int64_t zone = 0;
  if (take_usual_form(text, date, of_day)) {
    if (!take_fraction(text, microseconds)) return std::nullopt;
  } else {
    if (!take_date(text, date)) return std::nullopt;
    if (text.empty()) return joined(detail::days_since_epoch(date) * 86'400, 0);
    if (!take(text, 'T') && !take(text, ' ') && !take(text, 't')) return std::nullopt;
    if (!take_time(text, of_day, microseconds)) return std::nullopt;
  }
  if (!take_zone(text, zone) || !text.empty()) return std::nullopt;
  return joined(detail::days_since_epoch(date) * 86'400 + of_day - zone, microseconds);
}

std::optional<timestamp> parse_epoch(std::string_view text, epoch_unit unit) noexcept {
  const std::int64_t scale = unit == epoch_unit::seconds        ? 1'000'000
                             : unit == epoch_unit::milliseconds ? 1'000
                                                                : 1;
  const bool negative = take(text, '-');
  if (!negative) static_cast<void>(take(text, '+'));
  const std::string_view whole = take_digits(text);
  if (whole.empty()) return std::nullopt;
  fraction rest;
  if (take(text, '.')) {
    const std::string_view digits = take_digits(text);
    if (digits.empty()) return std::nullopt;
    rest = fraction_of(digits, scale);
  }
  if (!text.empty()) return std::nullopt;

  auto size = static_cast<std::uint64_t>(rest.microseconds);
  if (!add_digits(whole, scale, size)) return std::nullopt;
  const std::optional<std::int64_t> count = with_sign(negative, size, rest.exact);
  if (!count) return std::nullopt;
  return timestamp{duration{*count}};
}

std::optional<duration> parse_duration(std::string_view text) noexcept {
  struct unit {
    std::string_view name;
    std::int64_t microseconds;
  };
  static constexpr std::array<unit, 6> units = {{{"d", 86'400'000'000},
                                                 {"h", 3'600'000'000},
                                                 {"min", 60'000'000},
                                                 {"s", 1'000'000},
                                                 {"ms", 1'000},
                                                 {"us", 1}}};
  const bool negative = take(text, '-');
  if (!negative) static_cast<void>(take(text, '+'));
  if (text.empty()) return std::nullopt;

  std::uint64_t size = 0;
  fraction rest;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const std::string_view whole = take_digits(text);
    std::string_view digits;
    const bool has_fraction = take(text, '.');
    if (has_fraction) digits = take_digits(text);
    if (whole.empty() || (has_fraction && digits.empty())) return std::nullopt;
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    while (next_unit < units.size() && units[next_unit].name != name) ++next_unit;
    if (next_unit == units.size() || (has_fraction && !text.empty())) return std::nullopt;
    const std::int64_t scale = units[next_unit++].microseconds;
    rest = fraction_of(digits, scale);
    if (!add_digits(whole, scale, size)) return std::nullopt;
  }
  const auto part = static_cast<std::uint64_t>(rest.microseconds);
  if (__builtin_add_overflow(size, part, &size)) return std::nullopt;
  const std::optional<std::int64_t> count = with_sign(negative, size, rest.exact);
  if (!count) return std::nullopt;
  return duration{*count};
}

}  // namespace freshet
