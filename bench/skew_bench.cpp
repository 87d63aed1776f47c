// Skewed streams on two cores: throughput and latency with and without pre-aggregation.
//
// Counts and sums per key and tumbling window over a stream in which one key has half of the
// records, or whose keys follow Zipf's law with exponent 1.2. Four splits give records whose keys
// were drawn before, so that a record costs next to nothing; the rows are compared with those of a
// plain loop over the same records, and a run that has others gives no figure.
//
// Throughput: events per second of wall time, as fast as they go, with parallelism 1 and with
// parallelism 2, never and adaptively pre-aggregated; beside it CPU time of the whole process. Each
// iteration runs all three in turn, and the table has medians.
//
// Latency: events come at a fixed rate, the same for both ways of running: `load` percent of the
// throughput that was measured without pre-aggregation. An event's time is the moment at which it
// was due, whether the source could give it then or not; windows are 10 ms long. What is recorded
// is how long after the end of its window a row was in the sink, which is how long the last event
// of the window took from its creation to its result. Quantiles are over windows: the last row of
// each.
//
//     skew_bench --benchmark_out=skew.json --benchmark_out_format=json
#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <time.h>

#include <algorithm>
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

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct measured {
  double events_per_second = 0;
  double cpu_ns = 0;               ///< Of an event.
  std::vector<double> latency_ms;  ///< By window.
};

/// Nothing when the rows are wrong.
std::optional<measured> by_pipeline(const setting& of, std::size_t parallelism,
                                    fr::pre_aggregation when, const answer& expected) {
  answer all;
  std::map<fr::timestamp, double> last_row_ms;
  fr::pipeline p("skew_bench");
  const steady::time_point start = steady::now();
  auto rows = p.from("events", skewed{of, start}) | fr::event_time(&event::at, fr::ascending{}) |
              fr::key_by(&event::key) |
              fr::window(fr::tumbling{of.window}, {.pre_aggregate = when}) |
              fr::aggregate("totals", fr::count("count"), fr::sum("sum", &event::amount));
  using row = decltype(rows)::value_type;
  rows | fr::to("answer", fr::callback([&](const row& each) {
                  const auto& [count, sum] = each.values;
                  all.add(each.key, each.window.begin, count, sum);
                  if (!of.paced) return;
                  const std::chrono::duration<double, std::milli> since = steady::now() - start;
                  const std::chrono::duration<double, std::milli> due =
                      each.window.end.time_since_epoch();
                  last_row_ms[each.window.begin] = since.count() - due.count();
                }));
  const double cpu = cpu_seconds();
  const absl::Status done = p.run({.parallelism = parallelism});
  const std::chrono::duration<double> took = steady::now() - start;
  if (!done.ok() || all != expected) return std::nullopt;
  measured found;
  found.events_per_second = static_cast<double>(of.count) / took.count();
  found.cpu_ns = (cpu_seconds() - cpu) * 1e9 / static_cast<double>(of.count);
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
double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

/// One line of the table.
struct line {
  std::string stream;
  double one = 0, never = 0, adaptive = 0;                                  ///< Events per second.
  double cpu_never = 0, cpu_adaptive = 0;                                   ///< ns per event.
  double load = 0;                                                          ///< Events per second.
  double p50_never = 0, p50_adaptive = 0, p99_never = 0, p99_adaptive = 0;  ///< ms.
};
std::vector<line>& lines() {
  static std::vector<line> all;
  return all;
}

struct way {
  std::size_t parallelism;
  fr::pre_aggregation when;
  std::vector<double> events_per_second, cpu_ns;
};

/// \return false when rows are wrong.
bool measure_latency(benchmark::State& state, line& to, const std::vector<std::uint32_t>& keys) {
  // Windows of 10 ms, for 3 s.
  to.load = to.never * static_cast<double>(state.range(2)) / 100;
  const setting of{&keys, static_cast<std::uint64_t>(3 * to.load), to.load, 10ms, true};
  const answer expected = by_hand(of);
  for (const bool adaptive : {false, true}) {
    const auto found = by_pipeline(
        of, 2, adaptive ? fr::pre_aggregation::adaptive : fr::pre_aggregation::never, expected);
    if (!found) return false;
    (adaptive ? to.p50_adaptive : to.p50_never) = median(found->latency_ms);
    (adaptive ? to.p99_adaptive : to.p99_never) = quantile(found->latency_ms, 0.99);
  }
  return true;
}

/// \param range half_hot or zipf; keys; load of the latency run in percent.
void skew(benchmark::State& state) {
  const auto of_shape = static_cast<shape>(state.range(0));
  const auto keys = drawn_keys(of_shape, static_cast<std::uint32_t>(state.range(1)));
  // A million events per second of event time; two windows.
  const setting of{&keys, 20'000'000, 1e6, 10s, false};
  const answer expected = by_hand(of);
  std::vector<way> ways{{1, fr::pre_aggregation::never, {}, {}},
                        {2, fr::pre_aggregation::never, {}, {}},
                        {2, fr::pre_aggregation::adaptive, {}, {}}};
  for (auto unused : state) {
    static_cast<void>(unused);
    for (way& each : ways) {
      const auto found = by_pipeline(of, each.parallelism, each.when, expected);
      if (!found) {
        state.SkipWithError("the rows differ from those of a plain loop");
        return;
      }
      each.events_per_second.push_back(found->events_per_second);
      each.cpu_ns.push_back(found->cpu_ns);
    }
  }
  line told{fmt::format("{}, {} keys", of_shape == shape::zipf ? "Zipf 1.2" : "half-hot key",
                        state.range(1))};
  told.one = median(ways[0].events_per_second);
  told.never = median(ways[1].events_per_second);
  told.adaptive = median(ways[2].events_per_second);
  told.cpu_never = median(ways[1].cpu_ns);
  told.cpu_adaptive = median(ways[2].cpu_ns);
  if (!measure_latency(state, told, keys)) {
    state.SkipWithError("the rows of the paced run differ from those of a plain loop");
    return;
  }
  state.counters["one_per_second"] = told.one;
  state.counters["never_per_second"] = told.never;
  state.counters["adaptive_per_second"] = told.adaptive;
  state.counters["adaptive/never"] = told.adaptive / told.never;
  state.counters["adaptive/one"] = told.adaptive / told.one;
  state.counters["never_cpu_ns"] = told.cpu_never;
  state.counters["adaptive_cpu_ns"] = told.cpu_adaptive;
  state.counters["load_per_second"] = told.load;
  state.counters["never_p50_ms"] = told.p50_never;
  state.counters["adaptive_p50_ms"] = told.p50_adaptive;
  state.counters["never_p99_ms"] = told.p99_never;
  state.counters["adaptive_p99_ms"] = told.p99_adaptive;
  lines().push_back(told);
}

BENCHMARK(skew)
    ->ArgNames({"zipf", "keys", "load"})
    ->ArgsProduct({{0, 1}, {100, 10'000, 1'000'000}, {90}})
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void print_table() {
  if (lines().empty()) return;
  fmt::print("\n{:<26}{:>9}{:>9}{:>9}{:>8}{:>10}{:>10}{:>8}{:>10}{:>10}{:>8}{:>10}{:>10}\n", "",
             "1 task", "never", "adaptive", "ratio", "CPU ns", "CPU ns", "load", "p50 ms", "p50 ms",
             "ratio", "p99 ms", "p99 ms");
  fmt::print("{:<26}{:>9}{:>9}{:>9}{:>8}{:>10}{:>10}{:>8}{:>10}{:>10}{:>8}{:>10}{:>10}\n", "",
             "M/s", "M/s", "M/s", "", "never", "adaptive", "M/s", "never", "adaptive", "", "never",
             "adaptive");
  fmt::print("{:<26}{:>9}{:>9.2f}{:>9.2f}{:>8.2f}{:>10}{:>10}{:>8}{:>10}{:>10}{:>8.2f}\n",
             "the paper, rebalancing", "", 0.8, 1.0, 1.25, "", "", "", 100, 60, 0.6);
  for (const line& each : lines()) {
    fmt::print(
        "{:<26}{:>9.2f}{:>9.2f}{:>9.2f}{:>8.2f}{:>10.1f}{:>10.1f}{:>8.2f}{:>10.2f}{:>10.2f}{:>8.2f}"
        "{:>10.2f}{:>10.2f}\n",
        each.stream, each.one / 1e6, each.never / 1e6, each.adaptive / 1e6,
        each.adaptive / each.never, each.cpu_never, each.cpu_adaptive, each.load / 1e6,
        each.p50_never, each.p50_adaptive, each.p50_adaptive / each.p50_never, each.p99_never,
        each.p99_adaptive);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  print_table();
  return 0;
}
