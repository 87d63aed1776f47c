// Timers and state of processing time in process functions, and timers over restarts, by the
// numbers of the project's list of stream processing semantics. The clock is the harness's; every
// scenario runs in every mode.
#include "catch.hpp"

#include <freshet/freshet.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct event {
  std::string key;
  std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, value))

using texts = std::vector<std::string>;

/// Sets a timer of processing time `value` ticks from now; takes the one of 3 ticks back.
struct reminder {
  void process(const event& each, auto& context) {
    context.set_processing_timer(context.processing_time() + fr::duration{each.value});
    if (each.value == 3) context.delete_processing_timer(context.processing_time() + 3us);
  }
  void on_timer(const fr::timer& due, auto& context) {
    const bool by_clock = due.time == fr::time_domain::processing_time;
    context.emit(context.key() + " " + std::to_string(due.when.time_since_epoch().count()) +
                 (by_clock ? " by the clock, " : " by the log, ") +
                 (context.at() ? "at a time" : "at no time"));
  }
};

/// The rows of `function` in every mode; `play(h, in)` is the scenario.
template <class Out, class F, class Play>
texts rows_of(const F& function, Play play) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows =
        h.collect(in.stream() | fr::key_by(&event::key) | fr::process<Out>("p", function));
    play(h, in);
    return rows.text();
  });
}

}  // namespace

TEST_CASE(
    "case 68, 71: timers of processing time fire in order when the clock says so, and know "
    "no event time",
    "[semantics][timers]") {
  const texts rows = rows_of<std::string>(reminder{}, [](auto& h, const auto& in) {
    in.push({"a", 30}, frt::at(5us));
    in.push({"b", 10}, frt::at(6us));
    in.push({"c", 20}, frt::at(7us));
    in.push({"d", 3}, frt::at(7us));
    in.watermark(frt::at(8us));
    h.clock().advance(9us);   // Nothing yet.
    h.clock().advance(11us);  // b, c.
    h.clock().advance(1h);    // a.
  });
  // Their event time is the watermark.
  REQUIRE(rows == texts{"b 10 by the clock, at no time@8", "c 20 by the clock, at no time@8",
                        "a 30 by the clock, at no time@8"});
}

TEST_CASE("case 34, 69: timers of processing time survive a restart, and fire at once when overdue",
          "[semantics][timers]") {
  const auto compose = [](frt::harness& h) {
    const auto in = h.input<event>("events");
    return std::pair{in, h.collect(in.stream() | fr::key_by(&event::key) |
                                   fr::process<std::string>("p", reminder{}))};
  };
  frt::harness h;
  const auto [in, rows] = compose(h);
  in.push({"a", 30}, frt::at(5us));
  h.stop();
  REQUIRE(rows.empty());
  frt::harness_options later;
  later.checkpoint = h.checkpoint();
  later.clock_start = frt::at(130us);
  frt::harness again(later);
  const auto [more, found] = compose(again);
  REQUIRE(found.size() == 1);
  REQUIRE(found.all().front().value == "a 30 by the clock, at no time");
}

TEST_CASE(
    "case 34: pending timers of processing time are dropped at the end of the input and when "
    "a job drains",
    "[semantics][timers]") {
  for (const bool drains : {false, true}) {
    const texts rows = rows_of<std::string>(reminder{}, [drains](auto& h, const auto& in) {
      in.push({"a", 30}, frt::at(5us));
      if (drains) {
        h.drain();
      } else {
        h.finish();
      }
      REQUIRE(h.summary().finished);
      REQUIRE(h.summary().unpromised == texts{"processing time"});
    });
    REQUIRE(rows.empty());
  }
}

TEST_CASE("case 69: an event timer fires after a restart, though its key is never seen again",
          "[semantics][timers]") {
  const auto once = fr::stateful<std::int64_t>(
      [](const event& each, std::int64_t&, auto& context) {
        context.set_event_timer(frt::at(fr::duration{each.value}));
      },
      [](const fr::timer&, std::int64_t&, auto& context) { context.emit(context.key()); });
  REQUIRE(rows_of<std::string>(once, [](auto& h, const auto& in) {
            in.push({"a", 20}, frt::at(5us));
            h.snapshot_and_restore();
            in.watermark(frt::at(19us));
            h.snapshot_and_restore();
            in.watermark(frt::at(20us));
          }) == texts{"a@19"});
}

namespace {

struct last_value {
  fr::value_state<std::int64_t> value{
      fr::ttl{.after = 100us, .time = fr::time_domain::processing_time}};
};
BOOST_DESCRIBE_STRUCT(last_value, (), (value))

}  // namespace

TEST_CASE("case 88: state expires by processing time, which counts while the job is down",
          "[semantics][ttl]") {
  const auto remember =
      fr::stateful<last_value>([](const event& each, last_value& mine, auto& context) {
        context.emit(mine.value.value_or(-1));
        mine.value.set(each.value);
      });
  REQUIRE(rows_of<std::int64_t>(remember, [](auto& h, const auto& in) {
            in.push({"a", 7}, frt::at(1us));
            h.clock().advance(99us);
            in.push({"a", 8}, frt::at(2us));
            h.snapshot_and_restore();
            h.clock().advance(100us);
            in.push({"a", 9}, frt::at(3us));
          }) == texts{"-1@1", "7@2", "-1@3"});
}
