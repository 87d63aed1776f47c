// Random pipelines over random inputs, run in several ways each, against a naive oracle: no batch
// size, no pause, no kill, no crash within a commit and no stop changes a row, a late record, a
// counter, or the order of the rows of a key where it is promised.
//
// A seed makes all of it: thirteen runs in different ways. One that has failed runs alone:
//
//     FRESHET_SIMULATION_SEED=1234 freshet_simulation_tests "one seed*"
//
// and many others, from the first one on, without end but the first failure:
//
//     FRESHET_SIMULATION_SEED=100000 FRESHET_SIMULATION_COUNT=50000 freshet_simulation_tests "one*"
//
// FRESHET_SIMULATION_VERBOSE=1 tells each run before it begins: what stands last does not end.
#include "catch.hpp"
#include "simulation/runs.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

namespace {

#ifdef NDEBUG
constexpr std::uint64_t seeds_per_case = 500;
#else
// Builds for debugging, and those with sanitizers, which are of that kind, take ten times as long.
// 39,000 runs elsewhere, 3,120 here.
constexpr std::uint64_t seeds_per_case = 40;
#endif

/// `count` seeds from `first` on.
void simulate(std::uint64_t first, std::uint64_t count = seeds_per_case) {
  freshet::simulated::happened met;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const auto failure = freshet::simulated::failure_of_seed(seed, met);
    if (failure) FAIL(*failure);
  }
#ifndef __SANITIZE_THREAD__  // Threads move key groups where there is a load, which is not here.
  if (count >= seeds_per_case) {
    CHECK(met.moves >= count);
    CHECK(met.abandoned >= count / 4);
    CHECK(met.evicted >= count);
    CHECK(met.read_back >= count);
    for (std::size_t point = 0; point < met.crashes.size(); ++point) {
      INFO("crashes " << freshet::simulated::crash_point_names[point]);
      CHECK(met.crashes[point] >= count / 10);
    }
  }
#endif
  SUCCEED("no row differs");
}

}  // namespace

TEST_CASE("random pipelines give the rows of their definition, however they run (1 of 6)",
          "[simulation]") {
  simulate(10000);
}
TEST_CASE("random pipelines give the rows of their definition, however they run (2 of 6)",
          "[simulation]") {
  simulate(20000);
}
TEST_CASE("random pipelines give the rows of their definition, however they run (3 of 6)",
          "[simulation]") {
  simulate(30000);
}
TEST_CASE("random pipelines give the rows of their definition, however they run (4 of 6)",
          "[simulation]") {
  simulate(40000);
}
TEST_CASE("random pipelines give the rows of their definition, however they run (5 of 6)",
          "[simulation]") {
  simulate(50000);
}
TEST_CASE("random pipelines give the rows of their definition, however they run (6 of 6)",
          "[simulation]") {
  simulate(60000);
}

#ifndef __SANITIZE_THREAD__  // Nothing runs here.
TEST_CASE("random plans reach what is worth comparing", "[simulation]") {
  // What a simulation never meets it cannot find: each of these has to occur again and again.
  using freshet::simulated::op;
  std::map<std::string, int> met;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    std::mt19937_64 random(seed);
    const auto input = freshet::simulated::random_input(random);
    const auto plan = freshet::simulated::random_plan(random, input);
    const auto outcomes = freshet::simulated::outcomes_of(plan, input);
    for (std::size_t node = 0; node < plan.size(); ++node) {
      const auto& of = plan[node];
      const bool windows = of.what >= op::tumbling && of.what <= op::session;
      const op above = of.inputs.empty() ? op::source : plan[of.inputs.front().node].what;
      const bool below_state = above >= op::ordered;
      met["dead records"] += outcomes[node].dead > 0;
      met["records of no window"] += outcomes[node].unassigned > 0;
      met["late records of windows"] += windows && outcomes[node].late > 0;
      met["late records below state"] += below_state && outcomes[node].late > 0;
      met["late records of trailing"] += of.what == op::trailing && outcomes[node].late > 0;
      const bool numbers_anew = outcomes[node].outputs[0].numbered_by == node;
      met["merges of branches"] += of.what == op::merge && !numbers_anew;
      met["merges of sources"] += of.what == op::merge && numbers_anew;
      met["several rows of a record"] += of.what == op::flat_map;
      const bool bursts = of.b >= 1000 && outcomes[node].outputs[0].rows.size() > 2048;
      met["records of thousands of rows"] += of.what == op::flat_map && bursts;
      met["calls that emit thousands of rows"] += of.what == op::process && bursts;
      met["rows on arrival"] += of.on_arrival;
      met["windows of counts"] += of.what == op::counting;
      met["process below state"] += of.what == op::process && below_state;
      const auto& rows = outcomes[node].outputs[0].rows;
      const bool behind =
          std::any_of(rows.begin(), rows.end(), [](const auto& each) { return each.behind(); });
      met["windows that fire again"] += windows && behind;
      met["timers that are over"] += of.what == op::process && behind;
    }
  }
  REQUIRE(met.size() == 15);
  for (const auto& [what, times] : met) {
    INFO(what << ": " << times);
    // Those with thousands of rows take as long as a hundred others.
    CHECK(times >= (what.find("thousands") == std::string::npos ? 20 : 5));
  }
}

#endif

TEST_CASE("one seed, or as many as the environment says", "[simulation]") {
  const char* first = std::getenv("FRESHET_SIMULATION_SEED");
  const char* count = std::getenv("FRESHET_SIMULATION_COUNT");
  simulate(first == nullptr ? 1 : std::stoull(first), count == nullptr ? 1 : std::stoull(count));
}
