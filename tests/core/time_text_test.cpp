// Reading time from text.
#include "catch.hpp"

#include <freshet/core/time_text.hpp>

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

fr::timestamp at(std::int64_t microseconds) {
  return fr::timestamp{fr::duration{microseconds}};
}

constexpr fr::timestamp morning = fr::timestamp{fr::duration{1'372'930'200'000'000}};

/// floor(number * scale) of a decimal number by moving the point through the text; at most 17
/// digits.
std::int64_t naive_scaled(bool negative, std::string whole, std::string digits, std::size_t zeros) {
  digits.append(zeros, '0');
  whole += digits.substr(0, zeros);
  const bool exact = digits.find_first_not_of('0', zeros) == std::string::npos;
  const std::int64_t size = std::stoll(whole);
  return negative ? -size - (exact ? 0 : 1) : size;
}

}  // namespace

TEST_CASE("parse_iso_8601 reads dates and times in each documented form", "[core][time_text]") {
  REQUIRE(fr::parse_iso_8601("2013-07-04") == morning - 9h - 30min);
  REQUIRE(fr::parse_iso_8601("2013-07-04T09:30") == morning);
  REQUIRE(fr::parse_iso_8601("2013-07-04t09:30:00z") == morning);
  REQUIRE(fr::parse_iso_8601("2013-07-04 09:30:00.25") == morning + 250ms);
  REQUIRE(fr::parse_iso_8601("2013-07-04 09:30:00,000001Z") == morning + 1us);
  REQUIRE(fr::parse_iso_8601("2013-07-04T09:30Z") == morning);
}

TEST_CASE("parse_iso_8601 subtracts the zone's offset", "[core][time_text]") {
  REQUIRE(fr::parse_iso_8601("2013-07-04T11:30:00+02:00") == morning);
  REQUIRE(fr::parse_iso_8601("2013-07-04T11:30+02") == morning);
  REQUIRE(fr::parse_iso_8601("2013-07-04T04:00:00.5-0530") == morning + 500ms);
  REQUIRE(fr::parse_iso_8601("2013-07-03T23:30:00-10:00") == morning);
}

TEST_CASE("parse_iso_8601 floors digits below a microsecond", "[core][time_text]") {
  REQUIRE(fr::parse_iso_8601("1970-01-01T00:00:00.0000019") == at(1));
  REQUIRE(fr::parse_iso_8601("1969-12-31T23:59:59.9999999999999999999999") == at(-1));
}

TEST_CASE("parse_iso_8601 checks month lengths and leap years", "[core][time_text]") {
  REQUIRE(fr::parse_iso_8601("2000-02-29"));
  REQUIRE(fr::parse_iso_8601("2012-02-29"));
  for (const char* wrong : {"1900-02-29", "2013-02-29", "2012-02-30", "2013-04-31", "2013-00-10",
                            "2013-13-01", "2013-01-00", "2013-01-32", "2013-11-31"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(fr::parse_iso_8601(wrong));
  }
}

TEST_CASE("parse_iso_8601 refuses what is not entirely a time", "[core][time_text]") {
  for (const char* wrong : {"",
                            " ",
                            "2013",
                            "2013-07",
                            "2013-7-4",
                            "20130704",
                            "2013-07-04T",
                            "2013-07-04T24:00",
                            "2013-07-04T09:60",
                            "2013-07-04T23:59:60Z",
                            "2013-07-04T09:30:",
                            "2013-07-04T09:30:0",
                            "2013-07-04T09:30:00.",
                            "2013-07-04T09:30:00.Z",
                            "2013-07-04  09:30",
                            "2013-07-04Z",
                            "2013-07-04T09:30:00+24:00",
                            "2013-07-04T09:30:00+1",
                            "2013-07-04T09:30:00+01:",
                            "2013-07-04T09:30:00+01:60",
                            "2013-07-04T09:30:00ZZ",
                            " 2013-07-04",
                            "2013-07-04 ",
                            "12013-07-04",
                            "+013-07-04",
                            "+1234567-01-01",
                            "2013/07/04",
                            "2013-07-04T9:30"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(fr::parse_iso_8601(wrong));
  }
}

TEST_CASE("parse_iso_8601 refuses points beyond the range of timestamps", "[core][time_text]") {
  REQUIRE(fr::parse_iso_8601("+294247-01-10T04:00:54.775807Z") == fr::timestamp_max);
  REQUIRE_FALSE(fr::parse_iso_8601("+294247-01-10T04:00:54.775808Z"));
  REQUIRE(fr::parse_iso_8601("-290308-12-21T19:59:05.224192Z") == fr::timestamp_min);
  REQUIRE_FALSE(fr::parse_iso_8601("-290308-12-21T19:59:05.224191Z"));
  REQUIRE_FALSE(fr::parse_iso_8601("+999999-12-31"));
  REQUIRE_FALSE(fr::parse_iso_8601("-999999-01-01"));
}

TEST_CASE("what to_iso_8601 writes reads back equal", "[core][time_text]") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    const auto bits = static_cast<std::int64_t>(random());
    const fr::timestamp point = at(bits >> (random() % 64));
    CAPTURE(point.time_since_epoch().count());
    REQUIRE(fr::parse_iso_8601(fr::to_iso_8601(point)) == point);
  }
}

TEST_CASE("parse_epoch scales each unit exactly", "[core][time_text]") {
  using enum fr::epoch_unit;
  REQUIRE(fr::parse_epoch("1436918400.25", seconds) == at(1'436'918'400'250'000));
  REQUIRE(fr::parse_epoch("1436918400250", milliseconds) == at(1'436'918'400'250'000));
  REQUIRE(fr::parse_epoch("+1436918400250000", microseconds) == at(1'436'918'400'250'000));
  REQUIRE(fr::parse_epoch("9007199254.740993", seconds) == at(9'007'199'254'740'993));
  REQUIRE(fr::parse_epoch("-0.0000001", seconds) == at(-1));
  REQUIRE(fr::parse_epoch("-3", seconds) == at(-3'000'000));
}

TEST_CASE("parse_epoch refuses what is out of range or no number", "[core][time_text]") {
  using enum fr::epoch_unit;
  REQUIRE(fr::parse_epoch("9223372036854775807", microseconds) == fr::timestamp_max);
  REQUIRE(fr::parse_epoch("9223372036854775807.9", microseconds) == fr::timestamp_max);
  REQUIRE_FALSE(fr::parse_epoch("9223372036854775808", microseconds));
  REQUIRE(fr::parse_epoch("-9223372036854775808", microseconds) == fr::timestamp_min);
  REQUIRE_FALSE(fr::parse_epoch("-9223372036854775808.1", microseconds));
  REQUIRE(fr::parse_epoch("-9223372036854.775808", seconds) == fr::timestamp_min);
  REQUIRE_FALSE(fr::parse_epoch("99999999999999999999999999", milliseconds));
  REQUIRE_FALSE(fr::parse_epoch("18446744073709551616", microseconds));
  for (const char* wrong :
       {"", "-", "+", ".5", "5.", "1e9", "1 ", " 1", "--1", "+-1", "0x10", "1.2.3"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(fr::parse_epoch(wrong, seconds));
  }
}

TEST_CASE("parse_epoch agrees with moving the decimal point", "[core][time_text]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    const bool negative = random() % 2 == 0;
    const std::string whole = std::to_string(random() % 10'000'000'000);
    std::string digits;
    for (std::size_t count = 1 + random() % 8; count > 0; --count) {
      digits += static_cast<char>('0' + random() % 10);
    }
    const std::string text = (negative ? "-" : "") + whole + "." + digits;
    CAPTURE(text);
    REQUIRE(fr::parse_epoch(text, fr::epoch_unit::seconds) ==
            at(naive_scaled(negative, whole, digits, 6)));
    REQUIRE(fr::parse_epoch(text, fr::epoch_unit::milliseconds) ==
            at(naive_scaled(negative, whole, digits, 3)));
    REQUIRE(fr::parse_epoch(text, fr::epoch_unit::microseconds) ==
            at(naive_scaled(negative, whole, digits, 0)));
  }
}

TEST_CASE("parse_duration reads numbers with units", "[core][time_text]") {
  REQUIRE(fr::parse_duration("10min") == 10min);
  REQUIRE(fr::parse_duration("1.5h") == 90min);
  REQUIRE(fr::parse_duration("-3s") == -3s);
  REQUIRE(fr::parse_duration("+2d") == 48h);
  REQUIRE(fr::parse_duration("1h30min") == 90min);
  REQUIRE(fr::parse_duration("1d2h3min4s5ms6us") == 26h + 3min + 4s + 5ms + 6us);
  REQUIRE(fr::parse_duration("-1h0.5s") == -(1h + 500ms));
  REQUIRE(fr::parse_duration("0us") == 0us);
  REQUIRE(fr::parse_duration("1.9us") == 1us);
  REQUIRE(fr::parse_duration("-1.9us") == -2us);
}

TEST_CASE("parse_duration refuses what has no unit, order, or room", "[core][time_text]") {
  for (const char* wrong : {"", "-", "10", "h", "1 h", "1h 30min", "1H", "1m", "1hour", "30min1h",
                            "1h1h", "1.5h30min", "1.h", ".5h", "1e3s", "1h-30min", "106751992d",
                            "9223372036855s", "99999999999999999999us"}) {
    CAPTURE(wrong);
    REQUIRE_FALSE(fr::parse_duration(wrong));
  }
  REQUIRE(fr::parse_duration("9223372036854775807us") == fr::duration::max());
  REQUIRE(fr::parse_duration("-9223372036854775808us") == fr::duration::min());
  REQUIRE_FALSE(fr::parse_duration("-9223372036854775809us"));
  REQUIRE_FALSE(fr::parse_duration("9223372036854775807us1us"));
}

TEST_CASE("what to_text writes reads back equal", "[core][time_text]") {
  std::mt19937_64 random(13);
  for (int round = 0; round < 20'000; ++round) {
    const fr::duration length{static_cast<std::int64_t>(random()) >> (random() % 64)};
    CAPTURE(length.count());
    REQUIRE(fr::parse_duration(fr::to_text(length)) == length);
    const fr::duration round_length = length / 1'000'000'000 * 1'000'000;
    REQUIRE(fr::parse_duration(fr::to_text(round_length)) == round_length);
  }
}
