// Windows against loops written by hand: tumbling, sliding and session windows with a count and a
// sum, over few keys and many.
//
// Every iteration runs the loop (window_loops.hpp) and the pipeline, in turn, on the CPU time of
// this thread, over the same events, which both compute on the fly; their rows are compared. The
// pipeline has event times, watermarks, and rows for a sink. Counters:
//
//     ns_per_event, loop_ns_per_event   the best of the iterations
//     ratio                             of the two: below 1 is faster than the loop
//     ratio_absl                        the same against absl::flat_hash_map (tumbling)
//     rows_per_event                    how much of the work is rows
//     bytes_per_key                     of all memory that the pipeline has, at its largest
//     stall_ms                          the longest time in which no event was taken and no row
//                                       given, at best: what a slice takes at most
#include "window_loops.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <benchmark/benchmark.h>

#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace {

namespace fr = freshet;
using namespace std::chrono_literals;
using loops::digest;
using loops::event;

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What the program has asked for and not given back.
double bytes_in_use() {
  const auto now = ::mallinfo2();
  return static_cast<double>(now.uordblks + now.hblkhd);
}

struct load {
  std::uint64_t count = 0;
  std::uint64_t keys = 0;
  std::int64_t between_us = 1;   ///< Two events.
  std::int64_t disorder_us = 0;  ///< Events come up to so much later.

  event operator()(std::uint64_t k) const {
    const std::uint64_t bits = fr::mix_bits(k);
    std::int64_t at = static_cast<std::int64_t>(k) * between_us;
    if (disorder_us > 0)
      at += disorder_us -
            static_cast<std::int64_t>(fr::mix_bits(bits) % static_cast<std::uint64_t>(disorder_us));
    return {bits % keys, static_cast<std::int64_t>(bits >> 32 & 0x3f),
            fr::timestamp{fr::duration{at}}};
  }
};

/// Best times and largest sizes of several runs.
struct measured {
  double seconds = 1e9;
  double bytes = 0;
  double stall = 1e9;
  digest found;
};

/// Looks at clock and memory now and then while a pipeline runs.
class observer {
 public:
  void event() {
    if ((++events_ & 255) == 0) look();
    if ((events_ & 0xfffff) == 0) bytes_ = std::max(bytes_, bytes_in_use());
  }
  void row() {
    if ((++rows_ & 255) == 0) look();
  }
  double stall() const { return stall_; }
  double bytes() const { return bytes_; }

 private:
  void look() {
    const double now = thread_seconds();
    if (last_ > 0) stall_ = std::max(stall_, now - last_);
    last_ = now;
  }

  std::uint64_t events_ = 0;
  std::uint64_t rows_ = 0;
  double last_ = 0;
  double stall_ = 0;
  double bytes_ = 0;
};

template <class Assigner, class Amount>
digest run_pipeline(const load& of, const Assigner& assigner, Amount amount, observer* watched) {
  digest all;
  fr::pipeline p("window_bench");
  auto totals = p.from("events", fr::generate(
                                     [of, watched](std::uint64_t k) {
                                       if (watched != nullptr) watched->event();
                                       return of(k);
                                     },
                                     {.count = of.count})) |
                fr::event_time(&event::at, fr::bounded_disorder(fr::duration{of.disorder_us})) |
                fr::key_by(&event::key) | fr::window(assigner) |
                fr::aggregate("totals", fr::count("events"), fr::sum("amount", amount));
  using row = typename decltype(totals)::value_type;
  totals | fr::to("digest", fr::callback([&all, watched](const row& each) {
                    if (watched != nullptr) watched->row();
                    const auto& [count, sum] = each.values;
                    all.add(each.key, each.window.end.time_since_epoch().count(), count,
                            static_cast<std::int64_t>(sum));
                  }));
  if (!p.run().ok()) all = {};
  return all;
}

template <class Run>
void measure(measured& into, Run&& run) {
  const double start = thread_seconds();
  into.found = run();
  into.seconds = std::min(into.seconds, thread_seconds() - start);
}

template <class Assigner, class Amount, class Loop>
void compare(benchmark::State& state, const load& of, const Assigner& assigner, Amount amount,
             Loop&& loop, bool with_absl = false, std::int64_t size = 0) {
  measured ours;
  measured theirs;
  measured absl_map;
  for (auto unused : state) {
    static_cast<void>(unused);
    measure(theirs, [&] { return loop(of); });
    measure(ours, [&] { return run_pipeline(of, assigner, amount, nullptr); });
    if (with_absl) measure(absl_map, [&] { return loops::tumbling_absl(of, of.count, size); });
    if (!(ours.found == theirs.found) || (with_absl && !(absl_map.found == theirs.found)))
      state.SkipWithError("the results disagree");
    state.SetIterationTime(ours.seconds);
    // Watched runs are not timed.
    const double before = bytes_in_use();
    observer watched;
    run_pipeline(of, assigner, amount, &watched);
    ours.bytes = std::max(ours.bytes, watched.bytes() - before);
    ours.stall = std::min(ours.stall, watched.stall());
  }
  const auto events = static_cast<double>(of.count);
  state.counters["ns_per_event"] = ours.seconds * 1e9 / events;
  state.counters["loop_ns_per_event"] = theirs.seconds * 1e9 / events;
  state.counters["ratio"] = ours.seconds / theirs.seconds;
  if (with_absl) {
    state.counters["absl_ns_per_event"] = absl_map.seconds * 1e9 / events;
    state.counters["ratio_absl"] = ours.seconds / absl_map.seconds;
  }
  state.counters["rows_per_event"] = static_cast<double>(ours.found.rows) / events;
  state.counters["bytes_per_key"] = ours.bytes / static_cast<double>(of.keys);
  state.counters["stall_ms"] = ours.stall * 1e3;
}

/// \param range keys. Windows hold ten events of each key, and at least 100,000.
void tumbling(benchmark::State& state) {
  load of;
  of.keys = static_cast<std::uint64_t>(state.range(0));
  const auto size = static_cast<std::int64_t>(std::max<std::uint64_t>(100'000, 10 * of.keys));
  of.count = static_cast<std::uint64_t>(std::max<std::int64_t>(3 * size, 8'000'000));
  compare(
      state, of, fr::tumbling(fr::duration{size}), &event::amount,
      [size](const load& each) { return loops::tumbling(each, each.count, size); }, true, size);
}

/// Of a million events per second of event time.
template <class Amount>
void sliding(benchmark::State& state, Amount amount) {
  load of;
  of.keys = static_cast<std::uint64_t>(state.range(0));
  const auto size = std::chrono::seconds(state.range(1));
  of.count = static_cast<std::uint64_t>(state.range(1)) * 5 / 4 * 1'000'000;
  compare(state, of, fr::sliding(size, 1s), amount, [size](const load& each) {
    return loops::sliding(each, each.count, fr::duration(size).count(), 1'000'000);
  });
}

/// The sum is of integers, which can be subtracted.
void sliding_sum(benchmark::State& state) {
  sliding(state, &event::amount);
}

/// The same numbers as floating point, which is never subtracted. The loop is the same.
void sliding_float_sum(benchmark::State& state) {
  sliding(state, [](const event& one) { return static_cast<double>(one.amount); });
}

/// A key has an event every 15 s on average, so that about one in seven ends a session.
void session(benchmark::State& state) {
  load of;
  of.keys = static_cast<std::uint64_t>(state.range(0));
  of.between_us = static_cast<std::int64_t>(15'000'000 / of.keys);
  of.disorder_us = 10'000'000;
  of.count = 8 * of.keys;
  compare(state, of, fr::session(30s), &event::amount, [](const load& each) {
    return loops::sessions(each, each.count, 30'000'000, each.disorder_us);
  });
}

BENCHMARK(tumbling)
    ->ArgNames({"keys"})
    ->Arg(100)
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(sliding_sum)
    ->ArgNames({"keys", "size_s"})
    ->Args({100, 10})
    ->Args({10'000, 10})
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(sliding_sum)
    ->ArgNames({"keys", "size_s"})
    ->Args({1'000'000, 60})
    ->Iterations(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(sliding_float_sum)
    ->ArgNames({"keys", "size_s"})
    ->Args({100, 10})
    ->Args({10'000, 10})
    ->Args({1'000'000, 60})
    ->Iterations(2)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(session)
    ->ArgNames({"keys"})
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Iterations(3)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
