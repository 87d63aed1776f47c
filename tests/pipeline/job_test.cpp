// Jobs in a thread of their own: stop, drain, wait, metrics, from any thread, and the end of a job.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <thread>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Windows of 10 ticks over what is pushed.
struct embedded {
  fr::channel<event> in;
  kept_rows_handle rows = keeper();

  fr::pipeline compose() const {
    fr::pipeline p("embedded");
    p.from("events", in) | fr::event_time(&event::at, fr::bounded_disorder{0us}) |
        fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
        fr::aggregate("w", fr::count("n")) | fr::to("rows", keep_rows_in(rows));
    return p;
  }

  void push(std::initializer_list<std::int64_t> ticks) {
    for (const event& each : events_at(ticks)) REQUIRE(in.push(each).ok());
  }
};

void wait_for_records(fr::job& job, std::uint64_t count) {
  while (job.metrics().records() < count) REQUIRE_FALSE(job.wait_for(1ms));
  REQUIRE(job.metrics().records() == count);
}

/// Records without end.
auto endless() {
  return fr::generate(
      [](std::uint64_t k) { return event{"a", 1, tick(static_cast<std::int64_t>(k))}; });
}

}  // namespace

TEST_CASE("case 33: stop with checkpoints keeps open windows for the next start",
          "[semantics][job]") {
  embedded test;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::run_options options = committing_to(commits);
  options.checkpoint.every = 1h;
  fr::pipeline p = test.compose();
  auto first = p.start(options);
  REQUIRE(first.ok());
  test.push({1, 11, 12});
  wait_for_records(*first, 3);
  first->stop();
  REQUIRE(first->wait().ok());
  REQUIRE_FALSE(first->summary().finished);
  REQUIRE(test.rows->visible() == rows_of_text{"a|0|10|1@9"});
  REQUIRE_FALSE(test.rows->completed);

  auto second = p.start(options);
  REQUIRE(second.ok());
  REQUIRE(second->summary().resumed);
  REQUIRE(second->metrics().records() == 3);
  test.push({13, 20});
  test.in.close();
  REQUIRE(second->wait().ok());
  REQUIRE(test.rows->visible() == rows_of_text{"a|0|10|1@9", "a|10|20|3@19", "a|20|30|1@29"});
  REQUIRE(test.rows->completed);
}

TEST_CASE("case 33: drain closes the windows of what was read, and the job has finished",
          "[semantics][job]") {
  embedded test;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p = test.compose();
  auto job = p.start(committing_to(commits));
  REQUIRE(job.ok());
  test.push({1, 11, 12});
  wait_for_records(*job, 3);
  job->drain();
  REQUIRE(job->wait().ok());
  REQUIRE(job->summary().finished);
  REQUIRE(test.rows->visible() == rows_of_text{"a|0|10|1@9", "a|10|20|2@19"});
  REQUIRE(test.rows->completed);
  REQUIRE_FALSE(test.in.push({"a", 1, tick(13)}).ok());

  fr::pipeline again = test.compose();
  REQUIRE(run_to_end(again, committing_to(commits)).nothing_to_do);
}

TEST_CASE("stop without checkpoints gives open windows up and completes the sinks", "[job]") {
  embedded test;
  fr::pipeline p = test.compose();
  auto job = p.start();
  REQUIRE(job.ok());
  test.push({1, 11, 12});
  wait_for_records(*job, 3);
  job->stop();
  REQUIRE(job->wait().ok());
  REQUIRE(test.rows->visible() == rows_of_text{"a|0|10|1@9"});
  REQUIRE(test.rows->completed);
}

TEST_CASE("of stop and drain the first one counts", "[job]") {
  embedded test;
  fr::pipeline p = test.compose();
  auto job = p.start();
  REQUIRE(job.ok());
  test.push({1});
  wait_for_records(*job, 1);
  job->drain();
  job->stop();
  REQUIRE(job->wait().ok());
  REQUIRE(job->summary().finished);
  REQUIRE(test.rows->visible() == rows_of_text{"a|0|10|1@9"});
}

TEST_CASE("destroying a job stops it, whatever it is doing", "[job]") {
  fr::pipeline busy("busy");
  busy.from("events", endless()) | fr::to("rows", fr::callback([](const event&) {}));
  {
    REQUIRE(busy.start().ok());
  }
  embedded test;
  fr::pipeline waiting = test.compose();
  {
    REQUIRE(waiting.start().ok());
  }
  auto first = waiting.start();
  REQUIRE(first.ok());
  *first = *busy.start();  // Assigning destroys the job that was there.
  first->stop();
  REQUIRE(first->wait().ok());
}

TEST_CASE("any number of threads may wait, look at metrics and stop", "[job]") {
  fr::pipeline p("busy");
  p.from("events", endless()) | fr::event_time(&event::at, fr::bounded_disorder{0us}) |
      fr::key_by(&event::key) | fr::window(fr::tumbling{100us}) |
      fr::aggregate("w", fr::count("n")) | fr::to("rows", fr::callback([](const auto&) {}));
  auto job = p.start();
  REQUIRE(job.ok());
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      std::uint64_t before = 0;
      while (before < 20'000) {
        const std::uint64_t now = job->metrics().records();
        if (now < before) return;
        before = now;
      }
      if (i == 0) job->stop();
      if (job->wait().ok() && job->wait_for(0us)) ++done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(done == 4);
  REQUIRE(job->summary().metrics.records() >= 20'000);
  REQUIRE(job->summary().metrics.of("window", "w").records_in == job->metrics().records());
}

TEST_CASE("wait_for tells whether a job has ended in time", "[job]") {
  embedded test;
  fr::pipeline p = test.compose();
  auto job = p.start();
  REQUIRE(job.ok());
  REQUIRE_FALSE(job->wait_for(2ms));
  test.in.close();
  REQUIRE(job->wait().ok());
  REQUIRE(job->wait_for(0us));
}

TEST_CASE("what is wrong with sources, sinks and checkpoints is told by start, before any record",
          "[job]") {
  fr::pipeline negative("p");
  (void)negative.from("events",
                      fr::generate([](std::uint64_t k) { return k; }, {.rate_per_second = -1.0}));
  const auto refused = negative.start();
  REQUIRE(refused.status().code() == absl::StatusCode::kInvalidArgument);
  REQUIRE(
      message_of(refused.status()) ==
      "generate: .rate_per_second is not a number of records per second; give a positive one, or "
      "zero for no limit");
  embedded test;
  fr::pipeline p = test.compose();
  REQUIRE_FALSE(p.start({.parallelism = 0}).ok());
}

TEST_CASE("a failing job reports its failure to every wait", "[job]") {
  fr::pipeline p("failing");
  (void)(p.from("events", endless()) | fr::map([](const event& each) {
           if (each.at == tick(5000)) throw std::runtime_error("boom");
           return 0;
         }));
  auto job = p.start();
  REQUIRE(job.ok());
  REQUIRE_THAT(message_of(job->wait()), Catch::Matchers::Contains("at record 5000"));
  REQUIRE(job->wait().code() == absl::StatusCode::kUnknown);
  REQUIRE_FALSE(job->summary().finished);
}

TEST_CASE("a pipeline can run again after it ended", "[job]") {
  const auto rows = keeper();
  fr::pipeline p("again");
  p.from("events", scripted<event>({events_at({1, 2})})) | fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.records() == 2);
  REQUIRE(run_to_end(p).metrics.records() == 2);
  REQUIRE(rows->starts == 2);
  REQUIRE(rows->visible().size() == 2);  // Without checkpoints the second run begins anew.
}
