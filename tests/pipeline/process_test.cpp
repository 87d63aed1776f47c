// The general keyed operator: state, event timers, side outputs.
#include "pipeline/process_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/aggregating_state.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Sets timers as its records say, deletes those of negative values, and tells when they fire.
struct waking {
  void process(const event& each, auto& context) {
    if (each.value < 0) {
      context.delete_event_timer(tick(-each.value));
    } else if (each.value > 0) {
      context.set_event_timer(tick(each.value));
    }
  }
  void on_timer(const fr::timer& due, auto& context) {
    context.emit(context.key() + " " + cell_text(due.when) + " at " + cell_text(*context.at()));
  }
};

}  // namespace

TEST_CASE(
    "case 66: a timer set twice fires once, a deleted one never, and deleting none is nothing",
    "[semantics][process][timers]") {
  REQUIRE(rows_of<std::string>({e("a", 0, 10), e("a", 1, 10), e("a", 2, 12), e("a", 3, -12),
                                e("a", 3, -99), w(50), e("a", 51, 0)},
                               waking{}) == rows_of_text{"a 10 at 10@9"});
}

TEST_CASE("case 66: a timer that was deleted and set again fires once",
          "[semantics][process][timers]") {
  REQUIRE(rows_of<std::string>({e("a", 0, 10), e("a", 1, -10), e("a", 2, 10), w(50)}, waking{}) ==
          rows_of_text{"a 10 at 10@9"});
}

TEST_CASE("case 67: timers fire when the watermark reaches them, by time, each with its key",
          "[semantics][process][timers]") {
  const rows_of_text rows = rows_of<std::string>(
      {e("a", 0, 20), e("b", 0, 10), e("a", 1, 10), e("b", 2, 20), w(9), w(10), w(19), w(30)},
      waking{});
  REQUIRE(rows.size() == 4);
  REQUIRE(sorted({rows[0], rows[1]}) == rows_of_text{"a 10 at 10@9", "b 10 at 10@9"});
  REQUIRE(sorted({rows[2], rows[3]}) == rows_of_text{"a 20 at 20@19", "b 20 at 20@19"});
}

namespace {

/// Each timer sets the next one, three later, up to a limit.
struct chain {
  void process(const event& each, auto& context) {
    if (each.key != "clock") context.set_event_timer(each.at);
  }
  void on_timer(const fr::timer& due, auto& context) {
    context.emit(cell_text(due.when) + " of " + cell_text(context.watermark()));
    if (due.when < tick(9)) context.set_event_timer(due.when + 3us);
  }
};

}  // namespace

TEST_CASE("case 67: a timer set by a timer fires in the same pass, when its time has come",
          "[semantics][process][timers]") {
  REQUIRE(rows_of<std::string>({e("a", 1), w(8), w(100)}, chain{}) ==
          rows_of_text{"1 of 1@0", "4 of 4@3", "7 of 7@6", "10 of 10@9"});
}

TEST_CASE("a timer for a time that is over fires before the next record, behind the watermark",
          "[process][timers]") {
  // The window takes what is on time; [0, 10) had ended when the timer was set.
  const auto add = [](const auto& keyed) {
    const auto windows = keyed | fr::process<std::string>("p", waking{}) |
                         fr::key_by([](const std::string&) { return 0; }) |
                         fr::window(fr::tumbling{10us}) | fr::aggregate("w", fr::count("n"));
    return std::tuple{windows, windows.late()};
  };
  const process_rows got = run_everywhere({w(30), e("a", 31, 5), e("a", 32, 0)}, add);
  REQUIRE(got.rows.empty());
  REQUIRE(got.side == rows_of_text{"a 5 at 5@4"});
}

TEST_CASE("case 31: the row of a timer at a window's end is in that window", "[process][timers]") {
  const auto add = [](const auto& keyed) {
    const auto windows = keyed | fr::process<std::string>("p", waking{}) |
                         fr::key_by([](const std::string&) { return 0; }) |
                         fr::window(fr::tumbling{10us}) | fr::aggregate("w", fr::count("n"));
    return std::tuple{windows, windows.late()};
  };
  REQUIRE(run_everywhere({e("a", 1, 10), w(10)}, add).rows == rows_of_text{"0|0|10|1@9"});
}

namespace {

constexpr fr::side_output<"odd", event> odd;
constexpr fr::side_output<"text", std::string> text;

struct splitting {
  void process(const event& each, auto& context) {
    if (each.value % 2 == 0) return context.emit(each.value);
    context.emit(odd, each);
    context.emit_at(text, each.at + 100us, each.key);
  }
};

}  // namespace

TEST_CASE("side outputs are streams of their own types, with the times of their causes",
          "[process]") {
  const std::vector<event> log{e("a", 1, 2), e("b", 2, 3), e("a", 3, 4)};
  const process_rows numbers = run_everywhere(log, [](const auto& keyed) {
    auto [even, odds, words] = keyed | fr::process<std::int64_t>("p", splitting{}, odd, text);
    return std::tuple{even, odds};
  });
  REQUIRE(numbers.rows == rows_of_text{"2@1", "4@3"});
  REQUIRE(numbers.side == rows_of_text{"b|3|2@2"});
  const process_rows texts = run_everywhere(log, [](const auto& keyed) {
    auto [even, odds, words] = keyed | fr::process<std::int64_t>("p", splitting{}, odd, text);
    return std::tuple{words, odds};
  });
  REQUIRE(texts.rows == rows_of_text{"b@102"});
}

namespace {

struct everything {
  struct state {
    fr::value_state<std::int64_t> last;
    fr::list_state<std::int64_t> all;
    fr::map_state<std::int64_t, std::int64_t> seen;
    fr::aggregating_state<event, decltype(fr::sum("", &event::value))> sum{
        fr::sum("", &event::value)};
    std::int64_t calls = 0;
  };
  void process(const event& each, state& mine, auto& context) {
    std::string row = context.key() + " last " + std::to_string(mine.last.value_or(-1));
    mine.last.set(each.value);
    mine.all.push_back(each.value);
    mine.seen.set(each.value, mine.seen.value_or(each.value, 0) + 1);
    mine.sum.add(each, context.order());
    row += " all " + cell_text(mine.all.all()) + " seen " +
           std::to_string(*mine.seen.get(each.value)) + " sum " + cell_text(mine.sum.result()) +
           " calls " + std::to_string(++mine.calls);
    context.emit(row);
  }
};
BOOST_DESCRIBE_STRUCT(everything::state, (), (last, all, seen, sum, calls))

}  // namespace

TEST_CASE("case 89: every key has states of its own, each apart from the others",
          "[semantics][process]") {
  REQUIRE(rows_of<std::string>({e("a", 1, 5), e("b", 2, 5), e("a", 3, 5), e("a", 4, 7)},
                               everything{}) ==
          rows_of_text{"a last -1 all [5] seen 1 sum 5 calls 1@1",
                       "b last -1 all [5] seen 1 sum 5 calls 1@2",
                       "a last 5 all [5,5] seen 2 sum 10 calls 2@3",
                       "a last 5 all [5,5,7] seen 1 sum 17 calls 3@4"});
}

namespace {

/// How many records of the key came within ten ticks, by a list that forgets.
struct recent {
  struct state {
    fr::list_state<std::int64_t> last{fr::ttl{.after = 10us}};
  };
  void process(const event& each, state& mine, auto& context) {
    if (each.key == "clock") return;
    mine.last.push_back(each.value);
    context.emit(mine.last.size());
  }
};
BOOST_DESCRIBE_STRUCT(recent::state, (), (last))

std::size_t state_rows(const fr::memory_checkpoint& in) {
  return in.rows.size();
}

}  // namespace

TEST_CASE("case 83, 88: state expires by event time, a function of the log",
          "[semantics][process][ttl]") {
  REQUIRE(rows_of<std::size_t>(
              {e("a", 0), e("a", 9), e("a", 10), e("a", 12), e("a", 11), e("a", 19), e("a", 40)},
              recent{}) == rows_of_text{"1@0", "2@9", "2@10", "3@12", "4@11", "4@19", "1@40"});
}

TEST_CASE("case 83: expired state is removed, though its key is never seen again",
          "[semantics][process][ttl]") {
  for (const std::int64_t until : {9, 10}) {
    auto from = script_of({{e("a", 0), e("b", 0), w(until), w(1000)}});
    from->is_bounded = false;
    from->pause_after = 3;  // The last one is never read.
    const auto kept = std::make_shared<fr::memory_checkpoint>();
    fr::pipeline p("expiry");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{0us}) | fr::key_by(&event::key) |
        fr::process<std::size_t>("p", recent{}) | fr::to("rows", keep_rows_in(keeper()));
    absl::StatusOr<fr::job> job = p.start(committing_to(kept));
    REQUIRE(job.ok());
    while (job->metrics().checkpoints == 0 || job->metrics().records() < 3) {
      REQUIRE_FALSE(job->wait_for(1ms));
    }
    job->stop();
    REQUIRE(job->wait().ok());
    REQUIRE(state_rows(*kept) == (until < 10 ? 2 : 0));
  }
}
