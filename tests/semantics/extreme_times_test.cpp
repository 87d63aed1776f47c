// Records, watermarks, latenesses and timers at both ends of time, in every mode: nothing overflows
// (these tests are run with UBSan, too), and everything is where the rules say.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/window/calendar.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t first = fr::timestamp_min.time_since_epoch().count();
constexpr std::int64_t last = fr::timestamp_max.time_since_epoch().count();
constexpr fr::window_options longest{.allowed_lateness = fr::duration::max()};

template <class Assigner>
outcome show(const items& given, const Assigner& assigner, fr::window_options options = {}) {
  return everywhere(given, [&](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::count("n"));
  });
}

/// The row of the key `a` for `[begin, end)`.
std::string row(std::int64_t begin, std::int64_t end, int n) {
  return "a|" + std::to_string(begin) + "|" + std::to_string(end) + "|" + std::to_string(n) + "@" +
         std::to_string(end - 1);
}
std::string row(const fr::window_span& span, int n) {
  return row(span.begin.time_since_epoch().count(), span.end.time_since_epoch().count(), n);
}

/// Both ends, with a late record at each: the one of the beginning first when only its window has
/// fired, then when time is almost over.
items both_ends(std::int64_t first_end) {
  return {e(first), e(first + 1), frontier(first_end), look(),  e(first), frontier(last),
          look(),   e(last),      e(last - 1),         e(first)};
}

}  // namespace

TEST_CASE("tumbling windows at both ends of time, with the longest lateness",
          "[semantics][window][extremes]") {
  // The first window would begin two ticks before time; the last one would end three after it.
  const outcome got = show(both_ends(first + 8), fr::tumbling{10us}, longest);
  REQUIRE(got.rows == rows_of_text{row(first, first + 8, 2), "--", row(first, first + 8, 3), "--",
                                   row(last - 7, last, 2)});
  // The longest lateness after the first window is over at tick 7.
  REQUIRE(got.late == rows_of_text{"a|" + std::to_string(first) + "|" + std::to_string(first) +
                                   "@" + std::to_string(first)});
  REQUIRE(show(both_ends(first + 8), fr::tumbling{10us}).late_count == 2);
}

TEST_CASE("a window of all the ticks there are", "[semantics][window][extremes]") {
  // [-max, 0) and [0, max), and the first tick stands before both.
  const fr::tumbling windows{fr::duration::max()};
  REQUIRE(
      show({e(first), e(first + 1), e(-1), e(0), e(last - 1), e(last)}, windows, longest).rows ==
      rows_of_text{row(first, first + 1, 1), row(first + 1, 0, 2), row(0, last, 2),
                   row(last, last, 1)});
}

TEST_CASE("sliding windows at both ends of time, with the longest lateness",
          "[semantics][window][extremes]") {
  const outcome got = show(both_ends(first + 8), fr::sliding{10us, 5us}, longest);
  REQUIRE(got.rows == rows_of_text{row(first, first + 3, 2), row(first, first + 8, 2), "--",
                                   row(first, first + 3, 3), row(first, first + 8, 3), "--",
                                   row(last - 7, last, 2), row(last - 2, last, 2)});
  REQUIRE(got.late_count == 1);
  // As long as lengths can be, every 2^62 ticks. The last tick is no more in [0, last).
  constexpr std::int64_t half = std::int64_t{1} << 62;
  const outcome wide = show({e(first), e(0), e(last)},
                            fr::sliding{fr::duration::max(), fr::duration{half}}, longest);
  REQUIRE(wide.rows == rows_of_text{row(first, -half - 1, 1), row(first, -1, 1),
                                    row(-half, half - 1, 1), row(0, last, 1), row(half, last, 1)});
  REQUIRE(wide.late_count + wide.unassigned == 0);
}

TEST_CASE("sessions at both ends of time, with the longest lateness and the longest gap",
          "[semantics][session][extremes]") {
  const outcome got = show(both_ends(first + 11), fr::session{10us}, longest);
  REQUIRE(got.rows == rows_of_text{row(first, first + 11, 2), "--", row(first, first + 11, 3), "--",
                                   row(last - 1, last, 2)});
  REQUIRE(got.late_count == 1);
  REQUIRE(show({e(first), e(0), e(last)}, fr::session{fr::duration::max()}, longest).rows ==
          rows_of_text{row(first, -1, 1), row(0, last, 2)});
}

TEST_CASE("the global window holds both ends of time", "[semantics][window][extremes]") {
  const outcome got = show(both_ends(first + 8), fr::global_window{}, longest);
  REQUIRE(got.rows == rows_of_text{"--", "--", row(first, last, 6)});
  REQUIRE(got.late_count == 0);
}

TEST_CASE("calendar windows at both ends of time, with the longest lateness",
          "[semantics][window][calendar][extremes]") {
  for (const char* zone : {"UTC", "America/New_York"}) {
    for (const auto unit : {fr::calendar_unit::day, fr::calendar_unit::year}) {
      INFO(zone << ", " << static_cast<int>(unit));
      const fr::calendar windows{.unit = unit, .zone = zone};
      const fr::window_span begins = windows.span_of(tick(first));
      const fr::window_span ends = windows.span_of(tick(last));
      REQUIRE(begins.begin == fr::timestamp_min);
      REQUIRE(ends.end == fr::timestamp_max);
      const outcome got = show(both_ends(begins.end.time_since_epoch().count()), windows, longest);
      REQUIRE(got.rows == rows_of_text{row(begins, 2), "--", row(begins, 3), "--", row(ends, 2)});
      // Late where the lateness after the first unit is over before time is.
      const bool over = fr::saturating_add(begins.end, fr::duration::max()) < tick(last);
      REQUIRE(got.late_count == (over ? 1 : 0));
    }
  }
}

TEST_CASE("count windows take records of both ends of time as they come",
          "[semantics][window][count][extremes]") {
  const rows_of_text got = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows = h.collect(in.stream() | fr::key_by(&event::key) |
                                fr::window(fr::count_window{.size = 3, .slide = 2}) |
                                fr::aggregate("w", fr::count("n")));
    for (const item& each : {e(last), e(first), frontier(last), e(first), e(last), e(last)}) {
      give(in, each);
    }
    h.finish();
    return rows.take_text();
  });
  REQUIRE(got == rows_of_text{row(first, last, 3), row(first, last, 3)});
}

namespace {

/// Sets timers at both ends of time, and sends what it gets to both.
struct reaching {
  void process(const event& each, auto& context) {
    context.set_event_timer(fr::timestamp_min);
    context.set_event_timer(fr::timestamp_max);
    context.emit_at(fr::timestamp_min, each);
    context.emit_at(fr::timestamp_max, each);
  }
  void on_timer(const fr::timer& due, auto& context) { context.emit(event{"timer", 0, due.when}); }
};

}  // namespace

TEST_CASE("process functions reach both ends of time with timers and rows",
          "[semantics][process][extremes]") {
  const outcome got =
      everywhere({e(first), e(5), e(last), frontier(last)}, [](const fr::stream<event>& events) {
        return events | fr::key_by(&event::key) | fr::process<event>("p", reaching{}) |
               fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
               fr::aggregate("w", fr::count("n"));
      });
  // One timer per key and time: that of the first tick fires with the first watermark, that of the
  // last one at the end of time. Their rows stand a tick earlier, where there is one.
  REQUIRE(sorted(got.rows) ==
          sorted({row(first, first + 8, 3), "timer" + row(first, first + 8, 1).substr(1),
                  row(last - 7, last, 3), "timer" + row(last - 7, last, 1).substr(1)}));
  REQUIRE(got.late.empty());
}

TEST_CASE("event_time takes every time, with the longest disorder and guard",
          "[semantics][watermark][extremes]") {
  for (const fr::duration disorder : {fr::duration{0}, fr::duration::max()}) {
    const std::size_t late = frt::in_every_mode([&](const frt::harness_options& options) {
      frt::harness h(options);
      const auto in = h.untimed_input<event>("events");
      const auto windows =
          in.stream() |
          fr::event_time(&event::at, fr::bounded_disorder{disorder},
                         {.idle_after = fr::duration::max(), .jump_max = fr::duration::max()}) |
          fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
          fr::aggregate("w", fr::count("n"));
      const auto rows = h.collect(windows);
      const auto found = h.collect(windows.late());
      // The second one is as far ahead as lengths go, the third one no more than that.
      for (const std::int64_t at : {first, last, std::int64_t{-1}, first, last}) {
        in.push({"a", at, tick(at)});
      }
      h.clock().move_to(fr::timestamp_max);
      h.finish();
      REQUIRE(h.status().ok());
      REQUIRE(h.metrics().dead() == 2);
      return found.size();
    });
    REQUIRE(late == (disorder == fr::duration{0} ? 1 : 0));
  }
}
