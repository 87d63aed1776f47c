// What moves the watermark of a pipeline and what does not: cases of the project's list of stream
// processing semantics, by number, in every mode. Times are ticks of 1 us. Records move the
// watermark by themselves here, with event_time as in an application. More of these cases stand in
// tests/window/watermark_test.cpp and tests/pipeline/event_time_test.cpp.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using row = fr::window_row<std::string, std::uint64_t>;

/// Windows of 10 ticks over bare records, below what `compose` makes of them.
struct timed_windows {
  frt::harness h;
  frt::untimed_hand_input<event> in;
  fr::aggregated_stream<event, row> windows;
  frt::collected<row> rows;
  frt::collected<event> late;

  template <class Compose>
  timed_windows(const frt::harness_options& options, std::size_t splits, const Compose& compose)
      : h(options),
        in(h.untimed_input<event>("events", splits)),
        windows(compose(in.stream()) | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                fr::aggregate("w", fr::count("n"))),
        rows(h.collect(windows)),
        late(h.collect(windows.late())) {}

  void push(const std::string& key, std::int64_t at, std::size_t split = 0) {
    in.split(split).push({key, at, tick(at)});
  }
};

fr::stream<event> timed(const fr::stream<event>& events) {
  return events | fr::event_time(&event::at, fr::bounded_disorder{0us});
}

}  // namespace

TEST_CASE("case 25: an exhausted split leaves the minimum, and the last one ends time",
          "[semantics][watermark]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    timed_windows run(options, 2, timed);
    run.push("a", 1, 0);
    for (const std::int64_t at : {1, 11, 21}) run.push("a", at, 1);
    REQUIRE(run.rows.empty());  // The short split holds the windows of the long one back.
    run.in.split(0).end();
    REQUIRE(run.rows.take_text() == rows_of_text{"a|0|10|2@9", "a|10|20|1@19"});
    run.push("a", 31, 1);
    REQUIRE(run.rows.take_text() == rows_of_text{"a|20|30|1@29"});
    run.in.split(1).end();
    REQUIRE(run.rows.take_text() == rows_of_text{"a|30|40|1@39"});
    REQUIRE(run.h.summary().finished);
    REQUIRE(run.h.metrics().late() == 0);
  });
}

TEST_CASE("case 28: records that a filter drops below event_time move the watermark all the same",
          "[semantics][watermark]") {
  const auto only_a = fr::filter([](const event& each) { return each.key == "a"; });
  frt::in_every_mode([&](const frt::harness_options& options) {
    timed_windows below(options, 1,
                        [&](const fr::stream<event>& events) { return timed(events) | only_a; });
    below.push("a", 1);
    below.push("b", 50);
    REQUIRE(below.rows.take_text() == rows_of_text{"a|0|10|1@9"});
    below.push("a", 2);
    REQUIRE(below.late.take_text() == rows_of_text{"a|2|2@2"});

    timed_windows above(options, 1,
                        [&](const fr::stream<event>& events) { return timed(events | only_a); });
    above.push("a", 1);
    above.push("b", 50);
    above.push("a", 2);
    REQUIRE(above.rows.empty());
    above.h.finish();
    REQUIRE(above.rows.take_text() == rows_of_text{"a|0|10|2@9"});
  });
}

TEST_CASE("case 29: lateness after a restart is judged by the promises made before it",
          "[semantics][watermark]") {
  timed_windows run({}, 1, timed);
  run.push("a", 5);
  run.push("a", 40);
  REQUIRE(run.rows.take_text() == rows_of_text{"a|0|10|1@9"});
  run.h.snapshot_and_restore();
  REQUIRE(run.h.summary().resumed);
  run.push("a", 6);
  run.push("a", 41);
  REQUIRE(run.late.take_text() == rows_of_text{"a|6|6@6"});
  run.push("a", 40);  // Behind 41, and not late.
  run.h.finish();
  REQUIRE(run.rows.take_text() == rows_of_text{"a|40|50|3@49"});
}

TEST_CASE("case 52: after a record from far ahead the others are late, as their split promised",
          "[semantics][watermark]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    timed_windows run(options, 2, timed);
    run.push("a", 1);
    run.push("a", 1'000'000);
    run.push("a", 2);
    run.push("a", 3);
    run.push("a", 4, 1);  // Another split has promised nothing of the kind.
    run.h.finish();
    REQUIRE(sorted(run.rows.take_text()) ==
            rows_of_text{"a|0|10|2@9", "a|1000000|1000010|1@1000009"});
    REQUIRE(run.late.take_text() == rows_of_text{"a|2|2@2", "a|3|3@3"});
  });
}
