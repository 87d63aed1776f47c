// trailing over 1 h and 24 h, count and mean, against a ring per key written by hand.
//
// The loop keeps the payments of the last 24 h of each card in a ring, with a head and a running
// sum for each span; it subtracts what leaves a span, which is exact here because amounts are whole
// numbers, and which the library never does. The pipeline does the same job with event times,
// watermarks and rows for a sink. Both compute their payments on the fly, and their results are
// compared. Both run in turn, on the CPU time of this thread. Counters: ns per payment of each,
// and their ratio (below 1 is faster than the loop); one for each repetition, of which
// `--benchmark_repetitions=5` makes five.
#include "measuring.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/trailing.hpp>

#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::thread_seconds;
using namespace std::chrono_literals;

struct payment {
  std::uint64_t card = 0;
  double amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, at))

struct setting {
  std::uint64_t count = 0;
  std::uint64_t cards = 0;
  fr::duration between{0};   ///< Two payments.
  fr::duration disorder{0};  ///< Payments arrive up to so much later, in disorder.

  payment at(std::uint64_t k) const {
    const std::uint64_t bits = fr::mix_bits(k);
    fr::duration delay{0};
    if (disorder > fr::duration::zero()) {
      delay = fr::duration{static_cast<std::int64_t>(fr::mix_bits(bits) >> 1) % disorder.count()};
    }
    return {bits % cards, static_cast<double>(bits >> 32 & 0x3f),
            fr::timestamp{static_cast<std::int64_t>(k) * between - delay}};
  }
};

/// What all rows together say; equal in any order of the rows.
struct answer {
  std::uint64_t rows = 0;
  std::uint64_t payments_1h = 0;
  std::uint64_t payments_24h = 0;
  double mean_1h = 0;
  double mean_24h = 0;

  void add(std::uint64_t count_1h, double of_1h, std::uint64_t count_24h, double of_24h) {
    ++rows;
    payments_1h += count_1h;
    payments_24h += count_24h;
    if (count_1h > 0) mean_1h += of_1h;
    if (count_24h > 0) mean_24h += of_24h;
  }
  bool agrees_with(const answer& other) const {
    return rows == other.rows && payments_1h == other.payments_1h &&
           payments_24h == other.payments_24h &&
           std::abs(mean_1h - other.mean_1h) <= 1e-9 * mean_1h &&
           std::abs(mean_24h - other.mean_24h) <= 1e-9 * mean_24h;
  }
};

/// The payments of one card in the last 24 h, in a power of two of places.
struct ring {
  struct seen {
    fr::timestamp at;
    double amount;
  };
  struct span {
    std::uint64_t head = 0;
    double sum = 0;
  };
  std::vector<seen> places = std::vector<seen>(4);
  std::uint64_t tail = 0;
  span hour, day;

  seen& place(std::uint64_t number) { return places[number & (places.size() - 1)]; }

  void leave(span& of, fr::timestamp begin) {
    while (of.head < tail && place(of.head).at < begin) of.sum -= place(of.head++).amount;
  }
  void enter(const payment& one) {
    if (tail - day.head == places.size()) {
      std::vector<seen> larger(2 * places.size());
      for (std::uint64_t i = day.head; i < tail; ++i) larger[i & (larger.size() - 1)] = place(i);
      places = std::move(larger);
    }
    place(tail++) = {one.at, one.amount};
    hour.sum += one.amount;
    day.sum += one.amount;
  }
};

answer by_hand(const setting& of) {
  absl::flat_hash_map<std::uint64_t, ring> cards;
  answer all;
  for (std::uint64_t k = 0; k < of.count; ++k) {
    const payment one = of.at(k);
    ring& mine = cards[one.card];
    mine.leave(mine.hour, one.at - 1h);
    mine.leave(mine.day, one.at - 24h);
    const std::uint64_t in_hour = mine.tail - mine.hour.head;
    const std::uint64_t in_day = mine.tail - mine.day.head;
    all.add(in_hour, mine.hour.sum / static_cast<double>(in_hour), in_day,
            mine.day.sum / static_cast<double>(in_day));
    mine.enter(one);
  }
  return all;
}

answer by_pipeline(const setting& of) {
  answer all;
  fr::pipeline p("trailing_bench");
  auto features =
      p.from("payments",
             fr::generate([of](std::uint64_t k) { return of.at(k); }, {.count = of.count})) |
      fr::event_time(&payment::at, fr::bounded_disorder(of.disorder)) | fr::key_by(&payment::card) |
      fr::trailing("velocity", {1h, 24h}, fr::count("payments"),
                   fr::mean("amount_mean", &payment::amount));
  using row = decltype(features)::value_type;
  features | fr::to("answer", fr::callback([&all](const row& each) {
                      const auto& [count_1h, mean_1h] = each.trailing[0];
                      const auto& [count_24h, mean_24h] = each.trailing[1];
                      all.add(count_1h, mean_1h, count_24h, mean_24h);
                    }));
  const absl::Status done = p.run();
  if (!done.ok()) all.rows = 0;
  return all;
}

/// \param range payments per card and day; disorder in seconds.
void trailing_count_and_mean(benchmark::State& state) {
  setting of;
  of.cards = 100'000;
  of.between = fr::duration(24h) / (static_cast<std::int64_t>(of.cards) * state.range(0));
  of.disorder = std::chrono::seconds(state.range(1));
  of.count = static_cast<std::uint64_t>(fr::duration(48h) / of.between);
  double loop = 0;
  double library = 0;
  const auto timed = [&](double& ns, auto run) {
    const double start = thread_seconds();
    const answer result = run(of);
    ns = (thread_seconds() - start) * 1e9 / static_cast<double>(of.count);
    return result;
  };
  // The loop takes payments as they come: with disorder it is only the yardstick.
  for (auto unused : state) {
    static_cast<void>(unused);
    const answer expected = timed(loop, by_hand);
    const answer found = timed(library, by_pipeline);
    const bool comparable = of.disorder == fr::duration::zero();
    if (comparable ? !found.agrees_with(expected) : found.rows != expected.rows) {
      state.SkipWithError("the results disagree");
    }
    state.SetIterationTime(library * 1e-9 * static_cast<double>(of.count));
  }
  state.counters["loop_ns_per_event"] = loop;
  state.counters["ns_per_event"] = library;
  state.counters["ratio"] = library / loop;
}

BENCHMARK(trailing_count_and_mean)
    ->ArgNames({"per_day", "disorder_s"})
    ->Args({20, 0})
    ->Args({60, 0})
    ->Args({20, 30})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
