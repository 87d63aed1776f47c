// The harness keeps its promises: records, watermarks and the clock are the test's.
#include "testing/driven.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/testing/scripted_source.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Sizes of the batches that reach it.
struct batch_sizes {
  std::shared_ptr<std::vector<std::size_t>> into = std::make_shared<std::vector<std::size_t>>();

  template <class T>
  class counting final : public fr::sink<T> {
   public:
    explicit counting(std::shared_ptr<std::vector<std::size_t>> into) : into_(std::move(into)) {}
    fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::at_least_once; }
    absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
    absl::Status write(const fr::batch<T>& rows) override {
      into_->push_back(rows.size());
      return absl::OkStatus();
    }
    absl::StatusOr<std::string> prepare() override { return ""; }
    absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }

   private:
    std::shared_ptr<std::vector<std::size_t>> into_;
  };

  template <class T>
  absl::StatusOr<std::unique_ptr<fr::sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<counting<T>>(into);
  }
};

using sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a window fires when the test gives the watermark, and not before",
          "[testing][harness]") {
  driven test;
  test.push(3);
  test.in.watermark(tick(9));
  REQUIRE(test.rows.empty());
  test.in.watermark(tick(10));
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3]@9"});
  test.push(9);
  test.in.watermark(tick(11));
  REQUIRE(test.late.take_text() == rows_of_text{"a|9|9@9"});
  REQUIRE(test.rows.take().empty());
  REQUIRE(test.rows.size() == 1);
}

TEST_CASE("rows are collected with event time, and with entry frontier where they are behind",
          "[testing][harness]") {
  driven test;
  test.push(3);
  test.in.watermark(tick(8));
  test.push(8);
  test.push(7);
  test.in.watermark(tick(20));
  test.push(5);
  using row = frt::collected_row<event>;
  REQUIRE(test.records.take() == std::vector<row>{{event_at(3), tick(3)},
                                                  {event_at(8), tick(8)},
                                                  {event_at(7), tick(7), tick(8)},
                                                  {event_at(5), tick(5), tick(20)}});
  REQUIRE(test.records.take_values().empty());
  REQUIRE(test.records.all().size() == 4);
  REQUIRE(test.records.text().back() == "a|5|5@5");
}

TEST_CASE("a watermark that goes back is ignored, and none but the end ends time",
          "[testing][harness]") {
  driven test;
  test.in.watermark(tick(20));
  test.in.watermark(tick(5));
  test.push(7);
  REQUIRE(test.records.all().back().entry_frontier == tick(20));
  test.in.watermark(fr::timestamp_max);
  test.in.push(event_at(1), fr::timestamp_max);
  REQUIRE(test.late.take_text() == rows_of_text{"a|7|7@7"});
  REQUIRE(test.rows.empty());
  test.h.finish();
  REQUIRE(test.rows.size() == 1);
  REQUIRE(test.h.metrics().records() == 2);
}

TEST_CASE("every split has watermarks of its own, and the least of them counts",
          "[testing][harness]") {
  driven test({}, {.splits = 2});
  test.in.split(0).push(event_at(3), tick(3));
  test.in.split(0).watermark(tick(30));
  REQUIRE(test.rows.empty());
  test.in.split(1).push(event_at(4), tick(4));  // On time: its own split has promised nothing.
  REQUIRE_FALSE(test.records.all().back().entry_frontier);
  test.in.split(1).watermark(tick(10));
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3,4]@9"});
  test.in.split(1).push(event_at(12), tick(12));
  test.in.split(1).end();
  REQUIRE(test.rows.take_text() == rows_of_text{"a|10|20|[12]@19"});
  test.in.split(0).end();
  REQUIRE(test.h.summary().finished);
}

TEST_CASE("consecutive records of a split come in batches, each with its own entry frontier",
          "[testing][harness]") {
  frt::harness h({.batch_rows = 3});
  const auto in = h.input<event>("events", {.splits = 2});
  const batch_sizes sink;
  in.stream() | fr::to("sizes", sink);
  const auto rows = h.collect(in.stream());
  const auto push = [&](std::size_t split, std::int64_t at) {
    in.split(split).push(event_at(at), tick(at));
  };
  push(0, 1);
  in.split(0).watermark(tick(5));
  push(0, 2);
  in.split(0).watermark(tick(7));
  REQUIRE(sink.into->empty());
  push(0, 3);
  REQUIRE(*sink.into == sizes{3});  // Full.
  push(0, 4);
  push(1, 1);
  REQUIRE(*sink.into == sizes{3, 1});  // Cut short by another split.
  push(1, 2);
  REQUIRE(rows.size() == 6);  // Looking lets in what waits.
  REQUIRE(*sink.into == sizes{3, 1, 2});
  std::vector<std::optional<fr::timestamp>> frontiers;
  for (const auto& row : rows.all()) frontiers.push_back(row.entry_frontier);
  const std::optional<fr::timestamp> on_time;
  REQUIRE(frontiers == std::vector<std::optional<fr::timestamp>>{on_time, tick(5), tick(7), tick(7),
                                                                 on_time, on_time});
}

TEST_CASE("in batches, watermarks follow the batch that they were given in", "[testing][harness]") {
  driven test({.batch_rows = 256});
  test.push(1);
  test.in.watermark(tick(10));
  test.push(2);
  test.in.watermark(tick(20));
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[1]@9"});
  REQUIRE(test.late.take_text() == rows_of_text{"a|2|2@2"});
}

TEST_CASE("a split that is idle by hand is not waited for, until a record wakes it",
          "[testing][harness]") {
  for (const bool restore : {false, true}) {
    driven test({.restore_between_items = restore}, {.splits = 2});
    test.in.split(0).push(event_at(3), tick(3));
    test.in.split(0).watermark(tick(30));
    test.in.split(1).idle();
    REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3]@9"});
    test.in.split(1).watermark(tick(35));  // No say while it is idle.
    test.in.split(0).push(event_at(31), tick(31));
    test.in.split(0).watermark(tick(40));
    REQUIRE(test.rows.take_text() == rows_of_text{"a|30|40|[31]@39"});
    test.in.split(1).push(event_at(4), tick(4));
    REQUIRE(test.records.all().back().entry_frontier == tick(40));
    REQUIRE(test.h.metrics().of("event_time", "events").realigned == 1);
    test.in.split(1).watermark(tick(45));
    test.in.split(0).push(event_at(41), tick(41));
    test.in.split(0).watermark(tick(60));
    REQUIRE(test.rows.take().empty());  // It counts again.
    REQUIRE(test.late.take_text() == rows_of_text{"a|4|4@4"});
    test.in.split(1).idle();
    REQUIRE(test.rows.take_text() == rows_of_text{"a|40|50|[41]@49"});
    test.in.split(1).active();
    test.in.split(1).watermark(tick(61));
    test.in.split(0).watermark(tick(70));
    test.in.split(1).push(event_at(61), tick(61));
    REQUIRE(test.late.take().empty());
  }
}

TEST_CASE("a split falls idle when the test moves the clock", "[testing][harness]") {
  driven test({.clock_start = tick(1000)}, {.splits = 2, .idle_after = 10s});
  REQUIRE(test.h.clock().now() == tick(1000));
  test.in.split(0).push(event_at(3), tick(3));
  test.in.split(0).watermark(tick(30));
  test.h.clock().advance(10s);
  REQUIRE(test.rows.empty());
  test.in.split(0).push(event_at(31), tick(31));  // Only the other one has been silent.
  test.h.clock().advance(1us);
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3]@9"});
  test.h.clock().move_to(tick(0));
  REQUIRE(test.h.clock().now() == tick(1000) + 10s + 1us);
}

TEST_CASE("inputs without event times have their own event_time, or none", "[testing][harness]") {
  frt::harness h({.batch_rows = 2});
  const auto in = h.untimed_input<event>("events", 2);
  const auto raw = h.collect(in.stream());
  const auto rows = h.collect(in.stream() | fr::event_time(&event::at, fr::bounded_disorder{5us}));
  in.split(0).push(event_at(20));
  in.split(0).push(event_at(14));
  in.split(1).push(event_at(3));
  REQUIRE(raw.text() == rows_of_text{"a|20|20", "a|14|14", "a|3|3"});
  REQUIRE(rows.text() == rows_of_text{"a|20|20@20", "a|14|14@14", "a|3|3@3"});
  REQUIRE(rows.all()[1].entry_frontier == tick(15));
  in.end();
  REQUIRE(h.summary().finished);
}

TEST_CASE("several inputs and other sources of the pipeline come together", "[testing][harness]") {
  frt::harness h;
  const auto left = h.input<event>("left");
  const auto right = h.input<event>("right");
  const auto table = h.pipeline().from("table", fr::values<event>({event_at(1), event_at(2)}));
  const auto known = h.collect(table);
  const auto merged = fr::merge(left.stream(), right.stream());
  const auto rows = h.collect(merged | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                              fr::aggregate("w", fr::count("n")));
  left.push(event_at(1), tick(1));
  left.watermark(tick(10));
  REQUIRE(known.size() == 2);
  REQUIRE(rows.empty());
  right.push(event_at(2), tick(2));
  right.watermark(tick(10));
  REQUIRE(rows.take_text() == rows_of_text{"a|0|10|2@9"});
  h.finish();
  REQUIRE(h.status().ok());
}

TEST_CASE("what cannot be done is said", "[testing][harness]") {
  driven test({}, {.splits = 2});
  REQUIRE(thrown<std::logic_error>([&] { test.push(1); }) ==
          "harness input 'events': it has 2 splits, and a record comes from one of them; write "
          "input.split(0).push(...)");
  REQUIRE(thrown<std::invalid_argument>([&] { (void)test.in.split(2); }) ==
          "harness input 'events': it has 2 splits and none of number 2; count from 0, or give "
          ".splits more");
  REQUIRE(thrown<std::logic_error>([&] { test.h.resume(); }) ==
          "harness: resume() where nothing was stopped; call kill() or stop() before");
  test.in.split(1).end();
  REQUIRE(thrown<std::logic_error>([&] { test.in.split(1).push(event_at(1), tick(1)); }) ==
          "harness input 'events', split 1: it has ended; give it items before end()");
  REQUIRE(thrown<std::invalid_argument>([&] { (void)test.h.input<event>("more"); }) ==
          "pipeline 'harness': from is added after the job was started; compose first, then run");
  test.h.kill();
  REQUIRE(thrown<std::logic_error>([&] { test.in.split(0).push(event_at(1), tick(1)); }) ==
          "harness input 'events': the job is stopped or killed; call resume() before this");
  test.h.resume();
  test.h.finish();
  test.h.finish();  // Harmless.
  REQUIRE(thrown<std::logic_error>([&] { test.in.split(0).idle(); }) ==
          "harness input 'events': the job has ended with its input; do this before");
}

TEST_CASE("options of a harness are checked", "[testing][harness]") {
  REQUIRE(refusal_of([] { frt::harness h({.batch_rows = 0}); }) ==
          "harness: batch_rows is 0; give at least 1");
  frt::harness h;
  REQUIRE(refusal_of([&] { (void)h.input<event>("none", {.splits = 0}); }) ==
          "harness input 'none': 0 splits; give at least 1");
  fr::pipeline p("other");
  REQUIRE(refusal_of([&] { (void)h.collect(p.from("v", fr::values<int>({1}))); }) ==
          "harness: collect: the stream belongs to another pipeline; begin it with this harness's "
          "input()");
}

TEST_CASE("a pipeline that drives its own harness is refused", "[testing][harness]") {
  frt::harness h;
  const auto in = h.untimed_input<event>("events");
  (void)h.collect(in.stream() | fr::map([&in](const event& each) {
                    in.push(each);
                    return each;
                  }));
  in.push(event_at(1));
  REQUIRE_THAT(message_of(h.status()),
               Catch::Matchers::Contains("drives the harness it runs in; do so from the test"));
}

TEST_CASE("an input whose job has other sources that go on cannot finish it",
          "[testing][harness]") {
  frt::harness h;
  const auto in = h.untimed_input<event>("events");
  const frt::scripted_source<event> endless(frt::script<event>().record(event_at(1)).never_ends());
  (void)h.collect(h.pipeline().from("endless", endless));
  in.push(event_at(1));
  REQUIRE(thrown<std::logic_error>([&] { h.finish(); }) ==
          "harness finish: all inputs have ended, and another source of the pipeline has not; use "
          "drain(), or let that source end");
  h.drain();
  REQUIRE(h.summary().finished);
}
