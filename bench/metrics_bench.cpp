// What metrics cost: the same job with markers off and nobody who looks, and with a marker every
// 10 ms and `job.metrics()` asked for every 10 ms by another thread.
//
// Both run in turn, in one process. Compared is CPU time of the whole process per event, the
// looking included, so that waiting for a core plays no part. Counters are medians over the
// iterations; `cost_percent` is the median of the differences within a pair of runs, and
// `noise_percent` half the distance between the quartiles of these. What both of them count, size
// and publish is not in the difference: for that, compare `off_ns` with that of an older build, or
// their instructions (valgrind --tool=callgrind).
//
//     metrics_bench --benchmark_filter=windows
#include "measuring.hpp"
#include "runtime_load.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::process_seconds;
using namespace std::chrono_literals;
using load::event;
using load::events;

constexpr int iterations = 15;

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

/// CPU seconds of one run of what `compose(pipeline)` made; below zero where it failed.
template <class Compose>
double run_once(const Compose& compose, std::size_t parallelism, bool looks) {
  fr::pipeline p("metrics_bench");
  compose(p);
  fr::run_options options{.parallelism = parallelism};
  options.latency_markers = looks ? 10ms : 0ms;
  const double began = process_seconds();
  absl::StatusOr<fr::job> job = p.start(options);
  if (!job.ok()) return -1;
  std::uint64_t seen = 0;
  if (looks) {
    while (!job->wait_for(10ms)) seen += job->metrics().records();
  }
  const bool done = job->wait().ok();
  benchmark::DoNotOptimize(seen);
  return done ? process_seconds() - began : -1;
}

template <class Compose>
void compare(benchmark::State& state, std::uint64_t count, const Compose& compose) {
  const auto parallelism = static_cast<std::size_t>(state.range(0));
  std::vector<double> off;
  std::vector<double> on;
  std::vector<double> costs;
  bool looks = false;
  for (auto unused : state) {
    static_cast<void>(unused);
    double took[2];
    // Which of the two comes first changes from pair to pair.
    for (int run = 0; run < 2; ++run, looks = !looks) {
      took[looks ? 1 : 0] = run_once(compose, parallelism, looks);
    }
    looks = !looks;
    if (took[0] < 0 || took[1] < 0) return state.SkipWithError("a job failed");
    off.push_back(took[0]);
    on.push_back(took[1]);
    costs.push_back(100 * (took[1] - took[0]) / took[0]);
  }
  const auto ns = [count](const std::vector<double>& seconds) {
    return quantile(seconds, 0.5) * 1e9 / static_cast<double>(count);
  };
  state.counters["off_ns"] = ns(off);
  state.counters["on_ns"] = ns(on);
  state.counters["cost_percent"] = quantile(costs, 0.5);
  state.counters["noise_percent"] = (quantile(costs, 0.75) - quantile(costs, 0.25)) / 2;
}

events events_of(std::uint64_t count) {
  return {.count = count, .keys = 10'000, .splits = 4};
}

/// Counts and sums of 10,000 keys in four windows.
void windows(benchmark::State& state) {
  constexpr std::uint64_t count = 12'000'000;
  compare(state, count, [](fr::pipeline& p) {
    p.from("events", events_of(count)) | fr::event_time(&event::at, fr::ascending{}) |
        fr::key_by(&event::key) | fr::window(fr::tumbling{fr::duration{count / 4}}) |
        fr::aggregate("totals", fr::count("events"), fr::sum("amount", &event::amount)) |
        fr::to("rows", fr::callback([](const auto& row) { benchmark::DoNotOptimize(&row); }));
  });
}

/// Next to nothing per record: here a batch weighs most.
void pass_through(benchmark::State& state) {
  constexpr std::uint64_t count = 32'000'000;
  compare(state, count, [](fr::pipeline& p) {
    p.from("events", events_of(count)) | fr::event_time(&event::at, fr::ascending{}) |
        fr::filter([](const event& each) { return each.key != 7; }) |
        fr::to("rows", fr::callback([](const event& row) { benchmark::DoNotOptimize(&row); }));
  });
}

BENCHMARK(windows)->ArgName("parallelism")->Arg(1)->Arg(2)->Iterations(iterations);
BENCHMARK(pass_through)->ArgName("parallelism")->Arg(1)->Arg(2)->Iterations(iterations);

}  // namespace
