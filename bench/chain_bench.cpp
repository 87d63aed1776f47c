// `map | filter | map` against the loop that does the same to each event, and against that loop
// vectorised by the compiler. All three make their events on the fly, run in turn, on the CPU time
// of this thread, and must agree. Counters: medians of ns per event, and ratios of them.
#include "chain_loop.hpp"
#include "measuring.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace {

using measuring::median;
using measuring::thread_seconds;

void map_filter_map(benchmark::State& state) {
  constexpr std::uint64_t count = 8'000'000;
  const kernels::load of{count, 10'000};
  std::vector<double> ours, scalar, vectorised;
  const auto timed = [](std::vector<double>& times, auto run) {
    const double start = thread_seconds();
    const std::optional<kernels::answer> found = run();
    times.push_back((thread_seconds() - start) * 1e9 / static_cast<double>(count));
    return found;
  };
  for (auto unused : state) {
    static_cast<void>(unused);
    const auto wanted = timed(scalar, [&] { return kernels::chain_scalar_loop(of); });
    const bool agree =
        timed(vectorised, [&] { return kernels::chain_vectorised_loop(of); }) == wanted &&
        timed(ours, [&] { return kernels::chain(of); }) == wanted;
    if (!agree) state.SkipWithError("the results disagree");
    state.SetIterationTime(ours.back() * 1e-9 * static_cast<double>(count));
  }
  state.counters["ns_per_event"] = median(ours);
  state.counters["loop_ns_per_event"] = median(scalar);
  state.counters["ratio"] = median(ours) / median(scalar);
  state.counters["vectorised_ns_per_event"] = median(vectorised);
  state.counters["ratio_to_vectorised"] = median(ours) / median(vectorised);
}

BENCHMARK(map_filter_map)->Iterations(5)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
