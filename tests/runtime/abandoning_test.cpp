// A checkpoint whose barriers do not get through: it is given up, the job goes on, and nothing that
// its tasks had saved for it is lost.
#include "runtime/parallel_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/state/memory.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/window/tumbling.hpp>

#include <map>

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Two sources that meet in one operator, one of which can be stopped within a function, and a
/// window of the other one alone.
struct meeting_sources {
  channel<reading> in{{.capacity = 10'000}};
  gate stands;
  std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::uint64_t> both{0};
  std::map<std::int64_t, std::uint64_t> counts;
  pipeline p{"meeting"};

  meeting_sources() {
    const function_source one{
        1,
        [ended = ended](std::size_t, std::uint64_t from, std::size_t,
                        std::vector<reading>& rows) -> absl::StatusOr<read_state> {
          if (from == 0) rows.push_back({-1, 0, timestamp{}, {}});
          return *ended ? read_state::end : read_state::idle;
        },
        test::counts()};
    const auto slow = p.from("slow", one) | map([this](const reading& each) {
                        stands.pass();
                        return each;
                      });
    const auto fast = p.from("fast", in);
    merge(slow, fast) | rebalance() |
        to("both", callback(sink_function([this](const reading&) { ++both; })));
    fast | event_time(&reading::at, ascending{}) | key_by(&reading::key) |
        window(tumbling{24h}, {.pre_aggregate = pre_aggregation::never}) |
        aggregate("own", count("n")) |
        to("counts",
           callback([this](const auto& row) { counts[row.key] += std::get<0>(row.values); }));
  }

  void push(std::int64_t first, std::int64_t last) {
    for (std::int64_t key = first; key < last; ++key)
      REQUIRE(in.push({key, 0, timestamp{}, {}}).ok());
  }
};

}  // namespace

TEST_CASE("a checkpoint whose alignment takes too long is abandoned, and the job goes on",
          "[runtime][abandoning]") {
  const std::size_t parallelism = GENERATE(2U, 4U);
  const auto kept = std::make_shared<memory_checkpoint>();
  testing::manual_clock clock;
  run_options options{.parallelism = parallelism, .scheduler = thread_pool(parallelism)};
  options.clock = clock;
  options.stop_within = 24h;
  options.checkpoint.backend = [kept]() -> absl::StatusOr<std::unique_ptr<state_backend>> {
    return memory_backend(kept);
  };
  options.checkpoint.every = 1s;
  // Long enough for all tasks that can to save what they have; else the test is weaker.
  options.checkpoint.alignment_limit = 100ms;
  {
    meeting_sources first;
    auto job = first.p.start(options);
    REQUIRE(job.ok());
    {
      const opens_at_end lets_go(first.stands);
      first.stands.await_somebody();
      first.push(0, 100);
      wait_until([&] {
        REQUIRE_FALSE(job->wait_for(0us));
        return job->metrics().of("window", "own").records_in == 100 && first.both == 100;
      });
      clock.advance(1s);
      wait_until([&] {
        REQUIRE_FALSE(job->wait_for(0us));
        return job->metrics().checkpoints_abandoned == 1;
      });
      // What was held back for the barrier that does not come goes on, and what follows it.
      first.push(100, 10'000);
      wait_until([&] {
        REQUIRE_FALSE(job->wait_for(0us));
        return first.both == 10'000;
      });
      CHECK(kept->commits == 0);
    }
    wait_until([&] {
      REQUIRE_FALSE(job->wait_for(0us));
      return first.both == 10'001;
    });
    job->stop();
    REQUIRE(job->wait().ok());
    CHECK(kept->commits == 1);
    CHECK(first.counts.empty());
  }
  meeting_sources second;
  second.stands.open();
  *second.ended = true;
  second.in.close();
  run_summary summary;
  const absl::Status done = second.p.run(options, &summary);
  INFO(done.ToString());
  REQUIRE(done.ok());
  CHECK(summary.resumed);
  REQUIRE(second.counts.size() == 10'000);
  for (const auto& [key, n] : second.counts) REQUIRE(n == 1);
}

TEST_CASE("a limit for the alignment must be positive", "[runtime][abandoning]") {
  meeting_sources none;
  run_options options;
  options.checkpoint.alignment_limit = 0us;
  REQUIRE(none.p.run(options) ==
          absl::InvalidArgumentError("pipeline 'meeting': checkpoint.alignment_limit 0s is not "
                                     "positive; give a positive duration"));
}

TEST_CASE("metrics tell how long barriers were waited for, and what came meanwhile",
          "[runtime][abandoning]") {
  testing::manual_clock clock;
  meeting_sources test;
  run_options options{.parallelism = 2, .scheduler = thread_pool(2)};
  options.clock = clock;
  options.stop_within = 24h;
  options.checkpoint.every = 1s;
  options.checkpoint.backend = [kept = std::make_shared<memory_checkpoint>()]()
      -> absl::StatusOr<std::unique_ptr<state_backend>> { return memory_backend(kept); };
  auto job = test.p.start(options);
  REQUIRE(job.ok());
  {
    const opens_at_end lets_go(test.stands);
    test.stands.await_somebody();
    test.push(0, 1);
    wait_until([&] { return test.both == 1; });
    clock.advance(1s);
    // The other source goes on until what it sends has no room.
    std::int64_t key = 1;
    (void)at_rest([&] {
      if (test.in.try_push({key, 0, timestamp{}, {}}).ok()) ++key;
      return job->metrics().of("from", "fast").records_in;
    });
  }
  test.in.close();
  *test.ended = true;
  REQUIRE(job->wait().ok());
  const job_metrics all = job->summary().metrics;
  CHECK(all.checkpoints_abandoned == 0);
  CHECK(all.alignment_longest > 0us);
  CHECK(all.alignment_longest >= all.alignment_last);
  CHECK(all.alignment_batches_most >= 1);
}
