// The parallel runtime: how it scales, what it costs when there is little to do, and how long
// things take.
//
// Records are computed by as many splits as there are cores, times two, and counted and summed in
// tumbling windows; the rows are compared with those of the simplest loop. What is compared with
// each other runs in turn, and counters are medians. Times are wall time, cores are CPU time of the
// whole process over wall time, with nothing subtracted: the computing of records is part of it.
//
//     runtime_bench --seconds=3 --events=8000000 --benchmark_filter=scaling
//
// `--seconds`: how long each row with a rate or a running job is watched. `--events`: of each
// run that is timed; with 1M keys twice as many.
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

#include <time.h>

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

double process_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void watch() {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_row));
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Half the distance between the quartiles, as a part of the median.
double noise(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t last = values.size() - 1;
  return (values[(3 * last + 3) / 4] - values[last / 4]) / 2 / median(values);
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

/// Runs every one of `options` in turn and leaves their times in `times`.
void run_in_turn(benchmark::State& state, const work& what,
                 const std::vector<fr::run_options>& options,
                 std::vector<std::vector<double>>& times,
                 std::vector<std::vector<double>>* cpu_times = nullptr) {
  times.assign(options.size(), {});
  if (cpu_times != nullptr) cpu_times->assign(options.size(), {});
  for (auto unused : state) {
    static_cast<void>(unused);
    for (std::size_t which = 0; which < options.size(); ++which) {
      const timed_run one = run_once(what.of, what.per_window, options[which]);
      if (one.found != what.wanted) state.SkipWithError("the rows are not those of the loop");
      times[which].push_back(one.seconds);
      if (cpu_times != nullptr) (*cpu_times)[which].push_back(one.cpu_seconds);
    }
  }
}

double ns_per_event(const std::vector<double>& times, const work& what) {
  return median(times) * 1e9 / static_cast<double>(what.of.count);
}

/// \param range keys. Wanted with 2 cores: 1.2 / 1.3 / 1.6 with 100 / 10k / 1M keys.
void scaling(benchmark::State& state) {
  const work what = work_of(static_cast<std::uint64_t>(state.range(0)));
  std::vector<std::vector<double>> times;
  std::vector<std::vector<double>> cpu_times;
  run_in_turn(state, what, {{.parallelism = 1}, {.parallelism = 2}}, times, &cpu_times);
  state.counters["ns_1"] = ns_per_event(times[0], what);
  state.counters["ns_2"] = ns_per_event(times[1], what);
  state.counters["cpu_ns_1"] = ns_per_event(cpu_times[0], what);
  state.counters["cpu_ns_2"] = ns_per_event(cpu_times[1], what);
  state.counters["speedup"] = median(times[0]) / median(times[1]);
  state.counters["noise_1"] = noise(times[0]);
  state.counters["noise_2"] = noise(times[1]);
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
  std::vector<std::vector<double>> times;
  run_in_turn(state, what, options, times);
  double best = median(times[0]);
  for (const auto& each : times) best = std::min(best, median(each));
  for (std::size_t which = 0; which < options.size(); ++which) {
    const bool forced = which >= tried.size();
    const std::string name =
        (forced ? "forced_" : "") + std::to_string(tried[which % tried.size()]);
    state.counters["to_best_" + name] = median(times[which]) / best;
    state.counters["noise_" + name] = noise(times[which]);
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
  std::vector<std::vector<double>> times;
  std::vector<std::vector<double>> cpu_times;
  run_in_turn(state, what,
              {{.parallelism = 2, .scheduler = fr::thread_pool()},
               {.parallelism = 2, .scheduler = fr::tbb_arena()},
               {.parallelism = 2, .scheduler = fr::host_workers(enqueue)}},
              times, &cpu_times);
  const std::vector<std::string> names{"pool", "tbb", "host"};
  for (std::size_t which = 0; which < names.size(); ++which) {
    state.counters["ns_" + names[which]] = ns_per_event(times[which], what);
    state.counters["cpu_ns_" + names[which]] = ns_per_event(cpu_times[which], what);
    state.counters["noise_" + names[which]] = noise(times[which]);
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
  std::vector<double> cores;
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
    cores.push_back((process_seconds() - cpu) / seconds);
    const auto read = static_cast<double>(here.job->metrics().records() - records);
    if (std::abs(read / seconds - rate) > 0.1 * rate) state.SkipWithError("the rate was missed");
  }
  state.counters["cores"] = median(cores);
  state.counters["noise"] = noise(cores);
}

/// The same for a job that waits for a channel into which nobody pushes.
void idle(benchmark::State& state) {
  std::vector<double> cores;
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
    cores.push_back((process_seconds() - cpu) / seconds_since(start));
  }
  state.counters["cores"] = median(cores);
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
  std::vector<double> rates[2];
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
      rates[reads].push_back(static_cast<double>(here.job->metrics().records() - records) /
                             seconds_since(start));
    }
  }
  tell(state, took);
  state.counters["asked"] = static_cast<double>(took.count());
  state.counters["M/s"] = median(rates[0]) / 1e6;
  state.counters["M/s_read"] = median(rates[1]) / 1e6;
}

/// How much a job reads per second at parallelism 2 when nothing holds it back.
template <class Compose>
double full_rate(Compose&& compose) {
  fr::pipeline p("runtime_bench");
  std::atomic<bool> measures{true};  // Which costs more than the rest of the sink.
  fr::latency_histogram unused;
  compose(p, endless(10'000), unused, measures);
  absl::StatusOr<fr::job> job = p.start({.parallelism = 2});
  if (!job.ok()) return 0;
  std::this_thread::sleep_for(200ms);
  const std::uint64_t records = job->metrics().records();
  const auto start = steady::now();
  std::this_thread::sleep_for(800ms);
  return static_cast<double>(job->metrics().records() - records) / seconds_since(start);
}

/// Half of the full rate, in packets every millisecond. A record is due when its packet is, however
/// late the source comes to it: what waits is not left out.
template <class Compose>
void latency(benchmark::State& state, Compose&& compose) {
  fr::latency_histogram all;
  double rate = 0;
  for (auto unused : state) {
    static_cast<void>(unused);
    rate = full_rate(compose) / 2;
    if (rate <= 0) return state.SkipWithError("the job did not start");
    fr::latency_histogram one;
    std::atomic<bool> measures{false};
    {
      fr::pipeline p("runtime_bench");
      compose(p, endless(10'000, rate), one, measures);
      absl::StatusOr<fr::job> job = p.start({.parallelism = 2});
      if (!job.ok()) return state.SkipWithError("the job did not start");
      std::this_thread::sleep_for(300ms);
      measures = true;
      watch();
      measures = false;
    }
    all.merge(one);
  }
  tell(state, all);
  state.counters["M/s"] = rate / 1e6;
  state.counters["rows"] = static_cast<double>(all.count());
}

fr::duration passed_since(fr::timestamp at) {
  return std::chrono::round<fr::duration>(steady::now() - load::moment_of(at));
}

/// From a record's packet to the call of the sink: one exchange on the way.
void latency_pass_through(benchmark::State& state) {
  latency(state, [](fr::pipeline& p, const events& of, fr::latency_histogram& took,
                    const std::atomic<bool>& measures) {
    p.from("events", of) | fr::event_time(&event::at, fr::ascending{}) |
        fr::to("rows", fr::callback([&](const event& each) {
                 if (measures) took.record(passed_since(each.at));
               }));
  });
}

/// From the packet that completes a window of 10 ms to the call of the sink for each of its rows:
/// two exchanges on the way. The event that completes it is the first at or after its end.
void latency_windowed(benchmark::State& state) {
  latency(state, [](fr::pipeline& p, const events& of, fr::latency_histogram& took,
                    const std::atomic<bool>& measures) {
    auto totals = windows_of(p, of, 10ms);
    using row = decltype(totals)::value_type;
    const fr::timestamp begin = load::time_of(of.begin);
    const fr::duration every = of.packet_every;
    totals | fr::to("rows", fr::callback([&took, &measures, begin, every](const row& each) {
                      if (!measures) return;
                      const auto packets = (each.window.end - begin + every - 1us) / every;
                      took.record(passed_since(begin + packets * every));
                    }));
  });
}

BENCHMARK(scaling)->ArgName("keys")->Arg(100)->Arg(10'000)->Arg(1'000'000)->Iterations(5);
BENCHMARK(oversubscription)->Iterations(5);
BENCHMARK(schedulers)->Iterations(5);
BENCHMARK(idle)->Iterations(3);
BENCHMARK(partial_load)->ArgName("per_second")->Arg(1'000)->Arg(1'000'000)->Iterations(3);
BENCHMARK(view_at_full_load)->Iterations(3);
BENCHMARK(latency_pass_through)->Iterations(3);
BENCHMARK(latency_windowed)->Iterations(3);

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
