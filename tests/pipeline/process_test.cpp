// The general keyed operator: state, timers, side outputs, failures. Times are ticks of 1 us.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/aggregating_state.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

struct counted {
  std::string key;
  fr::timestamp begin;
  fr::timestamp end;
  std::int64_t sum = 0;
};
BOOST_DESCRIBE_STRUCT(counted, (), (key, begin, end, sum))

constexpr fr::side_output<"late", event> late_events;

/// Tumbling windows by hand: sums per key and span, late records on the side.
struct own_tumbling {
  struct state {
    fr::map_state<fr::timestamp, std::int64_t> sums;  // By the begin of the span.
  };
  fr::tumbling windows;

  void process(const event& e, state& mine, auto& context) {
    const fr::window_span span = windows.span_of(e.at);
    if (span.end <= context.entry_frontier()) {
      context.emit(late_events, e);
      return;
    }
    mine.sums.set(span.begin, mine.sums.value_or(span.begin, 0) + e.value);
    context.set_event_timer(span.end);
  }
  void on_timer(const fr::timer& due, state& mine, auto& context) {
    const fr::timestamp begin = windows.span_of(due.when - 1us).begin;
    context.emit({context.key(), begin, due.when, *mine.sums.get(begin)});
    mine.sums.erase(begin);
  }
};
BOOST_DESCRIBE_STRUCT(own_tumbling::state, (), (sums))

}  // namespace

TEST_CASE("first steps") {
  auto from = script_of({events_at({1, 5, 12, 3, 14, 25, 8, 31})});
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("process");
  auto [sums, too_late] = p.from("events", scripted<event>(from)) |
                          fr::event_time(&event::at, fr::bounded_disorder{5us}) |
                          fr::key_by(&event::key) |
                          fr::process<counted>("sums", own_tumbling{{10us}}, late_events);
  sums | fr::to("rows", keep_rows_in(rows));
  too_late | fr::to("late", keep_rows_in(late));
  run_to_end(p);
  for (auto& r : rows->rows) WARN(r);
  for (auto& r : late->rows) WARN(r);
}
