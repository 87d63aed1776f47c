// What one row costs in each aggregate, beside a loop that computes the same by hand.
//
// Each iteration runs both over the same 16,384 rows, which stay in the cache, in turn and on the
// CPU time of this thread. Rows go to eight states in turn, as those of a stream go to different
// keys, so that no row waits for the one before; the answers are compared. Counters: the
// best ns per row of each over the iterations, and their ratio (below 1 is faster). The loops do
// without what the library promises: they sum without compensation, count in an array of the right
// size, know in which order rows come. `result_ns` is what one result costs.
#include <freshet/aggregate/approx_distinct.hpp>
#include <freshet/aggregate/approx_top_k.hpp>
#include <freshet/aggregate/arg_extrema.hpp>
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/aggregate/ewma.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/aggregate/quantile.hpp>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace {

namespace fr = freshet;
using namespace std::chrono_literals;

constexpr std::size_t rows_count = 16'384;
constexpr std::size_t states_count = 8;

struct row {
  double value = 0;
  std::uint64_t id = 0;
  std::int64_t whole = 0;
  fr::timestamp at;
};

/// Values are lognormal, ids nearly all different or zipf-like; a row each millisecond.
std::vector<row> draw_rows(bool few_ids) {
  std::mt19937_64 random(20261128);
  const auto unit = [&] { return static_cast<double>((random() >> 11) + 1) * 0x1p-53; };
  std::vector<row> rows(rows_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double normal = std::sqrt(-2 * std::log(unit())) * std::cos(6.283185307179586 * unit());
    const auto rank = static_cast<std::uint64_t>(std::exp(8 * unit()));
    rows[i] = {std::exp(1.5 * normal), few_ids ? rank : random(),
               static_cast<std::int64_t>(random() % 1000),
               fr::timestamp{} + i * std::chrono::milliseconds(1)};
  }
  return rows;
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Runs `run` and keeps the least ns per event so far.
template <class Run>
void timed(double& best, double events, Run&& run) {
  const double began = thread_seconds();
  run();
  best = std::min(best, (thread_seconds() - began) * 1e9 / events);
}

bool near(double a, double b, double tolerance) {
  return a == b || std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

/// `Loop`: `void add(const row&)` and `double result()`.
template <class Aggregate, class Loop>
void measure(benchmark::State& run, const Aggregate& aggregate, const Loop& loop, double tolerance,
             auto number_of, bool few_ids = false) {
  const std::vector<row> rows = draw_rows(few_ids);
  std::vector<fr::aggregate_state<Aggregate, row>> states(states_count);
  std::vector<Loop> loops(states_count, loop);
  constexpr double never = std::numeric_limits<double>::infinity();
  double ours = never;
  double by_hand = never;
  double result = never;
  std::uint64_t sequence = 0;
  for (auto unused : run) {
    static_cast<void>(unused);
    timed(by_hand, rows_count, [&] {
      for (std::size_t i = 0; i < rows_count; ++i) loops[i % states_count].add(rows[i]);
      benchmark::DoNotOptimize(loops.data());
      benchmark::ClobberMemory();
    });
    timed(ours, rows_count, [&] {
      for (std::size_t i = 0; i < rows_count; ++i) {
        fr::aggregate_add(aggregate, states[i % states_count], rows[i],
                          fr::order_key{rows[i].at, {sequence++, 0, 0}});
      }
      benchmark::DoNotOptimize(states.data());
      benchmark::ClobberMemory();
    });
    timed(result, 1, [&] { benchmark::DoNotOptimize(aggregate.result(states[0])); });
    for (std::size_t i = 0; i < states_count; ++i) {
      if (!near(number_of(aggregate.result(states[i])), loops[i].result(), tolerance)) {
        return run.SkipWithError("the loop has another answer");
      }
    }
  }
  run.counters["ns_per_event"] = ours;
  run.counters["loop_ns_per_event"] = by_hand;
  run.counters["ratio"] = ours / by_hand;
  run.counters["result_ns"] = result;
}

constexpr auto as_double = [](auto value) { return static_cast<double>(value); };

void sum_of_doubles(benchmark::State& run) {
  struct plain {
    double sum = 0;
    void add(const row& each) { sum += each.value; }
    double result() const { return sum; }
  };
  measure(run, fr::sum("s", &row::value), plain{}, 1e-9, as_double);
}

void sum_of_integers(benchmark::State& run) {
  struct plain {
    std::int64_t sum = 0;
    void add(const row& each) { sum += each.whole; }
    double result() const { return static_cast<double>(sum); }
  };
  measure(run, fr::sum("s", &row::whole), plain{}, 0, as_double);
}

void variance(benchmark::State& run) {
  struct plain {
    double shift = 0;
    double count = 0;
    double sum = 0;
    double squares = 0;
    void add(const row& each) {
      if (count == 0) shift = each.value;
      const double distance = each.value - shift;
      count += 1;
      sum += distance;
      squares += distance * distance;
    }
    double result() const { return (squares - sum * sum / count) / (count - 1); }
  };
  measure(run, fr::variance("v", &row::value), plain{}, 1e-6, as_double);
}

void max(benchmark::State& run) {
  struct plain {
    double largest = -1;
    void add(const row& each) { largest = std::max(largest, each.value); }
    double result() const { return largest; }
  };
  measure(run, fr::max("m", &row::value), plain{}, 0, as_double);
}

void arg_max(benchmark::State& run) {
  struct plain {
    double largest = -1;
    std::uint64_t id = 0;
    void add(const row& each) {
      if (each.value <= largest) return;
      largest = each.value;
      id = each.id;
    }
    double result() const { return static_cast<double>(id); }
  };
  measure(run, fr::arg_max("a", &row::id, &row::value), plain{}, 0, as_double);
}

void last(benchmark::State& run) {
  struct plain {
    std::uint64_t id = 0;
    fr::timestamp at;
    void add(const row& each) {
      if (each.at < at && each.at != fr::timestamp{}) return;
      id = each.id;
      at = each.at;
    }
    double result() const { return static_cast<double>(id); }
  };
  measure(run, fr::last("l", &row::id), plain{}, 0, as_double);
}

void ewma(benchmark::State& run) {
  // Rows come in order, and the clock starts again with each iteration: so does the loop.
  struct plain {
    double values = 0;
    double weights = 0;
    std::int64_t before = 0;
    void add(const row& each) {
      const std::int64_t at = each.at.time_since_epoch().count();
      if (at < before) *this = {};
      const double kept = std::exp2(static_cast<double>(before - at) / 1e6);
      values = values * kept + each.value;
      weights = weights * kept + 1;
      before = at;
    }
    double result() const { return values / weights; }
  };
  measure(run, fr::ewma("e", &row::value, 1s), plain{}, 1e-9, as_double);
}

void approx_quantile(benchmark::State& run) {
  // As in the paper: a logarithm, and an array as wide as these values need.
  struct plain {
    std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(4096);
    double per_bucket = 1 / std::log(1.01 / 0.99);
    void add(const row& each) {
      ++counts[static_cast<std::size_t>(std::ceil(std::log(each.value) * per_bucket) + 2048)];
    }
    double result() const {
      std::uint64_t all = 0;
      for (const std::uint64_t each : counts) all += each;
      auto rank = static_cast<std::uint64_t>(0.99 * static_cast<double>(all - 1));
      std::size_t i = 0;
      while (rank >= counts[i]) rank -= counts[i++];
      return 2 * std::exp((static_cast<double>(i) - 2048) / per_bucket) / (1 + 1.01 / 0.99);
    }
  };
  measure(run, fr::approx_quantile("q", &row::value, 0.99), plain{}, 0.02, as_double);
}

void approx_distinct(benchmark::State& run) {
  struct plain {
    std::vector<std::uint8_t> registers = std::vector<std::uint8_t>(4096);
    void add(const row& each) {
      const std::uint64_t hash = fr::stable_hash(each.id);
      const auto rank = static_cast<std::uint8_t>(std::countl_zero(hash << 12 | 1) + 1);
      std::uint8_t& best = registers[hash >> 52];
      best = std::max(best, rank);
    }
    double result() const {  // Linear counting, good to a few percent while there are zeros.
      const auto zeros = std::count(registers.begin(), registers.end(), 0);
      return 4096 * std::log(4096 / static_cast<double>(zeros));
    }
  };
  measure(run, fr::approx_distinct("d", &row::id), plain{}, 0.1, as_double);
}

void distinct(benchmark::State& run) {
  struct plain {
    absl::flat_hash_set<std::uint64_t> ids;
    void add(const row& each) { ids.insert(each.id); }
    double result() const { return static_cast<double>(ids.size()); }
  };
  measure(run, fr::distinct("d", &row::id), plain{}, 0, as_double, true);
}

void approx_top_k(benchmark::State& run) {
  struct plain {
    absl::flat_hash_map<std::uint64_t, std::uint64_t> counts;
    void add(const row& each) { ++counts[each.id]; }
    double result() const {
      std::uint64_t most = 0;
      for (const auto& [id, count] : counts) most = std::max(most, count);
      return static_cast<double>(most);
    }
  };
  measure(
      run, fr::approx_top_k("t", &row::id), plain{}, 0.01,
      [](const auto& top) { return static_cast<double>(top.front().count); }, true);
}

/// Not `measure`, whose state lives on: the values of one window.
void median(benchmark::State& run) {
  const std::vector<row> rows = draw_rows(false);
  const auto aggregate = fr::median("m", &row::value);
  double ours = std::numeric_limits<double>::infinity();
  double by_hand = ours;
  double result = ours;
  for (auto unused : run) {
    static_cast<void>(unused);
    std::vector<double> values;
    timed(by_hand, rows_count, [&] {
      for (const row& each : rows) values.push_back(each.value);
    });
    fr::exact_quantile_state state;
    timed(ours, rows_count, [&] {
      for (const row& each : rows) aggregate.add(state, each);
    });
    timed(result, 1, [&] { benchmark::DoNotOptimize(aggregate.result(state)); });
    std::sort(values.begin(), values.end());
    const double middle = (values[rows_count / 2 - 1] + values[rows_count / 2]) / 2;
    if (!near(*aggregate.result(state), middle, 1e-15)) {
      return run.SkipWithError("the loop has another answer");
    }
  }
  run.counters["ns_per_event"] = ours;
  run.counters["loop_ns_per_event"] = by_hand;
  run.counters["ratio"] = ours / by_hand;
  run.counters["result_ns"] = result;
}

BENCHMARK(sum_of_doubles)->Iterations(200);
BENCHMARK(sum_of_integers)->Iterations(200);
BENCHMARK(variance)->Iterations(200);
BENCHMARK(max)->Iterations(200);
BENCHMARK(arg_max)->Iterations(200);
BENCHMARK(last)->Iterations(200);
BENCHMARK(ewma)->Iterations(200);
BENCHMARK(approx_quantile)->Iterations(200);
BENCHMARK(median)->Iterations(50);
BENCHMARK(approx_distinct)->Iterations(200);
BENCHMARK(distinct)->Iterations(200);
BENCHMARK(approx_top_k)->Iterations(200);

}  // namespace
