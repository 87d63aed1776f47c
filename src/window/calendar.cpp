// Calendar windows, on Abseil's time zones, which read the tz database of the machine.
#include <freshet/window/calendar.hpp>

#include <absl/strings/string_view.h>
#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace freshet {
namespace {

struct unit_facts {
  std::string_view name;
  duration shortest;
};
constexpr std::array<unit_facts, 5> units = {{{"day", std::chrono::days(1)},
                                              {"week", std::chrono::days(7)},
                                              {"month", std::chrono::days(28)},
                                              {"quarter", std::chrono::days(90)},
                                              {"year", std::chrono::days(365)}}};

bool load_zone(const std::string& name, absl::TimeZone& zone) {
  return absl::LoadTimeZone(absl::string_view(name.data(), name.size()), &zone);
}

/// Abseil keeps the zones that it has loaded, behind a lock; the last one is at hand without.
absl::TimeZone zone_named(const std::string& name) {
  struct named_zone {
    std::string name = "UTC";
    absl::TimeZone zone = absl::UTCTimeZone();
  };
  thread_local named_zone last;
  if (last.name != name) {
    load_zone(name, last.zone);
    last.name = name;
  }
  return last.zone;
}

/// `after` is less than a second. Saturates once: what is added to a saturated begin would
/// otherwise move it after the end of time.
timestamp to_timestamp(absl::Time at, duration after = duration::zero()) {
  constexpr std::int64_t micros_per_second = 1'000'000;
  const std::int64_t seconds = absl::ToUnixSeconds(at);
  std::int64_t count = 0;
  if (__builtin_mul_overflow(seconds, micros_per_second, &count)) {
    return seconds > 0 ? timestamp_max : timestamp_min;
  }
  return saturating_add(timestamp{duration{count}}, after);
}

absl::Weekday to_absl(std::chrono::weekday day) {
  constexpr std::array<absl::Weekday, 7> from_sunday = {
      absl::Weekday::sunday,    absl::Weekday::monday,   absl::Weekday::tuesday,
      absl::Weekday::wednesday, absl::Weekday::thursday, absl::Weekday::friday,
      absl::Weekday::saturday};
  return from_sunday[day.c_encoding() % 7];
}

/// The units of one calendar by their first days, and where they begin.
class boundaries {
 public:
  explicit boundaries(const calendar& of)
      : of_(of),
        zone_(zone_named(of.zone)),
        whole_(std::chrono::floor<std::chrono::seconds>(of.offset)),
        rest_(of.offset - whole_) {}

  /// The first day of the unit that clocks show at `at`.
  absl::CivilDay shown_at(timestamp at) const {
    const absl::Time instant = absl::FromUnixMicros(at.time_since_epoch().count());
    return first_day(absl::CivilDay(zone_.At(instant).cs - whole_.count()));
  }

  /// The first day of the next unit, or of the one before.
  absl::CivilDay next(absl::CivilDay first, int steps = 1) const {
    switch (of_.unit) {
      case calendar_unit::day:
        return first + steps;
      case calendar_unit::week:
        return first + 7 * steps;
      case calendar_unit::month:
        return absl::CivilDay(absl::CivilMonth(first) + steps);
      case calendar_unit::quarter:
        return absl::CivilDay(absl::CivilMonth(first) + 3 * steps);
      case calendar_unit::year:
        break;
    }
    return absl::CivilDay(absl::CivilYear(first) + steps);
  }

  /// The first instant at which clocks show the unit's first midnight plus the offset, or later.
  timestamp begin_of(absl::CivilDay first) const {
    const absl::TimeZone::TimeInfo found = zone_.At(absl::CivilSecond(first) + whole_.count());
    if (found.kind == absl::TimeZone::TimeInfo::SKIPPED) return to_timestamp(found.trans);
    return to_timestamp(found.pre, rest_);
  }

 private:
  absl::CivilDay first_day(absl::CivilDay day) const {
    switch (of_.unit) {
      case calendar_unit::day:
        return day;
      case calendar_unit::week:
        return absl::PrevWeekday(day + 1, to_absl(of_.week_begins));
      case calendar_unit::month:
        return absl::CivilDay(absl::CivilMonth(day));
      case calendar_unit::quarter:
        return absl::CivilDay(absl::CivilMonth(day) - (day.month() - 1) % 3);
      case calendar_unit::year:
        break;
    }
    return absl::CivilDay(absl::CivilYear(day));
  }

  const calendar& of_;
  absl::TimeZone zone_;
  std::chrono::seconds whole_;  ///< Of the offset, rounded down,
  duration rest_;               ///< and what is left of it, not negative.
};

bool is_zone_name(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
  // Of the machine's own zone nobody could tell later what it was.
  return !name.empty() && name.front() != '/' && name != "localtime" &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

window_span calendar::span_of(timestamp at) const {
  const boundaries of(*this);
  // What clocks show tells the unit, but where they were set back across its boundary.
  absl::CivilDay first = of.shown_at(at);
  timestamp begin = of.begin_of(first);
  while (begin > at) {
    first = of.next(first, -1);
    begin = of.begin_of(first);
  }
  timestamp end = of.begin_of(of.next(first));
  while (end <= at && end < timestamp_max) {
    first = of.next(first);
    begin = end;
    end = of.begin_of(of.next(first));
  }
  return {begin, end};
}

std::string calendar::describe() const {
  std::string text = "calendar " + std::string(units[static_cast<std::size_t>(unit)].name);
  if (unit == calendar_unit::week) {
    constexpr std::array<std::string_view, 7> names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
    text += " from " + std::string(names[week_begins.c_encoding() % 7]);
  }
  text += " in " + zone;
  if (offset != duration::zero()) text += " offset " + to_text(offset);
  return text;
}

std::string calendar::check() const {
  const auto index = static_cast<std::size_t>(unit);
  if (index >= units.size()) {
    return "unit " + std::to_string(index) +
           " is none of day, week, month, quarter, year; give .unit one of calendar_unit";
  }
  if (!week_begins.ok()) {
    return "week_begins " + std::to_string(week_begins.c_encoding()) +
           " is no day of the week; give .week_begins one, such as std::chrono::Monday";
  }
  const duration shortest = units[index].shortest;
  if (offset <= -shortest || offset >= shortest) {
    return "offset " + to_text(offset) + " is not shorter than the shortest " +
           std::string(units[index].name) + ", " + to_text(shortest) + "; give a shorter .offset";
  }
  absl::TimeZone loaded;
  if (!is_zone_name(zone) || !load_zone(zone, loaded)) {
    return "zone '" + zone +
           "' is not in the tz database of this machine; give .zone a name like Europe/Berlin or "
           "UTC, and install the database if it is missing (Debian package tzdata)";
  }
  return {};
}

}  // namespace freshet
