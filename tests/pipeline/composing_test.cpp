// What is refused while a pipeline is composed or opened, and in which words.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

const fr::bounded_disorder in_order{0us};

auto some_events() {
  return fr::values(events_at({1, 2, 3}));
}

/// A pipeline with one timed stream, ready for the operator under test.
struct composed {
  fr::pipeline p{"p"};
  fr::checked_stream<event> raw = p.from("events", some_events());
  fr::checked_stream<event> events = raw | fr::event_time(&event::at, in_order);
};

template <class Operator>
std::string refusal_on_events(const Operator& operation) {
  return refusal_of([&] {
    composed c;
    (void)(c.events | operation);
  });
}

std::string refusal_of_window(fr::tumbling assigner, fr::window_options options = {}) {
  return refusal_of([&] {
    composed c;
    (void)(c.events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::count("n")));
  });
}

std::string failure_of(fr::pipeline& p, const fr::run_options& options = {}) {
  const absl::Status done = p.run(options);
  return done.ok() ? "it ran" : message_of(done);
}

}  // namespace

TEST_CASE("a source name that is taken is refused", "[pipeline]") {
  composed c;
  REQUIRE(
      refusal_of([&] { (void)c.p.from("events", some_events()); }) ==
      "from 'events': another from of pipeline 'p' has this name; a name is the identity of state "
      "across restarts, give each its own");
}

TEST_CASE("a window name that is taken is refused, and so is a sink's", "[pipeline]") {
  composed c;
  const auto windows = c.events | fr::key_by(&event::key) | fr::window(fr::tumbling{1s});
  const auto rows = windows | fr::aggregate("w", fr::count("n"));
  REQUIRE(
      refusal_of([&] { (void)(windows | fr::aggregate("w", fr::count("n"))); }) ==
      "window 'w': another window of pipeline 'p' has this name; a name is the identity of state "
      "across restarts, give each its own");
  rows | fr::to("w", keep_rows_in(keeper()));  // Other kinds have names of their own.
  REQUIRE(
      refusal_of([&] { rows | fr::to("w", keep_rows_in(keeper())); }) ==
      "to 'w': another to of pipeline 'p' has this name; a name is the identity of state across "
      "restarts, give each its own");
}

TEST_CASE("event times are assigned once, on whichever branch", "[pipeline]") {
  REQUIRE(
      refusal_on_events(fr::event_time(&event::at, in_order)) ==
      "event_time: event_time 'events' above it has event times already; assign them once, above "
      "windows and merges");
  REQUIRE(
      refusal_of([] {
        composed c;
        (void)(c.raw | fr::event_time(&event::at, in_order));
      }) ==
      "event_time: source 'events' has one already; assign event times once, then use the stream "
      "twice");
}

TEST_CASE("two sources without names may each have event times", "[pipeline]") {
  fr::pipeline p("p");
  const auto rows = keeper();
  fr::merge(p.from("", some_events()) | fr::event_time(&event::at, in_order),
            p.from("", some_events()) | fr::event_time(&event::at, in_order)) |
      fr::to("", keep_rows_in(rows));
  (void)run_to_end(p);
  REQUIRE(rows->published == 6);
}

TEST_CASE("event times are not assigned below a merge or a window", "[pipeline]") {
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(fr::merge(p.from("a", some_events()), p.from("b", some_events())) |
                   fr::event_time(&event::at, in_order));
          }) ==
          "event_time: found merge #2 above it, wanted one source and record-wise operators (map, "
          "filter, flat_map); give every source its event_time before that");
}

TEST_CASE("windows and samples need event times", "[pipeline]") {
  REQUIRE(refusal_of([] {
            composed c;
            (void)(c.raw | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
                   fr::aggregate("w", fr::count("n")));
          }) ==
          "window 'w': the records have no event times; put event_time(&record::at, "
          "bounded_disorder{...}) below their source");
  REQUIRE(refusal_of([] {
            composed c;
            (void)(c.raw | fr::sample("s", fr::rarity(&event::key, {.rate = 0.5})));
          }) ==
          "sample 's': the records have no event times; put event_time(&record::at, "
          "bounded_disorder{...}) below their source");
}

TEST_CASE("dead letters have no event times, late records have", "[pipeline]") {
  composed c;
  const auto dead = c.events.dead() | fr::key_by(&fr::dead_letter::reason);
  REQUIRE_THAT(refusal_of([&] {
                 (void)(dead | fr::window(fr::tumbling{1s}) | fr::aggregate("w", fr::count("n")));
               }),
               Catch::Matchers::StartsWith("window 'w': the records have no event times"));
  REQUIRE_NOTHROW(fr::merge(c.raw.dead(), c.events.dead()));
  const auto late = (c.events | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
                     fr::aggregate("w", fr::count("n")))
                        .late();
  REQUIRE_NOTHROW(late | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
                  fr::aggregate("late per second", fr::count("n")));
}

TEST_CASE("options out of range are refused with what was found and what to do", "[pipeline]") {
  REQUIRE(refusal_of_window(fr::tumbling{0s}) ==
          "window 'w': size 0s is not positive; give .size a positive duration");
  REQUIRE(refusal_of_window(fr::tumbling{1s}, {.allowed_lateness = -5s}) ==
          "window 'w': allowed lateness -5s is negative; give zero or a positive duration");
  REQUIRE(refusal_of([] {
            composed c;
            (void)(c.events | fr::key_by(&event::key) | fr::window(fr::sliding{10min, 0s}) |
                   fr::aggregate("w", fr::count("n")));
          }) ==
          "window 'w': slide 0s is not positive; give .slide a positive duration, or use tumbling");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(p.from("events", some_events()) |
                   fr::event_time(&event::at, fr::bounded_disorder{-1s}));
          }) == "event_time: disorder -1s is negative; give zero or a positive duration");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(p.from("events", some_events()) |
                   fr::event_time(&event::at, in_order, {.idle_after = -1s}));
          }) == "event_time: idle_after -1s is negative; give zero or a positive duration");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(p.from("events", some_events()) |
                   fr::event_time(&event::at, in_order, {.jump_max = -1s}));
          }) == "event_time: jump_max -1s is negative; give zero or a positive duration");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(p.from("events", some_events()) |
                   fr::event_time(&event::at, in_order, {.jump_confirmations = 2}));
          }) ==
          "event_time: jump_confirmations 2 without jump_max, which would quarantine; give "
          ".jump_max a positive duration");
}

TEST_CASE("two columns of one name are refused", "[pipeline]") {
  REQUIRE(refusal_of([] {
            composed c;
            (void)(c.events | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
                   fr::aggregate("w", fr::count("n"), fr::sum("n", &event::value)));
          }) ==
          "window 'w': its row has two columns 'n', and each is known by its name; give every "
          "aggregate a name of its own, other than those of key and window");
}

TEST_CASE("streams with and without event times do not merge, nor those of two pipelines",
          "[pipeline]") {
  composed c;
  REQUIRE(refusal_of([&] { (void)fr::merge(c.events, c.p.from("more", some_events())); }) ==
          "merge: some inputs have event times and some have not; give every source its event_time "
          "above the merge");
  composed other;
  REQUIRE(refusal_of([&] { (void)fr::merge(c.events, other.events); }) ==
          "merge: the streams belong to different pipelines; merge streams of one pipeline");
}

TEST_CASE("nothing is added to a pipeline that was started", "[pipeline]") {
  composed c;
  (void)run_to_end(c.p);
  REQUIRE(refusal_of([&] { (void)(c.events | fr::filter([](const event&) { return true; })); }) ==
          "pipeline 'p': filter is added after the job was started; compose first, then run");
}

TEST_CASE("a pipeline without a source does not run", "[pipeline]") {
  fr::pipeline p("empty");
  REQUIRE(failure_of(p) == "pipeline 'empty': it has no source; begin with from(name, ...)");
}

TEST_CASE("options that cannot be kept do not run", "[pipeline]") {
  composed c;
  REQUIRE(failure_of(c.p, {.parallelism = 0}) ==
          "pipeline 'p': parallelism is 0, wanted 1 to 128; give the number of cores to use");
  REQUIRE(failure_of(c.p, {.parallelism = 129}) ==
          "pipeline 'p': parallelism is 129, wanted 1 to 128; give the number of cores to use");
  REQUIRE(failure_of(c.p, {.max_drift = -1s}) ==
          "pipeline 'p': max_drift -1s is negative; give zero or a positive duration");
  REQUIRE(failure_of(c.p, {.channel_batches = 0}) ==
          "pipeline 'p': channel_batches is 0, so that nothing could pass; give at least 1");
  REQUIRE(failure_of(c.p, {.parallelism = 2, .scheduler = freshet::host_workers(nullptr)}) ==
          "pipeline 'p': host_workers was given no function; give one that enqueues work");
  REQUIRE(failure_of(c.p, {.checkpoint = {.every = 0s}}) ==
          "pipeline 'p': checkpoint.every 0s is not positive; give a positive duration");
  REQUIRE(failure_of(c.p, {.resume = fr::resume::required}) ==
          "pipeline 'p': resume is required, and there is no checkpoint directory; give one");
}

TEST_CASE("everything with state or effects needs a name once there are checkpoints",
          "[pipeline]") {
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline source("p");
  (void)source.from("", some_events());
  REQUIRE(failure_of(source, committing_to(commits)) ==
          "from #0: it has no name, by which a checkpoint would know its state; give it one");
  composed window;
  (void)(window.events | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
         fr::aggregate("", fr::count("n")));
  REQUIRE(failure_of(window.p, committing_to(commits)) ==
          "window #3: it has no name, by which a checkpoint would know its state; give it one");
  composed sink;
  sink.events | fr::to("", keep_rows_in(keeper()));
  REQUIRE(failure_of(sink.p, committing_to(commits)) ==
          "to #2: it has no name, by which a checkpoint would know its state; give it one");
  REQUIRE(commits->commits == 0);
  REQUIRE(failure_of(window.p) == "it ran");
}
