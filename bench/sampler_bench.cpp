// What rarity sampling costs for each record, against hashing the category and comparing with a
// constant: the cheapest sampler one could write by hand.
#include <freshet/sampling/rarity.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t records_per_epoch = 100'000;

/// Categories with frequencies proportional to 1, 1/2, 1/3, ...; the same in every run.
std::vector<std::uint64_t> zipf_categories(std::size_t categories) {
  std::vector<double> cumulative;
  double sum = 0;
  for (std::size_t rank = 1; rank <= categories; ++rank) {
    sum += 1.0 / static_cast<double>(rank);
    cumulative.push_back(sum);
  }
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> drawn(records_per_epoch);
  for (std::uint64_t& category : drawn) {
    const double point = fr::unit_interval(random()) * sum;
    category = static_cast<std::uint64_t>(
        std::upper_bound(cumulative.begin(), cumulative.end() - 1, point) - cumulative.begin());
  }
  return drawn;
}

struct itself {
  std::uint64_t operator()(std::uint64_t category) const { return category; }
};

void rarity_decide(benchmark::State& run) {
  const auto records = zipf_categories(static_cast<std::size_t>(run.range(0)));
  const auto sampler = fr::rarity(itself{}, {.rate = 0.1, .half_life = 20s});
  auto state = sampler.start();
  std::int64_t epoch = 0;
  std::uint64_t sequence = 0;
  std::uint64_t kept = 0;
  for (auto _ : run) {
    sampler.enter(state, epoch++);
    for (const std::uint64_t category : records) {
      kept += sampler.decide(state, category, {.sequence = sequence++}).keep ? 1U : 0U;
    }
  }
  benchmark::DoNotOptimize(kept);
  run.SetItemsProcessed(static_cast<std::int64_t>(records.size()) * run.iterations());
}
BENCHMARK(rarity_decide)->Arg(2)->Arg(20)->Arg(1000)->Arg(100'000);

void uniform_by_hand(benchmark::State& run) {
  const auto records = zipf_categories(20);
  std::uint64_t sequence = 0;
  std::uint64_t kept = 0;
  for (auto _ : run) {
    for (const std::uint64_t category : records) {
      benchmark::DoNotOptimize(fr::stable_hash(category));
      kept += fr::unit_interval(fr::record_hash(0, {.sequence = sequence++})) < 0.1 ? 1U : 0U;
    }
  }
  benchmark::DoNotOptimize(kept);
  run.SetItemsProcessed(static_cast<std::int64_t>(records.size()) * run.iterations());
}
BENCHMARK(uniform_by_hand);

void rarity_enter(benchmark::State& run) {
  const auto records = zipf_categories(static_cast<std::size_t>(run.range(0)));
  const auto sampler = fr::rarity(itself{}, {.rate = 0.1, .half_life = 20s});
  auto state = sampler.start();
  sampler.enter(state, 0);
  std::uint64_t sequence = 0;
  for (int epoch = 1; epoch < 4; ++epoch) {
    for (const std::uint64_t category : records) {
      sampler.decide(state, category, {.sequence = sequence++});
    }
    if (epoch < 3) sampler.enter(state, epoch);
  }
  for (auto _ : run) {
    run.PauseTiming();
    auto copy = state;
    run.ResumeTiming();
    sampler.enter(copy, 4);
    benchmark::DoNotOptimize(copy);
  }
}
BENCHMARK(rarity_enter)->Arg(2)->Arg(20)->Arg(1000)->Arg(100'000);

}  // namespace
