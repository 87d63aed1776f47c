// Tests of what a job tells about its tasks.
#include "pipeline/support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/freshet.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using freshet::test::event;

namespace {

/// The tasks that begin with an operator.
std::vector<fr::task_metrics> tasks_of(const fr::job_metrics& all, const std::string& place) {
  std::vector<fr::task_metrics> found;
  std::copy_if(all.tasks.begin(), all.tasks.end(), std::back_inserter(found),
               [&](const fr::task_metrics& each) { return each.operators.front() == place; });
  return found;
}

struct counted_keys {
  counted_keys() {
    p.from("events", in) | fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
        fr::window(fr::tumbling{.size = 1s}) | fr::aggregate("seconds", fr::count("events")) |
        fr::to("rows", fr::callback([this](const auto&) {
                 while (!open.load()) std::this_thread::yield();
               }));
  }
  void push(int count) {
    for (int i = 0; i < count; ++i) {
      const event next{.key = std::to_string(i % 50),
                       .value = 1,
                       .at = fr::timestamp(std::chrono::milliseconds(10 * i))};
      REQUIRE(in.push(next).ok());
    }
  }

  fr::pipeline p{"metrics"};
  fr::channel<event> in{{.capacity = 10'000}};
  std::atomic<bool> open{true};
};

}  // namespace

TEST_CASE("the tasks of a job share the load, and say how far they have come",
          "[pipeline][metrics]") {
  counted_keys c;
  c.push(5000);
  c.in.close();
  fr::run_summary summary;
  REQUIRE(c.p.run({.parallelism = 3, .scheduler = fr::thread_pool(3)}, &summary).ok());
  const fr::job_metrics& all = summary.metrics;
  REQUIRE(tasks_of(all, "from 'events'").size() == 1);
  REQUIRE(tasks_of(all, "to 'rows'").size() == 1);
  const auto windows = tasks_of(all, "window 'seconds'");
  REQUIRE(windows.size() == 3);
  std::uint64_t records = 0;
  for (const fr::task_metrics& each : windows) {
    REQUIRE(each.records_in > 0);
    REQUIRE(each.watermark == fr::timestamp_max);
    REQUIRE(each.queue_fill == 0);
    records += each.records_in;
  }
  REQUIRE(records == 5000);
  REQUIRE(tasks_of(all, "from 'events'").front().busy > 0us);
}

TEST_CASE("a task whose sink stands still is busy, and those above it are blocked",
          "[pipeline][metrics]") {
  counted_keys c;
  c.open = false;
  auto job = c.p.start({.parallelism = 2, .scheduler = fr::thread_pool(2), .channel_batches = 1});
  REQUIRE(job.ok());
  std::thread producer([&] { c.push(50'000); });
  // Rows of one task fill the channel to the sink, until no window fires any more.
  const auto fullest = [&] {
    double fill = 0;
    for (const fr::task_metrics& each : job->metrics().tasks) {
      fill = std::max(fill, each.queue_fill);
    }
    return fill;
  };
  while (fullest() < 1) std::this_thread::yield();
  c.open = true;
  producer.join();
  c.in.close();
  REQUIRE(job->wait().ok());
  const auto windows = tasks_of(job->summary().metrics, "window 'seconds'");
  const auto blocked = std::any_of(windows.begin(), windows.end(),
                                   [](const auto& each) { return each.blocked > 0us; });
  const auto sources = tasks_of(job->summary().metrics, "from 'events'");
  REQUIRE((blocked || sources.front().blocked > 0us));
}

TEST_CASE("checkpoints tell how long they took, and how much they wrote", "[pipeline][metrics]") {
  counted_keys c;
  c.push(1000);
  c.in.close();
  fr::run_options options{.parallelism = 2};
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  options.checkpoint.backend = [commits] { return fr::memory_backend(commits); };
  fr::run_summary summary;
  REQUIRE(c.p.run(options, &summary).ok());
  REQUIRE(summary.metrics.checkpoints >= 1);
  REQUIRE(summary.metrics.checkpoint_last > 0us);
  REQUIRE(summary.metrics.checkpoint_longest >= summary.metrics.checkpoint_last);
}
