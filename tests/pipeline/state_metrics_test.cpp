// What operators tell of their state: how many entries, and how much memory.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/freshet.hpp>
#include <freshet/testing/harness.hpp>

#include <map>
#include <set>
#include <thread>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

struct sizes {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

sizes state_of(frt::harness& h, std::string_view kind, std::string_view name) {
  const fr::operator_metrics all = h.metrics().of(kind, name);
  return {all.state_entries, all.state_bytes};
}

/// 200 records of 9 keys in [0, 100), in no order.
std::vector<event> random_events(std::mt19937_64& random) {
  std::vector<event> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back({std::string(1, static_cast<char>('a' + random() % 9)), 1,
                   tick(static_cast<std::int64_t>(random() % 100))});
  }
  return all;
}

template <class Input>
void push_all(const Input& in, const std::vector<event>& all) {
  for (const event& each : all) in.push(each, each.at);
}

/// Pairs of a key and a pane of 10 ticks whose last window, of 20 ticks, ends after `watermark`.
std::size_t naive_panes(const std::vector<event>& all, std::int64_t watermark) {
  std::set<std::pair<std::string, std::int64_t>> held;
  for (const event& each : all) {
    const std::int64_t begin = each.at.time_since_epoch().count() / 10 * 10;
    if (begin + 20 > watermark) held.emplace(each.key, begin);
  }
  return held.size();
}

/// Sessions with a gap of 5 ticks that end after `watermark`.
std::size_t naive_sessions(const std::vector<event>& all, std::int64_t watermark) {
  std::map<std::string, std::set<std::int64_t>> times;
  for (const event& each : all) times[each.key].insert(each.at.time_since_epoch().count());
  std::size_t open = 0;
  for (const auto& [key, of_key] : times) {
    for (auto each = of_key.begin(); each != of_key.end(); ++each) {
      const auto next = std::next(each);
      const bool is_last = next == of_key.end() || *next >= *each + 5;
      if (is_last && *each + 5 > watermark) ++open;
    }
  }
  return open;
}

}  // namespace

TEST_CASE("windows count the pairs of a key and a window, or a pane of several, that are open",
          "[pipeline][metrics]") {
  std::mt19937_64 random(GENERATE(1U, 2U, 3U, 4U, 5U));
  const std::vector<event> all = random_events(random);
  frt::harness h;
  const auto in = h.input<event>("in");
  const auto keyed = in.stream() | fr::key_by(&event::key);
  h.collect(keyed | fr::window(fr::sliding{ticks_long(20), ticks_long(10)}) |
            fr::aggregate("sliding", fr::count("n")));
  h.collect(keyed | fr::window(fr::session{ticks_long(5)}) |
            fr::aggregate("session", fr::count("n")));
  push_all(in, all);
  for (const std::int64_t watermark : {0, 10, 37, 80, 200}) {
    in.watermark(tick(watermark));
    if (random() % 2 == 0) h.snapshot_and_restore();
    INFO(watermark);
    REQUIRE(state_of(h, "window", "sliding").entries == naive_panes(all, watermark));
    REQUIRE(state_of(h, "window", "session").entries == naive_sessions(all, watermark));
  }
}

TEST_CASE("fired windows that are open to late records still count", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  h.collect(in.stream() | fr::key_by(&event::key) |
            fr::window(fr::tumbling{ticks_long(10)}, {.allowed_lateness = ticks_long(20)}) |
            fr::aggregate("w", fr::count("n")));
  push_all(in, {{"a", 1, tick(1)}, {"b", 1, tick(2)}});
  in.watermark(tick(29));
  REQUIRE(state_of(h, "window", "w").entries == 2);
  in.watermark(tick(30));
  REQUIRE(state_of(h, "window", "w").entries == 0);
}

TEST_CASE("records that wait until the watermark has passed them count", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in", {.splits = 2});
  h.collect(in.stream() | fr::key_by(&event::key) | fr::window(fr::tumbling{ticks_long(10)}) |
            fr::aggregate("w", fr::count("n")));
  // Split 0 has promised more than split 1: its late record waits.
  in.split(0).watermark(tick(50));
  in.split(0).push({"a", 1, tick(3)}, tick(3));
  REQUIRE(state_of(h, "window", "w").entries == 1);
  in.watermark(tick(60));
  REQUIRE(state_of(h, "window", "w").entries == 0);
}

TEST_CASE("windows of counts and of processing time tell what they hold", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  const auto keyed = in.stream() | fr::key_by(&event::key);
  h.collect(keyed | fr::window(fr::count_window{.size = 3}) |
            fr::aggregate("counts", fr::count("n")));
  h.collect(keyed | fr::window(fr::processing_time(fr::tumbling{ticks_long(10)})) |
            fr::aggregate("clock", fr::count("n")));
  push_all(in, {{"a", 1, tick(1)}, {"b", 1, tick(2)}, {"b", 1, tick(3)}});
  REQUIRE(state_of(h, "window", "counts").entries == 2);
  REQUIRE(state_of(h, "window", "clock").entries == 2);
  h.clock().advance(ticks_long(10));
  REQUIRE(state_of(h, "window", "counts").entries == 2);
  REQUIRE(state_of(h, "window", "clock").entries == 0);
}

TEST_CASE("orders and samplers count the records that wait, trailing its keys, too",
          "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  h.collect(in.stream() | fr::ordered("o"));
  h.collect(in.stream() | fr::key_by(&event::key) |
            fr::trailing("t", {ticks_long(100)}, fr::count("n")));
  push_all(in, {{"a", 1, tick(1)}, {"b", 1, tick(2)}, {"b", 1, tick(9)}});
  REQUIRE(state_of(h, "ordered", "o").entries == 3);
  REQUIRE(state_of(h, "trailing", "t").entries == 3);
  in.watermark(tick(5));
  REQUIRE(state_of(h, "ordered", "o").entries == 1);
  REQUIRE(state_of(h, "trailing", "t").entries == 3);  // Two keys, and a record.
  in.watermark(tick(500));
  REQUIRE(state_of(h, "ordered", "o").entries == 0);
  REQUIRE(state_of(h, "trailing", "t").entries == 0);
}

TEST_CASE("operators without state say that they hold nothing", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  h.collect(in.stream() | fr::map([](const event& each) { return each; }) |
            fr::filter([](const event&) { return true; }));
  push_all(in, {{"a", 1, tick(1)}, {"b", 1, tick(2)}});
  for (const fr::operator_metrics& each : h.metrics().operators) {
    INFO(each.place);
    REQUIRE(each.state_entries == 0);
    REQUIRE(each.state_bytes == 0);
  }
}

TEST_CASE("bytes of state follow the entries, and what strings and lists own",
          "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  const auto keyed = in.stream() | fr::key_by(&event::key);
  h.collect(keyed | fr::window(fr::tumbling{ticks_long(100)}) |
            fr::aggregate("counts", fr::count("n")));
  h.collect(keyed | fr::window(fr::tumbling{ticks_long(100)}) |
            fr::aggregate("lists", fr::collect("all", &event::value)));
  const std::string tail(200, 'x');
  for (int key = 0; key < 100; ++key) {
    for (int i = 0; i < 50; ++i) in.push({std::to_string(key) + tail, 1, tick(1)}, tick(1));
  }
  const sizes counts = state_of(h, "window", "counts");
  const sizes lists = state_of(h, "window", "lists");
  REQUIRE(counts.entries == 100);
  REQUIRE(lists.entries == 100);
  // Each key owns 202 to 203 bytes, and each list 50 values of at least 24.
  REQUIRE(counts.bytes >= 100 * (sizeof(std::string) + 202));
  REQUIRE(counts.bytes <= 100 * 1000);
  REQUIRE(lists.bytes >= counts.bytes + 100 * 50 * 24);
  REQUIRE(lists.bytes <= counts.bytes + 100 * 50 * 200);
}

TEST_CASE("the state of an operator is that of all its tasks, also after a stop",
          "[pipeline][metrics]") {
  const std::size_t parallelism = GENERATE(1U, 2U, 4U);
  fr::channel<event> in{{.capacity = 10'000}};
  fr::pipeline p("state");
  const auto when = GENERATE(fr::pre_aggregation::adaptive, fr::pre_aggregation::always);
  p.from("in", in) | fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
      fr::window(fr::tumbling{ticks_long(100)}, {.pre_aggregate = when}) |
      fr::aggregate("w", fr::count("n")) | fr::to("rows", fr::callback([](const auto&) {}));
  auto job = p.start({.parallelism = parallelism, .scheduler = fr::thread_pool(parallelism)});
  REQUIRE(job.ok());
  const auto entries = [&] { return job->metrics().of("window", "w").state_entries; };
  const auto push = [&](std::int64_t at, int keys) {
    for (int key = 0; key < keys; ++key) {
      REQUIRE(in.push({std::to_string(key), 1, tick(at)}).ok());
    }
  };
  push(50, 500);
  // Told a little later, and then right, without anything else to happen.
  while (entries() != 500) std::this_thread::yield();
  push(150, 300);
  while (entries() != 300) std::this_thread::yield();
  REQUIRE(job->metrics().of("window", "w").state_bytes > 300 * sizeof(std::string));
  job->stop();
  REQUIRE(job->wait().ok());
  REQUIRE(job->summary().metrics.of("window", "w").state_entries == 300);
}
