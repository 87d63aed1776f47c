// The keyed table against absl::flat_hash_map on the work of a tumbling window: per event find or
// insert the key, add to a count and a sum; per window visit all rows and clear.
//
// Each iteration is one window and runs all designs over the same events, in turn, on the CPU time
// of this thread, and checks that they agree. The keyed table keeps its memory from window to
// window, so it grows in the first only; absl's map gives its memory back when it is cleared, and
// grows in each. Counters: median ns per event of each, and ratios of the medians (below 1 is
// faster).
#include "measuring.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/state/keyed_table.hpp>

#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::median;
using measuring::thread_seconds;

struct event {
  std::uint64_t key;
  double amount;
};

struct total {
  std::uint64_t count = 0;
  double sum = 0;
};

struct answer {
  std::uint64_t rows = 0;
  std::uint64_t count = 0;
  double sum = 0;  // Amounts are small integers: exact in any order.
  bool operator==(const answer&) const = default;

  void add(const total& row) {
    ++rows;
    count += row.count;
    sum += row.sum;
  }
};

using table = fr::keyed_table<std::uint64_t, total>;

void add(total& row, const event& one) {
  ++row.count;
  row.sum += one.amount;
}

answer fire(table& rows) {
  answer all;
  rows.sweep([&](std::uint64_t, std::uint64_t, total& row) {
    all.add(row);
    return fr::row_fate::forget;
  });
  return all;
}

answer with_table(table& rows, const std::vector<event>& events) {
  for (const event& one : events) {
    add(*rows.get_or_insert(fr::stable_hash(one.key), one.key).first, one);
  }
  return fire(rows);
}

// The way the window operators use it: a chunk of hashes is known before the first row is touched.
answer with_prefetch(table& rows, const std::vector<event>& events) {
  constexpr std::size_t chunk = 64;
  std::array<std::uint64_t, chunk> hashes{};
  for (std::size_t start = 0; start < events.size(); start += chunk) {
    const std::size_t size = std::min(chunk, events.size() - start);
    for (std::size_t i = 0; i < size; ++i) hashes[i] = fr::stable_hash(events[start + i].key);
    if (rows.prefetch_pays()) {
      for (std::size_t i = 0; i < size; ++i) rows.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < size; ++i) {
      add(*rows.get_or_insert(hashes[i], events[start + i].key).first, events[start + i]);
    }
  }
  return fire(rows);
}

answer with_absl(absl::flat_hash_map<std::uint64_t, total>& rows,
                 const std::vector<event>& events) {
  for (const event& one : events) add(rows[one.key], one);
  answer all;
  for (const auto& [key, row] : rows) all.add(row);
  rows.clear();
  return all;
}

void tumbling_update(benchmark::State& state) {
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  const std::size_t count = std::max<std::size_t>(2'000'000, keys * 10);
  std::mt19937_64 random(20261121);
  std::vector<event> events(count);
  for (event& one : events) one = {random() % keys, static_cast<double>(random() % 100)};

  table rows;
  table rows_prefetched;
  absl::flat_hash_map<std::uint64_t, total> map;
  std::vector<double> own;
  std::vector<double> prefetched;
  std::vector<double> loop;
  std::size_t memory = 0;
  const auto timed = [count](std::vector<double>& times, auto run) {
    const double start = thread_seconds();
    const answer result = run();
    times.push_back((thread_seconds() - start) * 1e9 / static_cast<double>(count));
    return result;
  };
  for (auto unused : state) {
    static_cast<void>(unused);
    const answer expected = timed(loop, [&] { return with_absl(map, events); });
    const bool agree =
        timed(own, [&] { return with_table(rows, events); }) == expected &&
        timed(prefetched, [&] { return with_prefetch(rows_prefetched, events); }) == expected;
    if (!agree) state.SkipWithError("the designs disagree");
    state.SetIterationTime(prefetched.back() * 1e-9 * static_cast<double>(count));
    memory = rows.memory_bytes();
  }
  state.counters["absl_ns"] = median(loop);
  state.counters["table_ns"] = median(own);
  state.counters["prefetch_ns"] = median(prefetched);
  state.counters["table/absl"] = median(own) / median(loop);
  state.counters["prefetch/absl"] = median(prefetched) / median(loop);
  state.counters["memory_mb"] = static_cast<double>(memory) * 1e-6;
}

BENCHMARK(tumbling_update)
    ->Arg(100)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Iterations(7)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
