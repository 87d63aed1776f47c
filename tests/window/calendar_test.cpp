// Calendar windows against a scan of what clocks show, minute by minute. The clocks here are the C
// library's (`localtime_r`), not the ones that the windows are built on.
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/calendar.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using fr::calendar_unit;

namespace {

/// The zone of the C library, set back at the end. One at a time.
class clocks_in {
 public:
  explicit clocks_in(const std::string& zone) {
    const char* before = std::getenv("TZ");
    if (before != nullptr) before_ = before;
    ::setenv("TZ", (":" + zone).c_str(), 1);
    ::tzset();
  }
  ~clocks_in() {
    before_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", before_.c_str(), 1);
    ::tzset();
  }
  clocks_in(const clocks_in&) = delete;
  clocks_in& operator=(const clocks_in&) = delete;

  /// What clocks show, as if it were UTC.
  static std::chrono::sys_seconds shown_at(fr::timestamp at) {
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
    std::tm shown{};
    ::localtime_r(&seconds, &shown);
    shown.tm_isdst = 0;
    return std::chrono::sys_seconds{std::chrono::seconds(::timegm(&shown))};
  }

 private:
  std::string before_;
};

/// The definition: counts the units that clocks show at `at`.
std::int64_t unit_shown_at(const fr::calendar& of, fr::timestamp at) {
  const auto shown = std::chrono::floor<std::chrono::days>(clocks_in::shown_at(at) - of.offset);
  const std::chrono::year_month_day date(shown);
  const std::int64_t year = int{date.year()};
  const std::int64_t month = year * 12 + unsigned{date.month()} - 1;
  switch (of.unit) {
    case calendar_unit::day:
      return shown.time_since_epoch().count();
    case calendar_unit::week: {
      // The first day of week 0 is the one of the first week after the epoch, a Thursday.
      const std::int64_t first = (of.week_begins - std::chrono::Thursday).count();
      const std::int64_t days = shown.time_since_epoch().count() - first;
      return days >= 0 ? days / 7 : -((-days + 6) / 7);
    }
    case calendar_unit::month:
      return month;
    case calendar_unit::quarter:
      return month >= 0 ? month / 3 : -((-month + 2) / 3);
    default:
      return year;
  }
}

/// Every instant in (from, until) at which clocks show a later unit than ever before, looking every
/// `step`.
std::vector<fr::timestamp> scan(const fr::calendar& of, fr::timestamp from, fr::timestamp until,
                                fr::duration step) {
  std::vector<fr::timestamp> begins;
  std::int64_t latest = unit_shown_at(of, from);
  for (fr::timestamp at = from; at < until; at += step) {
    const std::int64_t unit = unit_shown_at(of, at);
    if (unit <= latest) continue;
    latest = unit;
    begins.push_back(at);
  }
  return begins;
}

constexpr fr::timestamp utc(int year, int month, int day, fr::duration of_day = 0h) {
  return std::chrono::sys_days(std::chrono::year(year) / month / day) + of_day;
}

fr::calendar days_in(const char* zone) {
  return {.zone = zone};
}

fr::duration length(const fr::window_span& span) {
  return span.end - span.begin;
}

}  // namespace

TEST_CASE("a day on which clocks change has 23 or 25 hours", "[window][calendar]") {
  const fr::calendar days = days_in("Europe/Berlin");
  const fr::window_span spring = days.span_of(utc(2024, 3, 31, 12h));
  REQUIRE(spring == fr::window_span{utc(2024, 3, 30, 23h), utc(2024, 3, 31, 22h)});
  const fr::window_span autumn = days.span_of(utc(2024, 10, 27, 12h));
  REQUIRE(autumn == fr::window_span{utc(2024, 10, 26, 22h), utc(2024, 10, 27, 23h)});
  REQUIRE(length(days.span_of(utc(2024, 4, 1))) == 24h);
}

TEST_CASE("a day whose midnight is skipped begins where clocks skip it", "[window][calendar]") {
  // 00:00 became 01:00 in both, so that the day has 23 hours.
  const fr::window_span sao_paulo = days_in("America/Sao_Paulo").span_of(utc(2017, 10, 15, 12h));
  REQUIRE(sao_paulo == fr::window_span{utc(2017, 10, 15, 3h), utc(2017, 10, 16, 2h)});
  const fr::window_span beirut = days_in("Asia/Beirut").span_of(utc(2017, 3, 26, 12h));
  REQUIRE(beirut == fr::window_span{utc(2017, 3, 25, 22h), utc(2017, 3, 26, 21h)});
}

TEST_CASE("a day whose midnight comes twice begins at the first", "[window][calendar]") {
  // 01:00 became 00:00 again.
  const fr::window_span havana = days_in("America/Havana").span_of(utc(2016, 11, 6, 12h));
  REQUIRE(havana == fr::window_span{utc(2016, 11, 6, 4h), utc(2016, 11, 7, 5h)});
}

TEST_CASE("clocks set back across midnight do not open the day before again",
          "[window][calendar]") {
  // 00:01 became 23:01 of the day before, and an hour later it was midnight once more.
  const fr::calendar days = days_in("America/St_Johns");
  const fr::window_span day = {utc(2010, 11, 7, 2h + 30min), utc(2010, 11, 8, 3h + 30min)};
  REQUIRE(days.span_of(utc(2010, 11, 7, 2h + 30min)) == day);
  REQUIRE(days.span_of(utc(2010, 11, 7, 3h)) == day);  // 23:30 is shown.
  REQUIRE(days.span_of(utc(2010, 11, 7, 4h)) == day);
  REQUIRE(days.span_of(utc(2010, 11, 7, 2h + 29min)).end == day.begin);
}

TEST_CASE("a day that a zone left out has no window", "[window][calendar]") {
  // After 2011-12-29 came 2011-12-31.
  const fr::calendar days = days_in("Pacific/Apia");
  const fr::timestamp line = utc(2011, 12, 30, 10h);
  REQUIRE(days.span_of(line - 1us) == fr::window_span{utc(2011, 12, 29, 10h), line});
  REQUIRE(days.span_of(line) == fr::window_span{line, utc(2011, 12, 31, 10h)});
  const fr::calendar months{.unit = calendar_unit::month, .zone = "Pacific/Apia"};
  REQUIRE(length(months.span_of(line)) == 30 * 24h);
}

TEST_CASE("local time of long ago has seconds, and so have its days", "[window][calendar]") {
  // Paris was 9 min 21 s ahead, New York 4 h 56 min 2 s behind.
  REQUIRE(days_in("Europe/Paris").span_of(utc(1880, 1, 1)).begin ==
          utc(1879, 12, 31, 23h + 50min + 39s));
  REQUIRE(days_in("America/New_York").span_of(utc(1850, 6, 1, 12h)).begin ==
          utc(1850, 6, 1, 4h + 56min + 2s));
}

TEST_CASE("an offset moves the boundary by what clocks show", "[window][calendar]") {
  fr::calendar days = days_in("Europe/Berlin");
  days.offset = 6h;  // Six o'clock is 5:00 UTC in winter, 4:00 in summer.
  REQUIRE(days.span_of(utc(2024, 3, 31, 3h)) ==
          fr::window_span{utc(2024, 3, 30, 5h), utc(2024, 3, 31, 4h)});
  days.offset = -2h;
  REQUIRE(days.span_of(utc(2024, 1, 10)).begin == utc(2024, 1, 9, 21h));
  days.offset = 2h + 30min;  // Skipped in March: at 1:00 UTC; twice in October: the first.
  REQUIRE(days.span_of(utc(2024, 3, 31, 12h)).begin == utc(2024, 3, 31, 1h));
  REQUIRE(days.span_of(utc(2024, 10, 27, 12h)).begin == utc(2024, 10, 27, 0h + 30min));
  days.offset = 1500us;
  REQUIRE(days.span_of(utc(2024, 1, 10)).begin == utc(2024, 1, 9, 23h) + 1500us);
  REQUIRE(days.span_of(utc(2024, 1, 9, 23h) + 1499us).end == utc(2024, 1, 9, 23h) + 1500us);
}

TEST_CASE("weeks, months, quarters and years begin at their first midnight", "[window][calendar]") {
  const fr::timestamp noon = utc(2024, 5, 15, 12h);  // A Wednesday.
  fr::calendar of{.unit = calendar_unit::week, .zone = "Asia/Kolkata"};
  const auto local = [](int year, int month, int day) {
    return utc(year, month, day) - 5h - 30min;
  };
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 5, 13), local(2024, 5, 20)});
  of.week_begins = std::chrono::Sunday;
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 5, 12), local(2024, 5, 19)});
  of.week_begins = std::chrono::Wednesday;
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 5, 15), local(2024, 5, 22)});
  of.unit = calendar_unit::month;
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 5, 1), local(2024, 6, 1)});
  of.unit = calendar_unit::quarter;
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 4, 1), local(2024, 7, 1)});
  of.unit = calendar_unit::year;
  REQUIRE(of.span_of(noon) == fr::window_span{local(2024, 1, 1), local(2025, 1, 1)});
}

TEST_CASE("calendar windows saturate at both ends of time", "[window][calendar]") {
  for (const calendar_unit unit : {calendar_unit::day, calendar_unit::week, calendar_unit::year}) {
    for (const char* zone : {"UTC", "America/St_Johns", "Pacific/Apia"}) {
      const fr::calendar of{.unit = unit, .zone = zone, .offset = 1500us};
      REQUIRE(of.span_of(fr::timestamp_min).begin == fr::timestamp_min);
      REQUIRE(of.span_of(fr::timestamp_max).end == fr::timestamp_max);
      REQUIRE(of.span_of(fr::timestamp_min).end > fr::timestamp_min);
      REQUIRE(of.span_of(fr::timestamp_max).begin < fr::timestamp_max);
    }
  }
}

TEST_CASE("calendar windows refuse unknown zones and long offsets", "[window][calendar]") {
  REQUIRE(days_in("Europe/Berlin").check().empty());
  REQUIRE(days_in("Etc/GMT-14").check().empty());
  for (const std::string zone : {"Europe/Berlni", "", "localtime", "/etc/localtime", "../UTC"}) {
    REQUIRE(fr::calendar{.zone = zone}.check() ==
            "zone '" + zone +
                "' is not in the tz database of this machine; give .zone a name like "
                "Europe/Berlin or UTC, and install the database if it is missing (Debian package "
                "tzdata)");
  }
  REQUIRE(fr::calendar{.offset = 24h}.check() ==
          "offset 1d is not shorter than the shortest day, 1d; give a shorter .offset");
  REQUIRE_FALSE(fr::calendar{.offset = fr::duration::min()}.check().empty());
  REQUIRE_FALSE(fr::calendar{.unit = calendar_unit::month, .offset = -28 * 24h}.check().empty());
  REQUIRE(fr::calendar{.unit = calendar_unit::month, .offset = 14 * 24h}.check().empty());
  REQUIRE_FALSE(fr::calendar{.unit = static_cast<calendar_unit>(7)}.check().empty());
  REQUIRE_FALSE(fr::calendar{.week_begins = std::chrono::weekday(9)}.check().empty());
}

TEST_CASE("calendar windows say what they are", "[window][calendar]") {
  REQUIRE(fr::calendar{}.describe() == "calendar day in UTC");
  REQUIRE(fr::calendar{.unit = calendar_unit::week,
                       .zone = "Asia/Kolkata",
                       .offset = -6h,
                       .week_begins = std::chrono::Sunday}
              .describe() == "calendar week from Sunday in Asia/Kolkata offset -6h");
}

TEST_CASE("calendar windows keep the window assigner contract", "[window][calendar][contract]") {
  fr::check_window_assigner(days_in("America/St_Johns"));
  fr::check_window_assigner(
      fr::calendar{.unit = calendar_unit::month, .zone = "Europe/Berlin", .offset = 1500us});
  fr::check_window_assigner(
      fr::calendar{.unit = calendar_unit::week, .zone = "Pacific/Apia", .offset = -50h});
}

TEST_CASE("around transitions, calendar windows begin where a scan of the clocks finds it",
          "[window][calendar]") {
  struct transition {
    const char* zone;
    fr::timestamp near;
    fr::duration step;
  };
  // Times with odd seconds are looked for second by second, around the boundary only.
  for (const transition& each : std::vector<transition>{
           {"Europe/Berlin", utc(2024, 3, 31), 1min},
           {"Europe/Berlin", utc(2024, 10, 27), 1min},
           {"America/Sao_Paulo", utc(2017, 10, 15), 1min},
           {"America/Sao_Paulo", utc(2018, 2, 18), 1min},
           {"Asia/Beirut", utc(2017, 3, 26), 1min},
           {"America/Havana", utc(2016, 3, 13), 1min},
           {"America/Havana", utc(2016, 11, 6), 1min},
           {"America/St_Johns", utc(2010, 3, 14), 1min},
           {"America/St_Johns", utc(2010, 11, 7), 1min},
           {"Australia/Lord_Howe", utc(2020, 4, 5), 1min},
           {"Pacific/Apia", utc(2011, 12, 30), 1min},
           {"Pacific/Kwajalein", utc(1993, 8, 21), 1min},
           {"Asia/Kathmandu", utc(1986, 1, 1), 1min},
           {"Europe/Paris", utc(1891, 3, 16), 1s},
           {"America/New_York", utc(1883, 11, 18), 1s},
           {"America/Juneau", utc(1867, 10, 19), 1s},
       }) {
    const clocks_in zone(each.zone);
    const fr::duration around = each.step == 1s ? 26h : 72h;
    for (const fr::duration offset : {0h, 6h, -2h}) {
      const fr::calendar days{.zone = each.zone, .offset = offset};
      // Longer before, so that the scan knows what was shown already.
      const auto found = scan(days, each.near - around - 30h, each.near + around, each.step);
      REQUIRE(found.size() >= 2);
      INFO(each.zone << " offset " << offset.count());
      for (std::size_t i = 1; i < found.size(); ++i) {
        const fr::window_span wanted{found[i - 1], found[i]};
        REQUIRE(days.span_of(wanted.begin) == wanted);
        REQUIRE(days.span_of(wanted.end - 1us) == wanted);
        REQUIRE(days.span_of(wanted.begin + length(wanted) / 2) == wanted);
      }
    }
  }
}

TEST_CASE("from 1900 to 2100 calendar windows partition time, and begin with their unit",
          "[window][calendar]") {
  std::mt19937_64 random(65);
  const std::array<const char*, 9> zones = {"UTC",
                                            "Europe/Berlin",
                                            "America/New_York",
                                            "America/St_Johns",
                                            "Asia/Kolkata",
                                            "Pacific/Apia",
                                            "America/Sao_Paulo",
                                            "Africa/Casablanca",
                                            "Australia/Lord_Howe"};
  const auto between = static_cast<std::uint64_t>((utc(2100, 1, 1) - utc(1900, 1, 1)) / 1us);
  for (const char* name : zones) {
    const clocks_in zone(name);
    for (int round = 0; round < 150; ++round) {
      const fr::calendar of{
          .unit = static_cast<calendar_unit>(random() % 5),
          .zone = name,
          .offset = fr::duration(static_cast<std::int64_t>(random() % 96) - 47) * 900'000'000 / 2,
          .week_begins = std::chrono::weekday(static_cast<unsigned>(random() % 7))};
      const fr::timestamp at =
          utc(1900, 1, 1) + fr::duration(static_cast<std::int64_t>(random() % between));
      const fr::window_span span = of.span_of(at);
      INFO(of.describe() << " at " << fr::to_iso_8601(at));
      REQUIRE(of.check().empty());
      REQUIRE(span.begin <= at);
      REQUIRE(at < span.end);
      REQUIRE(of.span_of(span.begin) == span);
      REQUIRE(of.span_of(span.end - 1us) == span);
      REQUIRE(of.span_of(span.end).begin == span.end);
      REQUIRE(of.span_of(span.begin - 1us).end == span.begin);
      // The unit is shown from the first instant on, not before, and no later one inside.
      const std::int64_t unit = unit_shown_at(of, span.begin);
      for (fr::duration before = 1us; before < 50h; before += 15min) {
        REQUIRE(unit_shown_at(of, span.begin - before) < unit);
      }
      for (int i = 0; i < 50; ++i) {
        const auto inside =
            static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(length(span).count()));
        REQUIRE(unit_shown_at(of, span.begin + fr::duration(inside)) <= unit);
      }
    }
  }
}
