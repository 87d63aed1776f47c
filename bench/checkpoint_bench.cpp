// What checkpoints cost a job with a million keys of which a tenth changes between two of them.
//
// A window over a million keys is filled, one event a key. Then events come as fast as they are
// taken, all of them for the same 100,000 keys, so that each checkpoint finds a tenth of the rows
// changed. An event costs next to nothing to make; the window counts and sums.
//
// Each repetition runs for half of `seconds` without checkpoints, then for `seconds` with one each
// second: what is compared was measured within the same minute. Figures begin when the window is
// full and its first commit, which has all keys, is done.
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
//     checkpoint_bench --benchmark_filter=parallelism:1 --benchmark_repetitions=4
#include "measuring.hpp"

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

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::process_seconds;
using measuring::temporary_directory;
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

/// \param range parallelism; seconds of each run.
void checkpoints(benchmark::State& state) {
  const auto parallelism = static_cast<std::size_t>(state.range(0));
  const auto seconds = static_cast<double>(state.range(1));
  for (auto unused : state) {
    static_cast<void>(unused);
    const temporary_directory home;
    const std::optional<measured> off = run_for(parallelism, seconds / 2, "");
    const std::optional<measured> on = run_for(parallelism, seconds, home.path());
    const std::optional<double> restored = on ? restore_ms(parallelism, home.path()) : std::nullopt;
    if (!off || !on || !restored) {
      state.SkipWithError("a run failed, or the restored rows are not those of its events");
      return;
    }
    state.counters["cost_percent"] = 100 * (on->cpu_ns / off->cpu_ns - 1);
    state.counters["lost_percent"] = 100 * (1 - on->events_per_second / off->events_per_second);
    state.counters["checkpoint_cpu_ms"] =
        1e-6 * (on->cpu_ns - off->cpu_ns) * on->events /
        static_cast<double>(std::max<std::uint64_t>(1, on->checkpoints));
    state.counters["off_cpu_ns"] = off->cpu_ns;
    state.counters["on_cpu_ns"] = on->cpu_ns;
    state.counters["off_per_second"] = off->events_per_second;
    state.counters["on_per_second"] = on->events_per_second;
    state.counters["pause_ms"] = on->pause_ms;
    state.counters["durable_ms"] = on->durable_ms;
    state.counters["restore_ms"] = *restored;
    state.counters["checkpoints"] = static_cast<double>(on->checkpoints);
    state.counters["rows"] = static_cast<double>(on->rows);
    state.counters["bytes"] = static_cast<double>(on->bytes);
  }
}

BENCHMARK(checkpoints)
    ->ArgNames({"parallelism", "seconds"})
    ->ArgsProduct({{1, 2}, {16}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
