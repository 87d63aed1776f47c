// Windows that do not fit into memory: with a limit rows are those of a run without one, whatever
// is dropped, read back, grows, fires, is late, and starts again.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t smallest = 1;           // A row or two in memory.
constexpr std::size_t some_rows = 80 * 1024;  // Some tens.

/// Some keys all the time, most now and then; some records late, some too late.
std::vector<event> log_of(std::size_t records, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<event> all;
  for (std::size_t i = 0; i < records; ++i) {
    const std::uint64_t key = random() % 4 == 0 ? random() % 8 : random() % 200;
    const auto now = static_cast<std::int64_t>(i) * 3;
    const std::int64_t behind = random() % 5 == 0 ? static_cast<std::int64_t>(random() % 1500) : 0;
    all.push_back({"k" + std::to_string(key), static_cast<std::int64_t>(random() % 1000),
                   tick(std::max<std::int64_t>(0, now - behind))});
  }
  return all;
}

struct windows_rows {
  rows_of_text sessions;
  rows_of_text panes;
  rows_of_text late;
  friend bool operator==(const windows_rows&, const windows_rows&) = default;
};

struct limited_run {
  windows_rows rows;
  fr::operator_metrics sessions, panes;  ///< Only what was evicted and read back, of all jobs.
  std::uint64_t moves = 0;
};

void add_counts(fr::operator_metrics& to, const fr::operator_metrics& of) {
  to.evicted += of.evicted;
  to.cold_read += of.cold_read;
}

/// Runs to the end, in as many jobs as that takes.
limited_run run_windows(const script_handle<event>& from, fr::run_options options,
                        const std::vector<std::size_t>& parallelisms) {
  const auto sessions = keeper();
  const auto panes = keeper();
  const auto late = keeper();
  limited_run made;
  absl::Status done = absl::AbortedError("not yet");
  for (std::size_t run = 0; done.code() == absl::StatusCode::kAborted; ++run) {
    REQUIRE(run < 100);
    options.parallelism = parallelisms[run % parallelisms.size()];
    if (options.parallelism > 1) options.scheduler = fr::simulation(from->seed + run);
    fr::pipeline p("windows");
    const auto keyed = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::bounded_disorder{20us}) |
                       fr::key_by(&event::key);
    const auto grown = keyed | fr::window(fr::session{150us}, {.allowed_lateness = 300us}) |
                       fr::aggregate("sessions", fr::count("n"), fr::sum("sum", &event::value));
    grown | fr::to("sessions", keep_rows_in(sessions));
    grown.late() | fr::to("late", keep_rows_in(late));
    keyed |
        fr::window(fr::tumbling{2000us}, {.allowed_lateness = 500us},
                   fr::panes{.every_count = 3, .mode = fr::accumulation::retract}) |
        fr::aggregate("panes", fr::count("n"), fr::sum("sum", &event::value)) | fr::with_panes() |
        fr::to("panes", keep_rows_in(panes));
    fr::run_summary summary;
    done = p.run(options, &summary);
    add_counts(made.sessions, summary.metrics.of("window", "sessions"));
    add_counts(made.panes, summary.metrics.of("window", "panes"));
    made.moves += summary.metrics.moves;
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  made.rows = {sorted(sessions->rows), sorted(panes->rows), sorted(late->rows)};
  return made;
}

script_handle<event> script_for(std::uint64_t seed) {
  auto from = script_of({log_of(2000, seed)});
  from->chunk_max = 40;
  from->seed = seed;
  return from;
}

fr::run_options limited_to(std::size_t bytes) {
  auto options = committing_to(std::make_shared<fr::memory_checkpoint>());
  options.state.memory_limit = bytes;
  return options;
}

}  // namespace

TEST_CASE("windows with a limit have the rows of those without one",
          "[runtime][memory_limit][windows]") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const windows_rows wanted = run_windows(script_for(seed), {}, {1}).rows;
    REQUIRE(wanted.sessions.size() > 300);
    REQUIRE(wanted.panes.size() > 300);
    REQUIRE(!wanted.late.empty());
    for (const std::size_t limit : {smallest, some_rows}) {
      INFO("seed " << seed << ", limit " << limit);
      const auto from = script_for(seed);
      const limited_run whole = run_windows(from, limited_to(limit), {1});
      REQUIRE(whole.rows == wanted);
      for (const fr::operator_metrics& each : {whole.sessions, whole.panes}) {
        REQUIRE(each.evicted > 200);
        REQUIRE(each.cold_read > 200);
      }
      from->crash_after = 300;
      REQUIRE(run_windows(from, limited_to(limit), {1}).rows == wanted);
    }
  }
}

TEST_CASE("windows with a limit keep their rows while key groups move and jobs rescale",
          "[runtime][memory_limit][windows]") {
  std::uint64_t moves = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    const windows_rows wanted = run_windows(script_for(seed), {}, {1}).rows;
    auto options = limited_to(seed % 2 == 0 ? smallest : some_rows);
    options.channel_batches = 1;
    const auto from = script_for(seed);
    from->crash_after = 500;
    const limited_run made = run_windows(from, options, {2, 3, 1, 5});
    REQUIRE(made.rows == wanted);
    REQUIRE(made.sessions.cold_read > 100);
    REQUIRE(made.panes.cold_read > 100);
    moves += made.moves;
  }
  REQUIRE(moves >= 3);
}
