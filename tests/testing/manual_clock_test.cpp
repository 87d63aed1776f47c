// The clock that tests move, and a job that lives by it.
#include "pipeline/support.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/testing/manual_clock.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

TEST_CASE("a manual clock moves forward only, and all its handles show one time", "[testing]") {
  fr::testing::manual_clock clock(tick(5));
  const fr::testing::manual_clock copy = clock;
  clock.advance(3us);
  REQUIRE(copy.now() == tick(8));
  clock.move_to(tick(6));
  REQUIRE(copy() == tick(8));
  clock.advance(fr::duration::max());
  REQUIRE(copy.now() == fr::timestamp_max);
}

TEST_CASE("a job commits when the clock it was given says so", "[testing]") {
  auto from = script_of({events_at({1, 2, 3})});
  from->is_bounded = false;
  from->pause_after = 2;
  const auto rows = keeper();
  fr::testing::manual_clock clock;
  fr::pipeline p("clocked");
  p.from("events", scripted<event>(from)) | fr::to("rows", keep_rows_in(rows));
  fr::run_options options = committing_to(std::make_shared<fr::memory_checkpoint>());
  options.checkpoint.every = 1h;
  options.clock = clock;
  absl::StatusOr<fr::job> job = p.start(options);
  REQUIRE(job.ok());
  while (job->metrics().rows() < 2) REQUIRE_FALSE(job->wait_for(1ms));
  REQUIRE(job->metrics().checkpoints == 0);
  clock.advance(1h);
  while (job->metrics().checkpoints == 0) REQUIRE_FALSE(job->wait_for(1ms));
  job->stop();
  REQUIRE(job->wait().ok());
}
