// What checkpoints cost a job with a million keys of which a tenth changes between two of them.
//
// A window over a million keys is filled, one event a key. Then events come as fast as they are
// taken, all of them for the same 100,000 keys, so that each checkpoint finds a tenth of the rows
// changed. An event costs next to nothing to make; the window counts and sums.
//
// Each iteration runs for `seconds` without checkpoints, then with one each second, in turn: what
// is compared was measured within the same minutes. Figures begin when the window is full and
// its first commit, which has all keys, is done.
//
// Cost: CPU time of the whole process for an event, so that sorting, writing and compacting in
// other threads count, too; beside it events per second of wall time. The longest pause is what
// `job_metrics::checkpoint_pause_longest` says: how long a task was kept from its work by a barrier
// or by one slice of copying, wall time, with whatever else the machine did meanwhile. Where others
// use the machine, a task does less in a second, and a checkpoint costs it as much as before: then
// look at the CPU time of a checkpoint, which is the difference that it makes for all events.
// Restore is the time of `start` on the directory that the last run has left; then its window
// fires, and all its counts and sums have to be those of the events that were given.
//
//     checkpoint_bench --benchmark_out=checkpoint.json --benchmark_out_format=json
#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/job.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <time.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fr = freshet;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::uint64_t keys = 1'000'000;
constexpr std::uint64_t changing_keys = keys / 10;

struct event {
  std::uint64_t key = 0;
  std::int64_t amount = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, amount, at))

/// Events 0 to keys - 1 have a key each, all others one of the first tenth of the keys.
event event_of(std::uint64_t k) {
  const std::uint64_t bits = fr::mix_bits(k);
  return {k < keys ? k : bits % changing_keys, static_cast<std::int64_t>(bits >> 56),
          fr::timestamp{fr::duration{static_cast<std::int64_t>(k / 1'000)}}};
}

/// CPU time.
double process_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What all rows say together.
struct totals {
  std::uint64_t rows = 0;
  std::uint64_t count = 0;
  std::int64_t sum = 0;
  bool operator==(const totals&) const = default;
};

/// What readers tell of a run.
class progress {
 public:
  explicit progress(std::size_t splits) : filling_(splits) {}

  void note_filled() {
    if (--filling_ > 0) return;
    began_cpu_ = process_seconds();
    began_ = steady::now();
    filled_.store(true, std::memory_order_release);
  }
  bool filled() const { return filled_.load(std::memory_order_acquire); }
  void count(std::uint64_t more) { events_.fetch_add(more, std::memory_order_relaxed); }

  /// A split has been resumed where its next event is `next`.
  void note_resumed(std::size_t split, std::uint64_t next) {
    const std::lock_guard lock(mutex_);
    resumed_.emplace_back(split, next);
  }
  /// Counts and sums of all events before.
  totals before_resuming(std::size_t splits) const {
    totals all;
    all.rows = keys;
    for (const auto& [split, next] : resumed_) {
      for (std::uint64_t k = split; k < next; k += splits) {
        ++all.count;
        all.sum += event_of(k).amount;
      }
    }
    return all;
  }

  struct figures {
    std::uint64_t events = 0;
    double seconds = 0;
    double cpu_seconds = 0;
  };
  /// So far, since the window was full.
  figures now() const {
    const std::chrono::duration<double> passed = steady::now() - began_;
    return {events_.load(std::memory_order_relaxed), passed.count(),
            process_seconds() - began_cpu_};
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::size_t, std::uint64_t>> resumed_;
  std::atomic<std::size_t> filling_;
  std::atomic<bool> filled_{false};
  std::atomic<std::uint64_t> events_{0};
  double began_cpu_ = 0;
  steady::time_point began_;
};

/// Split s of S has the events s, s + S, s + 2 S and so on; from a position on it has none, so that
/// a job that resumes gets to its end.
class endless_source final : public fr::source<event> {
 public:
  endless_source(std::size_t splits, std::shared_ptr<progress> told)
      : splits_(splits), told_(std::move(told)) {}

  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < splits_; ++i) names.push_back(std::to_string(i));
    return names;
  }
  absl::StatusOr<std::unique_ptr<fr::split_reader<event>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    return std::make_unique<reader>(splits_, split, told_, position);
  }

 private:
  class reader final : public fr::split_reader<event> {
   public:
    reader(std::size_t splits, std::size_t split, std::shared_ptr<progress> told,
           std::optional<std::string_view> position)
        : splits_(splits), next_(split), told_(std::move(told)), ends_(position.has_value()) {
      if (!position) return;
      std::from_chars(position->data(), position->data() + position->size(), next_);
      told_->note_resumed(split, next_);
    }

    absl::StatusOr<fr::read_state> read(std::size_t limit, fr::batch<event>& rows,
                                        std::vector<fr::dead_letter>&) override {
      if (ends_) return fr::read_state::end;
      if (next_ >= keys && !told_->filled()) {
        if (!waits_) told_->note_filled();
        waits_ = true;
        if (!told_->filled()) return fr::read_state::idle;
      }
      const std::uint64_t end = next_ < keys ? keys : ~std::uint64_t{0};
      std::uint64_t given = 0;
      for (; given < limit && next_ < end; ++given, next_ += splits_) {
        rows.values.push_back(event_of(next_));
        rows.positions.push_back({next_, 0, 0});
      }
      if (end != keys) told_->count(given);
      return fr::read_state::more;
    }
    std::string position() const override { return std::to_string(next_); }
    std::optional<fr::duration> ask_again() const override { return 1ms; }

   private:
    const std::size_t splits_;
    std::uint64_t next_;
    std::shared_ptr<progress> told_;
    const bool ends_;
    bool waits_ = false;
  };

  std::size_t splits_;
  std::shared_ptr<progress> told_;
};

struct endless {
  using value_type = event;
  std::size_t splits = 1;
  std::shared_ptr<progress> told;

  absl::StatusOr<std::unique_ptr<fr::source<event>>> open() const {
    return std::make_unique<endless_source>(splits, told);
  }
};

/// Calls `use(pipeline)` with a job over `splits` splits.
template <class Use>
auto with_job(std::size_t splits, std::shared_ptr<progress> told, totals& all, Use use) {
  fr::pipeline p("checkpoint_bench");
  auto rows = p.from("events", endless{splits, std::move(told)}) |
              fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
              fr::window(fr::tumbling{24h * 365}, {.pre_aggregate = fr::pre_aggregation::never}) |
              fr::aggregate("features", fr::count("count"), fr::sum("sum", &event::amount));
  using row = decltype(rows)::value_type;
  rows | fr::to("totals", fr::callback([&all](const row& each) {
                  ++all.rows;
                  all.count += std::get<0>(each.values);
                  all.sum += std::get<1>(each.values);
                }));
  return use(p);
}

struct measured {
  double cpu_ns = 0;  ///< Of an event.
  double events_per_second = 0;
  double events = 0;
  double pause_ms = 0;
  double durable_ms = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t rows = 0;  ///< Of the newest checkpoint.
  std::uint64_t bytes = 0;
};

fr::run_options options_of(std::size_t parallelism, const std::string& directory) {
  fr::run_options options;
  options.parallelism = parallelism;
  options.rebalance_every = 0ms;
  options.latency_markers = 0ms;
  options.checkpoint.directory = directory;
  options.checkpoint.every = 1s;
  return options;
}

double milliseconds(fr::duration of) {
  return 1e-3 * static_cast<double>(of.count());
}

/// Runs for `seconds` after the window is full, and stops. `directory`: of checkpoints; empty for
/// none.
std::optional<measured> run_for(std::size_t parallelism, double seconds,
                                const std::string& directory) {
  const auto told = std::make_shared<progress>(parallelism);
  totals unused;
  return with_job(parallelism, told, unused, [&](fr::pipeline& p) -> std::optional<measured> {
    absl::StatusOr<fr::job> job = p.start(options_of(parallelism, directory));
    if (!job.ok()) return std::nullopt;
    while (!told->filled()) {
      if (job->wait_for(1ms)) return std::nullopt;
    }
    // The first commit has all keys.
    const auto committed = [&] { return job->metrics().checkpoints; };
    while (directory.empty() ? told->now().seconds < 2 : committed() < 2) {
      if (job->wait_for(1ms)) return std::nullopt;
    }
    const progress::figures before = told->now();
    const std::uint64_t checkpoints_before = committed();
    if (job->wait_for(std::chrono::ceil<fr::duration>(std::chrono::duration<double>(seconds)))) {
      return std::nullopt;
    }
    const fr::job_metrics metrics = job->metrics();
    progress::figures all = told->now();
    all.events -= before.events;
    all.seconds -= before.seconds;
    all.cpu_seconds -= before.cpu_seconds;
    job->stop();
    if (!job->wait().ok()) return std::nullopt;
    measured found;
    found.cpu_ns = 1e9 * all.cpu_seconds / static_cast<double>(all.events);
    found.events = static_cast<double>(all.events);
    found.events_per_second = static_cast<double>(all.events) / all.seconds;
    found.pause_ms = milliseconds(metrics.checkpoint_pause_longest);
    found.durable_ms = milliseconds(metrics.checkpoint_durable);
    found.checkpoints = metrics.checkpoints - checkpoints_before;
    found.rows = metrics.checkpoint_rows;
    found.bytes = metrics.checkpoint_bytes;
    return found;
  });
}

/// How long `start` takes to go on from what `directory` holds. Nothing when the rows that come out
/// then are not those of the events that are in the commit.
std::optional<double> restore_ms(std::size_t parallelism, const std::string& directory) {
  totals all;
  const auto told = std::make_shared<progress>(parallelism);
  const auto took = with_job(parallelism, told, all, [&](fr::pipeline& p) -> std::optional<double> {
    const steady::time_point before = steady::now();
    absl::StatusOr<fr::job> job = p.start(options_of(parallelism, directory));
    const std::chrono::duration<double, std::milli> passed = steady::now() - before;
    if (!job.ok() || !job->wait().ok()) return std::nullopt;
    return passed.count();
  });
  return all == told->before_resuming(parallelism) ? took : std::nullopt;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class temporary_directory {
 public:
  temporary_directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  std::string path() const { return (path_ / "state").string(); }

 private:
  std::filesystem::path path_;
};

struct line {
  std::size_t parallelism = 1;
  measured off, on;
  double checkpoint_cpu_ms = 0;  ///< What a checkpoint costs, wherever.
  double cost = 0;               ///< CPU per event: how much more.
  double lost = 0;               ///< Events per second: how much less.
  double restore_ms = 0;
  std::uint64_t checkpoints = 0;  ///< Of all runs.
};
std::vector<line>& lines() {
  static std::vector<line> all;
  return all;
}

/// \param range parallelism; seconds of each run.
void checkpoints(benchmark::State& state) {
  const auto parallelism = static_cast<std::size_t>(state.range(0));
  const auto seconds = static_cast<double>(state.range(1));
  line told;
  told.parallelism = parallelism;
  std::vector<double> of_checkpoint, costs, losses, off_cpu, on_cpu, off_rate, on_rate, restores;
  for (auto unused : state) {
    static_cast<void>(unused);
    const temporary_directory home;
    const std::optional<measured> off = run_for(parallelism, seconds, "");
    const std::optional<measured> on = run_for(parallelism, seconds, home.path());
    const std::optional<double> restored = on ? restore_ms(parallelism, home.path()) : std::nullopt;
    if (!off || !on || !restored) {
      state.SkipWithError("a run failed, or the restored rows are not those of its events");
      return;
    }
    costs.push_back(on->cpu_ns / off->cpu_ns - 1);
    of_checkpoint.push_back(1e-6 * (on->cpu_ns - off->cpu_ns) * on->events /
                            static_cast<double>(std::max<std::uint64_t>(1, on->checkpoints)));
    losses.push_back(1 - on->events_per_second / off->events_per_second);
    off_cpu.push_back(off->cpu_ns);
    on_cpu.push_back(on->cpu_ns);
    off_rate.push_back(off->events_per_second);
    on_rate.push_back(on->events_per_second);
    restores.push_back(*restored);
    const double longest = std::max(told.on.pause_ms, on->pause_ms);
    told.on = *on;
    told.on.pause_ms = longest;
    told.checkpoints += on->checkpoints;
  }
  told.cost = median(costs);
  told.lost = median(losses);
  told.checkpoint_cpu_ms = median(of_checkpoint);
  told.off.cpu_ns = median(off_cpu);
  told.on.cpu_ns = median(on_cpu);
  told.off.events_per_second = median(off_rate);
  told.on.events_per_second = median(on_rate);
  told.restore_ms = median(restores);
  state.counters["cost_percent"] = 100 * told.cost;
  state.counters["lost_percent"] = 100 * told.lost;
  state.counters["checkpoint_cpu_ms"] = told.checkpoint_cpu_ms;
  state.counters["off_cpu_ns"] = told.off.cpu_ns;
  state.counters["on_cpu_ns"] = told.on.cpu_ns;
  state.counters["pause_ms"] = told.on.pause_ms;
  state.counters["restore_ms"] = told.restore_ms;
  state.counters["checkpoints"] = static_cast<double>(told.checkpoints);
  state.counters["rows"] = static_cast<double>(told.on.rows);
  state.counters["bytes"] = static_cast<double>(told.on.bytes);
  lines().push_back(told);
}

BENCHMARK(checkpoints)
    ->ArgNames({"parallelism", "seconds"})
    ->ArgsProduct({{1, 2}, {16}})
    ->Iterations(6)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void print_table() {
  if (lines().empty()) return;
  constexpr const char* row = "{:<44}{:>12}{:>12}\n";
  for (const line& each : lines()) {
    fmt::print("\n");
    fmt::print(row,
               fmt::format("{} keys, {} % change, parallelism {}", keys, 100 * changing_keys / keys,
                           each.parallelism),
               "measured", "target");
    const auto tell = [&](const char* what, double value, int digits, const char* target) {
      fmt::print(row, what, fmt::format("{:.{}f}", value, digits), target);
    };
    tell("checkpoints", static_cast<double>(each.checkpoints), 0, ">= 60");
    tell("cost, % of CPU per event", 100 * each.cost, 1, "<= 5");
    tell("CPU time of a checkpoint, ms", each.checkpoint_cpu_ms, 1, "");
    tell("longest pause of a task, ms", each.on.pause_ms, 2, "<= 5");
    tell("restore of all keys, ms", each.restore_ms, 0, "<= 1000");
    tell("CPU per event without, ns", each.off.cpu_ns, 1, "");
    tell("CPU per event with, ns", each.on.cpu_ns, 1, "");
    tell("million events per second without", each.off.events_per_second / 1e6, 2, "");
    tell("million events per second with", each.on.events_per_second / 1e6, 2, "");
    tell("wall time lost, %", 100 * each.lost, 1, "");
    tell("rows of a checkpoint", static_cast<double>(each.on.rows), 0, "");
    tell("bytes of a checkpoint", static_cast<double>(each.on.bytes), 0, "");
    tell("barrier to durable, ms", each.on.durable_ms, 1, "");
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
