// How records are assigned to windows. Case numbers are those of the project's list of stream
// processing semantics; times are in ticks of 1 us.
#include "catch.hpp"
#include "window/spans.hpp"

#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using begins = std::vector<std::int64_t>;

TEST_CASE("case 1: tumbling boundaries belong to the later window", "[semantics][window]") {
  const fr::tumbling windows(5000us);
  REQUIRE(spans_of(windows, 0) == spans{ticks(0, 5000)});
  REQUIRE(spans_of(windows, 4999) == spans{ticks(0, 5000)});
  REQUIRE(spans_of(windows, 5000) == spans{ticks(5000, 10000)});
}

TEST_CASE("case 2: a positive offset moves tumbling windows later", "[semantics][window]") {
  const fr::tumbling windows{.size = 5000us, .offset = 100us};
  REQUIRE(spans_of(windows, 100) == spans{ticks(100, 5100)});
  REQUIRE(spans_of(windows, 5099) == spans{ticks(100, 5100)});
  REQUIRE(spans_of(windows, 5100) == spans{ticks(5100, 10100)});
}

TEST_CASE("case 3: a negative offset moves tumbling windows earlier", "[semantics][window]") {
  const fr::tumbling windows{.size = 5000us, .offset = -100us};
  REQUIRE(spans_of(windows, 0) == spans{ticks(-100, 4900)});
  REQUIRE(spans_of(windows, 4899) == spans{ticks(-100, 4900)});
  REQUIRE(spans_of(windows, 4900) == spans{ticks(4900, 9900)});
}

TEST_CASE("case 4: starts are floored for every sign of time and offset", "[semantics][window]") {
  // Size 7 divides neither the times nor the offsets.
  const fr::tumbling later{.size = 7us,
                           .offset = 3us};  // ... [-11, -4) [-4, 3) [3, 10) [10, 17) ...
  REQUIRE(spans_of(later, 9) == spans{ticks(3, 10)});
  REQUIRE(spans_of(later, 2) == spans{ticks(-4, 3)});
  REQUIRE(spans_of(later, -4) == spans{ticks(-4, 3)});
  REQUIRE(spans_of(later, -5) == spans{ticks(-11, -4)});
  const fr::tumbling earlier{.size = 7us, .offset = -5us};  // ... [-12, -5) [-5, 2) [2, 9) ...
  REQUIRE(spans_of(earlier, 8) == spans{ticks(2, 9)});
  REQUIRE(spans_of(earlier, 1) == spans{ticks(-5, 2)});
  REQUIRE(spans_of(earlier, -5) == spans{ticks(-5, 2)});
  REQUIRE(spans_of(earlier, -6) == spans{ticks(-12, -5)});
  const fr::sliding overlapping{.size = 7us, .slide = 4us, .offset = -3us};
  REQUIRE(begins_of(overlapping, -13) == begins{-19, -15});
  REQUIRE(begins_of(overlapping, -12) == begins{-15});
  REQUIRE(begins_of(overlapping, -11) == begins{-15, -11});
}

TEST_CASE("case 5: records before the epoch are in the window that holds them",
          "[semantics][window]") {
  REQUIRE(spans_of(fr::tumbling(5000us), -1) == spans{ticks(-5000, 0)});
  REQUIRE(spans_of(fr::tumbling(5000us, 100us), -5001) == spans{ticks(-9900, -4900)});
}

TEST_CASE("case 6: an offset of -8 h makes days of the zone UTC+8", "[semantics][window]") {
  const fr::tumbling days{.size = 24h, .offset = -8h};
  const spans given = spans_of(days, at(1470902048450ms));
  REQUIRE(given == spans{span(1470844800000ms, 1470844800000ms + 24h)});
}

TEST_CASE("case 7: sizes, slides, and gaps are positive, offsets shorter than a step",
          "[semantics][window]") {
  REQUIRE_FALSE(fr::tumbling(0us).check().empty());
  REQUIRE_FALSE(fr::tumbling(-1us).check().empty());
  REQUIRE_FALSE(fr::tumbling(5us, 5us).check().empty());
  REQUIRE_FALSE(fr::tumbling(5us, -5us).check().empty());
  REQUIRE_FALSE(fr::sliding(0us, 1us).check().empty());
  REQUIRE_FALSE(fr::sliding(5us, 0us).check().empty());
  REQUIRE_FALSE(fr::sliding(5us, -1us).check().empty());
  REQUIRE_FALSE(fr::sliding(5us, 2us, 2us).check().empty());
  REQUIRE_FALSE(fr::sliding(5us, 2us, -2us).check().empty());
  REQUIRE_FALSE(fr::session(0us).check().empty());
  REQUIRE_FALSE(fr::session(-1us).check().empty());
  REQUIRE(fr::tumbling(5us, -4us).check().empty());
  REQUIRE(fr::sliding(5us, 2us, 1us).check().empty());
  REQUIRE(fr::session(1us).check().empty());
}

TEST_CASE("case 8: sliding windows whose slide divides their size", "[semantics][window]") {
  const fr::sliding windows(5000us, 1000us);
  REQUIRE(begins_of(windows, 0) == begins{-4000, -3000, -2000, -1000, 0});
  REQUIRE(begins_of(windows, 4999) == begins{0, 1000, 2000, 3000, 4000});
  REQUIRE(begins_of(windows, 5000) == begins{1000, 2000, 3000, 4000, 5000});
  REQUIRE(begins_of(fr::sliding(5000us, 1000us, 100us), 100) ==
          begins{-3900, -2900, -1900, -900, 100});
  REQUIRE(begins_of(fr::sliding(5000us, 1000us, -100us), 0) ==
          begins{-4100, -3100, -2100, -1100, -100});
}

TEST_CASE("case 9: where the slide does not divide the size, records alternate between counts",
          "[semantics][window]") {
  //  0  1  2  3  4  5  6  7  8  9 10 11 12 13
  //  [--------------------)
  //           [--------------------)
  //                    [--------------------)
  const fr::sliding windows(7us, 3us);
  REQUIRE(begins_of(windows, 6) == begins{0, 3, 6});
  REQUIRE(begins_of(windows, 7) == begins{3, 6});
  REQUIRE(begins_of(windows, 8) == begins{3, 6});
  REQUIRE(begins_of(windows, 9) == begins{3, 6, 9});
  REQUIRE(begins_of(windows, -3) == begins{-9, -6, -3});
  REQUIRE(begins_of(windows, -2) == begins{-6, -3});
  // Offset 1 moves all of it by one tick.
  REQUIRE(begins_of(fr::sliding(7us, 3us, 1us), 7) == begins{1, 4, 7});
  REQUIRE(begins_of(fr::sliding(7us, 3us, 1us), 6) == begins{1, 4});
}

TEST_CASE("case 10: where the slide exceeds the size, records in the gaps have no window",
          "[semantics][window]") {
  const fr::sliding windows(2us, 5us);
  REQUIRE(windows.check().empty());
  REQUIRE(spans_of(windows, 6) == spans{ticks(5, 7)});
  REQUIRE(spans_of(windows, 3).empty());
  REQUIRE(spans_of(windows, 7).empty());
  REQUIRE(spans_of(windows, -5) == spans{ticks(-5, -3)});
  REQUIRE(spans_of(windows, -3).empty());
}

TEST_CASE("case 11: windows that begin before the epoch exist", "[semantics][window]") {
  // Times in seconds relative to 9:00:00, the offset of the alignment.
  const fr::sliding windows(10s, 5s);
  REQUIRE(spans_of(windows, at(-3s)) == spans{span(-10s, 0s), span(-5s, 5s)});
}

TEST_CASE("case 54: the spans of records exactly a gap apart do not overlap",
          "[semantics][window]") {
  const auto first = spans_of(fr::session(10us), 0).front();
  const auto touching = spans_of(fr::session(10us), 10).front();
  const auto overlapping = spans_of(fr::session(10us), 9).front();
  REQUIRE(touching.begin == first.end);
  REQUIRE(overlapping.begin < first.end);
}
