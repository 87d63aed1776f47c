// Commits of another pipeline, or none: what `resume` makes of them, and in which words.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <set>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// One choice per part of the job that a checkpoint depends on.
struct shape {
  fr::duration size = 10us;
  fr::duration lateness = 0us;
  fr::duration disorder = 2us;
  std::string source = "events";
  std::string window = "w";
  std::string sink = "out";
  std::string format = "scripted";
  bool second_sink = true;
  event_splits splits = {events_at({1, 5, 20, 40})};
  bool gains_splits = false;
  kept_rows_handle raw = keeper();
};

fr::pipeline compose(const shape& of, std::size_t crash_after) {
  auto from = script_of(of.splits);
  from->format = of.format;
  from->gains_splits = of.gains_splits;
  from->crash_after = crash_after;
  from->chunk_max = 2;
  from->chunks_vary = false;
  fr::pipeline p("p");
  auto events = p.from(of.source, scripted<event>(from)) |
                fr::event_time(&event::at, fr::bounded_disorder{of.disorder});
  events | fr::key_by(&event::key) |
      fr::window(fr::tumbling{of.size}, {.allowed_lateness = of.lateness}) |
      fr::aggregate(of.window, fr::count("n")) | fr::to(of.sink, keep_rows_in(keeper()));
  if (of.second_sink) events | fr::to("raw", keep_rows_in(of.raw));
  return p;
}

/// A checkpoint of the default shape, two records in.
std::shared_ptr<fr::memory_checkpoint> interrupted() {
  auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p = compose({}, 2);
  REQUIRE(p.run(committing_to(commits)).code() == absl::StatusCode::kAborted);
  REQUIRE(commits->commits == 1);
  return commits;
}

/// What the default shape's checkpoint says to another one, which must leave it as it is.
std::string refusal_of_resume(const shape& other, fr::resume mode = fr::resume::automatic) {
  const auto commits = interrupted();
  const auto manifest = commits->manifest;
  const auto rows = commits->rows;
  fr::run_options options = committing_to(commits);
  options.resume = mode;
  fr::pipeline p = compose(other, 1000);
  const absl::Status done = p.run(options);
  REQUIRE(commits->manifest == manifest);
  REQUIRE(commits->rows == rows);
  REQUIRE(done.code() == absl::StatusCode::kFailedPrecondition);
  return message_of(done);
}

}  // namespace

TEST_CASE("a changed window, lateness or disorder is refused with both formats",
          "[runtime][resume]") {
  const std::string size = refusal_of_resume({.size = 30us});
  INFO(size);
  REQUIRE_THAT(size, Catch::Matchers::StartsWith(
                         "checkpoint: state of window 'w' has format [tumbling 10us lateness 0"));
  REQUIRE_THAT(size, Catch::Matchers::Contains("the pipeline's is [tumbling 30us lateness 0"));
  REQUIRE_THAT(size, Catch::Matchers::EndsWith("run it as it was, or give a new directory"));
  REQUIRE_THAT(refusal_of_resume({.lateness = 4us}),
               Catch::Matchers::Contains("the pipeline's is [tumbling 10us lateness 4us"));
  REQUIRE_THAT(refusal_of_resume({.disorder = 7us}),
               Catch::Matchers::StartsWith("checkpoint: state of event_time 'events' has format "
                                           "[bounded disorder 2us") &&
                   Catch::Matchers::Contains("the pipeline's is [bounded disorder 7us"));
}

TEST_CASE("a renamed window, and a dropped source or sink, are refused by name",
          "[runtime][resume]") {
  REQUIRE(refusal_of_resume({.window = "renamed"}) ==
          "checkpoint: it holds state of window 'w', which the pipeline does not have; keep the "
          "operator and its name, name it in allow_dropped_state, or give a new directory");
  REQUIRE(
      refusal_of_resume({.second_sink = false}) ==
      "checkpoint: it holds what sink 'raw' has committed, which the pipeline does not have; keep "
      "the sink and its name, name it in allow_dropped_state, or give a new directory");
  REQUIRE_THAT(refusal_of_resume({.source = "others"}),
               Catch::Matchers::Contains("event_time 'events', which the pipeline does not have"));
}

TEST_CASE("a source that is read in another way, or of other splits, is refused",
          "[runtime][resume]") {
  REQUIRE(
      refusal_of_resume({.format = "scripted, but other columns"}) ==
      "checkpoint: source 'events' was read as [scripted], the pipeline reads [scripted, but other "
      "columns]; run it as it was, or give a new directory");
  REQUIRE(refusal_of_resume({.splits = {events_at({1, 5, 20, 40}), events_at({1})}}) ==
          "from 'events': its files or partitions are not those of the checkpoint (1 then, 2 now, "
          "compared by name and order); give the same ones, or a new checkpoint directory");
}

TEST_CASE("splits that a source has gained are read from their beginning", "[runtime][resume]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  shape of{.splits = {events_at({1, 5, 20, 40}), events_at({2, 6})}, .gains_splits = true};
  fr::pipeline before = compose(of, 2);
  REQUIRE_FALSE(before.run(committing_to(commits)).ok());
  SECTION("behind those that were there") {
    of.splits.push_back(events_at({50, 60, 70}));
    fr::pipeline after = compose(of, 1000);
    run_to_end(after, committing_to(commits));
    CHECK(of.raw->visible().size() == 9);
    const std::set<std::string> different(of.raw->rows.begin(), of.raw->rows.end());
    CHECK(different.size() == 9);
  }
  SECTION("but none may be missing") {
    shape fewer = of;
    fewer.splits.pop_back();
    fr::pipeline after = compose(fewer, 1000);
    CHECK_THAT(message_of(after.run(committing_to(commits))),
               Catch::Matchers::Contains("(2 then, 1 now"));
  }
}

TEST_CASE("a sink that is new since the checkpoint is refused", "[runtime][resume]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline before = compose({.second_sink = false}, 2);
  REQUIRE_FALSE(before.run(committing_to(commits)).ok());
  fr::pipeline after = compose({}, 1000);
  const absl::Status done = after.run(committing_to(commits));
  REQUIRE(done.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(
      message_of(done) ==
      "checkpoint: sink 'raw' is new since then, and would miss every row from before; run with "
      "the sinks there were, or give a new directory");
}

TEST_CASE("resume required wants a commit, resume never wants none", "[runtime][resume]") {
  const auto none = std::make_shared<fr::memory_checkpoint>();
  fr::run_options options = committing_to(none);
  options.resume = fr::resume::required;
  fr::pipeline p = compose({}, 1000);
  const absl::Status missing = p.run(options);
  REQUIRE(missing.code() == absl::StatusCode::kNotFound);
  REQUIRE(
      message_of(missing) ==
      "checkpoint: nothing is committed there, and resume is required; give the directory of an "
      "earlier run, or allow a fresh start");
  REQUIRE(none->commits == 0);
  REQUIRE(
      refusal_of_resume({}, fr::resume::never) ==
      "checkpoint: it holds commits of an earlier run; resume from them, or give a new directory");
  fr::pipeline crashing = compose({.second_sink = false}, 2);
  REQUIRE(crashing.run(committing_to(none)).code() == absl::StatusCode::kAborted);
  fr::pipeline again = compose({.second_sink = false}, 1000);
  REQUIRE(run_to_end(again, options).resumed);
}

TEST_CASE("a damaged manifest is refused and kept", "[runtime][resume]") {
  const auto commits = interrupted();
  for (const std::size_t at : {std::size_t{3}, std::size_t{40}, commits->manifest->size() - 1}) {
    auto damaged = std::make_shared<fr::memory_checkpoint>(*commits);
    (*damaged->manifest)[at] = static_cast<char>((*damaged->manifest)[at] ^ 1);
    fr::pipeline p = compose({}, 1000);
    const absl::Status done = p.run(committing_to(damaged));
    INFO("byte " << at << ": " << done.ToString());
    REQUIRE(done.code() == absl::StatusCode::kDataLoss);
    REQUIRE(damaged->commits == commits->commits);
  }
}

TEST_CASE("a damaged state row is refused by the operator's name", "[runtime][resume]") {
  const auto commits = interrupted();
  REQUIRE_FALSE(commits->rows.empty());
  commits->rows.begin()->second.resize(fr::expiry_bytes + 1);
  fr::pipeline p = compose({}, 1000);
  const absl::Status done = p.run(committing_to(commits));
  REQUIRE(done.code() == absl::StatusCode::kDataLoss);
  REQUIRE_THAT(message_of(done),
               Catch::Matchers::StartsWith("checkpoint: window 'w': its state is damaged ("));
}

TEST_CASE("the summary says whether a job went on or started fresh, and what it guarantees",
          "[runtime][resume]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline fresh = compose({}, 1000);
  const fr::run_summary first = run_to_end(fresh, committing_to(commits));
  REQUIRE_FALSE(first.resumed);
  REQUIRE(first.guarantee == "exactly once");
  REQUIRE_THAT(first.to_text(), Catch::Matchers::Contains("fresh start"));
  fr::pipeline unchecked = compose({}, 1000);
  REQUIRE(run_to_end(unchecked).guarantee == "none across restarts: checkpoints are off");
}
