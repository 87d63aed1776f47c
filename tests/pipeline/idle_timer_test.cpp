// When a silent split is taken for idle (case 27 of the project's list of stream processing
// semantics): only while it is known to have nothing, not while nobody looks. Processing time moves
// by hand, from inside the pipeline where a slow function is meant.
#include "pipeline/support.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/window/tumbling.hpp>

#include <deque>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

event e(std::int64_t at) {
  return {"a", at, tick(at)};
}

/// Splits that are filled while the job runs. One that is `polled` does not call when it has
/// something, but wants to be asked.
struct mailboxes {
  using value_type = event;
  struct box {
    std::deque<event> records;
    std::size_t taken = 0;
    bool polled = false;
    bool closed = false;
    std::function<void()> wake;

    void put(std::int64_t at) {
      records.push_back(e(at));
      if (!polled && wake) wake();
    }
  };
  std::shared_ptr<std::vector<box>> boxes;

  class reader final : public fr::split_reader<event> {
   public:
    explicit reader(box& from) : from_(from) {}
    absl::StatusOr<fr::read_state> read(std::size_t, fr::batch<event>& rows,
                                        std::vector<fr::dead_letter>&) override {
      if (from_.records.empty()) return from_.closed ? fr::read_state::end : fr::read_state::idle;
      rows.values.push_back(from_.records.front());
      rows.positions.push_back({from_.taken++, 0, 0});
      from_.records.pop_front();
      return fr::read_state::more;
    }
    std::string position() const override { return std::to_string(from_.taken); }
    void wake_with(std::function<void()> wake) override { from_.wake = std::move(wake); }
    std::optional<fr::duration> ask_again() const override {
      return from_.polled ? std::optional(fr::duration::zero()) : std::nullopt;
    }

   private:
    box& from_;
  };

  class opened final : public fr::source<event> {
   public:
    explicit opened(std::shared_ptr<std::vector<box>> boxes) : boxes_(std::move(boxes)) {}
    std::vector<std::string> splits() const override {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < boxes_->size(); ++i) names.push_back(std::to_string(i));
      return names;
    }
    absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
        std::size_t split, std::optional<std::string_view>) override {
      return std::make_unique<reader>((*boxes_)[split]);
    }

   private:
    std::shared_ptr<std::vector<box>> boxes_;
  };

  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const {
    return std::make_unique<opened>(boxes);
  }
};

/// Two splits, an idle timeout of 10 s, windows of 10 ticks. The first split gives 1 and is silent
/// then; `during(at)` runs while the pipeline is at each record of the second one.
struct outcome {
  rows_of_text rows;
  rows_of_text late;
  std::uint64_t realigned = 0;
};

template <class During>
outcome run_beside(bool polled, std::vector<std::int64_t> second, During during) {
  auto boxes = std::make_shared<std::vector<mailboxes::box>>(2);
  (*boxes)[0].polled = polled;
  (*boxes)[0].put(1);
  for (const std::int64_t at : second) (*boxes)[1].put(at);
  (*boxes)[1].closed = true;
  fr::testing::manual_clock clock;
  outcome result;
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("timers");
  const auto windows = p.from("events", mailboxes{boxes}) |
                       fr::event_time(&event::at, fr::ascending{}, {.idle_after = 10s}) |
                       fr::map([boxes, clock, during](const event& each) mutable {
                         if (each.value >= 2) during((*boxes)[0], clock, each.value);
                         return each;
                       }) |
                       fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                       fr::aggregate("w", fr::collect("at", &event::value));
  windows | fr::to("rows", keep_rows_in(rows));
  windows.late() | fr::to("late", keep_rows_in(late));
  const fr::run_summary summary = run_to_end(p, {.clock = clock});
  return {rows->rows, late->rows, summary.metrics.of("event_time", "events").realigned};
}

void close(mailboxes::box& of) {
  of.closed = true;
  if (of.wake) of.wake();
}

}  // namespace

TEST_CASE("case 27: a split that has something, and waits behind a slow function, is not idle",
          "[semantics][watermark][idle]") {
  const auto slow = [](mailboxes::box& first, fr::testing::manual_clock clock, std::int64_t at) {
    if (at != 30) return;
    // While this record takes an hour, something comes for the first split.
    clock.advance(30min);
    first.put(2);
    clock.advance(30min);
    close(first);
  };
  for (const bool polled : {false, true}) {
    const outcome got = run_beside(polled, {2, 3, 30, 50}, slow);
    INFO((polled ? "polled" : "calling"));
    REQUIRE(got.late.empty());
    REQUIRE(got.realigned == 0);
    REQUIRE(got.rows == rows_of_text{"a|0|10|[1,2,2,3]@9", "a|30|40|[30]@39", "a|50|60|[50]@59"});
  }
}

TEST_CASE("case 27: the clock of a split that gives something in between starts anew",
          "[semantics][watermark][idle]") {
  // Silent for 8 s, then a record, then silent for 8 s more: never for 10 s.
  const outcome got = run_beside(
      false, {2, 3, 4, 5, 30}, [](mailboxes::box& first, fr::testing::manual_clock clock, auto at) {
        clock.advance(4s);
        if (at == 3) first.put(4);
        if (at == 30) {
          first.put(5);
          close(first);
        }
      });
  REQUIRE(got.realigned == 0);
  REQUIRE(got.late.empty());
  REQUIRE(got.rows == rows_of_text{"a|0|10|[1,2,3,4,4,5,5]@9", "a|30|40|[30]@39"});
}

TEST_CASE("case 27: exactly the timeout is not idle yet, a tick more is",
          "[semantics][watermark][idle]") {
  fr::testing::harness h;
  const auto in = h.input<event>("in", {.splits = 2, .idle_after = 10s});
  const auto rows =
      h.collect(in.stream() | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                fr::aggregate("w", fr::collect("at", &event::value)));
  in.split(1).watermark(tick(20));
  in.split(0).push(e(3), tick(3));
  REQUIRE(rows.take().empty());
  h.clock().advance(10s);
  in.split(1).watermark(tick(21));
  REQUIRE(rows.take().empty());
  h.clock().advance(1us);
  REQUIRE(rows.take_text() == rows_of_text{"a|0|10|[3]@9"});
  // Activity counts at once.
  in.split(0).push(e(25), tick(25));
  in.split(0).watermark(tick(25));
  in.split(1).watermark(tick(40));
  REQUIRE(rows.take().empty());
  h.clock().advance(10s);
  REQUIRE(rows.take().empty());
}

TEST_CASE("a split whose records are all refused is waited for no longer than a silent one",
          "[watermark][idle]") {
  fr::testing::harness h;
  const auto in = h.untimed_input<event>("in", 2);
  const auto timed = in.stream() | fr::event_time(&event::at, fr::ascending{},
                                                  {.idle_after = 10s, .jump_max = 100us});
  const auto rows = h.collect(timed | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                              fr::aggregate("w", fr::collect("at", &event::value)));
  in.split(0).push(e(1));
  in.split(1).push(e(2));
  in.split(1).push(e(35));
  for (int i = 0; i < 3; ++i) {
    in.split(0).push(e(900'000 + i));  // Its clock is wrong from now on.
    in.split(1).push(e(36 + i));
    h.clock().advance(6s);
  }
  REQUIRE(rows.take_text() == rows_of_text{"a|0|10|[1,2]@9"});
  REQUIRE(h.metrics().dead() == 3);
}
