// job::why_not_fired: who holds a window back, told from any thread, at any time of a job's life.
// Event times are ticks of 1 us, windows 10 ticks long.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/channel.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/testing/scripted_source.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/tumbling.hpp>

#include <atomic>
#include <future>
#include <thread>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;
using fr::input_state;

namespace {

constexpr fr::window_span ticks(std::int64_t begin, std::int64_t end) {
  return {tick(begin), tick(end)};
}

/// Splits that give what they have and then nothing, until they are resumed to their end.
frt::scripted_source<event> pausing(event_splits splits) {
  frt::script<event> plays;
  for (std::vector<event>& each : splits) plays.split().records(std::move(each)).pause();
  return frt::scripted_source<event>(plays);
}

void wait_until_paused(const frt::scripted_source<event>& source, std::size_t splits) {
  for (std::size_t split = 0; split < splits; ++split) {
    while (!source.paused(split)) std::this_thread::yield();
  }
}

auto timed(fr::pipeline& p, const std::string& name, const frt::scripted_source<event>& source,
           fr::duration idle_after = fr::duration{0}) {
  return p.from(name, source) |
         fr::event_time(&event::at, fr::ascending{}, {.idle_after = idle_after});
}

auto counted(const fr::stream<event>& events, const std::string& name,
             fr::window_options options = {}) {
  return events | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}, options) |
         fr::aggregate(name, fr::count("n"));
}

fr::window_explanation told(const fr::job& job, const fr::window_span& span,
                            const std::string& name = "w") {
  absl::StatusOr<fr::window_explanation> answer = job.why_not_fired(name, span);
  INFO(answer.status().ToString());
  REQUIRE(answer.ok());
  return *std::move(answer);
}

}  // namespace

TEST_CASE("one split that lags holds the window back, and the text says which",
          "[job][why_not_fired]") {
  const auto source = pausing({events_at({1, 20}), events_at({2, 5})});
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source), "w");
  auto job = p.start();
  REQUIRE(job.ok());
  wait_until_paused(source, 2);
  const fr::window_explanation answer = told(*job, ticks(0, 10));
  REQUIRE_FALSE(answer.fired);
  REQUIRE(answer.needed == tick(10));
  REQUIRE(answer.watermark == tick(5));
  REQUIRE(answer.lacks == 5us);
  REQUIRE(answer.inputs.size() == 2);
  REQUIRE_FALSE(answer.inputs[0].holds_back);
  REQUIRE(answer.inputs[0].frontier == tick(20));
  REQUIRE(answer.inputs[0].lacks == 0us);
  REQUIRE(answer.inputs[1].holds_back);
  REQUIRE(answer.inputs[1].lacks == 5us);
  REQUIRE(answer.to_text() ==
          "window 'w' [1970-01-01T00:00:00Z, 1970-01-01T00:00:00.00001Z) has not fired: it needs a "
          "watermark of 1970-01-01T00:00:00.00001Z, and the watermark is "
          "1970-01-01T00:00:00.000005Z, 5us short\n"
          "  source 'events' split '1' holds it back: it has promised 1970-01-01T00:00:00.000005Z, "
          "5us short\n"
          "  source 'events' split '0': it has promised 1970-01-01T00:00:00.00002Z, enough\n");
}

TEST_CASE("a split that never gave a record is told as such, and one that ended is not waited for",
          "[job][why_not_fired]") {
  const auto source = frt::scripted_source<event>(frt::script<event>()
                                                      .split()
                                                      .records(events_at({1, 30}))
                                                      .split()
                                                      .pause()
                                                      .split()
                                                      .records(events_at({3})));
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source), "w");
  auto job = p.start();
  REQUIRE(job.ok());
  while (!source.paused(1) || source.delivered() < 3) std::this_thread::yield();
  fr::window_explanation answer = told(*job, ticks(0, 10));
  while (answer.inputs[0].state != input_state::finished) answer = told(*job, ticks(0, 10));
  REQUIRE(answer.watermark == fr::timestamp_min);
  REQUIRE(answer.inputs[1].state == input_state::waiting);
  REQUIRE(answer.inputs[1].holds_back);
  REQUIRE_FALSE(answer.inputs[0].holds_back);
  REQUIRE(answer.inputs[2].state == input_state::finished);
  REQUIRE_THAT(answer.to_text(),
               Catch::Matchers::Contains("and there is no watermark yet\n"
                                         "  source 'events' split '1' holds it back: it has "
                                         "promised nothing yet\n"));
}

TEST_CASE("an idle split is not waited for, and where all are idle nobody is",
          "[job][why_not_fired]") {
  const auto source = pausing({events_at({1, 40}), events_at({2, 5})});
  frt::manual_clock clock;
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source, 10s), "w");
  auto job = p.start({.clock = clock});
  REQUIRE(job.ok());
  wait_until_paused(source, 2);
  REQUIRE(told(*job, ticks(0, 10)).inputs[1].holds_back);
  fr::window_explanation answer = told(*job, ticks(40, 50));
  while (answer.inputs[0].state != input_state::idle ||
         answer.inputs[1].state != input_state::idle) {
    clock.advance(11s);
    answer = told(*job, ticks(40, 50));
  }
  REQUIRE_FALSE(answer.fired);
  REQUIRE(answer.watermark == tick(40));
  REQUIRE_FALSE(answer.inputs[0].holds_back);
  REQUIRE_FALSE(answer.inputs[1].holds_back);
  REQUIRE_THAT(answer.to_text(),
               Catch::Matchers::EndsWith(
                   "  source 'events' split '0': idle at 1970-01-01T00:00:00.00004Z, not waited "
                   "for\n"
                   "  source 'events' split '1': idle at 1970-01-01T00:00:00.000005Z, not waited "
                   "for\n"
                   "  nothing holds it back, and nothing moves time until a record comes\n"));
  REQUIRE(told(*job, ticks(0, 10)).fired);
}

TEST_CASE("a window that has fired is told as fired", "[job][why_not_fired]") {
  const auto source = pausing({events_at({1, 20})});
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source), "w", {.allowed_lateness = 5us});
  (void)counted(timed(p, "others", source), "closing",
                {.allowed_lateness = 5us, .fire = fr::firing::at_close});
  auto job = p.start();
  REQUIRE(job.ok());
  wait_until_paused(source, 1);
  const fr::window_explanation answer = told(*job, ticks(0, 10));
  REQUIRE(answer.fired);
  REQUIRE(answer.lacks == 0us);
  REQUIRE(answer.to_text() ==
          "window 'w' [1970-01-01T00:00:00Z, 1970-01-01T00:00:00.00001Z) has fired: it needed a "
          "watermark of 1970-01-01T00:00:00.00001Z\n");
  REQUIRE(told(*job, ticks(10, 20)).fired);
  REQUIRE(told(*job, ticks(10, 20), "closing").needed == tick(25));
  REQUIRE_FALSE(told(*job, ticks(10, 20), "closing").fired);
}

TEST_CASE("through merges and windows that hold their watermark back, the splits are found",
          "[job][why_not_fired]") {
  const auto one = pausing({events_at({1, 90}), events_at({2, 95})});
  const auto two = pausing({events_at({3, 17})});
  fr::pipeline p("p");
  const auto closing = counted(fr::merge(timed(p, "one", one), timed(p, "two", two)), "closing",
                               {.allowed_lateness = 7us, .fire = fr::firing::at_close});
  using row = decltype(closing)::value_type;
  (void)(fr::merge(closing, closing | fr::filter([](const row&) { return false; })) |
         fr::key_by(&row::key) | fr::window(fr::tumbling{10us}) |
         fr::aggregate("below", fr::count("n")));
  auto job = p.start();
  REQUIRE(job.ok());
  wait_until_paused(one, 2);
  wait_until_paused(two, 1);
  const fr::window_explanation answer = told(*job, ticks(10, 20), "below");
  REQUIRE_FALSE(answer.fired);
  REQUIRE(answer.needed == tick(20));
  REQUIRE(answer.watermark == tick(10));  // 17, less what the window above holds back.
  REQUIRE(answer.inputs.size() == 3);     // Each once, though the ways part below the first merge.
  REQUIRE(answer.inputs[2].source == "two");
  REQUIRE(answer.inputs[2].holds_back);
  REQUIRE(answer.inputs[2].needed == tick(27));
  REQUIRE(answer.inputs[2].lacks == 10us);
  REQUIRE_FALSE(answer.inputs[0].holds_back);
  REQUIRE_FALSE(answer.inputs[1].holds_back);
  REQUIRE(told(*job, ticks(0, 10), "below").fired);
}

TEST_CASE("what cannot be told says why", "[job][why_not_fired]") {
  const auto source = pausing({events_at({1, 20})});
  fr::pipeline p("p");
  const auto events = timed(p, "events", source);
  (void)counted(events, "w");
  (void)(events | fr::key_by(&event::key) | fr::window(fr::count_window{.size = 2}) |
         fr::aggregate("pairs", fr::count("n")));
  auto job = p.start();
  REQUIRE(job.ok());
  const auto failure = [&](const char* name, const fr::window_span& span) {
    return job->why_not_fired(name, span).status();
  };
  REQUIRE(failure("v", ticks(0, 10)).code() == absl::StatusCode::kNotFound);
  REQUIRE(message_of(failure("v", ticks(0, 10))) ==
          "pipeline 'p': it has no window 'v'; there are 'w', 'pairs'");
  REQUIRE(message_of(failure("pairs", ticks(0, 10))) ==
          "window 'pairs': its rows do not wait for a watermark; ask about a window of event time "
          "that fires at its end");
  REQUIRE(message_of(failure("w", ticks(10, 10))) ==
          "window 'w': the span [1970-01-01T00:00:00.00001Z, 1970-01-01T00:00:00.00001Z) holds no "
          "time; give the span of a window");
}

TEST_CASE("after its end a job tells the last it knew", "[job][why_not_fired]") {
  const auto source = pausing({events_at({1, 12})});
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source), "w");
  auto stopped = p.start(committing_to(commits));
  REQUIRE(stopped.ok());
  wait_until_paused(source, 1);
  stopped->stop();
  REQUIRE(stopped->wait().ok());
  const fr::window_explanation answer = told(*stopped, ticks(10, 20));
  REQUIRE_FALSE(answer.fired);
  REQUIRE(answer.watermark == tick(12));
  REQUIRE(answer.job_ended);
  REQUIRE_THAT(answer.to_text(), Catch::Matchers::Contains("\n  the job has ended; this is how it "
                                                           "stood\n  source 'events' split '0' "));
  source.resume();
  auto finished = p.start(committing_to(commits));
  REQUIRE(finished.ok());
  REQUIRE(finished->wait().ok());
  REQUIRE(told(*finished, ticks(10, 20)).fired);
  auto again = p.start(committing_to(commits));
  REQUIRE(again.ok());
  REQUIRE(again->wait().ok());
  REQUIRE(told(*again, ticks(10, 20)).fired);
}

TEST_CASE("many threads may ask while the job runs, stops and has ended",
          "[job][why_not_fired][threads]") {
  fr::channel<event> in;
  fr::pipeline p("p");
  (void)counted(p.from("in", in) | fr::event_time(&event::at, fr::ascending{}), "w");
  auto job = p.start();
  REQUIRE(job.ok());
  std::atomic<int> answers{0};
  std::vector<std::future<bool>> askers;
  for (int i = 0; i < 4; ++i) {
    askers.push_back(std::async(std::launch::async, [&job, &answers] {
      fr::timestamp before = fr::timestamp_min;
      for (bool ended = false; !ended; ++answers) {
        const auto answer = job->why_not_fired("w", ticks(1'000'000, 1'000'010));
        if (!answer.ok() || answer->watermark < before) return false;
        before = answer->watermark;
        ended = answer->job_ended;
      }
      return true;
    }));
  }
  std::int64_t at = 0;
  for (; answers < 200; ++at) REQUIRE(in.push({"a", 1, tick(at)}).ok());
  job->stop();
  REQUIRE(job->wait().ok());
  for (auto& each : askers) REQUIRE(each.get());
}

TEST_CASE("a function of the pipeline may not ask, and a job that is busy does not keep others",
          "[job][why_not_fired][threads]") {
  const auto source = pausing({{}, events_at({1})});
  std::promise<const fr::job*> started;
  std::promise<absl::Status> inside;
  std::promise<void> go_on;
  fr::pipeline p("p");
  (void)counted(timed(p, "events", source) |
                    fr::map([&, asked = started.get_future().share()](const event& each) {
                      inside.set_value(asked.get()->why_not_fired("w", ticks(0, 10)).status());
                      go_on.get_future().wait();
                      return each;
                    }),
                "w");
  auto job = p.start();
  REQUIRE(job.ok());
  started.set_value(&*job);
  const absl::Status refused = inside.get_future().get();
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(message_of(refused) ==
          "window 'w': a function of the pipeline asks why it has not fired, and would wait for "
          "itself; ask from another thread");
  const absl::Status busy = job->why_not_fired("w", ticks(0, 10), 1ms).status();
  REQUIRE(busy.code() == absl::StatusCode::kDeadlineExceeded);
  REQUIRE(message_of(busy) ==
          "window 'w': the job has been busy with one batch for 1ms; ask again, or give it more "
          "time to answer");
  go_on.set_value();
  REQUIRE_FALSE(told(*job, ticks(0, 10)).fired);
}
