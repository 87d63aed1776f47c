// event_time with each kind of watermark generator: what records may promise, and what becomes of
// promises that go back, reach for the end of time, or throw. Times are ticks of 1 us.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

using promise_function = std::function<std::optional<fr::timestamp>(const event&)>;

/// A record of the key `says` promises its value.
const auto by_value = fr::punctuated(promise_function([](const event& each) {
  return each.key == "says" ? std::optional(tick(each.value)) : std::nullopt;
}));

event e(std::int64_t at) {
  return {"a", at, tick(at)};
}
event says(std::int64_t promised, std::int64_t at) {
  return {"says", promised, tick(at)};
}

/// A generator whose promises go back: it says what the last record said.
struct wobbling {
  struct state {
    fr::timestamp last = fr::timestamp_min;
  };
  void observe(state& of, fr::timestamp at) const { of.last = at; }
  fr::timestamp frontier(const state& of) const { return of.last; }
  std::string describe() const { return "wobbling"; }
  std::string check() const { return {}; }
};
BOOST_DESCRIBE_STRUCT(wobbling::state, (), (last))

/// Windows of 10 ticks over what event_time passes on.
struct timed_job {
  script_handle<event> from;
  kept_rows_handle rows = keeper();
  kept_rows_handle late = keeper();
  kept_rows_handle dead = keeper();

  explicit timed_job(event_splits splits, std::size_t chunk = 1) : from(script_of(splits)) {
    from->chunk_max = chunk;
    from->chunks_vary = false;
  }

  template <class Generator>
  fr::pipeline compose(const Generator& generator, fr::event_time_options options = {}) const {
    fr::pipeline p("timed");
    const auto timed =
        p.from("events", scripted<event>(from)) | fr::event_time(&event::at, generator, options);
    timed.dead() | fr::to("dead", keep_rows_in(dead));
    const auto windows = timed | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                         fr::aggregate("w", fr::collect("at", &event::value));
    windows | fr::to("rows", keep_rows_in(rows));
    windows.late() | fr::to("late", keep_rows_in(late));
    return p;
  }

  template <class Generator>
  fr::run_summary run(const Generator& generator, fr::event_time_options options = {}) const {
    fr::pipeline p = compose(generator, options);
    return run_to_end(p);
  }
};

}  // namespace

TEST_CASE("punctuated: windows fire when a record promises so, and not before",
          "[pipeline][watermark]") {
  // 5 counts although 12 was there before; after the promise of 10, 3 is late.
  const timed_job job({{e(1), e(12), e(5), says(10, 13), e(3), e(14)}});
  (void)job.run(by_value);
  REQUIRE(job.rows->rows ==
          rows_of_text{"a|0|10|[1,5]@9", "a|10|20|[12,14]@19", "says|10|20|[10]@19"});
  REQUIRE(job.late->rows == rows_of_text{"a|3|3@3"});
}

TEST_CASE("punctuated: the promise of a record holds after it, not for itself",
          "[pipeline][watermark]") {
  const timed_job job({{says(10, 3), e(4)}});
  (void)job.run(by_value);
  REQUIRE(job.rows->rows == rows_of_text{"says|0|10|[10]@9"});
  REQUIRE(job.late->rows == rows_of_text{"a|4|4@4"});
}

TEST_CASE("case 16: a promise that goes back is ignored and counted", "[semantics][watermark]") {
  const timed_job job({{says(20, 21), says(10, 22), e(15), says(20, 23), e(25)}});
  const fr::run_summary summary = job.run(by_value);
  REQUIRE(job.late->rows == rows_of_text{"a|15|15@15"});
  REQUIRE(summary.metrics.of("event_time", "events").regressed == 1);
  REQUIRE(summary.metrics.regressed() == 1);
  REQUIRE_THAT(summary.to_text(), Contains("1 promises of records were ignored"));
  const timed_job without({{says(20, 21), e(25)}});
  REQUIRE_THAT(without.run(by_value).to_text(), !Contains("promises"));
}

TEST_CASE("case 17: a split without a promise yet holds the others back",
          "[semantics][watermark]") {
  // The second split promises last; until then 2 is accepted although the first one said 10.
  const timed_job job({{says(10, 11), says(30, 31)}, {e(8), e(2), says(30, 30)}});
  (void)job.run(by_value);
  REQUIRE(job.late->rows.empty());
  REQUIRE(sorted(job.rows->rows) ==
          rows_of_text{"a|0|10|[2,8]@9", "says|10|20|[10]@19", "says|30|40|[30,30]@39"});
}

TEST_CASE("case 32: no record can promise the end of time, only the end of input does",
          "[semantics][watermark]") {
  const std::int64_t last = fr::timestamp_max.time_since_epoch().count();
  const timed_job job({{e(1), says(last, 2), e(3), e(last - 1)}, {e(4), e(5)}});
  const fr::run_summary summary = job.run(by_value);
  REQUIRE(summary.finished);
  REQUIRE(job.late->rows == rows_of_text{"a|3|3@3"});
  REQUIRE(summary.metrics.of("window", "w").records_in == 6);
}

TEST_CASE("a function of punctuated that throws is named with the record's place",
          "[pipeline][watermark]") {
  const timed_job job({{e(1), e(2), e(3)}}, 3);
  fr::pipeline p = job.compose(
      fr::punctuated(promise_function([](const event& each) -> std::optional<fr::timestamp> {
        if (each.value == 2) throw std::runtime_error("boom");
        return std::nullopt;
      })));
  const absl::Status done = p.run();
  REQUIRE(message_of(done) ==
          "event_time 'events': the function given to it threw (boom) at record 1 of split 0 of "
          "source 0; catch it there, or filter such records out before");
}

TEST_CASE("promises are part of a checkpoint, wherever a crash comes",
          "[pipeline][watermark][resume]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 60; ++round) {
    event_splits splits(1 + random() % 2);
    for (auto& split : splits) {
      for (std::int64_t at = 0; at < 40; ++at) {
        const auto back = static_cast<std::int64_t>(random() % 12);
        split.push_back(random() % 4 == 0 ? says(at - back, at) : e(at - back));
      }
    }
    const timed_job wanted(splits);
    const fr::run_summary uninterrupted = wanted.run(by_value);
    const timed_job job(splits, 1 + random() % 7);
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    fr::run_summary summary;
    for (bool ended = false; !ended;) {
      job.from->crash_after = 1 + random() % 60;
      fr::pipeline p = job.compose(by_value);
      ended = p.run(committing_to(commits), &summary).ok();
    }
    INFO("round " << round);
    REQUIRE(sorted(job.rows->visible()) == sorted(wanted.rows->visible()));
    REQUIRE(sorted(job.late->visible()) == sorted(wanted.late->visible()));
    REQUIRE(summary.metrics.regressed() == uninterrupted.metrics.regressed());
  }
}

TEST_CASE("case 14: ascending takes records of the largest time so far, and calls others late",
          "[semantics][watermark]") {
  const timed_job job({{e(8), e(9), e(9), e(20), e(20), e(19)}});
  (void)job.run(fr::ascending{});
  REQUIRE(job.rows->rows == rows_of_text{"a|0|10|[8,9,9]@9", "a|20|30|[20,20]@29"});
  REQUIRE(job.late->rows == rows_of_text{"a|19|19@19"});
}

TEST_CASE("case 16: a generator of one's own that goes back does not take the frontier back",
          "[semantics][watermark]") {
  const event_splits splits = {{e(8), e(30), e(12), e(21), e(31), e(22)}};
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
    const timed_job job(splits, chunk);
    (void)job.run(wobbling{});
    const timed_job wanted(splits);
    (void)wanted.run(fr::ascending{});
    REQUIRE(job.rows->rows == wanted.rows->rows);
    REQUIRE(job.late->rows == wanted.late->rows);
    REQUIRE(job.late->rows.size() == 3);
  }
}

TEST_CASE("jump_max bounds promises, too: one that reaches further ahead is ignored and counted",
          "[pipeline][watermark]") {
  const fr::event_time_options guarded{.jump_max = 10us};
  const timed_job job({{e(1), says(900, 2), e(3), says(12, 4), e(5), says(10, 11), e(12)}});
  const fr::run_summary summary = job.run(by_value, guarded);
  // 900 is refused, 12 is within ten ticks of 4, and the later 10 goes back.
  REQUIRE(summary.metrics.of("event_time", "events").regressed == 2);
  REQUIRE(summary.metrics.dead() == 0);
  REQUIRE(job.late->rows == rows_of_text{"a|5|5@5"});
  const timed_job poisoned({{e(1), says(900, 2), e(3)}});
  (void)poisoned.run(by_value);
  REQUIRE(poisoned.late->rows == rows_of_text{"a|3|3@3"});
}
