// What it costs to keep state that is larger than memory: a process function whose rows take 1, 4,
// or 10 times of `state.memory_limit`, against the same job without a limit.
//
// Each event adds to the account of its key: 120 bytes in memory, text included. First every key
// comes once, then 300,000 events more, of keys that are drawn: `uniform` is the
// worst case, in which nearly every event of a large state needs a row that is not in memory;
// `skewed` gives nine events of ten to a tenth of the keys. Checkpoints each second, in a directory
// in the folder of temporary files; one task.
//
// A run is a process of its own, so that its peak of resident memory (`ru_maxrss`, the program and
// all its libraries included) is its own. Every run has to come to the same sum over all accounts.
//
// Counters: events per second of wall time, from the first one to the end; CPU time of the process
// for an event, other threads included, which tells more where others use the machine; the peak of
// resident memory and its ratio to the limit; rows dropped, keys asked for, rows read back,
// commits.
//
//     memory_limit_bench --benchmark_out=memory.json --benchmark_out_format=json
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/process.hpp>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace fr = freshet;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::size_t limit_bytes = std::size_t{64} << 20;

constexpr std::uint64_t drawn = 300'000;

struct event {
  std::uint64_t key = 0;
  std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount))

struct account {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(account, (), (count, sum, text))

/// What 1 x of the limit is: slots of the table at its load, and what the text owns.
constexpr std::uint64_t row_bytes = 250;

struct adding {
  using state = account;
  void process(const event& of, account& kept, auto& context) const {
    if (kept.count++ == 0) kept.text = fmt::format("account number {:020}", of.key);
    kept.sum += of.amount;
    context.emit(kept.sum);
  }
};

struct figures {
  double seconds = 0;
  std::uint64_t events = 0;
  std::uint64_t checksum = 0;
  std::uint64_t evicted = 0;
  std::uint64_t asked = 0;
  std::uint64_t read = 0;
  std::uint64_t commits = 0;
  std::uint64_t state_bytes = 0;
  bool ok = false;
};

figures run_job(std::uint64_t keys, bool skewed, std::size_t memory_limit) {
  figures made;
  const std::string home =
      (std::filesystem::temp_directory_path() / fmt::format("freshet-memory-{}", ::getpid()))
          .string();
  std::filesystem::remove_all(home);
  const auto event_of = [keys, skewed](std::uint64_t n) {
    const std::uint64_t bits = fr::mix_bits(n);
    std::uint64_t key = n < keys ? n : bits % keys;
    if (n >= keys && skewed && (bits >> 40) % 10 != 0) key = bits % (keys / 10);
    return event{key, static_cast<std::int64_t>(bits >> 56)};
  };
  fr::pipeline p("memory_limit");
  std::uint64_t sum = 0;
  p.from("events", fr::generate(event_of, {.count = keys + drawn})) | fr::key_by(&event::key) |
      fr::process<std::int64_t>("accounts", adding{}) |
      fr::to("sums",
             fr::callback([&sum](std::int64_t each) { sum += static_cast<std::uint64_t>(each); }));
  fr::run_options options;
  options.checkpoint.directory = home;
  options.checkpoint.every = 1s;
  options.checkpoint.copy_every = fr::duration::max();
  options.state.memory_limit = memory_limit;
  fr::run_summary summary;
  const auto began = steady::now();
  const absl::Status done = p.run(options, &summary);
  made.seconds = std::chrono::duration<double>(steady::now() - began).count();
  const fr::operator_metrics of = summary.metrics.of("process", "accounts");
  made.events = of.records_in;
  made.checksum = sum;
  made.evicted = of.evicted;
  made.asked = of.cold_asked;
  made.read = of.cold_read;
  made.commits = summary.metrics.checkpoints;
  made.state_bytes = of.state_bytes;
  made.ok = done.ok();
  if (!done.ok()) fmt::print(stderr, "{}\n", done.ToString());
  std::filesystem::remove_all(home);
  return made;
}

/// In a process of its own. \return false where it has died.
bool run_apart(std::uint64_t keys, bool skewed, std::size_t limit, figures& made,
               std::uint64_t& peak_bytes, double& cpu_seconds) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const figures own = run_job(keys, skewed, limit);
    const bool told = ::write(ends[1], &own, sizeof own) == sizeof own;
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  const bool heard = ::read(ends[0], &made, sizeof made) == sizeof made;
  ::close(ends[0]);
  rusage used{};
  int status = 0;
  ::wait4(child, &status, 0, &used);
  peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  const auto seconds = [](const timeval& of) {
    return static_cast<double>(of.tv_sec) + 1e-6 * static_cast<double>(of.tv_usec);
  };
  cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return heard && made.ok;
}

void memory_limit(benchmark::State& state) {
  const auto times = static_cast<std::uint64_t>(state.range(0));
  const bool skewed = state.range(1) != 0;
  const std::size_t limit = state.range(2) != 0 ? limit_bytes : 0;
  const std::uint64_t keys = times * limit_bytes / row_bytes;
  for (auto each : state) {
    figures made;
    std::uint64_t peak = 0;
    double cpu_seconds = 0;
    if (!run_apart(keys, skewed, limit, made, peak, cpu_seconds)) {
      state.SkipWithError("the job has failed");
      return;
    }
    state.SetIterationTime(made.seconds);
    const auto megabytes = [](std::uint64_t bytes) {
      return static_cast<double>(bytes) / (1 << 20);
    };
    state.counters["events_per_second"] = static_cast<double>(made.events) / made.seconds;
    state.counters["cpu_us_per_event"] = 1e6 * cpu_seconds / static_cast<double>(made.events);
    state.counters["peak_mb"] = megabytes(peak);
    state.counters["state_mb"] = megabytes(made.state_bytes);
    if (limit > 0) state.counters["peak_of_limit"] = static_cast<double>(peak) / limit_bytes;
    state.counters["evicted"] = static_cast<double>(made.evicted);
    state.counters["asked"] = static_cast<double>(made.asked);
    state.counters["read"] = static_cast<double>(made.read);
    state.counters["commits"] = static_cast<double>(made.commits);
    // The same for every limit.
    state.counters["checksum"] = static_cast<double>(made.checksum % 1'000'000'007);
  }
}

BENCHMARK(memory_limit)
    ->ArgNames({"times", "skewed", "limited"})
    ->ArgsProduct({{1, 4, 10}, {0, 1}, {0, 1}})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
