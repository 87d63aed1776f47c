// The global window, and what `partitions` promises.
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;

TEST_CASE("the global window is all of time for every record", "[window][global]") {
  for (const fr::timestamp at : {fr::timestamp_min, fr::timestamp{}, fr::timestamp_max}) {
    std::vector<fr::window_span> out;
    fr::global_window{}.assign(at, out);
    REQUIRE(out == std::vector<fr::window_span>{{fr::timestamp_min, fr::timestamp_max}});
  }
}

TEST_CASE("the global window keeps the window assigner contract", "[window][contract]") {
  fr::check_window_assigner(fr::global_window{});
}

TEST_CASE("those assigners partition time that say so", "[window]") {
  STATIC_REQUIRE(fr::partitions_time<fr::global_window>);
  STATIC_REQUIRE(fr::partitions_time<fr::tumbling>);
  STATIC_REQUIRE_FALSE(fr::partitions_time<fr::sliding>);
  STATIC_REQUIRE_FALSE(fr::partitions_time<fr::session>);
}
