// Operators that pause because there is no room emit what they would have emitted, in that order,
// whatever arrives while they pause.
#include "runtime/driven_instance.hpp"
#include "runtime/random_log.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/sliding.hpp>

using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr fr::side_output<"aside", std::string> aside;

/// Emits hundreds of rows for every record and timer.
struct talkative {
  struct state {
    std::int64_t seen = 0;
  };
  void process(const event& each, state& mine, auto& context) {
    say(fmt::format("{} seen {}", each.key, ++mine.seen), context);
    if (each.value % 2 == 0) context.set_event_timer(each.at + ticks_long(each.value % 17));
    if (each.value % 3 == 0) context.set_event_timer(each.at - ticks_long(each.value % 9));
    if (each.value % 5 == 0) {
      context.set_processing_timer(context.processing_time() + ticks_long(each.value % 13));
    }
  }
  void on_timer(const fr::timer& due, state& mine, auto& context) {
    say(fmt::format("{} timer {} seen {} at {}", context.key(), cell_text(due.when), mine.seen,
                    cell_text(context.watermark())),
        context);
  }
  static void say(const std::string& text, auto& context) {
    for (int i = 0; i < 200; ++i) context.emit(text);
    for (int i = 0; i < 50; ++i) context.emit(aside, text);
  }
};
BOOST_DESCRIBE_STRUCT(talkative::state, (), (seen))

rows_of_text rows_without_pauses(const composed& of, const std::vector<step>& log,
                                 bool single_split) {
  of.rows->clear();
  driven_instance op(of.graph(), of.node(), fr::key_group_set::all(), tick(0), single_split);
  for (const step& next : log) {
    if (next.what == step::kind::rows) op.feed(next.rows);
    if (next.what == step::kind::clock) op.move_clock(next.time);
    if (next.what == step::kind::watermark) {
      op.signal({.what = fr::detail::control::kind::watermark, .frontier = next.time});
    }
  }
  return std::exchange(*of.rows, {});
}

/// `pauses`: how often the operator was told to.
rows_of_text rows_with_pauses(const composed& of, const std::vector<step>& log, bool single_split,
                              std::mt19937_64& random, std::size_t& pauses) {
  of.rows->clear();
  driven_instance op(of.graph(), of.node(), fr::key_group_set::all(), tick(0), single_split);
  op.set_lacks_room([&] {
    const bool lacks = random() % 3 != 0;
    pauses += lacks ? 1 : 0;
    return lacks;
  });
  for (const step& next : log) {
    // An operator above may have more to say; but nothing is unfinished when a timer is called.
    op.set_settles(next.what == step::kind::clock || random() % 3 == 0);
    if (next.what == step::kind::clock) op.move_clock(next.time);
    if (next.what == step::kind::watermark) {
      op.signal({.what = fr::detail::control::kind::watermark, .frontier = next.time});
    }
    if (next.what == step::kind::rows && random() % 2 == 0)
      op.feed(next.rows);
    else if (next.what == step::kind::rows)
      op.feed_shared(next.rows);
  }
  op.set_settles(true);
  return std::exchange(*of.rows, {});
}

/// The rows of one output, in their order: outputs are sent one after the other.
rows_of_text of_output(const rows_of_text& all, const std::string& label) {
  rows_of_text rows;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rows),
               [&label](const std::string& each) { return each.starts_with(label + " "); });
  return rows;
}

/// `compose(c)` adds a node named `op` and its sinks.
template <class Compose>
void check_pausable(const Compose& compose) {
  std::size_t pauses = 0;
  for (std::uint64_t round = 0; round < 20; ++round) {
    INFO("round " << round);
    std::mt19937_64 random(round);
    composed of;
    compose(of);
    const log_options options{.splits = 1 + random() % 2,
                              .disorder = static_cast<std::int64_t>(random() % 8)};
    const bool single_split = options.splits == 1;
    const std::vector<step> log = random_log(random, options);
    const rows_of_text wanted = rows_without_pauses(of, log, single_split);
    REQUIRE(wanted.size() > 4 * fr::batch_rows_max);
    const rows_of_text found = rows_with_pauses(of, log, single_split, random, pauses);
    for (const char* output : {"row", "aside", "late"}) {
      // Not all in one comparison: what differs is to be read.
      const rows_of_text rows = of_output(found, output);
      const rows_of_text wanted_rows = of_output(wanted, output);
      REQUIRE(rows.size() == wanted_rows.size());
      const auto [row, wanted_row] = std::mismatch(rows.begin(), rows.end(), wanted_rows.begin());
      if (row != rows.end()) CHECK(*row == *wanted_row);
      REQUIRE(row == rows.end());
    }
  }
  REQUIRE(pauses > 100);
}

}  // namespace

TEST_CASE("a process function that pauses emits the same rows in the same order, timers included",
          "[runtime][pausing]") {
  check_pausable([](composed& of) {
    auto [main, side] =
        of.events() | fr::key_by(&event::key) | fr::process<std::string>("op", talkative{}, aside);
    main | fr::to("rows", of.into("row"));
    side | fr::to("aside", of.into("aside"));
  });
}

TEST_CASE("windows that pause among their early panes emit the same rows in the same order",
          "[runtime][pausing]") {
  check_pausable([](composed& of) {
    const auto rows = of.events() | fr::key_by(&event::key) |
                      fr::window(fr::sliding{.size = 60us, .slide = 1us},
                                 {.allowed_lateness = 20us}, {.every_count = 1}) |
                      fr::aggregate("op", fr::count("n"), fr::sum("sum", &event::value));
    rows | fr::to("rows", of.into("row"));
    rows.late() | fr::to("late", of.into("late"));
  });
}
