// The worked examples of docs/reference/time.md on panes, accumulation, sessions with a gap per
// record and the global window.
#include "catch.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/freshet.hpp>
#include <freshet/testing/scripted_source.hpp>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::string key;
  std::int64_t second = 0;
  fr::duration gap{0};
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, second, gap, at))

reading at_second(std::int64_t second, fr::duration gap = 1s) {
  return {"k", second, gap, fr::timestamp{std::chrono::seconds(second)}};
}

std::vector<reading> at_seconds(const std::vector<std::int64_t>& seconds) {
  std::vector<reading> rows;
  for (const std::int64_t s : seconds) rows.push_back(at_second(s));
  return rows;
}

using rows = std::vector<std::string>;

/// The rows of windows as `on_time 1 [0, 10) 1, 2, 3`, retractions with a minus before it.
rows panes_of(std::vector<reading> log, const auto& windows) {
  rows found;
  fr::pipeline p("example");
  const fr::testing::script<reading> plays({std::move(log)});
  auto fired =
      p.from("readings", fr::testing::scripted_source<reading>(plays, {.chunk_rows_max = 1})) |
      fr::event_time(&reading::at, fr::bounded_disorder{0s}) | fr::key_by(&reading::key) | windows |
      fr::aggregate("windows", fr::collect("seconds", &reading::second));
  using row = decltype(fired)::value_type;
  fired | fr::to("rows", fr::callback([&found](const row& each) {
                   const auto second = [](fr::timestamp at) { return at.time_since_epoch() / 1s; };
                   found.push_back(fmt::format(
                       "{}{} {} [{}, {}) {}", each.pane.retraction ? "-" : "",
                       fr::to_text(each.pane.timing), each.pane.index, second(each.window.begin),
                       second(each.window.end), fmt::join(std::get<0>(each.values), ", ")));
                 }));
  REQUIRE(p.run().ok());
  return found;
}

}  // namespace

TEST_CASE("time.md, panes: a period of event time", "[docs][time]") {
  REQUIRE(
      panes_of(at_seconds({1, 2, 12, 25}), fr::window(fr::tumbling(100s), {}, {.every = 10s})) ==
      rows{"early 0 [0, 100) 1, 2, 12", "early 1 [0, 100) 1, 2, 12, 25",
           "on_time 2 [0, 100) 1, 2, 12, 25"});
}

TEST_CASE("time.md, accumulation: what a pane says about those before it", "[docs][time]") {
  const auto panes_in = [](fr::accumulation mode) {
    rows found = panes_of(
        at_seconds({1, 2, 3, 12, 4}),
        fr::window(fr::tumbling(10s), {.allowed_lateness = 20s}, {.every_count = 2, .mode = mode}));
    found.pop_back();  // Of [10, 20), at the end of the input.
    return found;
  };
  REQUIRE(panes_in(fr::accumulation::accumulate) ==
          rows{"early 0 [0, 10) 1, 2", "on_time 1 [0, 10) 1, 2, 3", "late 2 [0, 10) 1, 2, 3, 4"});
  REQUIRE(panes_in(fr::accumulation::discard) ==
          rows{"early 0 [0, 10) 1, 2", "on_time 1 [0, 10) 3", "late 2 [0, 10) 4"});
  REQUIRE(panes_in(fr::accumulation::retract) ==
          rows{"early 0 [0, 10) 1, 2", "-early 0 [0, 10) 1, 2", "on_time 1 [0, 10) 1, 2, 3",
               "-on_time 1 [0, 10) 1, 2, 3", "late 2 [0, 10) 1, 2, 3, 4"});
}

TEST_CASE("time.md, accumulation: a merged session takes back the rows of its parts",
          "[docs][time]") {
  rows found = panes_of(
      at_seconds({0, 15, 26, 8}),
      fr::window(fr::session{10s}, {.allowed_lateness = 20s}, {.mode = fr::accumulation::retract}));
  found.pop_back();  // Of [26, 36), at the end of the input.
  REQUIRE(found == rows{"on_time 0 [0, 10) 0", "on_time 0 [15, 25) 15", "-on_time 0 [0, 10) 0",
                        "-on_time 0 [15, 25) 15", "late 2 [0, 25) 0, 8, 15"});
}

TEST_CASE("time.md, sessions with a gap per record end at the furthest end", "[docs][time]") {
  REQUIRE(panes_of({at_second(0, 100s), at_second(20, 5s), at_second(70, 10s), at_second(100)},
                   fr::window(fr::session_by(&reading::gap))) ==
          rows{"on_time 0 [0, 100) 0, 20, 70", "on_time 0 [100, 101) 100"});
}

TEST_CASE("time.md, the global window: every third record", "[docs][time]") {
  const rows found = panes_of(at_seconds({1, 2, 3, 4, 5}),
                              fr::window(fr::global_window{}, {.fire = fr::firing::never},
                                         {.every_count = 3, .mode = fr::accumulation::discard}));
  REQUIRE(found.size() == 1);
  REQUIRE_THAT(found.front(),
               Catch::Matchers::StartsWith("early 0 [") && Catch::Matchers::EndsWith(") 1, 2, 3"));
}
