// What a job tells about the way from its sources to its sinks.
//
// The clock moves whenever someone looks at it, and markers are made once in a tick: so every read
// that gives rows makes one, and how many arrive where is a matter of the pipeline alone.
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <map>

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

run_options with_markers(std::size_t parallelism) {
  run_options options{.parallelism = parallelism,
                      .scheduler = thread_pool(parallelism),
                      .latency_markers = duration{1}};
  options.clock = [looks = std::make_shared<std::atomic<std::int64_t>>(0)] {
    return timestamp(duration(looks->fetch_add(1)));
  };
  return options;
}

/// Some small reads, and a count of those that gave rows.
function_source small_reads(std::size_t splits, std::uint64_t count, counter reads) {
  function_source made = counting_source(splits, count);
  made.function = [counted = made.function, reads](std::size_t split, std::uint64_t from,
                                                   std::size_t limit, std::vector<reading>& rows) {
    const std::size_t some = std::min<std::size_t>(limit, 1 + (from + split) % 50);
    auto state = counted(split, from, some, rows);
    if (!rows.empty()) reads->fetch_add(1);
    return state;
  };
  return made;
}

std::map<std::string, std::uint64_t> arrivals_of(const job_metrics& all) {
  std::map<std::string, std::uint64_t> counts;
  for (const latency_metrics& each : all.latencies) {
    counts[each.source + " to " + each.sink] = each.latency.count();
  }
  return counts;
}

const auto nothing = [](const auto&) {};

/// Sinks on ways of all kinds.
void compose(pipeline& p, std::size_t splits, const counter& reads,
             const sink_function& at_spread = nothing) {
  const auto readings = p.from("in", small_reads(splits, 3000, reads));
  const auto timed = readings | event_time(&reading::at, ascending{});
  timed | to("plain", callback(nothing));
  timed | rebalance() | map([](const reading& each) { return each; }) |
      to("spread", callback(at_spread));
  const auto odd = timed | filter([](const reading& each) { return each.number % 2 == 1; });
  merge(timed, odd) | to("merged", callback(nothing));
  auto windows =
      timed | key_by(&reading::number) | window(tumbling{100us}) | aggregate("windows", count("n"));
  windows | to("windows", callback(nothing));
  windows.late() | to("late", callback(nothing));
}

}  // namespace

TEST_CASE("every marker comes to every sink once for each of its ways", "[runtime][latency]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 3U, 4U);
  const bool simulated = GENERATE(false, true);
  const counter reads = counts();
  pipeline p("ways");
  compose(p, parallelism, reads);
  run_options options = with_markers(parallelism);
  options.channel_batches = 1;
  if (simulated) options.scheduler = simulation(parallelism);
  run_summary summary;
  REQUIRE(p.run(options, &summary).ok());
  const std::uint64_t made = reads->load();
  REQUIRE(made > 50);
  const auto found = arrivals_of(summary.metrics);
  REQUIRE(found == std::map<std::string, std::uint64_t>{{"in to plain", made},
                                                        {"in to spread", made * parallelism},
                                                        {"in to merged", 2 * made},
                                                        {"in to windows", made * parallelism},
                                                        {"in to late", made * parallelism}});
  REQUIRE(summary.metrics.latency_to("plain").min() > 0us);
  REQUIRE(summary.metrics.latency_to("nobody").empty());
}

TEST_CASE("markers take the time for which a sink stands still", "[runtime][latency]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  const counter reads = counts();
  gate stands;
  testing::manual_clock clock;
  run_options options{
      .parallelism = parallelism, .scheduler = thread_pool(parallelism), .channel_batches = 1};
  options.clock = clock;
  std::uint64_t arrived = 0;
  std::uint64_t made = 0;
  {
    pipeline p("stalled");
    compose(p, parallelism, reads, [&](const reading&) { stands.pass(); });
    auto job = p.start(options);
    REQUIRE(job.ok());
    const opens_at_end lets_go(stands);
    stands.await_somebody();
    made = at_rest([&] { return reads->load(); });
    // Nothing is read any more, and what has been read is on its way; but for markers that no row
    // was in front of.
    clock.advance(10s);
    stands.open();
    REQUIRE(job->wait().ok());
    const latency_histogram spread = job->metrics().latency_to("spread");
    arrived = spread.count();
    CHECK(spread.max() == 10s);
  }
  REQUIRE(made > 0);
  // One with the first read of each task, and one with its first after the clock had moved, if it
  // had one. Each comes over `parallelism` ways.
  CHECK(arrived >= parallelism);
  CHECK(arrived <= 2 * parallelism * parallelism);
  CHECK(arrived % parallelism == 0);
}

TEST_CASE("a clock that stands still makes one marker in each task, of no length",
          "[runtime][latency]") {
  const counter reads = counts();
  pipeline p("still");
  compose(p, 3, reads);
  run_options options{.parallelism = 3, .scheduler = thread_pool(3)};
  options.clock = testing::manual_clock();
  run_summary summary;
  REQUIRE(p.run(options, &summary).ok());
  const latency_histogram plain = summary.metrics.latency_to("plain");
  REQUIRE(plain.count() == 3);
  REQUIRE(plain.max() == 0us);
}

TEST_CASE("latencies tell sources apart", "[runtime][latency]") {
  const counter first = counts();
  const counter second = counts();
  pipeline p("sources");
  const auto a = p.from("a", small_reads(2, 500, first));
  const auto b = p.from("b", small_reads(1, 900, second));
  merge(a, b) | to("both", callback(nothing));
  b | to("one", callback(nothing));
  run_summary summary;
  REQUIRE(p.run(with_markers(2), &summary).ok());
  const auto found = arrivals_of(summary.metrics);
  REQUIRE(found == std::map<std::string, std::uint64_t>{{"a to both", first->load()},
                                                        {"b to both", second->load()},
                                                        {"b to one", second->load()}});
  REQUIRE(summary.metrics.latency_to("both").count() == first->load() + second->load());
}

TEST_CASE("no markers are made where none are wanted, or a seed must decide",
          "[runtime][latency]") {
  const counter reads = counts();
  pipeline p("none");
  compose(p, 2, reads);
  run_options options = with_markers(2);
  SECTION("zero") {
    options.latency_markers = duration::zero();
  }
  SECTION("simulated, by the time of day") {
    options.scheduler = simulation(1);
    options.clock = nullptr;
  }
  run_summary summary;
  REQUIRE(p.run(options, &summary).ok());
  REQUIRE(reads->load() > 0);
  REQUIRE(summary.metrics.latencies.empty());
}
