// in_every_mode lets right pipelines pass, and finds out those whose rows depend on restarts or
// batches: each wrong operator is written as a user might write it.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

event e(std::int64_t at) {
  return {"a", at, tick(at)};
}

/// What `compose` makes of ten records and a watermark after every other one.
template <class Compose>
auto played(Compose compose) {
  return [compose](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows = h.collect(compose(in.stream()));
    for (std::int64_t at = 0; at < 10; ++at) {
      in.push(e(at), tick(at));
      if (at % 2 == 0) in.watermark(tick(at));
    }
    h.finish();
    return rows.take_text();
  };
}

template <class Scenario>
std::string violation_of(Scenario scenario) {
  try {
    (void)frt::in_every_mode(scenario);
  } catch (const fr::contract_violation& violation) {
    return violation.what();
  }
  return "it passed";
}

}  // namespace

TEST_CASE("a right pipeline passes in every mode, and its rows are returned",
          "[testing][every_mode]") {
  const rows_of_text rows = frt::in_every_mode(played([](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(fr::tumbling{4us}) |
           fr::aggregate("w", fr::sum("sum", &event::value));
  }));
  REQUIRE(rows == rows_of_text{"a|0|4|6@3", "a|4|8|22@7", "a|8|12|17@11"});
}

TEST_CASE("state outside of snapshots is found out by the restores", "[testing][every_mode]") {
  const std::string found = violation_of(played([](const fr::stream<event>& events) {
    return events |
           fr::map([seen = 0](const event&) mutable { return ++seen; });  // Begins at 0 again.
  }));
  REQUIRE(found ==
          "in_every_mode: restored between all items, element 1 is 1@1; wanted what it is when run "
          "plainly, where element 1 is 2@1; look for what a snapshot does not hold, such as a "
          "counter in a function given to map");
}

TEST_CASE("state that a kill does not take back is found out by the kills",
          "[testing][every_mode]") {
  const std::string found = violation_of(played([](const fr::stream<event>& events) {
    return events | fr::map([seen = std::make_shared<int>(0)](const event&) { return ++*seen; });
  }));
  REQUIRE_THAT(found, StartsWith("in_every_mode: killed between all items, element 0 is 3@0"));
}

TEST_CASE("operators whose rows depend on the batch are found out", "[testing][every_mode]") {
  const std::string found = violation_of(played([](const fr::stream<event>& events) {
    // Right when records come one by one: the second function sees what the first one saw last.
    const auto last = std::make_shared<std::int64_t>(0);
    return events | fr::map([last](const event& each) { return *last = each.value; }) |
           fr::map([last](std::int64_t) { return *last; });
  }));
  REQUIRE_THAT(found, StartsWith("in_every_mode: in batches of up to 2, element 0 is 1@0"));
  REQUIRE_THAT(found, Contains("two functions that share something"));
}

TEST_CASE("a scenario that throws in one mode is reported with it", "[testing][every_mode]") {
  REQUIRE(violation_of([](const frt::harness_options& options) {
            if (options.batch_rows == 7) throw std::runtime_error("not with sevens");
            return 0;
          }) ==
          "in_every_mode: in batches of up to 7, the scenario threw (not with sevens); look for "
          "what happens once per batch, or for two functions that share something");
  struct not_a_standard_exception {};
  REQUIRE_THROWS_AS(
      frt::in_every_mode([](const frt::harness_options&) { throw not_a_standard_exception{}; }),
      not_a_standard_exception);
}

TEST_CASE("a scenario may check for itself and return nothing", "[testing][every_mode]") {
  std::vector<std::string> modes;
  frt::in_every_mode([&](const frt::harness_options& options) {
    modes.push_back(options.mode);
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto rows = h.collect(in.stream());
    in.push(e(1));
    REQUIRE(rows.size() == 1);
  });
  REQUIRE(modes == std::vector<std::string>{"plain", "restored between all items",
                                            "killed between all items", "in batches of up to 2",
                                            "in batches of up to 7", "in batches of up to 256"});
}

TEST_CASE("results of other kinds are compared and shown, too", "[testing][every_mode]") {
  REQUIRE_THAT(violation_of([](const frt::harness_options& options) {
                 return std::vector<frt::collected_row<event>>{
                     {e(1), tick(static_cast<std::int64_t>(options.batch_rows)), {}}};
               }),
               Contains("in batches of up to 2, element 0 is {a|1|1}|2|none; wanted"));
  REQUIRE_THAT(violation_of([](const frt::harness_options& options) {
                 return std::vector<int>(options.restore_between_items ? 1 : 0);
               }),
               Contains("element 0 is 0; wanted what it is when run plainly, where element 0 is "
                        "nothing"));
  REQUIRE_THAT(violation_of([](const frt::harness_options& options) {
                 return options.kill_between_items ? "killed" : "alive";
               }),
               Contains("killed between all items, killed; wanted"));
}
