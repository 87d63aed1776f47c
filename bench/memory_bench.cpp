// Memory of windows: what a process has in use at most while a million keys are open at a time; in
// sliding windows, where a key is in ten of them at a time, a hundred thousand.
//
// Each job runs in a process of its own, once with as good as no keys and once with all; the
// difference, over the number of keys, is what a key costs in all, growth of tables included. A key
// has four events or so; rows are only summed up.
#include "kernels.hpp"

#include <benchmark/benchmark.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace {

using namespace std::chrono_literals;
using kernels::load;
using job = std::optional<kernels::answer> (*)(const load& of);

/// Peak resident bytes of a process that runs `what`. Zero when it failed or has other rows.
double peak_bytes(job what, const load& of) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto found = what(of);
    ::_exit(found && found->rows >= of.keys ? 0 : 1);
  }
  rusage used{};
  int status = 1;
  if (child < 0 || ::wait4(child, &status, 0, &used) != child || status != 0) return 0;
  return static_cast<double>(used.ru_maxrss) * 1024;
}

void windows(benchmark::State& state, job what, std::uint64_t keys) {
  double small = 0;
  double large = 0;
  for (auto unused : state) {
    static_cast<void>(unused);
    small = peak_bytes(what, {4 * keys, 100});
    large = peak_bytes(what, {4 * keys, keys});
    if (small == 0 || large == 0) return state.SkipWithError("a job failed, or its rows are wrong");
  }
  state.counters["process_mb"] = large * 1e-6;
  state.counters["bytes_per_key"] = (large - small) / static_cast<double>(keys);
}

void tumbling(benchmark::State& state) {
  windows(state, [](const load& of) { return kernels::tumbling(of, 1h); }, 1'000'000);
}
void sliding(benchmark::State& state) {
  windows(state, [](const load& of) { return kernels::sliding(of, 10s, 1s); }, 100'000);
}
void session(benchmark::State& state) {
  windows(state, [](const load& of) { return kernels::session(of, 30s); }, 1'000'000);
}

BENCHMARK(tumbling)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(sliding)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(session)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
