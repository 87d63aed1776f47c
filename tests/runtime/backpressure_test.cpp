// A sink that stands still stops what is above it, and nothing piles up in between.
//
// The bound in batches of `batch_rows_max` rows: every channel holds `channel_batches`, and its
// sender one that is being filled. Every task holds what it works at and what one slice of its work
// emits without finding room: two batches at most when a whole batch meets one that is half full.
// An operator that emits more than it receives looks for room after every batch of rows; what one
// call of its function emits comes on top of it.
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>

using namespace freshet;
using namespace freshet::test;

namespace {

constexpr std::size_t channel_batches = 2;

run_options in_parallel(std::size_t parallelism) {
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  options.channel_batches = channel_batches;
  options.stop_within = std::chrono::hours(24);  // Threads of a loaded machine take their time.
  return options;
}

std::uint64_t rows_at_most(std::size_t channels, std::size_t tasks) {
  return batch_rows_max * (channels * (channel_batches + 1) + tasks * 3);
}

/// Of a source with a split for every task, a `rebalance`, and a sink.
std::uint64_t rows_at_most(std::size_t parallelism) {
  if (parallelism == 1) return rows_at_most(0, 1);
  return rows_at_most(parallelism * parallelism + parallelism, 2 * parallelism + 1);
}

/// The same with `key_by` and a keyed operator in place of the `rebalance`.
std::uint64_t rows_at_most_keyed(std::size_t parallelism) {
  return rows_at_most(parallelism);
}

/// What arrives at a sink that waits at a gate.
struct arrivals {
  gate stands;
  std::atomic<std::uint64_t> rows{0};
  std::atomic<std::int64_t> numbers{0};

  sink_function take() {
    return [this](const reading& each) {
      stands.pass();
      rows.fetch_add(1);
      numbers.fetch_add(each.number);
    };
  }
};

/// A record of each split, which are silent from then on.
function_source one_each_and_no_end(std::size_t splits) {
  return {splits,
          [](std::size_t split, std::uint64_t from, std::size_t, std::vector<reading>& rows) {
            if (from == 0) rows.push_back({static_cast<std::int64_t>(split), 0, {}, {}});
            return absl::StatusOr<read_state>(read_state::idle);
          }};
}

/// Emits rows without end, by timers that are always due.
struct heartbeat {
  static constexpr int rows_each = 500;
  counter beats;

  void process(const reading&, auto& context) { beat_again(context); }
  void on_timer(const timer&, auto& context) {
    for (int row = 0; row < rows_each; ++row) context.emit(reading{});
    beats->fetch_add(1);
    beat_again(context);
  }
  void beat_again(auto& context) {
    context.set_processing_timer(context.processing_time() + duration{1});
  }
};

/// Emits many rows for every record.
struct many_rows {
  static constexpr int rows_each = 5'000;

  void process(const reading& each, auto& context) {
    for (int row = 0; row < rows_each; ++row) context.emit(each);
  }
};

/// Emits many rows for a key when the watermark has passed all records.
struct wake_up {
  static constexpr int rows_each = 2'000;

  void process(const reading&, auto& context) {
    context.set_event_timer(timestamp(std::chrono::hours(1)));
  }
  void on_timer(const timer&, auto& context) {
    for (int row = 0; row < rows_each; ++row) context.emit(reading{});
  }
};

/// Runs `rows_of(source)` into a sink that stands still until everything is at rest, and checks
/// that there were never more than `bound` records. \return how many rows arrived in the end.
template <class RowsOf>
std::uint64_t most_while_sink_stands(std::uint64_t bound, std::size_t parallelism,
                                     const function_source& source, const RowsOf& rows_of) {
  living::forget();
  const std::int64_t living_before = living::count;
  arrivals at_sink;
  {
    pipeline p("stalled");
    rows_of(p.from("in", source)) | to("out", callback(at_sink.take()));
    auto job = p.start(in_parallel(parallelism));
    REQUIRE(job.ok());
    const opens_at_end lets_go(at_sink.stands);
    at_sink.stands.await_somebody();
    (void)at_rest([&] { return static_cast<std::uint64_t>(living::count.load()); });
    at_sink.stands.open();
    REQUIRE(job->wait().ok());
  }
  INFO("most " << living::most << ", bound " << bound);
  CHECK(living::most - living_before <= static_cast<std::int64_t>(bound));
  return at_sink.rows;
}

}  // namespace

TEST_CASE("a sink that stands still stops the source, and no rows pile up",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  const std::uint64_t bound = rows_at_most(parallelism);
  const std::uint64_t each_split = 10 * bound / parallelism;
  const auto read = counts();
  living::forget();
  const std::int64_t living_before = living::count;
  arrivals at_sink;
  {
    pipeline p("stalled");
    p.from("in", counting_source(parallelism, each_split, read)) | rebalance() |
        to("out", callback(at_sink.take()));
    auto job = p.start(in_parallel(parallelism));
    REQUIRE(job.ok());
    const opens_at_end lets_go(at_sink.stands);
    at_sink.stands.await_somebody();
    const std::uint64_t rested = at_rest([&] { return read->load(); });
    CHECK(rested <= bound);
    // The channels are full: they are what holds the source back.
    if (parallelism > 1) CHECK(rested >= parallelism * channel_batches * batch_rows_max);
    CHECK(at_sink.rows == 0);
    at_sink.stands.open();
    const absl::Status done = job->wait();
    INFO(done.ToString());
    REQUIRE(done.ok());
    CHECK(job->metrics().rows() == parallelism * each_split);
  }
  const auto n = static_cast<std::int64_t>(each_split);
  CHECK(at_sink.rows == parallelism * each_split);
  CHECK(at_sink.numbers == static_cast<std::int64_t>(parallelism) * (n * (n - 1) / 2));
  INFO("most " << living::most << ", bound " << bound);
  CHECK(living::most - living_before <= static_cast<std::int64_t>(bound));
  CHECK(living::count == living_before);
}

TEST_CASE("a sink that stands still makes push wait, and try_push say no",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  constexpr std::size_t capacity = 64;
  // One split, so one task reads.
  const std::uint64_t bound = parallelism == 1
                                  ? rows_at_most(0, 1)
                                  : rows_at_most(parallelism + parallelism, 1 + parallelism + 1);
  const std::uint64_t total = 4 * bound;
  channel<reading> in({.capacity = capacity});
  arrivals at_sink;
  pipeline p("pushed");
  p.from("in", in) | rebalance() | to("out", callback(at_sink.take()));
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  std::atomic<std::uint64_t> pushed{0};
  std::thread pusher([&] {
    while (pushed < total && in.push(reading{}).ok()) pushed.fetch_add(1);
  });
  std::uint64_t tried = 0;
  absl::Status refused;
  {
    const opens_at_end lets_go(at_sink.stands);
    at_sink.stands.await_somebody();
    (void)at_rest([&] { return pushed.load(); });
    wait_until([&] {
      const absl::Status status = in.try_push(reading{}).status();
      if (status.ok()) ++tried;
      refused = status;
      return !status.ok();
    });
    CHECK(absl::IsResourceExhausted(refused));
    CHECK(pushed + tried <= bound + capacity);
    CHECK(at_sink.rows == 0);
  }
  pusher.join();
  in.close();
  REQUIRE(job->wait().ok());
  CHECK(pushed == total);
  CHECK(at_sink.rows == total + tried);
}

TEST_CASE("a flat_map of many rows per record keeps no more than those of one record",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  constexpr std::uint64_t rows_each = 5'000;
  const std::uint64_t flowing =
      parallelism == 1 ? rows_at_most(0, 1) : rows_at_most(parallelism, parallelism + 1);
  const std::uint64_t bound = flowing + parallelism * rows_each;
  // All of them in one read: ten times the bound comes out of one batch.
  const std::uint64_t each_split = 10 * bound / rows_each / parallelism;
  REQUIRE(each_split < batch_rows_max);
  const std::uint64_t rows = most_while_sink_stands(
      bound, parallelism, counting_source(parallelism, each_split), [](const auto& in) {
        return in | flat_map<reading>([](const reading& each, auto& emit) {
                 for (std::uint64_t i = 0; i < rows_each; ++i) emit(each);
               });
      });
  CHECK(rows == parallelism * each_split * rows_each);
}

TEST_CASE("a process function of many rows per record keeps no more than those of one record",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  constexpr std::uint64_t rows_each = many_rows::rows_each;
  const std::uint64_t bound = rows_at_most_keyed(parallelism) + parallelism * rows_each;
  const std::uint64_t each_split = 10 * bound / rows_each / parallelism;
  REQUIRE(each_split < batch_rows_max);
  const std::uint64_t rows = most_while_sink_stands(
      bound, parallelism, counting_source(parallelism, each_split), [](const auto& in) {
        return in | key_by(&reading::number) | process<reading>("fan out", many_rows{});
      });
  CHECK(rows == parallelism * each_split * rows_each);
}

TEST_CASE("timers of one watermark keep no more rows than those of one timer",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  const std::uint64_t bound = rows_at_most_keyed(parallelism) + parallelism * wake_up::rows_each;
  const std::uint64_t each_split = 10 * bound / wake_up::rows_each / parallelism;
  REQUIRE(each_split < batch_rows_max);
  const std::uint64_t rows = most_while_sink_stands(
      bound, parallelism, counting_source(parallelism, each_split), [](const auto& in) {
        return in | event_time(&reading::at, ascending{}) | key_by(&reading::number) |
               process<reading>("wake up", wake_up{});
      });
  // One key, one timer, however many splits have the key.
  CHECK(rows == each_split * wake_up::rows_each);
}

TEST_CASE("a window of many keys keeps no more rows than those of a slice",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  // A slice of a window is four batches, and each task has one.
  const std::uint64_t bound = rows_at_most_keyed(parallelism) + parallelism * 2 * batch_rows_max;
  const std::uint64_t each_split = 4 * bound;
  const std::uint64_t keys = each_split;  // Every split has all of them.
  const auto rows_of = [](const auto& in) {
    auto totals = in | event_time(&reading::at, ascending{}) | key_by(&reading::number) |
                  window(tumbling{std::chrono::hours(1)}) | aggregate("all", count("readings"));
    return totals | map([](const auto& row) { return reading{row.key, 0, row.window.end, {}}; });
  };
  // The rows of windows do not count themselves, those that are made of them do.
  const std::uint64_t rows =
      most_while_sink_stands(bound, parallelism, counting_source(parallelism, each_split), rows_of);
  CHECK(rows == keys);
}

TEST_CASE("timers that are due wait for a sink that stands still", "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  constexpr std::uint64_t keys = 512;  // All of them are due at once.
  const std::uint64_t bound = rows_at_most_keyed(parallelism) + parallelism * heartbeat::rows_each;
  REQUIRE(keys * heartbeat::rows_each > 2 * bound);
  const counter beats = counts();
  arrivals at_sink;
  pipeline p("beating");
  p.from("in", one_each_and_no_end(keys)) | key_by(&reading::key) |
      process<reading>("beat", heartbeat{beats}) | to("out", callback(at_sink.take()));
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  {
    const opens_at_end lets_go(at_sink.stands);
    at_sink.stands.await_somebody();
    CHECK(at_rest([&] { return beats->load() * heartbeat::rows_each; }, 2 * bound) <= bound);
  }
  wait_until([&] { return at_sink.rows > bound; });
  job->stop();  // Its barrier meets an operator that always has something to do.
  const absl::Status ended = job->wait();
  INFO(ended.ToString());
  REQUIRE(ended.ok());
}

TEST_CASE("nobody asks a source that is due for as long as the sink stands still",
          "[runtime][backpressure]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  const counter read = counts();
  function_source source = counting_source(parallelism, endless, read);
  source.asked = counts();
  source.function = [counted = source.function](
                        std::size_t split, std::uint64_t from, std::size_t limit,
                        std::vector<reading>& rows) -> absl::StatusOr<read_state> {
    (void)counted(split, from, limit, rows);
    return read_state::idle;
  };
  arrivals at_sink;
  pipeline p("due");
  p.from("in", source) | to("out", callback(at_sink.take()));
  auto job = p.start(in_parallel(parallelism));
  REQUIRE(job.ok());
  {
    const opens_at_end lets_go(at_sink.stands);
    at_sink.stands.await_somebody();
    (void)at_rest([&] { return read->load(); });
    const std::uint64_t before = *source.asked;
    const std::uint64_t after = at_rest([&] { return source.asked->load(); }, before + 1'000);
    CHECK(after - before < 1'000);
  }
  job->stop();
  REQUIRE(job->wait().ok());
  CHECK(at_sink.rows == *read);
}
