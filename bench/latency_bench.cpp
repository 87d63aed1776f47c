// How long rows take under load, from the moment at which the event that completes a window was due
// to the call of the sink, while a table grows, windows fire and checkpoints are taken.
//
// Open loop: events come in packets every millisecond, by the clock, whatever the job does; an
// event is due when its packet is, however late the source comes to it. A job that falls behind
// makes all later rows late, and none of that waiting is left out (no coordinated omission). The
// rate is a part of the highest one that the same job has reached just before.
//
// A stall meter runs beside the job: a thread that asks to be woken every half millisecond and
// notes when it came late by more than a fifth of one, which says what the machine did to a thread
// that had nothing to do. Quantiles are given gross and net; net takes from each row the part of
// its time during which the meter was stalled, too.
//
//     latency_bench --seconds=3 --benchmark_filter=load:50
//
// `--seconds`: how long each row is watched.
#include "measuring.hpp"
#include "runtime_load.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/core/latency_histogram.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::temporary_directory;
using namespace std::chrono_literals;
using load::event;
using load::events;
using load::steady;

double seconds_per_row = 1.5;
constexpr std::size_t parallelism = 2;

events endless(std::uint64_t keys, double rate_per_second) {
  return {.count = std::uint64_t{1} << 62,
          .keys = keys,
          .splits = 2 * parallelism,
          .rate_per_second = rate_per_second,
          .begin = steady::now()};
}

/// When a thread was kept from running, though it had nothing to do but to wake up.
class stall_meter {
 public:
  struct stall {
    steady::time_point begin, end;
  };

  stall_meter() : thread_([this] { measure(); }) {}
  stall_meter(const stall_meter&) = delete;
  stall_meter& operator=(const stall_meter&) = delete;
  ~stall_meter() { stop(); }

  /// Ascending and apart. After that the meter has ended.
  const std::vector<stall>& stop() {
    ends_ = true;
    if (thread_.joinable()) thread_.join();
    return stalls_;
  }

 private:
  void measure() {
    constexpr auto every = 500us;
    constexpr auto usual = 100us;
    for (auto due = steady::now() + every; !ends_; due = steady::now() + every) {
      std::this_thread::sleep_until(due);
      const auto now = steady::now();
      if (now - due > usual) stalls_.push_back({due, now});
    }
  }

  std::atomic<bool> ends_{false};
  std::vector<stall> stalls_;
  std::thread thread_;
};

/// How much of [begin, end) the meter was stalled.
steady::duration stalled_within(const std::vector<stall_meter::stall>& stalls,
                                steady::time_point begin, steady::time_point end) {
  steady::duration all{0};
  auto next = std::lower_bound(
      stalls.begin(), stalls.end(), begin,
      [](const stall_meter::stall& one, steady::time_point at) { return one.end <= at; });
  for (; next != stalls.end() && next->begin < end; ++next) {
    all += std::min(next->end, end) - std::max(next->begin, begin);
  }
  return all;
}

/// Rows that came at the same time and were due at the same time.
struct arrivals {
  fr::timestamp due;
  steady::time_point came;
  std::uint64_t rows = 0;
};

/// What the sink of a job sees. One thread at a time, as sinks are called.
struct seen {
  std::atomic<bool> measures{false};
  std::vector<arrivals> all = {};

  void add(fr::timestamp due) {
    if (!measures.load(std::memory_order_relaxed)) return;
    const auto now = steady::now();
    // Rows of the same window within a few microseconds share a place; none seems faster for it.
    if (!all.empty() && all.back().due == due && now - all.back().came < 20us) {
      all.back().came = now;
      ++all.back().rows;
    } else {
      all.push_back({due, now, 1});
    }
  }
};

/// Count and sum per key and window.
template <class Assigner>
void compose(fr::pipeline& p, const events& of, const Assigner& windows, seen& to) {
  auto totals = p.from("events", of) | fr::event_time(&event::at, fr::ascending{}) |
                fr::key_by(&event::key) | fr::window(windows) |
                fr::aggregate("totals", fr::count("events"), fr::sum("amount", &event::amount));
  using row = typename decltype(totals)::value_type;
  const fr::timestamp begin = load::time_of(of.begin);
  const fr::duration every = of.packet_every;
  totals | fr::to("rows", fr::callback([&to, begin, every](const row& each) {
                    // The packet with the first event at or after the end of the window. Those of
                    // a job without a rate are of other times.
                    const auto packets = (each.window.end - begin + every - 1us) / every;
                    to.add(begin + packets * every);
                  }));
}

fr::duration longer(fr::duration length, double times) {
  return fr::duration{
      std::max<std::int64_t>(1, std::llround(static_cast<double>(length.count()) * times))};
}
fr::tumbling longer(const fr::tumbling& windows, double times) {
  return {longer(windows.size, times)};
}
fr::sliding longer(const fr::sliding& windows, double times) {
  const fr::duration slide = longer(windows.slide, times);
  return {.size = windows.size / windows.slide * slide, .slide = slide};
}

/// Events per second at which the job takes them when nothing holds it back. Without a rate there
/// is an event each microsecond of event time.
template <class Assigner>
double rate_over(const Assigner& windows, std::uint64_t keys) {
  fr::pipeline p("latency_bench");
  seen unused;
  unused.measures = true;  // Which costs more than the rest of the sink.
  compose(p, endless(keys, 0), windows, unused);
  absl::StatusOr<fr::job> job = p.start({.parallelism = parallelism});
  if (!job.ok()) return 0;
  std::this_thread::sleep_for(200ms);
  const std::uint64_t records = job->metrics().records();
  const auto start = steady::now();
  std::this_thread::sleep_for(600ms);
  const std::chrono::duration<double> passed = steady::now() - start;
  const double rate = static_cast<double>(job->metrics().records() - records) / passed.count();
  job->stop();
  return job->wait().ok() ? rate : 0;
}

/// The same with as many events in a window as there are at that rate; measured once for each
/// number of keys.
template <class Assigner>
double full_rate(const Assigner& windows, std::uint64_t keys) {
  static std::map<std::uint64_t, double> known;
  double& rate = known[keys];
  if (rate > 0) return rate;
  rate = rate_over(windows, keys);
  for (int i = 0; i < 2 && rate > 0; ++i) rate = rate_over(longer(windows, rate / 1e6), keys);
  return rate;
}

void tell(benchmark::State& state, const std::string& prefix, const fr::latency_histogram& of) {
  const auto us = [](fr::duration length) { return static_cast<double>(length.count()); };
  state.counters[prefix + "p50_us"] = us(of.quantile(0.5));
  state.counters[prefix + "p99_us"] = us(of.quantile(0.99));
  state.counters[prefix + "p99.9_us"] = us(of.quantile(0.999));
  state.counters[prefix + "max_us"] = us(of.max());
}

/// \return false when there was nothing to tell of.
bool tell_all(benchmark::State& state, const std::vector<arrivals>& all,
              const std::vector<stall_meter::stall>& stalls) {
  fr::latency_histogram gross, net;
  for (const arrivals& each : all) {
    const auto due = load::moment_of(each.due);
    const auto took = each.came - due;
    const auto machine = stalled_within(stalls, due, each.came);
    for (std::uint64_t row = 0; row < each.rows; ++row) {
      gross.record(std::chrono::round<fr::duration>(took));
      net.record(std::chrono::round<fr::duration>(took - machine));
    }
  }
  tell(state, "gross_", gross);
  tell(state, "", net);
  steady::duration longest{0};
  for (const stall_meter::stall& each : stalls) longest = std::max(longest, each.end - each.begin);
  state.counters["stall_max_us"] = std::chrono::duration<double, std::micro>(longest).count();
  state.counters["stalls"] = static_cast<double>(stalls.size());
  state.counters["rows"] = static_cast<double>(net.count());
  return net.count() > 0;
}

/// \param range keys; load in percent of the highest rate; whether there is a checkpoint each
/// second.
template <class Assigner>
void latency(benchmark::State& state, const Assigner& windows) {
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  for (auto unused : state) {
    static_cast<void>(unused);
    const double rate = full_rate(windows, keys) * static_cast<double>(state.range(1)) / 100;
    if (rate <= 0) return state.SkipWithError("the job did not start");
    const temporary_directory home;
    fr::run_options options{.parallelism = parallelism};
    if (state.range(2) != 0) options.checkpoint = {.directory = home.path(), .every = 1s};
    fr::pipeline p("latency_bench");
    seen rows;
    rows.all.reserve(1U << 20U);
    compose(p, endless(keys, rate), windows, rows);
    absl::StatusOr<fr::job> job = p.start(options);
    if (!job.ok()) return state.SkipWithError("the job did not start");
    std::this_thread::sleep_for(500ms);
    stall_meter meter;
    rows.measures = true;
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_row));
    rows.measures = false;
    const auto& stalls = meter.stop();
    state.counters["checkpoints"] = static_cast<double>(job->metrics().checkpoints);
    job->stop();
    if (!job->wait().ok()) return state.SkipWithError("the job failed");
    state.counters["M/s"] = rate / 1e6;
    if (!tell_all(state, rows.all, stalls)) return state.SkipWithError("no row came");
  }
}

void tumbling(benchmark::State& state) {
  latency(state, fr::tumbling{10ms});
}
void sliding(benchmark::State& state) {
  latency(state, fr::sliding{.size = 10ms, .slide = 2ms});
}

BENCHMARK(tumbling)
    ->ArgNames({"keys", "load", "checkpoints"})
    ->ArgsProduct({{10'000, 1'000'000}, {10, 50, 80}, {0, 1}})
    ->Iterations(1)
    ->UseRealTime();
BENCHMARK(sliding)
    ->ArgNames({"keys", "load", "checkpoints"})
    ->ArgsProduct({{10'000}, {50}, {0, 1}})
    ->Iterations(1)
    ->UseRealTime();

}  // namespace

int main(int argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("--seconds=")) {
      seconds_per_row = std::max(0.1, std::atof(argv[i] + 10));
    } else {
      argv[kept++] = argv[i];
    }
  }
  benchmark::Initialize(&kept, argv);
  if (benchmark::ReportUnrecognizedArguments(kept, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
