// Functions of the application that throw, and records that have no time or key.
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
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t bad = 3;  // Value of the record with sequence 2.

/// `of(record)`, but the bad record throws.
template <class F>
auto throwing(F of) {
  return [of](const event& each) {
    if (each.value == bad) throw std::runtime_error("boom");
    return std::invoke(of, each);
  };
}

const auto values_of = [](const event& each) { return each.value; };

/// An aggregate whose result cannot be computed.
struct no_result {
  struct state {
    std::uint64_t rows = 0;
  };
  std::string name;
  void add(state& to, const event&) const { ++to.rows; }
  void merge(state& into, const state& from) const { into.rows += from.rows; }
  std::uint64_t result(const state& of) const {
    if (of.rows > 0) throw std::runtime_error("boom");
    return 0;
  }
};
BOOST_DESCRIBE_STRUCT(no_result::state, (), (rows))

/// What `run` says when `compose(events, p)` has put something that throws below the source.
template <class Compose>
std::string failure_of(Compose compose) {
  fr::pipeline p("p");
  compose(p.from("events", fr::values(events_at({10, 20, 30, 40}))));
  const absl::Status done = p.run();
  REQUIRE(done.code() == absl::StatusCode::kUnknown);
  return message_of(done);
}

std::string thrown_by(const std::string& place) {
  return place +
         ": the function given to it threw (boom) at record 2 of split 0 of source 0; catch it "
         "there, or filter such records out before";
}

const auto timed = [](const auto& events) {
  return events | fr::event_time(&event::at, fr::bounded_disorder{0us});
};

}  // namespace

TEST_CASE("an exception in a record-wise function names operator and record", "[pipeline]") {
  REQUIRE(failure_of([](auto events) { (void)(events | fr::map(throwing(values_of))); }) ==
          thrown_by("map #1"));
  REQUIRE(failure_of([](auto events) {
            (void)(events | fr::filter(throwing([](const event&) { return true; })));
          }) == thrown_by("filter #1"));
  REQUIRE(failure_of([](auto events) {
            (void)(events | fr::flat_map<event>([](const event& each, auto& emit) {
                     if (each.value == bad) throw std::runtime_error("boom");
                     emit(each);
                   }));
          }) == thrown_by("flat_map #1"));
}

TEST_CASE("an exception in the functions of time, key and category names operator and record",
          "[pipeline]") {
  REQUIRE(failure_of([](auto events) {
            (void)(events | fr::event_time(throwing(&event::at), fr::bounded_disorder{0us}));
          }) == thrown_by("event_time 'events'"));
  REQUIRE(failure_of([](auto events) { (void)(events | fr::key_by(throwing(&event::key))); }) ==
          thrown_by("key_by #1"));
  REQUIRE(failure_of([](auto events) {
            (void)(timed(events) |
                   fr::sample("s", fr::rarity(throwing(&event::key), {.rate = 1.0})));
          }) == thrown_by("sample 's'"));
}

TEST_CASE("an exception in what an aggregate reads names window and record", "[pipeline]") {
  REQUIRE(failure_of([](auto events) {
            (void)(timed(events) | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
                   fr::aggregate("w", fr::sum("sum", throwing(values_of))));
          }) == thrown_by("window 'w'"));
  REQUIRE(failure_of([](auto events) {
            (void)(timed(events) | fr::key_by(&event::key) | fr::window(fr::session{1s}) |
                   fr::aggregate("w", fr::sum("sum", throwing(values_of))));
          }) == thrown_by("window 'w'"));
}

TEST_CASE("an exception in the result of an aggregate names the window", "[pipeline]") {
  REQUIRE(
      failure_of([](auto events) {
        (void)(timed(events) | fr::key_by(&event::key) | fr::window(fr::tumbling{1s}) |
               fr::aggregate("w", no_result{"n"}));
      }) ==
      "window 'w': the function given to it threw (boom) while a window fired; catch it there, or "
      "filter such records out before");
}

TEST_CASE("an exception in a callback names sink and record", "[pipeline][callback]") {
  REQUIRE(failure_of([](auto events) {
            events | fr::to("out", fr::callback([](const event& each) {
                              if (each.value == bad) throw std::runtime_error("boom");
                            }));
          }) == thrown_by("to 'out'"));
}

TEST_CASE("what is thrown need not be a std::exception", "[pipeline]") {
  REQUIRE_THAT(failure_of([](auto events) {
                 (void)(events | fr::map([](const event&) -> int { throw 7; }));
               }),
               Catch::Matchers::Contains("threw (not a std::exception) at record 0"));
}

TEST_CASE("a failure below a flat_map ends the job although its function catches everything",
          "[pipeline]") {
  REQUIRE(failure_of([](auto events) {
            events | fr::flat_map<event>([](const event& each, auto& emit) {
              for (int i = 0; i < 3000; ++i) {
                try {
                  emit(each);
                } catch (...) {
                }
              }
            }) | fr::map(throwing(values_of));
          }) == thrown_by("map #2"));
}

TEST_CASE("records without an event time become dead letters and take no part", "[pipeline]") {
  const auto rows = keeper();
  const auto dead = keeper();
  fr::pipeline p("p");
  const auto time_of = [](const event& each) {
    return each.value % 2 == 0 ? std::nullopt : std::optional(each.at);
  };
  const auto events = p.from("events", fr::values(events_at({10, 9999, 30}))) |
                      fr::event_time(time_of, fr::bounded_disorder{0us});
  events | fr::to("rows", keep_rows_in(rows));
  events.dead() | fr::to("dead", keep_rows_in(dead));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(rows->rows == rows_of_text{"a|1|10@10", "a|3|30@30"});
  REQUIRE(dead->rows == rows_of_text{"events|values|1|0|the record has no event time|"});
  REQUIRE(summary.metrics.dead() == 1);
  REQUIRE(summary.metrics.of("event_time", "events").dead == 1);
  REQUIRE(summary.metrics.late() == 0);  // 9999 moved no frontier.
}

TEST_CASE("case 107: records without a key are counted and become dead letters", "[semantics]") {
  const auto rows = keeper();
  const auto dead = keeper();
  fr::pipeline p("p");
  const auto key_of = [](const event& each) {
    return each.value % 2 == 0 ? std::nullopt : std::optional(each.key);
  };
  const auto keyed =
      timed(p.from("events", fr::values(events_at({10, 20, 30, 5})))) | fr::key_by(key_of);
  keyed | fr::window(fr::tumbling{1ms}, {.allowed_lateness = 1s}) |
      fr::aggregate("w", fr::count("n")) | fr::to("rows", keep_rows_in(rows));
  keyed.dead() | fr::to("dead", keep_rows_in(dead));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(rows->rows == rows_of_text{"a|0|1000|2@999"});
  REQUIRE(dead->rows == rows_of_text{"key_by #2||1|0|the record has no key|",
                                     "key_by #2||3|0|the record has no key|"});
  REQUIRE(summary.metrics.dead() == 2);
}

TEST_CASE("a key that is not equal to itself is no key", "[pipeline]") {
  const auto dead = keeper();
  const auto rows = keeper();
  fr::pipeline p("p");
  const auto key_of = [](const event& each) { return each.value % 2 == 0 ? std::nan("") : 0.5; };
  const auto keyed =
      timed(p.from("events", fr::values(events_at({10, 20, 30, 5})))) | fr::key_by(key_of);
  keyed | fr::window(fr::tumbling{1ms}) | fr::aggregate("w", fr::count("n")) |
      fr::to("rows", keep_rows_in(rows));
  keyed.dead() | fr::to("dead", keep_rows_in(dead));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(rows->rows == rows_of_text{"0.5|0|1000|2@999"});
  const std::string reason =
      "the record's key is not a number (NaN), so that no record could share it";
  REQUIRE(dead->rows ==
          rows_of_text{"key_by #2||1|0|" + reason + "|", "key_by #2||3|0|" + reason + "|"});
  REQUIRE(summary.metrics.dead() == 2);
  STATIC_REQUIRE(fr::detail::may_differ_from_itself<std::pair<int, double>>);
  STATIC_REQUIRE(!fr::detail::may_differ_from_itself<std::int64_t>);
  STATIC_REQUIRE(!fr::detail::may_differ_from_itself<std::string>);
}

TEST_CASE("dead letters and late records that nobody reads are counted all the same",
          "[pipeline]") {
  fr::pipeline p("p");
  const auto time_of = [](const event& each) {
    return each.value == 1 ? std::nullopt : std::optional(each.at);
  };
  (void)(p.from("events", fr::values(events_at({1, 5000, 1, 7}))) |
         fr::event_time(time_of, fr::bounded_disorder{0us}) | fr::key_by(&event::key) |
         fr::window(fr::tumbling{1ms}) | fr::aggregate("w", fr::count("n")));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(summary.metrics.dead() == 1);
  REQUIRE(summary.metrics.late() == 2);
  REQUIRE(summary.metrics.of("window", "w").late == 2);
  REQUIRE(summary.metrics.records() == 4);
}
