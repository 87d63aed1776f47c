// Saturating arithmetic and time as text.
#include "catch.hpp"

#include <freshet/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

fr::timestamp at(std::int64_t microseconds) {
  return fr::timestamp{fr::duration{microseconds}};
}

/// The date of a day by walking there from 1970-01-01, one day after the other.
std::string naive_date(int days) {
  int year = 1970;
  int month = 1;
  int day = 1;
  const auto length = [&] {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
  };
  for (; days > 0; --days) {
    if (++day > length()) day = 1, ++month;
    if (month > 12) month = 1, ++year;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
  return text;
}

}  // namespace

TEST_CASE("to_iso_8601 writes the fraction only when there is one", "[core][time]") {
  REQUIRE(fr::to_iso_8601(at(0)) == "1970-01-01T00:00:00Z");
  REQUIRE(fr::to_iso_8601(at(1)) == "1970-01-01T00:00:00.000001Z");
  REQUIRE(fr::to_iso_8601(at(250'000)) == "1970-01-01T00:00:00.25Z");
  REQUIRE(fr::to_iso_8601(at(1'372'930'200'000'001)) == "2013-07-04T09:30:00.000001Z");
}

TEST_CASE("to_iso_8601 counts down from the epoch without a sign in the fraction", "[core][time]") {
  REQUIRE(fr::to_iso_8601(at(-1)) == "1969-12-31T23:59:59.999999Z");
  REQUIRE(fr::to_iso_8601(at(-1'000'000)) == "1969-12-31T23:59:59Z");
}

TEST_CASE("to_iso_8601 writes years beyond four digits with a sign", "[core][time]") {
  const std::int64_t day = 86'400'000'000;
  REQUIRE(fr::to_iso_8601(at(-719'528 * day)) == "0000-01-01T00:00:00Z");
  REQUIRE(fr::to_iso_8601(at(-719'529 * day)) == "-0001-12-31T00:00:00Z");
  REQUIRE(fr::to_iso_8601(at(2'932'896 * day)) == "9999-12-31T00:00:00Z");
  REQUIRE(fr::to_iso_8601(at(2'932'897 * day)) == "+10000-01-01T00:00:00Z");
}

TEST_CASE("to_iso_8601 writes both ends of the range of timestamps", "[core][time]") {
  REQUIRE(fr::to_iso_8601(fr::timestamp_min) == "-290308-12-21T19:59:05.224192Z");
  REQUIRE(fr::to_iso_8601(fr::timestamp_max) == "+294247-01-10T04:00:54.775807Z");
}

TEST_CASE("to_iso_8601 agrees with walking through the calendar day by day", "[core][time]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100; ++round) {
    const int days = static_cast<int>(random() % 60'000);  // Until the year 2134: 2000 and 2100.
    CAPTURE(days);
    REQUIRE(fr::to_iso_8601(at(days * 86'400'000'000)) == naive_date(days) + "T00:00:00Z");
  }
}

TEST_CASE("to_text uses the largest unit that divides the length", "[core][time]") {
  REQUIRE(fr::to_text(1h) == "1h");
  REQUIRE(fr::to_text(24h) == "1d");
  REQUIRE(fr::to_text(90s) == "90s");
  REQUIRE(fr::to_text(60s) == "1min");
  REQUIRE(fr::to_text(1'500us) == "1500us");
  REQUIRE(fr::to_text(2'000us) == "2ms");
  REQUIRE(fr::to_text(-3s) == "-3s");
  REQUIRE(fr::to_text(0s) == "0s");
  REQUIRE(fr::to_text(fr::duration::min()) == "-9223372036854775808us");
}

TEST_CASE("saturating arithmetic stops at both ends of time", "[core][time]") {
  REQUIRE(fr::saturating_add(fr::timestamp_max, 1us) == fr::timestamp_max);
  REQUIRE(fr::saturating_add(fr::timestamp_min, -1us) == fr::timestamp_min);
  REQUIRE(fr::saturating_subtract(fr::timestamp_min, 1us) == fr::timestamp_min);
  REQUIRE(fr::saturating_subtract(fr::timestamp_max, fr::duration::min()) == fr::timestamp_max);
  REQUIRE(fr::saturating_between(fr::timestamp_min, fr::timestamp_max) == fr::duration::max());
  REQUIRE(fr::saturating_between(fr::timestamp_max, fr::timestamp_min) == fr::duration::min());
  REQUIRE(fr::saturating_add(at(5), 7us) == at(12));
}

TEST_CASE("distance_past_multiple is in [0, step) for every sign", "[core][time]") {
  REQUIRE(fr::distance_past_multiple(at(7), 5us, 0us) == 2us);
  REQUIRE(fr::distance_past_multiple(at(-7), 5us, 0us) == 3us);
  REQUIRE(fr::distance_past_multiple(at(7), 5us, -1us) == 3us);
  REQUIRE(fr::distance_past_multiple(fr::timestamp_min, 1h, 1us) < 1h);
  REQUIRE(fr::distance_past_multiple(fr::timestamp_max, fr::duration::max(), -1us) >= 0us);
}
