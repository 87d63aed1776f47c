// What a user saw: rows that timers of one time had emitted for several keys were late for windows
// below that end at that time, all but those of the first key. The first timer of a time moved what
// counts as promised, and the rows of the others stood behind it.
#include "pipeline/process_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Emits its key, once, when time has reached 10.
struct at_ten {
  void process(const event&, auto& context) const { context.set_event_timer(tick(10)); }
  void on_timer(const fr::timer&, auto& context) const {
    context.emit(event{context.key(), 1, tick(9)});
  }
};

}  // namespace

TEST_CASE("0004: rows of timers of one time are in the same windows, whatever their keys",
          "[regression][process][timer]") {
  const auto log = script_of({{e("a", 1), e("b", 1), e("c", 1), e("d", 1)}});
  const process_rows found = run_cut(log, {}, [](const auto& keyed) {
    auto windows = keyed | fr::process<event>("p", at_ten{}) |
                   fr::key_by([](const event&) { return 0; }) | fr::window(fr::tumbling{10us}) |
                   fr::aggregate("w", fr::count("n"));
    return std::tuple(windows, windows.late());
  });
  REQUIRE(found.side.empty());
  REQUIRE(found.rows == rows_of_text{"0|0|10|4@9"});
}
