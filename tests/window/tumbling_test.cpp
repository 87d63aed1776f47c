#include "catch.hpp"
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/tumbling.hpp>

#include <chrono>
#include <random>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

// Tries every span near the epoch.
spans naive_tumbling(std::int64_t size, std::int64_t offset, std::int64_t tick) {
  spans out;
  for (std::int64_t k = -200; k <= 200; ++k) {
    const std::int64_t begin = offset + k * size;
    if (begin <= tick && tick < begin + size) out.push_back(ticks(begin, begin + size));
  }
  return out;
}

}  // namespace

TEST_CASE("tumbling puts a record on the boundary into the later window", "[window][tumbling]") {
  //  0s        2s        4s
  //  [---------)[--------)
  //            x
  REQUIRE(spans_of(fr::tumbling(2s), at(2s)) == spans{span(2s, 4s)});
  REQUIRE(spans_of(fr::tumbling(2s), at(2s - 1us)) == spans{span(0s, 2s)});
}

TEST_CASE("tumbling takes any chrono duration, by place and by name", "[window][tumbling]") {
  constexpr fr::tumbling by_place(10min);
  constexpr fr::tumbling by_name{.size = 600s};
  constexpr fr::tumbling shifted{.size = 24h, .offset = -8h};
  STATIC_REQUIRE(by_place == by_name);
  STATIC_REQUIRE(shifted.span_of(at(0s)) == span(-8h, 16h));
  STATIC_REQUIRE(fr::tumbling(24h, -8h) == shifted);
}

TEST_CASE("tumbling agrees with trying every span", "[window][tumbling]") {
  std::mt19937_64 random(20240501);
  for (int i = 0; i < 3000; ++i) {
    const auto size = static_cast<std::int64_t>(1 + random() % 20);
    const auto offset =
        static_cast<std::int64_t>(random() % (2 * static_cast<std::uint64_t>(size) - 1)) - size + 1;
    const auto tick = static_cast<std::int64_t>(random() % 101) - 50;
    INFO("size " << size << ", offset " << offset << ", at " << tick);
    const fr::tumbling windows{.size = fr::duration{size}, .offset = fr::duration{offset}};
    REQUIRE(windows.check().empty());
    REQUIRE(spans_of(windows, tick) == naive_tumbling(size, offset, tick));
  }
}

TEST_CASE("tumbling cuts a span at either end of time and keeps its other end",
          "[window][tumbling]") {
  // The ends of time are -2^63 and 2^63 - 1 ticks; 2^63 = 8 (mod 10).
  const fr::timestamp first = fr::timestamp_min;
  const fr::timestamp last = fr::timestamp_max;
  const fr::tumbling windows(10us);
  REQUIRE(spans_of(windows, first) == spans{{first, first + 8us}});
  REQUIRE(spans_of(windows, first + 8us) == spans{{first + 8us, first + 18us}});
  REQUIRE(spans_of(windows, last) == spans{{last - 7us, last}});
  REQUIRE(spans_of(windows, last - 8us) == spans{{last - 17us, last - 7us}});
}

TEST_CASE("tumbling with the largest size covers half of all time", "[window][tumbling]") {
  const fr::tumbling windows(fr::duration::max());
  REQUIRE(spans_of(windows, at(0s)) == spans{{at(0s), fr::timestamp_max}});
  REQUIRE(spans_of(windows, at(-1us)) == spans{{fr::timestamp_min + 1us, at(0s)}});
  REQUIRE(spans_of(windows, fr::timestamp_min) ==
          spans{{fr::timestamp_min, fr::timestamp_min + 1us}});
}

TEST_CASE("tumbling refuses sizes that are not positive and offsets that are not shorter",
          "[window][tumbling]") {
  REQUIRE(fr::tumbling{}.check() == "size 0s is not positive; give .size a positive duration");
  REQUIRE(fr::tumbling(-1s).check() == "size -1s is not positive; give .size a positive duration");
  REQUIRE(fr::tumbling(fr::duration::min()).check().find("is not positive") != std::string::npos);
  REQUIRE(fr::tumbling(10min, 25min).check() ==
          "offset 25min is not shorter than size 10min; give .offset 5min, which means the same");
  REQUIRE(fr::tumbling(10min, -10min).check() ==
          "offset -10min is not shorter than size 10min; give .offset 0s, which means the same");
  REQUIRE_FALSE(fr::tumbling(10min, fr::duration::min()).check().empty());
  REQUIRE(fr::tumbling(10min, -10min + 1us).check().empty());
}

TEST_CASE("tumbling describes its parameters, an offset of zero left out", "[window][tumbling]") {
  REQUIRE(fr::tumbling(10min).describe() == "tumbling 10min");
  REQUIRE(fr::tumbling(24h, -8h).describe() == "tumbling 1d offset -8h");
}

TEST_CASE("tumbling keeps the window assigner contract", "[window][tumbling][contract]") {
  const auto windows = GENERATE(fr::tumbling(1us), fr::tumbling(2s), fr::tumbling(7us, -3us),
                                fr::tumbling(24h, -8h), fr::tumbling(fr::duration::max()),
                                fr::tumbling(fr::duration::max(), fr::duration::min() + 2us),
                                fr::tumbling(fr::duration::max(), fr::duration::max() - 1us));
  REQUIRE_NOTHROW(fr::check_window_assigner(windows));
}
