// Partial aggregates of hot keys: the rows are those of a job of one task, whatever is aggregated
// where.
#include "pipeline/support.hpp"
#include "runtime/plan.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <random>

using namespace freshet::test;
using namespace std::chrono_literals;
namespace fr = freshet;

namespace {

/// A few keys, of which one has half of the records, in several splits that are out of order.
event_splits random_splits(std::mt19937_64& random, std::size_t records) {
  event_splits splits(1 + random() % 4);
  const std::int64_t disorder = 1 + static_cast<std::int64_t>(random() % 20);
  for (auto& each : splits) {
    for (std::size_t i = random() % (records + 1); i > 0; --i) {
      const std::int64_t now = static_cast<std::int64_t>(each.size() / 2);
      const auto back = static_cast<std::int64_t>(random()) % disorder;
      const std::string key = random() % 2 == 0 ? "hot" : "k" + std::to_string(random() % 6);
      each.push_back({key, static_cast<std::int64_t>(random() % 50), tick(now - std::abs(back))});
    }
  }
  return splits;
}

struct outcome {
  rows_of_text rows;
  rows_of_text late;
  fr::operator_metrics counts;
};

template <class Assigner>
outcome outcome_of(const event_splits& splits, const Assigner& assigner, fr::window_options options,
                   fr::pre_aggregation when, const fr::run_options& how) {
  options.pre_aggregate = when;
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("windows");
  auto fired = p.from("events", scripted(splits)) |
               fr::event_time(&event::at, fr::bounded_disorder{ticks_long(5)}) |
               fr::key_by(&event::key) | fr::window(assigner, options) |
               fr::aggregate("w", fr::count("n"), fr::sum("sum", &event::value),
                             fr::mean("mean", &event::value), fr::min("min", &event::value),
                             fr::max("max", &event::value), fr::first("first", &event::value),
                             fr::last("last", &event::value), fr::collect("all", &event::value));
  fired | fr::to("rows", keep_rows_in(rows));
  fired.late() | fr::to("late", keep_rows_in(late));
  const fr::run_summary summary = run_to_end(p, how);
  return {sorted(rows->rows), sorted(late->rows), summary.metrics.of("window", "w")};
}

template <class Assigner>
void check_every_way(std::int64_t seed, const Assigner& assigner,
                     const fr::window_options& options) {
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  const event_splits splits = random_splits(random, 300);
  const outcome wanted = outcome_of(splits, assigner, options, fr::pre_aggregation::never, {});
  for (const auto when :
       {fr::pre_aggregation::always, fr::pre_aggregation::adaptive, fr::pre_aggregation::never}) {
    for (std::size_t parallelism = 1; parallelism <= 4; ++parallelism) {
      fr::run_options how;
      how.parallelism = parallelism;
      how.scheduler = fr::simulation(random());
      how.channel_batches = 1 + random() % 8;
      how.flush_after = random() % 2 == 0 ? 0us : 1h;
      if (random() % 2 == 0) {
        how.checkpoint = committing_to(std::make_shared<fr::memory_checkpoint>()).checkpoint;
      }
      const outcome found = outcome_of(splits, assigner, options, when, how);
      INFO("seed " << seed << ", parallelism " << parallelism << ", pre-aggregation "
                   << static_cast<int>(when));
      REQUIRE(found.rows == wanted.rows);
      REQUIRE(found.late == wanted.late);
      REQUIRE(found.counts.records_in == wanted.counts.records_in);
      REQUIRE(found.counts.late == wanted.counts.late);
      REQUIRE(found.counts.unassigned == wanted.counts.unassigned);
    }
  }
}

fr::window_options random_options(std::int64_t seed) {
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  fr::window_options options;
  if (random() % 2 == 0)
    options.allowed_lateness = ticks_long(1 + static_cast<std::int64_t>(random() % 20));
  if (random() % 3 == 0) options.fire = fr::firing::at_close;
  return options;
}

}  // namespace

TEST_CASE("pre-aggregation changes no row and no late record of tumbling windows",
          "[runtime][pre_aggregation]") {
  for (std::int64_t seed = 0; seed < 40; ++seed) {
    check_every_way(seed, fr::tumbling{ticks_long(1 + seed % 13)}, random_options(seed));
  }
}

TEST_CASE("pre-aggregation changes no row and no late record of sliding windows",
          "[runtime][pre_aggregation]") {
  for (std::int64_t seed = 100; seed < 140; ++seed) {
    // Some slide further than they are long, so that no window wants some of the records.
    const fr::sliding windows{.size = ticks_long(2 + seed % 9), .slide = ticks_long(1 + seed % 5)};
    check_every_way(seed, windows, random_options(seed));
  }
}

TEST_CASE("keys that become hot and cool down again change no row, with threads, too",
          "[runtime][pre_aggregation]") {
  // A sample of some 33,000 records makes keys hot.
  event_splits splits(4);
  std::mt19937_64 random(7);
  for (auto& each : splits) {
    for (std::int64_t i = 0; i < 100'000; ++i) {
      const std::int64_t hottest = i / 50'000;
      const auto drawn = static_cast<std::int64_t>(random() % 3000);
      each.push_back({std::to_string(drawn < 1500 ? hottest : drawn), drawn % 10,
                      tick(i - static_cast<std::int64_t>(random() % 8))});
    }
  }
  const fr::tumbling windows{ticks_long(10'000)};
  const outcome wanted = outcome_of(splits, windows, {}, fr::pre_aggregation::never, {});
  for (const std::size_t parallelism : {2U, 3U}) {
    fr::run_options how;
    how.parallelism = parallelism;
    how.scheduler = fr::thread_pool(parallelism);
    const outcome found = outcome_of(splits, windows, {}, fr::pre_aggregation::adaptive, how);
    REQUIRE(found.rows == wanted.rows);
    REQUIRE(found.late == wanted.late);
    REQUIRE(found.counts.records_in == wanted.counts.records_in);
  }
}

TEST_CASE("pre-aggregation tells of an exception as the window does",
          "[runtime][pre_aggregation]") {
  fr::pipeline p("throws");
  const auto rows = keeper();
  const auto fails = [](const event& each) -> std::int64_t {
    if (each.value == 3) throw std::runtime_error("three");
    return each.value;
  };
  p.from("events", scripted(event_splits{events_at({0, 1, 2, 3, 4})})) |
      fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
      fr::window(fr::tumbling{ticks_long(10)}, {.pre_aggregate = fr::pre_aggregation::always}) |
      fr::aggregate("w", fr::sum("sum", fails)) | fr::to("rows", keep_rows_in(rows));
  const absl::Status done = p.run({.parallelism = 2, .scheduler = fr::simulation(1)});
  CHECK_THAT(message_of(done), Catch::Matchers::Contains("window 'w'") &&
                                   Catch::Matchers::Contains("(three) at record 2 of split 0"));
}

TEST_CASE(
    "only the one window below a key_by aggregates before the exchange, unless it always does",
    "[runtime][pre_aggregation]") {
  const auto exchanges = [](std::initializer_list<fr::pre_aggregation> windows,
                            std::size_t parallelism) {
    fr::pipeline p("plan");
    const auto keyed = p.from("events", scripted(event_splits(2))) |
                       fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key);
    for (const fr::pre_aggregation each : windows) {
      keyed | fr::window(fr::tumbling{1s}, {.pre_aggregate = each}) |
          fr::aggregate("", fr::sum("sum", &event::value));
    }
    std::string text;
    const auto laid_out = fr::detail::make_plan(*p.graph(), parallelism, [](auto) { return 2U; });
    for (const auto& each : laid_out.exchanges) text += each.pre_aggregates ? "p" : "r";
    REQUIRE(laid_out.stages.size() == (parallelism == 1 ? 1 : 2));
    return text;
  };
  using enum fr::pre_aggregation;
  CHECK(exchanges({adaptive}, 2) == "p");
  CHECK(exchanges({never}, 2) == "r");
  CHECK(exchanges({adaptive, never}, 2) == "r");
  CHECK(exchanges({adaptive, adaptive}, 2) == "r");
  CHECK(exchanges({always, adaptive, never}, 2) == "pr");
  CHECK(exchanges({always}, 1) == "");
}
