// Key groups that move between tasks while a job runs: under a simulation at any moment, with
// threads because a task is busy.
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/state/memory.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <map>
#include <thread>

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

struct numbered {
  std::int64_t key = 0;
  std::int64_t number = 0;  ///< Of the record among those of its key.
};
BOOST_DESCRIBE_STRUCT(numbered, (), (key, number))

/// Half of the records have key 0, the others one of `keys`; split s of them has its own share.
function_source skewed_source(std::size_t splits, std::uint64_t count, std::int64_t keys,
                              std::shared_ptr<std::atomic<bool>> enough = nullptr,
                              std::size_t at_once = 1024) {
  return {splits,
          [=](std::size_t split, std::uint64_t from, std::size_t limit,
              std::vector<reading>& rows) -> absl::StatusOr<read_state> {
            std::uint64_t number = from;
            for (; number < count && rows.size() < std::min(limit, at_once); ++number) {
              if (enough && enough->load()) return read_state::end;
              const auto n = static_cast<std::int64_t>(number);
              const std::int64_t key =
                  n % 2 == 0 ? 0 : 1 + (n * 7919 + static_cast<std::int64_t>(split)) % keys;
              rows.push_back({key, n, timestamp(duration(n)), {}});
            }
            return number < count ? read_state::more : read_state::end;
          },
          nullptr};
}

struct seen_records {
  std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(seen_records, (), (count))

/// Numbers the records of each key.
struct numbering {
  using state = seen_records;
  template <class Context>
  void process(const reading& row, state& of, Context& context) const {
    context.emit(numbered{row.key, ++of.count});
  }
};

/// Takes so long that whoever has keys has far more to do than those that read, on any machine.
void take_long() {
  for (int i = 0; i < 3000; ++i) asm volatile("");
}

struct slow_numbering : numbering {
  template <class Context>
  void process(const reading& row, state& of, Context& context) const {
    take_long();
    numbering::process(row, of, context);
  }
};

run_options options_of(std::size_t parallelism) {
  run_options options;
  options.parallelism = parallelism;
  options.scheduler = thread_pool(parallelism);
  return options;
}

}  // namespace

TEST_CASE("a key's records stay in order while its group moves", "[runtime][rebalancing]") {
  std::uint64_t moves = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    std::map<std::int64_t, std::int64_t> last;
    pipeline p("in_order");
    p.from("numbers", skewed_source(1, 3000, 37, nullptr, 10)) | key_by(&reading::key) |
        process<numbered>("count", numbering{}) | to("seen", callback([&last](const numbered& row) {
                                                       if (++last[row.key] != row.number)
                                                         throw std::runtime_error("out of order");
                                                     }));
    run_summary summary;
    run_options options = options_of(2 + seed % 4);
    options.scheduler = simulation(seed);
    options.channel_batches = 1;
    const absl::Status ended = p.run(options, &summary);
    INFO(ended.ToString());
    REQUIRE(ended.ok());
    moves += summary.metrics.moves;
    std::int64_t all = 0;
    for (const auto& [key, count] : last) all += count;
    REQUIRE(all == 3000);
  }
  REQUIRE(moves >= 30);
}

TEST_CASE("key groups leave a task that is busier than the others", "[runtime][rebalancing]") {
  // The source goes on until groups have moved, and the load is even afterwards: the group of key 0
  // has half of the records, so that nearly all others have to leave its task.
  const auto enough = std::make_shared<std::atomic<bool>>(false);
  pipeline p("skewed");
  std::int64_t seen = 0;
  p.from("numbers", skewed_source(2, endless, 5000, enough)) | key_by(&reading::key) |
      process<numbered>("count", slow_numbering{}) |
      to("seen", callback([&seen](const numbered&) { ++seen; }));
  run_options options = options_of(2);
  options.rebalance_every = 10ms;
  absl::StatusOr<job> started = p.start(options);
  REQUIRE(started.ok());
  wait_until([&] {
    REQUIRE_FALSE(started->wait_for(0us));
    return started->metrics().moves > 0;
  });
  enough->store(true);
  REQUIRE(started->wait().ok());
  const run_summary summary = started->summary();
  CHECK(summary.metrics.records() == static_cast<std::uint64_t>(seen));
  CHECK(summary.metrics.key_groups_moved > 0);
  CHECK(summary.metrics.move_longest > duration::zero());
  REQUIRE(summary.metrics.key_groups.size() == 1);
  const key_group_metrics& groups = summary.metrics.key_groups.front();
  CHECK(groups.operators == std::vector<std::string>{"process 'count'"});
  // One task has the hot group, and little beside it.
  const std::uint16_t hot = groups.tasks[key_group_of(stable_hash(std::int64_t{0}))];
  const auto beside = std::count(groups.tasks.begin(), groups.tasks.end(), hot);
  CHECK(beside < 40);
  const auto hottest = std::max_element(groups.records.begin(), groups.records.end());
  CHECK(hottest - groups.records.begin() == key_group_of(stable_hash(std::int64_t{0})));
}

TEST_CASE("nothing moves where it is switched off, and where one task has all",
          "[runtime][rebalancing]") {
  for (const bool off : {true, false}) {
    pipeline p("still");
    p.from("numbers", skewed_source(2, 3000, 37, nullptr, 10)) | key_by(&reading::key) |
        process<numbered>("count", numbering{}) | to("seen", callback([](const numbered&) {}));
    run_options options = options_of(off ? 3 : 1);
    options.scheduler = simulation(5);
    if (off) options.rebalance_every = 0s;
    run_summary summary;
    REQUIRE(p.run(options, &summary).ok());
    CHECK(summary.metrics.moves == 0);
    CHECK(summary.metrics.key_groups.size() == (off ? 1 : 0));
  }
}

TEST_CASE("the longest interval between looks is as good as none", "[runtime][rebalancing]") {
  pipeline p("patient");
  std::int64_t seen = 0;
  p.from("numbers", skewed_source(2, 20'000, 37)) | key_by(&reading::key) |
      process<numbered>("count", numbering{}) |
      to("seen", callback([&seen](const numbered&) { ++seen; }));
  run_options options = options_of(2);
  options.rebalance_every = duration::max();
  run_summary summary;
  REQUIRE(p.run(options, &summary).ok());
  CHECK(seen == 40'000);
  CHECK(summary.metrics.moves == 0);
}

TEST_CASE("views find their keys while groups move", "[runtime][rebalancing]") {
  // The windows stay open, so that what is read of a key only grows.
  const auto enough = std::make_shared<std::atomic<bool>>(false);
  pipeline p("viewed");
  const auto rows = p.from("numbers", skewed_source(2, endless, 50, enough)) |
                    event_time(&reading::at, ascending{}) | key_by(&reading::key) |
                    window(tumbling{24h}, {.pre_aggregate = pre_aggregation::never}) |
                    aggregate("all", count("n"), sum("slow", [](const reading& each) {
                                take_long();
                                return each.number;
                              }));
  rows | to("seen", callback([](const auto&) {}));
  run_options options = options_of(3);
  options.rebalance_every = 1ms;
  absl::StatusOr<job> started = p.start(options);
  REQUIRE(started.ok());
  using row = decltype(rows)::value_type;
  const auto view = started->view<row>("all");
  REQUIRE(view.ok());
  std::map<std::int64_t, std::uint64_t> known;
  std::vector<std::int64_t> keys;
  for (std::int64_t key = 0; key <= 50; ++key) keys.push_back(key);
  for (int round = 0; round < 200 || started->metrics().moves < 1; ++round) {
    REQUIRE_FALSE(started->wait_for(0us));
    const auto read = view->get(keys);
    INFO(read.status().ToString());
    REQUIRE(read.ok());
    for (const auto& each : *read) {
      REQUIRE(each.rows.size() <= 1);
      for (const row& one : each.rows) {
        const std::uint64_t now = std::get<0>(one.values);
        REQUIRE(now >= known[one.key]);
        known[one.key] = now;
      }
    }
  }
  CHECK(known.size() == keys.size());
  enough->store(true);
  REQUIRE(started->wait().ok());
}
