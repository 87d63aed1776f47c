// Joins whose state does not fit into memory: rows, late records, and what is left in the end are
// those of a job without a limit, also where every other run has one, and another parallelism.
#include "join/support.hpp"

#include <freshet/pipeline/interval_join.hpp>
#include <freshet/pipeline/table.hpp>
#include <freshet/pipeline/temporal_join.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

/// Logs of many keys, each of which comes now and then.
join_logs logs_of_many_keys(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  join_logs logs;
  logs.disorder = ticks_long(9);
  const auto key = [&random] { return "key " + std::to_string(random() % 150); };
  const auto at = [&random](std::int64_t i) {
    return tick(i - static_cast<std::int64_t>(random() % (random() % 8 == 0 ? 40 : 9)));
  };
  logs.left.resize(2);
  logs.right.resize(2);
  for (std::int64_t i = 0; i < 700; ++i) {
    const std::size_t split = random() % 2;
    logs.left[split].push_back(event{key(), i, at(i)});
    logs.right[split].push_back(mark{key(), i, at(i)});
  }
  return logs;
}

constexpr std::size_t smallest = 1;
constexpr std::size_t some_rows = 200 * 1024;

/// \return how many rows were dropped from memory.
template <class Compose>
std::uint64_t require_same_with_limits(std::uint64_t seed, const Compose& compose) {
  const join_logs logs = logs_of_many_keys(seed);
  const join_outcome wanted = run_join(logs, {.seed = seed}, compose);
  std::uint64_t evicted = 0;
  for (const std::size_t limit : {smallest, some_rows}) {
    for (const std::size_t crash_after : {std::size_t{0}, std::size_t{150}, std::size_t{300}}) {
      INFO("seed " << seed << ", limit " << limit << ", crash after " << crash_after);
      const join_outcome found = run_join(logs,
                                          {.chunk = 20,
                                           .crash_after = crash_after,
                                           .parallelism = 1 + seed % 2,
                                           .seed = seed,
                                           .memory_limit = limit},
                                          compose);
      for (const auto& [name, rows] : wanted.sinks) {
        INFO("sink " << name);
        REQUIRE(found.sinks.at(name) == rows);
      }
      CHECK(found.late == wanted.late);
      CHECK(found.state_left == wanted.state_left);
      evicted += found.evicted;
    }
  }
  return evicted;
}

}  // namespace

TEST_CASE("a full interval join gives the same rows with any limit of memory",
          "[join][memory_limit]") {
  std::uint64_t evicted = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    evicted +=
        require_same_with_limits(seed, [](const auto& left, const auto& right, const auto& sink) {
          const auto joined = left | fr::key_by(&event::key) |
                              fr::interval_join<fr::join_type::full>(
                                  "near", right | fr::key_by(&mark::key),
                                  fr::between{ticks_long(-60), ticks_long(80)}, meet);
          joined | sink("rows");
          joined.late_left() | sink("late left");
          joined.late_right() | sink("late right");
        });
  }
  CHECK(evicted > 500);  // Else it shows too little.
}

namespace {

/// A temporal join of both streams, each record of the right one a version.
template <class Left, class Right>
auto as_of(const Left& left, const Right& right, fr::table_options options = {}) {
  const auto versions =
      right | fr::key_by(&mark::key) |
      fr::table("versions", [](const mark& each) { return each.number % 5 == 4; }, options);
  return left | fr::key_by(&event::key) |
         fr::temporal_join<fr::join_type::left>(
             "as of", versions, {.allowed_lateness = ticks_long(5)},
             [](const event& a, const mark* b) { return meet(&a, b); });
}

/// How a job ends whose table gets 200 keys, each of them three times; with room for a row or two.
absl::Status run_with_200_keys(std::size_t keys_max) {
  auto left = std::make_shared<script<event>>();
  auto right = std::make_shared<script<mark>>();
  left->splits = {{}};
  right->splits.resize(1);
  for (std::int64_t i = 0; i < 600; ++i) {
    right->splits[0].push_back(mark{"key " + std::to_string(i % 200), 5 * i, tick(i)});
  }
  left->chunk_max = right->chunk_max = 20;
  fr::run_options options = committing_to(std::make_shared<fr::memory_checkpoint>());
  options.state.memory_limit = smallest;
  fr::pipeline p("table");
  as_of(p.from("left", scripted<event>(left)) | fr::event_time(&event::at, fr::ascending{}),
        p.from("right", scripted<mark>(right)) | fr::event_time(&mark::at, fr::ascending{}),
        {.max_keys = keys_max}) |
      fr::to("rows", keep_rows_in(keeper()));
  fr::run_summary summary;
  const absl::Status done = p.run(options, &summary);
  CHECK(summary.metrics.of("temporal_join", "as of").evicted > 100);
  return done;
}

}  // namespace

TEST_CASE("a temporal join gives the same rows with any limit of memory", "[join][memory_limit]") {
  std::uint64_t evicted = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    evicted +=
        require_same_with_limits(seed, [](const auto& left, const auto& right, const auto& sink) {
          const auto joined = as_of(left, right);
          joined | sink("rows");
          joined.late_left() | sink("late left");
          joined.late_right() | sink("late right");
        });
  }
  CHECK(evicted > 500);
}

TEST_CASE("the keys of a table are counted where they are not in memory, each once",
          "[join][memory_limit]") {
  const absl::Status enough = run_with_200_keys(200);
  INFO(enough.ToString());
  CHECK(enough.ok());
  const std::string said(run_with_200_keys(199).message());
  CAPTURE(said);
  CHECK(said.find("table 'versions' has 200 keys in this task, more than the 199 of .max_keys") !=
        std::string::npos);
}
