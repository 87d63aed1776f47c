// The parallel runtime: how it scales, what it costs when there is little to do, and how long its
// windows take to be read. latency_bench.cpp says how long rows take.
//
// Records are computed by as many splits as there are cores, times two, and counted and summed in
// tumbling windows; the rows are compared with those of the simplest loop. What is compared with
// each other runs in turn, once for each repetition. Times are wall time, cores are CPU time of the
// whole process over wall time, with nothing subtracted: the computing of records is part of it.
//
//     runtime_bench --events=8000000 --benchmark_filter=scaling --benchmark_repetitions=5
//
// `--seconds`: how long each row with a rate or a running job is watched. `--events`: of each
// run that is timed; with 1M keys twice as many.
#include "measuring.hpp"
#include "runtime_load.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/core/latency_histogram.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::process_seconds;
using namespace std::chrono_literals;
using load::answer;
using load::event;
using load::events;
using load::steady;

std::uint64_t events_per_run = 4'000'000;
double seconds_per_row = 1.5;

std::size_t splits() {
  return 2 * std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

double seconds_since(steady::time_point start) {
  return std::chrono::duration<double>(steady::now() - start).count();
}

void watch() {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_row));
}

auto windows_of(fr::pipeline& p, const events& of, fr::duration size) {
  return p.from("events", of) | fr::event_time(&event::at, fr::ascending{}) |
         fr::key_by(&event::key) | fr::window(fr::tumbling{size}) |
         fr::aggregate("totals", fr::count("events"), fr::sum("amount", &event::amount));
}

struct timed_run {
  double seconds = 0;
  double cpu_seconds = 0;
  answer found;
};

timed_run run_once(const events& of, std::uint64_t per_window, const fr::run_options& options) {
  timed_run result;
  fr::pipeline p("runtime_bench");
  auto totals = windows_of(p, of, fr::duration{static_cast<std::int64_t>(per_window)});
  using row = decltype(totals)::value_type;
  totals | fr::to("answer", fr::callback([&result](const row& each) {
                    const auto& [count, sum] = each.values;
                    result.found.add(each.key, each.window.begin, count, sum);
                  }));
  const double cpu = process_seconds();
  const auto start = steady::now();
  const absl::Status done = p.run(options);
  result.seconds = seconds_since(start);
  result.cpu_seconds = process_seconds() - cpu;
  if (!done.ok()) result.found = {};
  return result;
}

struct work {
  events of;
  std::uint64_t per_window = 0;
  answer wanted;
};

/// Four windows for few keys; two, with 8 events per key or more, for many.
work work_of(std::uint64_t keys) {
  work made;
  made.of = {
      .count = events_per_run * (keys >= 1'000'000 ? 2 : 1), .keys = keys, .splits = splits()};
  made.per_window = std::max<std::uint64_t>(1, made.of.count / (keys >= 1'000'000 ? 1 : 4));
  made.wanted = load::expected(made.of.count, keys, made.per_window);
  return made;
}

/// Runs every one of `options` in turn. \return nothing when one of them had other rows.
std::vector<timed_run> run_in_turn(benchmark::State& state, const work& what,
                                   const std::vector<fr::run_options>& options) {
  std::vector<timed_run> all;
  for (auto unused : state) {
    static_cast<void>(unused);
    for (const fr::run_options& each : options) {
      all.push_back(run_once(what.of, what.per_window, each));
      if (all.back().found == what.wanted) continue;
      state.SkipWithError("the rows are not those of the loop");
      return {};
    }
  }
  return all;
}

double ns_per_event(double seconds, const work& what) {
  return seconds * 1e9 / static_cast<double>(what.of.count);
}

/// \param range keys. Wanted with 2 cores: 1.2 / 1.3 / 1.6 with 100 / 10k / 1M keys.
void scaling(benchmark::State& state) {
  const work what = work_of(static_cast<std::uint64_t>(state.range(0)));
  const auto runs = run_in_turn(state, what, {{.parallelism = 1}, {.parallelism = 2}});
  if (runs.empty()) return;
  state.counters["ns_1"] = ns_per_event(runs[0].seconds, what);
  state.counters["ns_2"] = ns_per_event(runs[1].seconds, what);
  state.counters["cpu_ns_1"] = ns_per_event(runs[0].cpu_seconds, what);
  state.counters["cpu_ns_2"] = ns_per_event(runs[1].cpu_seconds, what);
  state.counters["speedup"] = runs[0].seconds / runs[1].seconds;
}

/// A larger parallelism than there are cores. Wanted: all within 10 % of the best. `forced`: with
/// as many tasks and threads, which a pool that is left to itself does not have.
void oversubscription(benchmark::State& state) {
  work what = work_of(10'000);
  what.of.splits = 16;
  const std::vector<std::size_t> tried{2, 4, 8, 16};
  std::vector<fr::run_options> options;
  for (const std::size_t parallelism : tried) options.push_back({.parallelism = parallelism});
  for (const std::size_t parallelism : tried) {
    options.push_back({.parallelism = parallelism, .scheduler = fr::thread_pool(parallelism)});
  }
  const auto runs = run_in_turn(state, what, options);
  if (runs.empty()) return;
  double best = runs[0].seconds;
  for (const timed_run& each : runs) best = std::min(best, each.seconds);
  for (std::size_t which = 0; which < options.size(); ++which) {
    const bool forced = which >= tried.size();
    const std::string name =
        (forced ? "forced_" : "") + std::to_string(tried[which % tried.size()]);
    state.counters["to_best_" + name] = runs[which].seconds / best;
  }
}

/// The workers of a host: two threads and a queue.
class workers {
 public:
  workers() {
    for (int number = 0; number < 2; ++number) threads_.emplace_back([this] { work(); });
  }
  ~workers() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    wake_.notify_all();
    for (std::thread& each : threads_) each.join();
  }
  void enqueue(std::function<void()> what) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
    }
    wake_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return ends_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const std::function<void()> next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

void schedulers(benchmark::State& state) {
  const work what = work_of(10'000);
  workers host;
  const auto enqueue = [&host](std::function<void()> next) { host.enqueue(std::move(next)); };
  const auto runs = run_in_turn(state, what,
                                {{.parallelism = 2, .scheduler = fr::thread_pool()},
                                 {.parallelism = 2, .scheduler = fr::tbb_arena()},
                                 {.parallelism = 2, .scheduler = fr::host_workers(enqueue)}});
  if (runs.empty()) return;
  const std::vector<std::string> names{"pool", "tbb", "host"};
  for (std::size_t which = 0; which < names.size(); ++which) {
    state.counters["ns_" + names[which]] = ns_per_event(runs[which].seconds, what);
    state.counters["cpu_ns_" + names[which]] = ns_per_event(runs[which].cpu_seconds, what);
  }
}

events endless(std::uint64_t keys, double rate_per_second = 0) {
  return {.count = std::uint64_t{1} << 62,
          .keys = keys,
          .splits = splits(),
          .rate_per_second = rate_per_second,
          .begin = steady::now()};
}

/// A pipeline of windows that runs until it is destroyed.
struct running {
  running(const events& of, fr::duration size, const fr::run_options& options)
      : p("runtime_bench"), windows(windows_of(p, of, size)), job(start(options)) {}

  absl::StatusOr<fr::job> start(const fr::run_options& options) {
    windows |
        fr::to("rows", fr::callback([](const row& each) { benchmark::DoNotOptimize(each.key); }));
    return p.start(options);
  }

  using stream = decltype(windows_of(std::declval<fr::pipeline&>(), std::declval<const events&>(),
                                     std::declval<fr::duration>()));
  using row = typename stream::value_type;
  fr::pipeline p;
  stream windows;
  absl::StatusOr<fr::job> job;
};

/// CPU of the process while a job has nothing to read, and while events come in packets every
/// millisecond. \param range events per second. Wanted: 0.01 cores when idle, 0.05 at 1,000, 0.25
/// at 1,000,000.
void partial_load(benchmark::State& state) {
  const auto rate = static_cast<double>(state.range(0));
  for (auto unused : state) {
    static_cast<void>(unused);
    running here(endless(10'000, rate), 1s, {.parallelism = 2});
    if (!here.job.ok()) return state.SkipWithError("the job did not start");
    std::this_thread::sleep_for(200ms);
    const std::uint64_t records = here.job->metrics().records();
    const double cpu = process_seconds();
    const auto start = steady::now();
    watch();
    const double seconds = seconds_since(start);
    state.counters["cores"] = (process_seconds() - cpu) / seconds;
    const auto read = static_cast<double>(here.job->metrics().records() - records);
    if (std::abs(read / seconds - rate) > 0.1 * rate) state.SkipWithError("the rate was missed");
  }
}

/// The same for a job that waits for a channel into which nobody pushes.
void idle(benchmark::State& state) {
  for (auto unused : state) {
    static_cast<void>(unused);
    fr::channel<event> in;
    fr::pipeline p("runtime_bench");
    p.from("events", in) | fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
        fr::window(fr::tumbling{1s}) | fr::aggregate("totals", fr::count("events")) |
        fr::to("rows", fr::callback([](const auto&) {}));
    absl::StatusOr<fr::job> job = p.start({.parallelism = 2});
    if (!job.ok()) return state.SkipWithError("the job did not start");
    std::this_thread::sleep_for(200ms);
    const double cpu = process_seconds();
    const auto start = steady::now();
    watch();
    state.counters["cores"] = (process_seconds() - cpu) / seconds_since(start);
  }
}

void tell(benchmark::State& state, const fr::latency_histogram& of) {
  const auto us = [](fr::duration length) { return static_cast<double>(length.count()); };
  state.counters["p50_us"] = us(of.quantile(0.5));
  state.counters["p99_us"] = us(of.quantile(0.99));
  state.counters["p99.9_us"] = us(of.quantile(0.999));
  state.counters["max_us"] = us(of.max());
}

/// Reads a key every millisecond while the job has all it can do.
/// \return whether every answer was one that the windows can give.
bool read_view(running& of, std::uint64_t keys, fr::latency_histogram& took) {
  const auto view = of.job->view<running::row>("totals");
  if (!view.ok()) return false;
  fr::timestamp before = fr::timestamp_min;
  const auto until = steady::now() + std::chrono::duration<double>(seconds_per_row);
  for (std::uint64_t asked = 0; steady::now() < until; ++asked) {
    const std::uint64_t key = fr::mix_bits(asked) % keys;
    const auto start = steady::now();
    const auto now = view->get(key);
    took.record(std::chrono::round<fr::duration>(steady::now() - start));
    if (!now.ok()) return false;
    for (const auto& row : now->rows) {
      const auto& [count, sum] = row.values;
      if (row.key != key || row.window.end <= now->watermark) return false;
      if (count == 0 || sum > 63 * static_cast<double>(count)) return false;
    }
    before = now->watermark;
    std::this_thread::sleep_for(1ms);
  }
  return before > fr::timestamp_min;
}

/// Throughput with and without one reader of the windows, which asks a thousand times a second at
/// most, and how long its answers take.
void view_at_full_load(benchmark::State& state) {
  constexpr std::uint64_t keys = 10'000;
  double rates[2] = {0, 0};
  fr::latency_histogram took;
  for (auto unused : state) {
    static_cast<void>(unused);
    for (const bool reads : {false, true}) {
      running here(endless(keys), 1s, {.parallelism = 2});
      if (!here.job.ok()) return state.SkipWithError("the job did not start");
      std::this_thread::sleep_for(200ms);
      const std::uint64_t records = here.job->metrics().records();
      const auto start = steady::now();
      if (!reads) {
        watch();
      } else if (!read_view(here, keys, took)) {
        state.SkipWithError("an answer is none that the windows can give");
      }
      rates[reads ? 1 : 0] =
          static_cast<double>(here.job->metrics().records() - records) / seconds_since(start);
    }
  }
  tell(state, took);
  state.counters["asked"] = static_cast<double>(took.count());
  state.counters["M/s"] = rates[0] / 1e6;
  state.counters["M/s_read"] = rates[1] / 1e6;
}

BENCHMARK(scaling)->ArgName("keys")->Arg(100)->Arg(10'000)->Arg(1'000'000)->Iterations(1);
BENCHMARK(oversubscription)->Iterations(1);
BENCHMARK(schedulers)->Iterations(1);
BENCHMARK(idle)->Iterations(1);
BENCHMARK(partial_load)->ArgName("per_second")->Arg(1'000)->Arg(1'000'000)->Iterations(1);
BENCHMARK(view_at_full_load)->Iterations(1);

/// Takes the arguments of this program out of those for Google Benchmark.
void take_arguments(int& argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view one = argv[i];
    if (one.starts_with("--seconds=")) {
      seconds_per_row = std::max(0.1, std::atof(argv[i] + 10));
    } else if (one.starts_with("--events=")) {
      events_per_run = std::max<std::uint64_t>(1, std::strtoull(argv[i] + 9, nullptr, 10));
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
}

}  // namespace

int main(int argc, char** argv) {
  take_arguments(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
