// Jobs that crash or stop at any moment and go on give what an uninterrupted job gives: the same
// rows in every sink, once each, and the same counts.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <array>
#include <thread>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr std::array<const char*, 7> sink_names = {"raw",     "tumbling", "late",  "sliding",
                                                   "session", "nested",   "sample"};

/// One job over everything that keeps state, and what its sinks hold.
struct job_under_test {
  script_handle<event> from;
  std::array<kept_rows_handle, 7> sinks;

  explicit job_under_test(event_splits splits) : from(script_of(std::move(splits))) {
    for (auto& each : sinks) each = keeper();
  }

  fr::pipeline compose() const {
    fr::pipeline p("everything");
    const auto sink = [this](std::size_t number) {
      return fr::to(sink_names[number], keep_rows_in(sinks[number]));
    };
    auto events = p.from("events", scripted<event>(from)) |
                  fr::event_time(&event::at, fr::bounded_disorder{ticks_long(6)});
    events | fr::flat_map<event>([](const event& each, auto& emit) {
      emit(each);
      if (each.value % 3 == 0) emit(each);
    }) | sink(0);
    auto keyed = events | fr::key_by(&event::key);
    const fr::window_options late_again{.allowed_lateness = ticks_long(9)};
    auto tumbling = keyed | fr::window(fr::tumbling{ticks_long(7)}, late_again) |
                    fr::aggregate("tumbling", fr::count("n"), fr::collect("all", &event::value));
    tumbling | sink(1);
    tumbling.late() | sink(2);
    keyed |
        fr::window(fr::sliding{ticks_long(10), ticks_long(4)},
                   {.allowed_lateness = ticks_long(5), .fire = fr::firing::at_close}) |
        fr::aggregate("sliding", fr::sum("sum", &event::value)) | sink(3);
    keyed | fr::window(fr::session{ticks_long(5)}, late_again) |
        fr::aggregate("session", fr::count("n"), fr::last("last", &event::value)) | sink(4);
    using tumbling_row = decltype(tumbling)::value_type;
    const auto count_of = [](const tumbling_row& row) { return std::get<0>(row.values); };
    tumbling | fr::key_by(&tumbling_row::key) |
        fr::window(fr::tumbling{ticks_long(21)}, late_again) |
        fr::aggregate("nested", fr::count("panes"), fr::collect("all", count_of)) | sink(5);
    events |
        fr::sample("sample", fr::rarity(&event::key, {.rate = 0.5,
                                                      .half_life = ticks_long(40),
                                                      .epoch = ticks_long(10)})) |
        sink(6);
    return p;
  }

  std::vector<rows_of_text> rows() const {
    std::vector<rows_of_text> all;
    for (const auto& each : sinks) all.push_back(sorted(each->visible()));
    return all;
  }
};

event_splits random_splits(std::mt19937_64& random) {
  event_splits splits(1 + random() % 3);
  for (auto& split : splits) {
    const std::size_t count = random() % 120;
    std::int64_t now = -40;
    for (std::size_t i = 0; i < count; ++i) {
      now += static_cast<std::int64_t>(random() % 3);
      const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 40 : 8));
      const std::string key(1, static_cast<char>('a' + random() % 4));
      split.push_back({key, static_cast<std::int64_t>(random() % 100), tick(now - behind)});
    }
  }
  return splits;
}

std::string counts_of(const fr::job_metrics& metrics) {
  std::string text;
  for (const fr::operator_metrics& each : metrics.operators) {
    text += each.place;
    for (const std::uint64_t count : {each.records_in, each.records_out, each.late, each.dead,
                                      each.unassigned, each.realigned, each.regressed}) {
      text += " " + std::to_string(count);
    }
    text += "\n";
  }
  return text;
}

/// A clock that each look moves by up to `step_max`, so that commits fall anywhere.
std::function<fr::timestamp()> wandering_clock(std::uint64_t seed) {
  return [random = std::mt19937_64(seed), now = fr::timestamp{}]() mutable {
    return now += fr::duration{random() % 1000};
  };
}

struct ending {
  rows_of_text empty;
  std::vector<rows_of_text> rows;
  std::string counts;
  int runs = 0;
};

ending uninterrupted(const event_splits& splits, std::uint64_t seed) {
  const job_under_test job(splits);
  job.from->seed = seed;
  job.from->chunk_max = 16;
  fr::pipeline p = job.compose();
  const fr::run_summary summary = run_to_end(p);
  for (const auto& each : job.sinks) REQUIRE(each->completed);
  return {{}, job.rows(), counts_of(summary.metrics), 1};
}

/// Prepares one run that may die in one of several ways, or may not.
void choose_fate(std::mt19937_64& random, const job_under_test& job,
                 fr::memory_checkpoint& commits) {
  constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
  job.from->seed = random();
  job.from->chunk_max = 1 + random() % 30;
  job.from->crash_after = random() % 3 != 0 ? random() % 60 : never;
  commits.commit_failure =
      random() % 8 == 0 ? absl::UnavailableError("the disk is full") : absl::OkStatus();
  for (const auto& each : job.sinks) {
    each->commit_failure =
        random() % 40 == 0 ? absl::UnavailableError("the sink is gone") : absl::OkStatus();
  }
}

ending interrupted(const event_splits& splits, std::mt19937_64& random) {
  const job_under_test job(splits);
  auto commits = std::make_shared<fr::memory_checkpoint>();
  for (int runs = 1;; ++runs) {
    REQUIRE(runs < 400);
    choose_fate(random, job, *commits);
    fr::run_options options = committing_to(commits);
    options.checkpoint.every = fr::duration{1 + random() % 3000};
    options.clock = wandering_clock(random());
    fr::pipeline p = job.compose();
    fr::run_summary summary;
    const absl::Status done = p.run(options, &summary);
    if (!done.ok()) continue;
    INFO(summary.to_text());
    REQUIRE(summary.finished);
    for (const auto& each : job.sinks) REQUIRE(each->completed);
    return {{}, job.rows(), counts_of(summary.metrics), runs};
  }
}

}  // namespace

TEST_CASE("a job that crashes again and again ends with the rows and counts of one that does not",
          "[pipeline][resume]") {
  std::mt19937_64 random(20);
  int runs = 0;
  for (int round = 0; round < 200; ++round) {
    INFO("round " << round);
    const event_splits splits = random_splits(random);
    const ending wanted = uninterrupted(splits, random());
    const ending found = interrupted(splits, random);
    for (std::size_t sink = 0; sink < sink_names.size(); ++sink) {
      INFO("sink " << sink_names[sink]);
      REQUIRE(found.rows[sink] == wanted.rows[sink]);
    }
    REQUIRE(found.counts == wanted.counts);
    runs += found.runs;
  }
  CHECK(runs > 600);  // Else this test interrupts too little to show anything.
}

TEST_CASE("a job that is stopped and started goes on with its open windows", "[pipeline][resume]") {
  std::mt19937_64 random(21);
  for (int round = 0; round < 40; ++round) {
    INFO("round " << round);
    const event_splits splits = random_splits(random);
    const ending wanted = uninterrupted(splits, random());
    const job_under_test job(splits);
    auto commits = std::make_shared<fr::memory_checkpoint>();
    fr::run_options options = committing_to(commits);
    options.checkpoint.every = std::chrono::hours(1);
    std::uint64_t before = 0;
    for (int stops = 0; stops < 4; ++stops) {
      job.from->seed = random();
      job.from->pause_after = random() % 50;
      fr::pipeline p = job.compose();
      auto started = p.start(options);
      REQUIRE(started.ok());
      while (!started->wait_for(fr::duration{50}) &&
             started->metrics().records() < before + job.from->pause_after) {
      }
      started->stop();
      REQUIRE(started->wait().ok());
      before = started->metrics().records();
      if (started->summary().finished) break;
    }
    job.from->pause_after = std::numeric_limits<std::size_t>::max();
    fr::pipeline p = job.compose();
    const fr::run_summary summary = run_to_end(p, options);
    REQUIRE(summary.resumed);
    REQUIRE(job.rows() == wanted.rows);
    if (!summary.nothing_to_do) REQUIRE(counts_of(summary.metrics) == wanted.counts);
  }
}

TEST_CASE("a finished job has nothing to do and leaves its sinks alone", "[pipeline][resume]") {
  const job_under_test job({events_at({1, 5, 20})});
  auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline first = job.compose();
  const fr::run_summary before = run_to_end(first, committing_to(commits));
  REQUIRE_FALSE(before.resumed);
  REQUIRE(before.finished);
  const auto rows = job.rows();
  const std::size_t starts = job.sinks[0]->starts;
  const std::size_t opened = job.from->opened;

  fr::pipeline second = job.compose();
  const fr::run_summary after = run_to_end(second, committing_to(commits));
  REQUIRE(after.resumed);
  REQUIRE(after.nothing_to_do);
  REQUIRE(after.finished);
  REQUIRE(after.to_text() == "the job had finished already; nothing to do\n");
  REQUIRE(counts_of(after.metrics) == counts_of(before.metrics));
  REQUIRE(job.rows() == rows);
  REQUIRE(job.sinks[0]->starts == starts);
  REQUIRE(job.from->opened == opened);
}

TEST_CASE("a finished job whose sinks could not complete completes them when it is started again",
          "[pipeline][resume]") {
  const job_under_test job({events_at({1, 5, 20})});
  auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::run_options options = committing_to(commits);
  options.checkpoint.every = std::chrono::hours(1);
  job.sinks[3]->commit_failure = absl::UnavailableError("the sink is gone");
  fr::pipeline first = job.compose();
  REQUIRE(first.run(options) == absl::UnavailableError("the sink is gone"));
  REQUIRE(job.sinks[4]->completed);  // One failing sink does not keep the others from publishing.
  REQUIRE_FALSE(job.sinks[3]->completed);

  job.sinks[3]->commit_failure = absl::OkStatus();
  fr::pipeline second = job.compose();
  REQUIRE(run_to_end(second, options).nothing_to_do);
  REQUIRE(job.sinks[3]->completed);
  REQUIRE(job.sinks[3]->published > 0);
}

TEST_CASE("what was committed but not published is published when the job goes on",
          "[pipeline][resume]") {
  const job_under_test job({events_at({1, 5, 20, 60, 61})});
  job.from->chunk_max = 4;
  job.from->chunks_vary = false;
  auto commits = std::make_shared<fr::memory_checkpoint>();
  job.sinks[0]->commit_failure = absl::UnavailableError("the sink is gone");
  fr::pipeline first = job.compose();
  REQUIRE_FALSE(first.run(committing_to(commits)).ok());
  REQUIRE(commits->commits == 1);
  REQUIRE(job.sinks[0]->published == 0);

  job.sinks[0]->commit_failure = absl::OkStatus();
  job.from->crash_after = 0;
  fr::pipeline second = job.compose();
  REQUIRE_FALSE(second.run(committing_to(commits)).ok());
  REQUIRE(job.sinks[0]->published == 5);  // Four records, one of which the flat_map doubles.
}

TEST_CASE("a commit that fails ends the job and leaves the commit before it intact",
          "[pipeline][resume]") {
  const job_under_test job({events_at({1, 5, 20, 60, 61, 80})});
  job.from->chunk_max = 2;
  job.from->chunks_vary = false;
  job.from->crash_after = 2;
  auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline first = job.compose();
  REQUIRE(first.run(committing_to(commits)) == absl::AbortedError("scripted: crash"));
  const fr::memory_checkpoint before = *commits;
  REQUIRE(before.commits == 1);

  job.from->crash_after = std::numeric_limits<std::size_t>::max();
  commits->commit_failure = absl::ResourceExhaustedError("the disk is full");
  fr::pipeline second = job.compose();
  REQUIRE(second.run(committing_to(commits)) == absl::ResourceExhaustedError("the disk is full"));
  REQUIRE(commits->manifest == before.manifest);
  REQUIRE(commits->rows == before.rows);

  commits->commit_failure = absl::OkStatus();
  fr::pipeline third = job.compose();
  (void)run_to_end(third, committing_to(commits));
  REQUIRE(job.rows() == uninterrupted(job.from->splits, 1).rows);
}
