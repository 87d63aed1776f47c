// Jobs whose structs change between two runs: rows are those of a job that never stopped.
#include "catch.hpp"
#include "golden/job.hpp"

#include <freshet/core/schema.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/upsert.hpp>

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using Catch::Matchers::Contains;

namespace {

using golden::run_of;

std::vector<rows_of_text> uninterrupted() {
  const auto sinks = golden::fresh_sinks();
  run_of run;
  REQUIRE(golden::run_v1(run, sinks).ok());
  return golden::rows_of(sinks);
}

/// A checkpoint of the first version after `crash_after` records of a source.
std::shared_ptr<fr::memory_checkpoint> interrupted(const golden::sinks& sinks,
                                                   std::size_t crash_after,
                                                   std::size_t parallelism = 1) {
  auto commits = std::make_shared<fr::memory_checkpoint>();
  run_of run{.options = committing_to(commits), .crash_after = crash_after};
  run.options.parallelism = parallelism;
  REQUIRE(golden::run_v1(run, sinks).code() == absl::StatusCode::kAborted);
  return commits;
}

}  // namespace

TEST_CASE("both versions of the golden job give the same rows", "[golden][evolution]") {
  const auto sinks = golden::fresh_sinks();
  run_of run;
  REQUIRE(golden::run_v2(run, sinks).ok());
  const auto wanted = uninterrupted();
  for (std::size_t sink = 0; sink < wanted.size(); ++sink) {
    INFO(golden::sink_names[sink]);
    REQUIRE_FALSE(wanted[sink].empty());
    REQUIRE(golden::rows_of(sinks)[sink] == wanted[sink]);
  }
}

TEST_CASE("a job with changed structs goes on from what it was", "[golden][evolution]") {
  const auto wanted = uninterrupted();
  for (const std::size_t crash_after : {20U, 75U, 120U, 190U}) {
    for (const std::size_t parallelism : {1U, 3U}) {
      CAPTURE(crash_after, parallelism);
      const auto sinks = golden::fresh_sinks();
      const auto commits = interrupted(sinks, crash_after);
      run_of run{.options = committing_to(commits)};
      run.options.parallelism = parallelism;
      run.options.scheduler = fr::thread_pool(parallelism);
      const absl::Status done = golden::run_v2(run, sinks);
      INFO(done.ToString());
      REQUIRE(done.ok());
      REQUIRE(run.summary.resumed);
      const auto rows = golden::rows_of(sinks);
      for (std::size_t sink = 0; sink < wanted.size(); ++sink) {
        INFO(golden::sink_names[sink]);
        REQUIRE(rows[sink] == wanted[sink]);
      }
    }
  }
}

TEST_CASE("a changed job that is killed at once goes on from rows of one layout",
          "[golden][evolution]") {
  const auto wanted = uninterrupted();
  const auto sinks = golden::fresh_sinks();
  const auto commits = interrupted(sinks, 60);
  // Ten records a run: most rows of the state are written by the first commit after the change and
  // by no other.
  absl::Status done = absl::AbortedError("not yet");
  std::size_t runs = 0;
  while (done.code() == absl::StatusCode::kAborted) {
    run_of run{.options = committing_to(commits), .crash_after = 10};
    done = golden::run_v2(run, sinks);
    ++runs;
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  REQUIRE(runs > 5);
  REQUIRE(golden::rows_of(sinks) == wanted);
}

TEST_CASE("an older build is refused what a newer one has committed, and keeps what it has not",
          "[golden][evolution]") {
  const auto sinks = golden::fresh_sinks();
  const auto commits = interrupted(sinks, 60);
  const fr::memory_checkpoint before = *commits;
  run_of nothing_read{.options = committing_to(commits), .crash_after = 0};
  commits->commit_failure = absl::UnavailableError("no disk");
  REQUIRE_FALSE(golden::run_v2(nothing_read, sinks).ok());
  commits->commit_failure = absl::OkStatus();
  REQUIRE(commits->manifest == before.manifest);
  REQUIRE(commits->rows == before.rows);
  run_of newer{.options = committing_to(commits), .crash_after = 10};
  REQUIRE(golden::run_v2(newer, sinks).code() == absl::StatusCode::kAborted);
  run_of older{.options = committing_to(commits)};
  const absl::Status refused = golden::run_v1(older, sinks);
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_THAT(message_of(refused), Contains("amount' was i64, is i32 now"));
}

// --- one operator
// ---------------------------------------------------------------------------------

namespace {

struct counted {
  std::int64_t records = 0;
  std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(counted, (), (records, value))
struct counted_as_text {
  std::int64_t records = 0;
  std::string value;
};
BOOST_DESCRIBE_STRUCT(counted_as_text, (), (records, value))

template <class State>
struct counting {
  using state = State;
  void process(const event&, State& kept, auto& context) const {
    context.emit(event{"n", ++kept.records, {}});
  }
};

template <class State>
absl::Status count(const std::shared_ptr<fr::memory_checkpoint>& commits, std::size_t crash_after) {
  auto from = script_of({events_at({1, 2, 3, 4})});
  from->crash_after = crash_after;
  from->chunk_max = 1;
  from->chunks_vary = false;
  fr::pipeline p("counting");
  p.from("events", scripted<event>(from)) | fr::key_by(&event::key) |
      fr::process<event>("count", counting<State>{}) | fr::to("out", keep_rows_in(keeper()));
  return p.run(committing_to(commits));
}

}  // namespace

TEST_CASE("a field of another type is refused by operator, field and both formats",
          "[golden][evolution]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  REQUIRE(count<counted>(commits, 2).code() == absl::StatusCode::kAborted);
  const auto manifest = commits->manifest;
  const absl::Status refused = count<counted_as_text>(commits, 100);
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(message_of(refused) ==
          "checkpoint: state of process 'count' has rows of format "
          "[tuple<{records:i64,value:i64},timers<vector<time_us>>,timers<vector<time_us>>>], the "
          "pipeline's is "
          "[tuple<{records:i64,value:string},timers<vector<time_us>>,timers<vector<time_us>>>]: "
          "field 'value' was i64, is string now; give what changed another name, run it as it was, "
          "or give a new directory");
  REQUIRE(commits->manifest == manifest);
}

TEST_CASE("damaged rows of an older layout are refused by the operator's name",
          "[golden][evolution]") {
  const auto sinks = golden::fresh_sinks();
  const auto intact = interrupted(sinks, 120);
  std::size_t refused = 0;
  for (const auto& [key, value] : intact->rows) {
    for (const std::size_t size : {fr::expiry_bytes, (fr::expiry_bytes + value.size()) / 2}) {
      if (size >= value.size()) continue;
      auto damaged = std::make_shared<fr::memory_checkpoint>(*intact);
      damaged->rows[key].resize(size);
      auto copies = golden::fresh_sinks();
      for (std::size_t i = 0; i < copies.size(); ++i) *copies[i] = *sinks[i];
      run_of run{.options = committing_to(damaged)};
      const absl::Status done = golden::run_v2(run, copies);
      // A row that has expired is never read.
      if (done.ok()) continue;
      ++refused;
      REQUIRE(done.code() == absl::StatusCode::kDataLoss);
      REQUIRE_THAT(message_of(done), Contains("its state is damaged ("));
    }
    if (refused > 40) break;
  }
  REQUIRE(refused > 10);
}
