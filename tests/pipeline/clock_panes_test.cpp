// Panes of processing time: the clock is the value of the record that passes.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// A job whose clock moves with its records.
struct clocked_job {
  script_handle<event> from;
  fr::testing::manual_clock clock;
  kept_rows_handle rows = keeper();
  fr::panes when{.every_processing_time = 10us};

  explicit clocked_job(std::vector<event> split) : from(script_of({std::move(split)})) {
    from->chunk_max = 1;
    from->chunks_vary = false;
  }

  fr::pipeline compose() const {
    fr::pipeline p("p");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{0us}) |
        fr::filter([clock = clock](const event& each) mutable {
          clock.move_to(tick(each.value));
          return true;
        }) |
        fr::key_by(&event::key) | fr::window(fr::tumbling{1000us}, {}, when) |
        fr::aggregate("w", fr::count("n")) | fr::with_panes() | fr::to("rows", keep_rows_in(rows));
    return p;
  }

  rows_of_text run(fr::run_options options = {}) const {
    options.clock = clock;
    fr::pipeline p = compose();
    (void)run_to_end(p, options);
    return rows->rows;
  }
};

/// At processing time `when`; event times play no part.
event e(std::string key, std::int64_t when) {
  return {std::move(key), when, tick(1)};
}

}  // namespace

TEST_CASE("a pane of processing time comes at the multiples of its period, to keys with news",
          "[pipeline][panes]") {
  // The record that moves the clock is applied before the deadline is looked at.
  const clocked_job job(
      {e("a", 1), e("b", 2), e("a", 3), e("a", 12), e("b", 13), e("b", 21), e("clock", 22)});
  rows_of_text rows = job.run();
  std::erase_if(rows, [](const std::string& row) { return row.front() == 'c'; });
  REQUIRE(rows == rows_of_text{"b|0|1000|1|early|0|false@999", "a|0|1000|3|early|0|false@999",
                               "b|0|1000|3|early|1|false@999", "b|0|1000|3|on_time|2|false@999",
                               "a|0|1000|3|on_time|1|false@999"});
}

TEST_CASE("a clock that jumps over several periods makes one pane", "[pipeline][panes]") {
  const clocked_job job({e("a", 1), e("clock", 95), e("clock", 96)});
  rows_of_text rows = job.run();
  std::erase_if(rows, [](const std::string& row) { return row.front() == 'c'; });
  REQUIRE(rows == rows_of_text{"a|0|1000|1|early|0|false@999", "a|0|1000|1|on_time|1|false@999"});
}

TEST_CASE("panes of processing time that are pending at the end of the input are dropped",
          "[pipeline][panes]") {
  REQUIRE(clocked_job({e("a", 1), e("a", 12)}).run() ==
          rows_of_text{"a|0|1000|2|on_time|0|false@999"});
}

TEST_CASE("panes of processing time that were due while the job was down come when it is back",
          "[pipeline][panes][resume]") {
  clocked_job job({e("a", 1), e("a", 2), e("b", 300), e("b", 301)});
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  job.from->crash_after = 2;
  fr::run_options options = committing_to(commits);
  options.clock = job.clock;
  fr::pipeline first = job.compose();
  REQUIRE_FALSE(first.run(options).ok());
  REQUIRE(commits->commits > 0);
  job.from->crash_after = 100;
  job.clock.move_to(tick(200));
  rows_of_text rows = job.run(options);
  REQUIRE(rows.front() == "a|0|1000|2|early|0|false@999");
  REQUIRE(sorted(rows) == rows_of_text{"a|0|1000|2|early|0|false@999",
                                       "a|0|1000|2|on_time|1|false@999",
                                       "b|0|1000|2|on_time|0|false@999"});
}

TEST_CASE("a pane of processing time comes while its source is silent", "[pipeline][panes]") {
  clocked_job job({e("a", 1), e("a", 2), e("a", 3)});
  job.from->pause_after = 2;
  fr::pipeline p = job.compose();
  auto started = p.start({.clock = job.clock});
  REQUIRE(started.ok());
  const auto wait_for = [&](auto&& condition) {
    while (!condition(started->metrics())) REQUIRE_FALSE(started->wait_for(1ms));
  };
  wait_for([](const auto& metrics) { return metrics.of("window", "w").records_in == 2; });
  job.clock.move_to(tick(10));
  wait_for([](const auto& metrics) { return metrics.of("to", "rows").records_in == 1; });
  started->stop();
  REQUIRE(started->wait().ok());
  REQUIRE(job.rows->rows == rows_of_text{"a|0|1000|2|early|0|false@999"});
}

TEST_CASE("deadlines of keys that come and go within one period do not pile up",
          "[pipeline][panes]") {
  // 5,000 keys, each gone before the next comes, and one period for all of them.
  std::vector<event> split;
  for (std::int64_t i = 0; i < 5000; ++i) {
    split.push_back({"k" + std::to_string(i % 7), 1, tick(i * 1000)});
  }
  const rows_of_text rows = clocked_job(split).run();
  REQUIRE(rows.size() == 5000);
  REQUIRE(std::all_of(rows.begin(), rows.end(), [](const std::string& row) {
    return row.find("|1|on_time|0|false@") != std::string::npos;
  }));
}
