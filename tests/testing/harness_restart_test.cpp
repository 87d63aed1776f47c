// Restarts in a harness: what survives them, what comes again, and what fails.
#include "testing/driven.hpp"

#include <freshet/connectors/values.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

TEST_CASE("a job is restored where it was, and rows come out once", "[testing][harness]") {
  driven test;
  test.push(3);
  test.h.snapshot_and_restore();
  REQUIRE(test.h.summary().resumed);
  test.push(4);
  test.in.watermark(tick(10));
  test.h.snapshot_and_restore();
  test.push(5);
  test.h.finish();
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3,4]@9"});
  REQUIRE(test.late.take_text() == rows_of_text{"a|5|5@5"});
  REQUIRE(test.h.metrics().records() == 3);
  REQUIRE(test.h.metrics().late() == 1);
}

TEST_CASE("a killed job loses what no commit holds, and makes it again", "[testing][harness]") {
  driven test({}, {.splits = 2});
  test.in.watermark(tick(1));
  test.in.split(0).push(event_at(3), tick(3));
  test.h.commit();
  test.in.split(1).push(event_at(4), tick(4));
  test.in.watermark(tick(10));
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3,4]@9"});
  test.h.kill();
  REQUIRE(test.rows.all().empty());
  REQUIRE(test.records.text() == rows_of_text{"a|3|3@3"});
  test.h.resume();
  REQUIRE(test.rows.text() == rows_of_text{"a|0|10|[3,4]@9"});
  REQUIRE(test.rows.take().empty());  // Taken before the kill.
  REQUIRE(test.records.text() == rows_of_text{"a|3|3@3", "a|4|4@4"});
  test.h.finish();
  REQUIRE(test.h.metrics().records() == 2);
}

TEST_CASE("a kill before the first commit begins anew", "[testing][harness]") {
  driven test;
  test.push(3);
  test.h.kill();
  test.h.resume();
  REQUIRE_FALSE(test.h.summary().resumed);
  test.in.watermark(tick(10));
  REQUIRE(test.rows.take_text() == rows_of_text{"a|0|10|[3]@9"});
}

TEST_CASE("what a kill takes from a batch that was not full is let in again",
          "[testing][harness]") {
  driven test({.batch_rows = 7});
  test.push(3);
  test.h.kill();
  test.h.resume();
  REQUIRE(test.records.text() == rows_of_text{"a|3|3@3"});
}

TEST_CASE("a stopped job keeps its windows, a drained one closes them", "[testing][harness]") {
  driven stopped;
  stopped.push(3);
  stopped.h.stop();
  REQUIRE(stopped.rows.empty());
  REQUIRE_FALSE(stopped.h.summary().finished);
  stopped.h.resume();
  stopped.push(4);
  stopped.h.drain();
  REQUIRE(stopped.rows.take_text() == rows_of_text{"a|0|10|[3,4]@9"});
  REQUIRE(stopped.h.summary().finished);
}

TEST_CASE("another harness goes on from the checkpoint of the first", "[testing][harness]") {
  driven first;
  first.push(3);
  first.in.watermark(tick(2));
  first.h.stop();
  driven second({.checkpoint = first.h.checkpoint()});
  second.push(1);
  second.h.kill();
  second.h.resume();
  second.h.finish();
  REQUIRE(second.h.summary().resumed);
  REQUIRE(second.rows.take_text() == rows_of_text{"a|0|10|[1,3]@9"});
  REQUIRE(second.records.text() == rows_of_text{"a|1|1@1"});
  REQUIRE(second.h.metrics().records() == 2);
}

TEST_CASE("what fails in a harness fails with the text that run gives", "[testing][harness]") {
  const auto compose = [](const fr::stream<event>& events) {
    return events | fr::map([](const event& each) {
             if (each.value == 7) throw std::runtime_error("seven");
             return each.value;
           });
  };
  fr::pipeline p("p");
  compose(p.from("events", fr::values<event>({event_at(1), event_at(7), event_at(8)}))) |
      fr::to("rows", keep_rows_in(keeper()));
  const absl::Status wanted = p.run();

  frt::harness h;
  const auto in = h.untimed_input<event>("events");
  const auto rows = h.collect(compose(in.stream()));
  in.push(event_at(1));
  REQUIRE(rows.take_text() == rows_of_text{"1"});
  in.push(event_at(7));
  in.push(event_at(8));  // Waits, as it would in a source.
  REQUIRE(h.status().code() == wanted.code());
  // The harness's map is node 1, too.
  REQUIRE(message_of(h.status()) == message_of(wanted));
  REQUIRE(thrown<std::runtime_error>([&] { (void)rows.take(); }) ==
          "harness: the job has failed: " + message_of(wanted));
  h.finish();
  REQUIRE_FALSE(h.status().ok());
}

TEST_CASE("a job that failed goes on after a kill, with all that came meanwhile",
          "[testing][harness]") {
  frt::harness h;
  const auto in = h.untimed_input<event>("events");
  const auto broken = std::make_shared<bool>(true);
  const auto rows = h.collect(in.stream() | fr::filter([broken](const event& each) {
                                if (*broken && each.value == 2) throw std::runtime_error("broken");
                                return true;
                              }));
  for (const std::int64_t each : {1, 2, 3}) in.push(event_at(each));
  REQUIRE_FALSE(h.status().ok());
  *broken = false;
  h.kill();
  h.resume();
  REQUIRE(h.status().ok());
  h.finish();
  REQUIRE(rows.take_text() == rows_of_text{"a|1|1", "a|2|2", "a|3|3"});
}

TEST_CASE("a checkpoint that does not fit fails the harness as it fails run",
          "[testing][harness]") {
  driven first;
  first.push(3);
  first.h.stop();
  frt::harness other({.checkpoint = first.h.checkpoint()});
  (void)other.collect(other.input<event>("events").stream());
  REQUIRE(other.status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_THAT(message_of(other.status()), Catch::Matchers::Contains("window 'w'"));
}
