// Splits of very different lengths stay together in event time, and records of one key in order.
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t split_count = 10;
constexpr duration max_drift = 1s;
constexpr duration apart = 10ms;

run_options in_parallel(std::size_t parallelism) {
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  options.max_drift = max_drift;
  options.channel_batches = 1;  // What is under way has been read as well.
  return options;
}

/// The longest is half of all.
std::uint64_t length_of(std::size_t split) {
  return std::uint64_t{300} << split;
}

/// How far the splits have been read, by the last event time that each has given.
struct progress {
  std::array<std::atomic<std::int64_t>, split_count> at;
  std::atomic<std::uint64_t> longest_read{0};
  std::atomic<std::int64_t> furthest_ahead{0};

  progress() {
    for (auto& each : at) each = std::numeric_limits<std::int64_t>::min();
  }

  /// Before a split is read: how far it is ahead of the slowest that has not ended. Others can only
  /// have moved on since the engine decided.
  void look(std::size_t split) {
    const std::int64_t own = at[split];
    std::int64_t slowest = own;
    for (const auto& each : at) slowest = std::min(slowest, each.load());
    if (slowest == own) return;
    const std::int64_t ahead = slowest == std::numeric_limits<std::int64_t>::min()
                                   ? std::numeric_limits<std::int64_t>::max()
                                   : own - slowest;
    std::int64_t known = furthest_ahead;
    while (known < ahead && !furthest_ahead.compare_exchange_weak(known, ahead)) {
    }
  }

  function_source source() {
    return {split_count,
            [this](std::size_t split, std::uint64_t from, std::size_t limit,
                   std::vector<reading>& rows) -> absl::StatusOr<read_state> {
              look(split);
              const std::uint64_t count = length_of(split);
              std::uint64_t number = from;
              for (; number < count && rows.size() < limit; ++number) {
                const auto index = static_cast<std::int64_t>(number);
                rows.push_back({index % 8, index, timestamp(apart * index), {}});
              }
              if (split + 1 == split_count) longest_read = number;
              at[split] = number == count ? std::numeric_limits<std::int64_t>::max()
                                          : rows.back().at.time_since_epoch().count();
              return number == count ? read_state::end : read_state::more;
            }};
  }
};

/// Emits each record as it comes.
struct pass_on {
  void process(const reading& each, auto& context) { context.emit(each); }
};

}  // namespace

TEST_CASE("no split is read further ahead of the others than max_drift and a batch",
          "[runtime][alignment]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  progress splits;
  std::atomic<std::uint64_t> longest_at_first_row{0};
  std::atomic<std::int64_t> counted{0};
  pipeline p("uneven");
  p.from("in", splits.source()) | event_time(&reading::at, bounded_disorder{0us}) |
      key_by(&reading::key) | window(tumbling{1s}) | aggregate("w", count("n")) |
      map([&](const auto& row) {
        std::uint64_t none = 0;
        longest_at_first_row.compare_exchange_strong(none, splits.longest_read.load());
        counted += static_cast<std::int64_t>(std::get<0>(row.values));
        return reading{};
      }) |
      to("out", callback(sink_function([](const reading&) {})));
  run_summary summary;
  REQUIRE(p.run(in_parallel(parallelism), &summary).ok());
  std::uint64_t records = 0;
  for (std::size_t split = 0; split < split_count; ++split) records += length_of(split);
  REQUIRE(summary.metrics.records() == records);
  REQUIRE(counted == static_cast<std::int64_t>(records));
  INFO("parallelism " << parallelism << ", at most " << splits.furthest_ahead << " us ahead");
  CHECK(splits.furthest_ahead <= max_drift.count());
  CHECK(longest_at_first_row > 0);
  CHECK(longest_at_first_row < length_of(split_count - 1) / 2);
}

TEST_CASE("records of one split and key stay in order on their way through exchanges",
          "[runtime][alignment]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  constexpr std::uint64_t each_split = 20'000;
  constexpr std::size_t splits = 5;
  std::map<std::int64_t, std::int64_t> next_forwarded;
  std::map<std::int64_t, std::int64_t> next_keyed;
  std::atomic<int> out_of_order{0};
  const auto follow = [&](std::map<std::int64_t, std::int64_t>& next) -> sink_function {
    return [&](const reading& each) {
      if (each.number != next[each.key]++) ++out_of_order;
    };
  };
  pipeline p("in order");
  // The key of a record is its split.
  const auto in = p.from("in", counting_source(splits, each_split)) |
                  event_time(&reading::at, bounded_disorder{0us});
  in | filter([](const reading&) { return true; }) |
      to("forwarded", callback(follow(next_forwarded)));
  in | key_by(&reading::key) | process<reading>("keyed", pass_on{}) |
      to("keyed", callback(follow(next_keyed)));
  REQUIRE(p.run(in_parallel(parallelism)).ok());
  CHECK(out_of_order == 0);
  for (const auto* next : {&next_forwarded, &next_keyed}) {
    REQUIRE(next->size() == splits);
    for (const auto& [key, count] : *next) CHECK(count == each_split);
  }
}
