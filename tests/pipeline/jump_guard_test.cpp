// Records from the far future: what jump_max keeps out, what becomes of it, and what it takes to be
// believed all the same. Times are ticks of 1 us.
#include "pipeline/support.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/detail/jump_guard.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using ticks_of_split = std::vector<std::int64_t>;

/// What became of the records of some splits. `accepted` and `dead`: by split, their times.
struct guarded_job {
  script_handle<event> from;
  fr::event_time_options options;
  kept_rows_handle accepted = keeper();
  kept_rows_handle dead = keeper();
  kept_rows_handle rows = keeper();
  kept_rows_handle late = keeper();

  guarded_job(const std::vector<ticks_of_split>& splits, fr::event_time_options guard)
      : from(std::make_shared<script<event>>()), options(guard) {
    for (std::size_t split = 0; split < splits.size(); ++split) {
      from->splits.emplace_back();
      for (const std::int64_t at : splits[split]) {
        from->splits.back().push_back({"s" + std::to_string(split), at, tick(at)});
      }
    }
  }

  fr::pipeline compose() const {
    fr::pipeline p("guarded");
    const auto timed = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::ascending{}, options);
    timed | fr::to("accepted", keep_rows_in(accepted));
    timed.dead() | fr::to("dead", keep_rows_in(dead));
    const auto windows = timed | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                         fr::aggregate("w", fr::collect("at", &event::value));
    windows | fr::to("rows", keep_rows_in(rows));
    windows.late() | fr::to("late", keep_rows_in(late));
    return p;
  }

  fr::run_summary run() const {
    fr::pipeline p = compose();
    return run_to_end(p);
  }
};

/// The definition, for one split: looks at all that came before, and counts without saturating.
struct naive_guard {
  __extension__ using wide = __int128;
  wide jump_max;
  std::size_t confirmations;
  std::vector<wide> accepted;
  std::vector<wide> run;  // Refused since the last accepted one, and near each other.

  bool admit(std::int64_t at) {
    const auto latest = [](const std::vector<wide>& of) {
      return *std::max_element(of.begin(), of.end());
    };
    const bool too_far = !accepted.empty() && at > latest(accepted) + jump_max;
    const bool near = !run.empty() && at <= latest(run) + jump_max && at >= latest(run) - jump_max;
    const bool believed = confirmations > 0 && near && run.size() >= confirmations;
    if (!too_far || believed) {
      accepted.push_back(at);
      run.clear();
      return true;
    }
    if (!near) run.clear();
    run.push_back(at);
    return false;
  }
};

}  // namespace

TEST_CASE("case 52: without a guard, one record from the far future makes all that follow late",
          "[semantics][watermark]") {
  const guarded_job job({{1, 2, 900'000, 3, 4}}, {});
  (void)job.run();
  REQUIRE(job.late->rows == rows_of_text{"s0|3|3@3", "s0|4|4@4"});
}

TEST_CASE("case 52: with jump_max it goes to the dead letters alone, and nothing is late for it",
          "[semantics][watermark]") {
  const guarded_job job({{1, 2, 900'000, 3, 14}}, {.jump_max = 100us});
  const fr::run_summary summary = job.run();
  REQUIRE(job.rows->rows == rows_of_text{"s0|0|10|[1,2,3]@9", "s0|10|20|[14]@19"});
  REQUIRE(job.late->rows.empty());
  REQUIRE(job.dead->rows ==
          rows_of_text{"events|s0|2|0|its event time 1970-01-01T00:00:00.9Z is 899998us ahead of "
                       "1970-01-01T00:00:00.000002Z, the latest of its split, and jump_max allows "
                       "100us|"});
  REQUIRE(summary.metrics.of("event_time", "events").dead == 1);
  REQUIRE(summary.metrics.of("event_time", "events").records_out == 4);
}

TEST_CASE("exactly jump_max ahead is allowed, one tick more is not", "[pipeline][watermark]") {
  const guarded_job job({{0, 100, 201, 200}}, {.jump_max = 100us});
  REQUIRE(job.run().metrics.dead() == 1);
  REQUIRE(job.accepted->rows == rows_of_text{"s0|0|0@0", "s0|100|100@100", "s0|200|200@200"});
}

TEST_CASE("each split is held against its own records, and its first one is accepted",
          "[pipeline][watermark]") {
  const guarded_job job({{900'000, 900'001}, {1, 900'000, 2}}, {.jump_max = 100us});
  REQUIRE(job.run().metrics.dead() == 1);
  REQUIRE(job.accepted->rows.size() == 4);
}

TEST_CASE("a gap in the data is believed once enough records in a row confirm it",
          "[pipeline][watermark]") {
  // 5000 and two that confirm it are refused, the third is accepted, and 4990 is behind it.
  const guarded_job job({{1, 5000, 5003, 4998, 5004, 4990, 5050, 9000, 5060}},
                        {.jump_max = 100us, .jump_confirmations = 3});
  REQUIRE(job.run().metrics.dead() == 4);
  REQUIRE(job.accepted->rows == rows_of_text{"s0|1|1@1", "s0|5004|5004@5004", "s0|4990|4990@4990",
                                             "s0|5050|5050@5050", "s0|5060|5060@5060"});
}

TEST_CASE("records far from each other, or with believable ones between, confirm nothing",
          "[pipeline][watermark]") {
  const fr::event_time_options guard{.jump_max = 100us, .jump_confirmations = 1};
  const guarded_job scattered({{1, 5000, 9000, 13000, 9000, 5000}}, guard);
  REQUIRE(scattered.run().metrics.dead() == 5);
  const guarded_job mixed({{1, 5000, 2, 5001, 3, 5002, 4}}, guard);
  REQUIRE(mixed.run().metrics.dead() == 3);
}

TEST_CASE("without confirmations a gap is never believed", "[pipeline][watermark]") {
  ticks_of_split times = {0};
  for (std::int64_t at = 5000; at < 5200; ++at) times.push_back(at);
  REQUIRE(guarded_job({times}, {.jump_max = 100us}).run().metrics.dead() == 200);
}

TEST_CASE("the guard follows its definition, at both ends of time, too", "[watermark]") {
  std::mt19937_64 random(9);
  for (int round = 0; round < 3000; ++round) {
    const auto any_size = static_cast<std::int64_t>(random() >> (1 + random() % 63));
    const std::int64_t jump_max = std::max<std::int64_t>(1, any_size);
    const std::size_t confirmations = random() % 4;
    const fr::detail::jump_guard guard(fr::duration{jump_max}, confirmations);
    fr::detail::jump_guard::state state;
    naive_guard wanted{jump_max, confirmations, {}, {}};
    const auto base = static_cast<std::int64_t>(random());
    for (int i = 0; i < 40; ++i) {
      const std::int64_t step = jump_max / 2 + static_cast<std::int64_t>(random() % 3) - 1;
      const auto times = static_cast<std::int64_t>(random() % 5);
      std::int64_t at = base;
      for (std::int64_t n = 0; n < times; ++n) {
        at = fr::saturating_add(tick(at), fr::duration{step}).time_since_epoch().count();
      }
      if (random() % 10 == 0) at = static_cast<std::int64_t>(random());
      if (random() % 30 == 0) at = std::numeric_limits<std::int64_t>::max();
      if (random() % 30 == 0) at = std::numeric_limits<std::int64_t>::min();
      INFO("round " << round << ", record " << i << " at " << at);
      REQUIRE(guard.admit(state, tick(at)) == wanted.admit(at));
    }
  }
}

TEST_CASE("batches and restarts change nothing about what the guard refuses",
          "[pipeline][watermark][resume]") {
  std::mt19937_64 random(10);
  for (int round = 0; round < 60; ++round) {
    std::vector<ticks_of_split> splits(1 + random() % 3);
    const fr::event_time_options guard{.jump_max = 8us, .jump_confirmations = random() % 4};
    rows_of_text accepted;
    for (std::size_t split = 0; split < splits.size(); ++split) {
      naive_guard wanted{8, guard.jump_confirmations, {}, {}};
      std::int64_t now = 0;
      for (int i = 0; i < 40; ++i) {
        now += static_cast<std::int64_t>(random() % 12);
        const std::int64_t at = now + (random() % 5 == 0 ? 30 : 0);
        splits[split].push_back(at);
        const event given{"s" + std::to_string(split), at, tick(at)};
        if (wanted.admit(at)) accepted.push_back(row_text(given, given.at));
      }
    }
    const guarded_job job(splits, guard);
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    fr::run_summary summary;
    for (bool ended = false; !ended;) {
      job.from->crash_after = 1 + random() % 100;
      job.from->chunk_max = 1 + random() % 9;
      fr::pipeline p = job.compose();
      ended = p.run(committing_to(commits), &summary).ok();
    }
    INFO("round " << round);
    REQUIRE(sorted(job.accepted->visible()) == sorted(accepted));
    REQUIRE(summary.metrics.dead() == 40 * splits.size() - accepted.size());
    REQUIRE(job.dead->visible().size() == summary.metrics.dead());
  }
}
