// Days and months in a time zone, through a pipeline: case 65 of the project's list of stream
// processing semantics.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/calendar.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// One record every half hour from `from` on; rows as `start of the window|records`.
rows_of_text counts_in(fr::calendar windows, fr::timestamp from, fr::duration length) {
  std::vector<event> events;
  for (fr::duration after{0}; after < length; after += 30min) {
    events.push_back({"a", 1, from + after});
  }
  const auto rows = keeper();
  fr::pipeline p("calendar");
  const auto counted = p.from("events", scripted<event>({std::move(events)})) |
                       fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
                       fr::window(windows) | fr::aggregate("w", fr::count("n"));
  using row = typename decltype(counted)::value_type;
  counted | fr::map([](const row& each) {
    return fr::to_iso_8601(each.window.begin) + "|" + std::to_string(std::get<0>(each.values));
  }) | fr::to("rows", keep_rows_in(rows));
  (void)run_to_end(p);
  return rows->rows;
}

constexpr fr::timestamp utc(int year, int month, int day, fr::duration of_day = 0h) {
  return std::chrono::sys_days(std::chrono::year(year) / month / day) + of_day;
}

rows_of_text without_times(rows_of_text rows) {
  for (std::string& row : rows) row.resize(row.find('@'));
  return rows;
}

}  // namespace

TEST_CASE("case 65: days in a zone have 23, 24 or 25 hours, each record in its own",
          "[semantics][window][calendar]") {
  const fr::calendar days{.zone = "Europe/Berlin"};
  REQUIRE(without_times(counts_in(days, utc(2024, 3, 29, 23h), 71h)) ==
          rows_of_text{"2024-03-29T23:00:00Z|48", "2024-03-30T23:00:00Z|46",
                       "2024-03-31T22:00:00Z|48"});
  REQUIRE(without_times(counts_in(days, utc(2024, 10, 26, 22h), 49h)) ==
          rows_of_text{"2024-10-26T22:00:00Z|50", "2024-10-27T23:00:00Z|48"});
}

TEST_CASE("case 65: months end where the next one begins, not a fixed time later",
          "[semantics][window][calendar]") {
  const fr::calendar months{.unit = fr::calendar_unit::month, .zone = "America/New_York"};
  REQUIRE(without_times(counts_in(months, utc(2024, 2, 1, 5h), 60 * 24h - 1h)) ==
          rows_of_text{"2024-02-01T05:00:00Z|1392", "2024-03-01T05:00:00Z|1486"});
}

TEST_CASE("case 65: an unknown zone is refused when the pipeline is composed",
          "[semantics][window][calendar]") {
  REQUIRE(refusal_of([] { (void)counts_in({.zone = "Europe/Berlni"}, utc(2024, 1, 1), 1h); }) ==
          "window 'w': zone 'Europe/Berlni' is not in the tz database of this machine; give .zone "
          "a name like Europe/Berlin or UTC, and install the database if it is missing (Debian "
          "package tzdata)");
}
