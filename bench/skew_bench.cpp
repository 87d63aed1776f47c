// Skewed streams on two cores: throughput and latency with and without rebalancing.
//
// Features per key and tumbling window over a stream in which one key has half of the records, or
// whose keys follow Zipf's law with exponent 1.2: light ones (count, sum, mean, standard deviation,
// least and most), which cost about as much as reading and sending a record, so that both cores are
// busy whoever has the hot key; and heavy ones (moments of logarithms and powers besides), with
// which the task of the hot key is the bound. Four splits give records whose keys were drawn
// before, so that a record costs next to nothing; counts and sums of all rows are compared with
// those of a plain loop over the same records, and a run that has others gives no figure.
//
// Ways to run: one task; two tasks as they are (`never`); two tasks between which key groups move;
// two tasks with that and with hot keys aggregated before they travel (`adaptive`), which is what a
// user gets who asks for nothing.
//
// Throughput: events per second of wall time, as fast as they go; beside it CPU time of the whole
// process. Each repetition runs all ways in turn.
//
// Latency: events come at a fixed rate, the same for both ways of running: `load` percent of the
// throughput that was measured without pre-aggregation. An event's time is the moment at which it
// was due, whether the source could give it then or not; windows are 10 ms long. What is recorded
// is how long after the end of its window a row was in the sink, which is how long the last event
// of the window took from its creation to its result. Quantiles are over windows: the last row of
// each.
//
//     skew_bench --benchmark_filter=light/zipf:0 --benchmark_repetitions=3
#include "measuring.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::process_seconds;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct event {
  std::uint64_t key = 0;
  std::int64_t amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount, at))

enum class shape : std::uint8_t { half_hot, zipf };

/// Keys of a stream, to be gone through in a circle.
std::vector<std::uint32_t> drawn_keys(shape of, std::uint32_t keys) {
  constexpr std::size_t drawn = std::size_t{1} << 22;
  std::vector<double> cumulated;
  double sum = 0;
  for (std::uint32_t key = 0; of == shape::zipf && key < keys; ++key) {
    cumulated.push_back(sum += std::pow(key + 1.0, -1.2));
  }
  std::mt19937_64 random(42);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<std::uint32_t> all(drawn);
  for (std::uint32_t& each : all) {
    if (of == shape::half_hot) {
      each = random() % 2 == 0 ? 0 : static_cast<std::uint32_t>(1 + random() % (keys - 1));
    } else {
      const auto found = std::lower_bound(cumulated.begin(), cumulated.end(), uniform(random));
      each = static_cast<std::uint32_t>(found - cumulated.begin());
    }
  }
  return all;
}

/// A stream of `count` events, number k at k / `per_second` after the epoch.
struct setting {
  const std::vector<std::uint32_t>* keys = nullptr;
  std::uint64_t count = 0;
  double per_second = 0;
  fr::duration window{0};
  bool paced = false;  ///< No event is given before it is due by the clock.
  double ticks_between = 1e6 / per_second;

  event at(std::uint64_t k) const {
    const std::uint32_t key = (*keys)[k & (keys->size() - 1)];
    const auto after = static_cast<std::int64_t>(static_cast<double>(k) * ticks_between);
    return {key, static_cast<std::int64_t>(k & 0xff), fr::timestamp{fr::duration{after}}};
  }
};

/// Split s of S has the events s, s + S, s + 2 S and so on.
class skewed_source final : public fr::source<event> {
 public:
  static constexpr std::size_t split_count = 4;

  skewed_source(const setting& of, steady::time_point start) : of_(of), start_(start) {}

  std::vector<std::string> splits() const override { return {"0", "1", "2", "3"}; }

  absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
      std::size_t split, std::optional<std::string_view>) override {
    return std::make_unique<reader>(of_, start_, split);
  }

 private:
  class reader final : public fr::split_reader<event> {
   public:
    reader(const setting& of, steady::time_point start, std::uint64_t first)
        : of_(of), start_(start), next_(first) {}

    absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<event>& rows,
                                        std::vector<fr::dead_letter>&) override {
      std::uint64_t end = of_.count;
      if (of_.paced) {
        const std::chrono::duration<double> passed = steady::now() - start_;
        end = std::min(end, static_cast<std::uint64_t>(passed.count() * of_.per_second));
      }
      for (; limit > 0 && next_ < end; --limit, next_ += split_count) {
        rows.values.push_back(of_.at(next_));
        rows.positions.push_back({next_, 0, 0});
      }
      if (next_ >= of_.count) return fr::read_state::end;
      return next_ >= end ? fr::read_state::idle : fr::read_state::more;
    }
    std::string position() const override { return std::to_string(next_); }
    std::optional<fr::duration> ask_again() const override {
      if (!of_.paced) return std::nullopt;
      const std::chrono::duration<double> due(static_cast<double>(next_ + 1) / of_.per_second);
      return std::chrono::ceil<fr::duration>(due + 100us - (steady::now() - start_));
    }

   private:
    const setting of_;
    const steady::time_point start_;
    std::uint64_t next_;
  };

  setting of_;
  steady::time_point start_;
};

struct skewed {
  using value_type = event;
  setting of;
  steady::time_point start;

  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const {
    return std::make_unique<skewed_source>(of, start);
  }
};

/// What all rows together say; equal in any order of the rows.
struct answer {
  std::uint64_t rows = 0;
  std::uint64_t digest = 0;

  void add(std::uint64_t key, fr::timestamp begin, std::uint64_t count, std::int64_t sum) {
    ++rows;
    const auto from = static_cast<std::uint64_t>(begin.time_since_epoch().count());
    digest += fr::mix_bits(key * 0x9e3779b97f4a7c15U + fr::mix_bits(from) + (count << 32U) +
                           static_cast<std::uint64_t>(sum));
  }
  bool operator==(const answer&) const = default;
};

answer by_hand(const setting& of) {
  struct totals {
    std::uint64_t count = 0;
    std::int64_t sum = 0;
  };
  answer all;
  std::vector<totals> open(*std::max_element(of.keys->begin(), of.keys->end()) + 1);
  fr::timestamp begin{fr::duration{0}};
  const auto fire = [&] {
    for (std::uint64_t key = 0; key < open.size(); ++key) {
      if (open[key].count > 0) all.add(key, begin, open[key].count, open[key].sum);
      open[key] = {};
    }
    begin += of.window;
  };
  for (std::uint64_t k = 0; k < of.count; ++k) {
    const event one = of.at(k);
    while (one.at >= begin + of.window) fire();
    ++open[one.key].count;
    open[one.key].sum += one.amount;
  }
  fire();
  return all;
}

auto light_features() {
  return fr::aggregate("features", fr::count("count"), fr::sum("sum", &event::amount),
                       fr::mean("mean", &event::amount), fr::stddev("stddev", &event::amount),
                       fr::min("least", &event::amount), fr::max("most", &event::amount));
}

/// A power of the amount on a logarithmic scale; distinct for every `exponent`.
auto scaled(double exponent) {
  return [exponent](const event& e) {
    return std::pow(std::log1p(static_cast<double>(e.amount)), exponent);
  };
}

auto heavy_features() {
  return fr::aggregate("features", fr::count("count"), fr::sum("sum", &event::amount),
                       fr::stddev("s1", scaled(0.5)), fr::stddev("s2", scaled(1.5)),
                       fr::stddev("s3", scaled(2.5)), fr::stddev("s4", scaled(3.5)),
                       fr::mean("m1", scaled(0.7)), fr::mean("m2", scaled(1.7)));
}

struct measured {
  double events_per_second = 0;
  double cpu_ns = 0;  ///< Of an event.
  std::uint64_t moves = 0;
  double stood_ms = 0;             ///< The longest that tasks stood still for a move.
  std::vector<double> latency_ms;  ///< By window.
};

/// How a pipeline runs.
struct way {
  std::size_t parallelism = 2;
  fr::pre_aggregation when = fr::pre_aggregation::never;
  bool moves = false;
};

/// Nothing when the rows are wrong.
template <class Query>
std::optional<measured> by_pipeline(const setting& of, const way& how, const answer& expected,
                                    const Query& query) {
  answer all;
  std::map<fr::timestamp, double> last_row_ms;
  fr::pipeline p("skew_bench");
  const steady::time_point start = steady::now();
  auto rows = p.from("events", skewed{of, start}) | fr::event_time(&event::at, fr::ascending{}) |
              fr::key_by(&event::key) |
              fr::window(fr::tumbling{of.window}, {.pre_aggregate = how.when}) | query;
  using row = decltype(rows)::value_type;
  rows | fr::to("answer", fr::callback([&](const row& each) {
                  all.add(each.key, each.window.begin, std::get<0>(each.values),
                          std::get<1>(each.values));
                  if (!of.paced) return;
                  const std::chrono::duration<double, std::milli> since = steady::now() - start;
                  const std::chrono::duration<double, std::milli> due =
                      each.window.end.time_since_epoch();
                  last_row_ms[each.window.begin] = since.count() - due.count();
                }));
  const double cpu = process_seconds();
  fr::run_options options;
  options.parallelism = how.parallelism;
  options.rebalance_every = how.moves ? 100ms : 0ms;
  fr::run_summary summary;
  const absl::Status done = p.run(options, &summary);
  const std::chrono::duration<double> took = steady::now() - start;
  if (!done.ok() || all != expected) return std::nullopt;
  measured found;
  found.events_per_second = static_cast<double>(of.count) / took.count();
  found.moves = summary.metrics.moves;
  found.stood_ms = 1e-3 * static_cast<double>(summary.metrics.move_longest.count());
  found.cpu_ns = (process_seconds() - cpu) * 1e9 / static_cast<double>(of.count);
  // The last window is cut short by the end of input.
  if (!last_row_ms.empty()) last_row_ms.erase(std::prev(last_row_ms.end()));
  for (const auto& [window, ms] : last_row_ms) found.latency_ms.push_back(ms);
  return found;
}

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

constexpr std::size_t way_count = 4;
constexpr std::array<way, way_count> ways{{{1, fr::pre_aggregation::never, false},
                                           {2, fr::pre_aggregation::never, false},
                                           {2, fr::pre_aggregation::never, true},
                                           {2, fr::pre_aggregation::adaptive, true}}};
constexpr std::array<const char*, way_count> way_names{"one", "never", "moving", "adaptive"};

setting setting_of(const std::vector<std::uint32_t>& keys, std::uint64_t events) {
  // A million events per second of event time; two windows.
  return {&keys, events, 1e6, 10s, false};
}

void fail(benchmark::State& state) {
  state.SkipWithError("a job failed, or its rows differ from those of a plain loop");
}

/// As fast as it goes. \param range half_hot or zipf; keys.
template <class Query>
void unpaced(benchmark::State& state, std::uint64_t events, const Query& query) {
  const auto keys =
      drawn_keys(static_cast<shape>(state.range(0)), static_cast<std::uint32_t>(state.range(1)));
  const setting of = setting_of(keys, events);
  const answer expected = by_hand(of);
  std::array<double, way_count> per_second{};
  for (auto unused : state) {
    static_cast<void>(unused);
    for (std::size_t which = 0; which < way_count; ++which) {
      const auto found = by_pipeline(of, ways[which], expected, query);
      if (!found) return fail(state);
      const std::string name = way_names[which];
      per_second[which] = found->events_per_second;
      state.counters[name + "_per_second"] = found->events_per_second;
      state.counters[name + "_cpu_ns"] = found->cpu_ns;
      if (found->moves > 0) state.counters[name + "_stood_ms"] = found->stood_ms;
    }
  }
  state.counters["adaptive/never"] = per_second[3] / per_second[1];
  state.counters["adaptive/one"] = per_second[3] / per_second[0];
}

void light(benchmark::State& state) {
  unpaced(state, 20'000'000, light_features());
}
void heavy(benchmark::State& state) {
  unpaced(state, 5'000'000, heavy_features());
}

/// Heavy features at a fixed rate. \param range half_hot or zipf; keys; percent of the rate that
/// `never` reaches.
void paced(benchmark::State& state) {
  const auto query = heavy_features();
  const auto keys =
      drawn_keys(static_cast<shape>(state.range(0)), static_cast<std::uint32_t>(state.range(1)));
  const setting fast = setting_of(keys, 5'000'000);
  for (auto unused : state) {
    static_cast<void>(unused);
    const auto never = by_pipeline(fast, ways[1], by_hand(fast), query);
    if (!never) return fail(state);
    const double rate = never->events_per_second * static_cast<double>(state.range(2)) / 100;
    // Windows of 10 ms, for 3 s, of which the first half is left out: keys have to be found hot
    // first.
    const setting of{&keys, static_cast<std::uint64_t>(3 * rate), rate, 10ms, true};
    const answer expected = by_hand(of);
    state.counters["load_per_second"] = rate;
    for (std::size_t which = 1; which < way_count; ++which) {
      auto found = by_pipeline(of, ways[which], expected, query);
      if (!found) return fail(state);
      std::vector<double>& all = found->latency_ms;
      all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2));
      const std::string name = way_names[which];
      state.counters[name + "_p50_ms"] = quantile(all, 0.5);
      state.counters[name + "_p99_ms"] = quantile(all, 0.99);
    }
  }
}

BENCHMARK(heavy)
    ->ArgNames({"zipf", "keys"})
    ->ArgsProduct({{0, 1}, {100, 10'000, 1'000'000}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(light)
    ->ArgNames({"zipf", "keys"})
    ->ArgsProduct({{0, 1}, {100, 10'000, 1'000'000}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(paced)
    ->ArgNames({"zipf", "keys", "load"})
    ->ArgsProduct({{0, 1}, {10'000}, {90}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
