#include "catch.hpp"
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/session.hpp>

#include <chrono>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

TEST_CASE("session gives a record the gap that follows it", "[window][session]") {
  STATIC_REQUIRE(fr::session::merges);
  REQUIRE(spans_of(fr::session(5s), at(2s)) == spans{span(2s, 7s)});
  REQUIRE(spans_of(fr::session{.gap = 5s}, at(-2s)) == spans{span(-2s, 3s)});
}

TEST_CASE("session cuts a span at the end of time", "[window][session]") {
  REQUIRE(spans_of(fr::session(5us), fr::timestamp_max - 2us) ==
          spans{{fr::timestamp_max - 2us, fr::timestamp_max}});
  REQUIRE(spans_of(fr::session(fr::duration::max()), fr::timestamp_min) ==
          spans{{fr::timestamp_min, fr::timestamp_min + fr::duration::max()}});
}

TEST_CASE("session refuses gaps that are not positive", "[window][session]") {
  REQUIRE(fr::session(0s).check() == "gap 0s is not positive; give .gap a positive duration");
  REQUIRE(fr::session(-30min).check() ==
          "gap -30min is not positive; give .gap a positive duration");
  REQUIRE(fr::session(1us).check().empty());
}

TEST_CASE("session describes its gap", "[window][session]") {
  REQUIRE(fr::session(30min).describe() == "session 30min");
}

TEST_CASE("session keeps the window assigner contract", "[window][session][contract]") {
  const auto windows =
      GENERATE(fr::session(1us), fr::session(30min), fr::session(fr::duration::max()));
  REQUIRE_NOTHROW(fr::check_window_assigner(windows));
}
