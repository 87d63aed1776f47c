// Jobs with panes that crash at any moment and go on give what an uninterrupted job gives: the same
// panes, with the same numbers, once each.
//
// One split, one record per batch: so every watermark, and with it every early pane, is a matter of
// the log, and any difference is the restart's.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <array>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr std::size_t sink_count = 6;

/// Windows in every mode, and what their sinks hold.
struct job_under_test {
  script_handle<event> from;
  std::array<kept_rows_handle, sink_count> sinks;

  explicit job_under_test(std::vector<event> split) : from(script_of({std::move(split)})) {
    from->chunk_max = 1;
    from->chunks_vary = false;
    for (auto& each : sinks) each = keeper();
  }

  fr::pipeline compose() const {
    fr::pipeline p("panes");
    const auto keyed = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::bounded_disorder{ticks_long(4)}) |
                       fr::key_by(&event::key);
    const auto finish = [this](std::size_t number, const auto& windows) {
      const std::string name = "w" + std::to_string(number);
      windows | fr::aggregate(name, fr::count("n"), fr::collect("all", &event::value)) |
          fr::with_panes() | fr::to(name, keep_rows_in(sinks[number]));
    };
    const fr::window_options late_again{.allowed_lateness = ticks_long(12)};
    finish(0, keyed | fr::window(fr::tumbling{ticks_long(10)}, late_again));
    finish(1, keyed | fr::window(fr::tumbling{ticks_long(30)}, late_again,
                                 {.every = ticks_long(7), .mode = fr::accumulation::retract}));
    finish(2, keyed | fr::window(fr::sliding{ticks_long(20), ticks_long(8)}, late_again,
                                 {.every_count = 3,
                                  .late = fr::late_firing::at_close,
                                  .mode = fr::accumulation::discard}));
    const auto gap = [](const event& each) { return ticks_long(each.value % 9); };
    finish(3, keyed | fr::window(fr::session_by(gap), late_again,
                                 {.every = ticks_long(5),
                                  .every_count = 4,
                                  .mode = fr::accumulation::retract}));
    finish(4, keyed | fr::window(fr::session_by(gap), late_again));
    finish(5, keyed | fr::window(fr::global_window{}, {.fire = fr::firing::never},
                                 {.every = ticks_long(20), .every_count = 5}));
    return p;
  }

  std::vector<rows_of_text> rows() const {
    std::vector<rows_of_text> all;
    for (const auto& each : sinks) all.push_back(each->visible());
    return all;
  }
};

std::vector<event> random_split(std::mt19937_64& random) {
  std::vector<event> split;
  std::int64_t now = -20;
  const std::size_t count = random() % 150;
  for (std::size_t i = 0; i < count; ++i) {
    now += static_cast<std::int64_t>(random() % 3);
    const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 30 : 6));
    const std::string key(1, static_cast<char>('a' + random() % 3));
    split.push_back({key, static_cast<std::int64_t>(random() % 100), tick(now - behind)});
  }
  return split;
}

/// Runs until one run reaches the end; the others die after a few records.
int interrupted(const job_under_test& job, std::mt19937_64& random) {
  auto commits = std::make_shared<fr::memory_checkpoint>();
  for (int runs = 1;; ++runs) {
    REQUIRE(runs < 400);
    constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
    job.from->crash_after = random() % 8 != 0 ? random() % 30 : never;
    fr::run_options options = committing_to(commits);
    fr::timestamp now{};
    options.clock = [now, step = 1 + random() % 2000, state = random()]() mutable {
      state = state * 6364136223846793005U + 1442695040888963407U;
      return now += fr::duration{static_cast<std::int64_t>((state >> 33) % step)};
    };
    options.checkpoint.every = fr::duration{1 + static_cast<std::int64_t>(random() % 3000)};
    fr::pipeline p = job.compose();
    if (p.run(options).ok()) return runs;
  }
}

}  // namespace

TEST_CASE("a job with panes that crashes again and again ends with the rows of one that does not",
          "[pipeline][panes][resume]") {
  std::mt19937_64 random(80);
  int runs = 0;
  for (int round = 0; round < 200; ++round) {
    INFO("round " << round);
    const std::vector<event> split = random_split(random);
    const job_under_test whole(split);
    fr::pipeline p = whole.compose();
    (void)run_to_end(p);
    const job_under_test job(split);
    runs += interrupted(job, random);
    for (std::size_t sink = 0; sink < sink_count; ++sink) {
      INFO("sink " << sink);
      REQUIRE(job.rows()[sink] == whole.rows()[sink]);  // In order, too.
    }
  }
  CHECK(runs > 800);  // Else this test interrupts too little to show anything.
}
