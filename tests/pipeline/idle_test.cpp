// Inputs that fall silent: when they stop holding the others back, and what happens when they come
// back. Processing time is the test's own clock; every look moves it by a millisecond.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <functional>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

std::function<fr::timestamp()> ticking_clock() {
  return [now = fr::timestamp{}]() mutable { return now += 1ms; };
}

/// A split that plays a list of moves, one per read.
struct move {
  std::vector<event> records;
  fr::read_state then = fr::read_state::more;
};

/// A source whose splits play their moves; a silent split is asked again until `wake` says so.
struct playing {
  using value_type = event;
  std::vector<std::vector<move>> splits;
  std::function<bool(std::size_t split, std::size_t next)> wake = [](std::size_t, std::size_t) {
    return true;
  };

  class reader final : public fr::split_reader<event> {
   public:
    reader(const playing& from, std::size_t split, std::size_t next)
        : from_(from), split_(split), next_(next) {}
    absl::StatusOr<fr::read_state> read(std::size_t, fr::batch<event>& rows,
                                        std::vector<fr::dead_letter>&) override {
      const std::vector<move>& moves = from_.splits[split_];
      if (next_ > 0 && moves[next_ - 1].then == fr::read_state::idle &&
          !from_.wake(split_, next_)) {
        return fr::read_state::idle;
      }
      for (const event& each : moves[next_].records) {
        rows.values.push_back(each);
        rows.positions.push_back({next_ * 100 + rows.size(), 0, 0});
      }
      return moves[next_++].then;
    }
    std::string position() const override { return std::to_string(next_); }
    std::optional<fr::duration> ask_again() const override { return fr::duration::zero(); }

   private:
    const playing& from_;  // The engine's copy of the description, which outlives its readers.
    std::size_t split_;
    std::size_t next_;
  };

  class opened final : public fr::source<event> {
   public:
    explicit opened(const playing& from) : from_(from) {}
    std::vector<std::string> splits() const override {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < from_.splits.size(); ++i) names.push_back(std::to_string(i));
      return names;
    }
    absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
        std::size_t split, std::optional<std::string_view> position) override {
      return std::make_unique<reader>(from_, split,
                                      position ? std::stoull(std::string(*position)) : 0);
    }

   private:
    const playing& from_;
  };

  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const {
    return std::make_unique<opened>(*this);
  }
};

event e(std::int64_t at) {
  return {"a", at, tick(at)};
}

constexpr auto more = fr::read_state::more;
constexpr auto idle = fr::read_state::idle;
constexpr auto end = fr::read_state::end;

/// Rows of windows of 10 ticks over what `from` plays, in the order in which they came out.
struct played {
  kept_rows_handle rows = keeper();
  kept_rows_handle late = keeper();
  fr::run_options options;

  played() { options.clock = ticking_clock(); }

  fr::pipeline compose(const playing& from, fr::duration idle_after) const {
    fr::pipeline p("idle");
    const auto windows =
        p.from("events", from) |
        fr::event_time(&event::at, fr::bounded_disorder{0us}, {.idle_after = idle_after}) |
        fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
        fr::aggregate("w", fr::collect("at", &event::value));
    windows | fr::to("rows", keep_rows_in(rows));
    windows.late() | fr::to("late", keep_rows_in(late));
    return p;
  }
};

}  // namespace

TEST_CASE(
    "case 19: a silent split stops holding the others back after its timeout, also while they "
    "are busy",
    "[semantics][watermark][idle]") {
  const played test;
  std::size_t rows_when_woken = 0;
  playing from;
  from.splits = {{{{e(1)}, idle}, {{e(100)}, end}}, {}};
  for (std::int64_t i = 0; i < 90; ++i) from.splits[1].push_back({{e(i)}, i < 89 ? more : end});
  from.wake = [&, rows = test.rows](std::size_t, std::size_t) {
    // Comes back only when windows have fired without it.
    rows_when_woken = rows->rows.size();
    return rows_when_woken > 0;
  };
  fr::pipeline p = test.compose(from, 5ms);
  const fr::run_summary summary = run_to_end(p, test.options);
  REQUIRE(rows_when_woken > 0);
  REQUIRE(rows_when_woken < 9);  // The other split was not at its end.
  REQUIRE(test.rows->rows.size() == 10);
  REQUIRE(test.late->rows.empty());
  REQUIRE(summary.unpromised == std::vector<std::string>{"idle timeout"});
}

TEST_CASE("case 25: an exhausted split beside an idle one does not end time",
          "[semantics][watermark][idle]") {
  const played test;
  playing from;
  from.splits = {{{{e(1)}, idle}, {{e(2), e(55), e(61)}, end}}, {{{e(5), e(58)}, end}}};
  from.wake = [asked = 0](std::size_t, std::size_t) mutable { return ++asked > 50; };
  fr::pipeline p = test.compose(from, 5ms);
  const fr::run_summary summary = run_to_end(p, test.options);
  REQUIRE(summary.metrics.late() == 0);
  REQUIRE(test.rows->rows ==
          rows_of_text{"a|0|10|[1,2,5]@9", "a|50|60|[55,58]@59", "a|60|70|[61]@69"});
}

TEST_CASE("case 27: a split that others kept from being read is not idle",
          "[semantics][watermark][idle]") {
  const played test;
  playing from;
  // The first split is far ahead and waits its turn much longer than the timeout.
  from.splits = {{{{e(1000)}, more}, {{e(1001)}, end}}, {}};
  for (std::int64_t i = 0; i < 100; ++i) from.splits[1].push_back({{e(i)}, i < 99 ? more : end});
  fr::pipeline p = test.compose(from, 3ms);
  const fr::run_summary summary = run_to_end(p, test.options);
  REQUIRE(summary.metrics.late() == 0);
  REQUIRE(summary.metrics.of("event_time", "events").realigned == 0);
  REQUIRE(test.rows->rows.size() == 11);
}

TEST_CASE(
    "case 22: when every split is idle, the windows that the furthest one passed are complete",
    "[semantics][watermark][idle]") {
  const played test;
  playing from;
  from.splits = {{{{e(1)}, idle}, {{e(3), e(90)}, end}}, {{{e(2), e(35)}, idle}, {{e(91)}, end}}};
  // Both sleep until the two windows before 35 have fired, which only the timeout can bring about.
  from.wake = [rows = test.rows](std::size_t, std::size_t) { return !rows->rows.empty(); };
  fr::pipeline p = test.compose(from, 5ms);
  const fr::run_summary summary = run_to_end(p, test.options);
  REQUIRE(test.rows->rows ==
          rows_of_text{"a|0|10|[1,2]@9", "a|30|40|[35]@39", "a|90|100|[90,91]@99"});
  REQUIRE(test.late->rows == rows_of_text{"a|3|3@3"});  // Realigned to 35.
  REQUIRE(summary.metrics.of("event_time", "events").realigned == 1);
}

TEST_CASE("without a timeout a silent split holds the others back until it ends",
          "[watermark][idle]") {
  const played test;
  playing from;
  int asked = 0;
  from.splits = {{{{e(1)}, idle}, {{e(2)}, end}}, {{{e(5), e(35)}, end}}};
  from.wake = [&asked, rows = test.rows](std::size_t, std::size_t) {
    REQUIRE(rows->rows.empty());
    return ++asked > 20;
  };
  fr::pipeline p = test.compose(from, 0us);
  const fr::run_summary summary = run_to_end(p, test.options);
  REQUIRE(summary.metrics.late() == 0);
  REQUIRE(summary.unpromised.empty());
  REQUIRE(test.rows->rows == rows_of_text{"a|0|10|[1,2,5]@9", "a|30|40|[35]@39"});
}

TEST_CASE("rows of windows that an idle timeout closed are committed without another record",
          "[watermark][idle][resume]") {
  const played test;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  playing from;
  from.splits = {{{{e(1)}, idle}, {{e(90)}, end}}, {{{e(2), e(35)}, idle}, {{e(91)}, end}}};
  from.wake = [rows = test.rows](std::size_t, std::size_t) { return rows->published > 0; };
  fr::pipeline p = test.compose(from, 5ms);
  fr::run_options options = committing_to(commits);
  options.clock = ticking_clock();
  REQUIRE(run_to_end(p, options).finished);
}

TEST_CASE("a split that slept through a restart is realigned when it wakes",
          "[watermark][idle][resume]") {
  const played test;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::run_options options = committing_to(commits);
  options.clock = ticking_clock();
  playing from;
  from.splits = {{{{e(1)}, idle}, {{e(3), e(90)}, end}}, {{{e(2), e(35)}, idle}, {{e(91)}, end}}};
  from.wake = [rows = test.rows](std::size_t, std::size_t) -> bool {
    if (rows->published > 0) throw std::runtime_error("crash");
    return false;
  };
  fr::pipeline before = test.compose(from, 5ms);
  REQUIRE_FALSE(before.run(options).ok());
  REQUIRE(test.rows->published == 1);

  from.wake = [](std::size_t, std::size_t) { return true; };
  fr::pipeline after = test.compose(from, 5ms);
  const fr::run_summary summary = run_to_end(after, options);
  REQUIRE(summary.resumed);
  REQUIRE(test.rows->rows ==
          rows_of_text{"a|0|10|[1,2]@9", "a|30|40|[35]@39", "a|90|100|[90,91]@99"});
  REQUIRE(test.late->rows == rows_of_text{"a|3|3@3"});
}

TEST_CASE(
    "an idle input of a merge does not hold the other one back, and is realigned when it wakes",
    "[watermark][idle][merge]") {
  const auto rows = keeper();
  const auto late = keeper();
  playing sleeper;
  playing worker;
  sleeper.splits = {{{{e(1)}, idle}, {{e(3), e(90)}, end}}};
  worker.splits = {{{{e(2)}, more}, {{e(35)}, idle}, {{e(91)}, end}}};
  sleeper.wake = [rows](std::size_t, std::size_t) { return !rows->rows.empty(); };
  worker.wake = [rows, asked = 0](std::size_t, std::size_t) mutable {
    return !rows->rows.empty() && ++asked > 10;
  };
  fr::pipeline p("idle");
  const auto timed = [&](const char* name, const playing& from, fr::duration idle_after) {
    return p.from(name, from) |
           fr::event_time(&event::at, fr::bounded_disorder{0us}, {.idle_after = idle_after});
  };
  const auto windows = fr::merge(timed("sleeper", sleeper, 5ms), timed("worker", worker, 0us)) |
                       fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                       fr::aggregate("w", fr::collect("at", &event::value));
  windows | fr::to("rows", keep_rows_in(rows));
  windows.late() | fr::to("late", keep_rows_in(late));
  fr::run_options options;
  options.clock = ticking_clock();
  const fr::run_summary summary = run_to_end(p, options);
  REQUIRE(rows->rows == rows_of_text{"a|0|10|[1,2]@9", "a|30|40|[35]@39", "a|90|100|[90,91]@99"});
  REQUIRE(late->rows == rows_of_text{"a|3|3@3"});
  REQUIRE(summary.metrics.of("merge", "").realigned == 1);
}
