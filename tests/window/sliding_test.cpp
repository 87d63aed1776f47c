#include "catch.hpp"
#include "window/spans.hpp"

#include <freshet/testing/window_contract.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <chrono>
#include <random>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

// Tries every span near the epoch, in ascending order of ends.
spans naive_sliding(std::int64_t size, std::int64_t slide, std::int64_t offset, std::int64_t tick) {
  spans out;
  for (std::int64_t k = -200; k <= 200; ++k) {
    const std::int64_t begin = offset + k * slide;
    if (begin <= tick && tick < begin + size) out.push_back(ticks(begin, begin + size));
  }
  return out;
}

}  // namespace

TEST_CASE("sliding puts a record into every window that holds it", "[window][sliding]") {
  //  0s   1s   2s   3s   4s   5s
  //  [--------------)
  //       [--------------)
  //            [--------------)
  //            x
  REQUIRE(spans_of(fr::sliding(3s, 1s), at(2s)) == spans{span(0s, 3s), span(1s, 4s), span(2s, 5s)});
}

TEST_CASE("sliding agrees with trying every span", "[window][sliding]") {
  std::mt19937_64 random(20240502);
  for (int i = 0; i < 5000; ++i) {
    const auto size = static_cast<std::int64_t>(1 + random() % 20);
    const auto slide = static_cast<std::int64_t>(1 + random() % 20);
    const auto offset =
        static_cast<std::int64_t>(random() % (2 * static_cast<std::uint64_t>(slide) - 1)) - slide +
        1;
    const auto tick = static_cast<std::int64_t>(random() % 101) - 50;
    INFO("size " << size << ", slide " << slide << ", offset " << offset << ", at " << tick);
    const fr::sliding windows{
        .size = fr::duration{size}, .slide = fr::duration{slide}, .offset = fr::duration{offset}};
    REQUIRE(windows.check().empty());
    REQUIRE(spans_of(windows, tick) == naive_sliding(size, slide, offset, tick));
  }
}

TEST_CASE("sliding by its own size is tumbling", "[window][sliding]") {
  std::mt19937_64 random(20240503);
  for (int i = 0; i < 1000; ++i) {
    const fr::timestamp when{fr::duration{static_cast<std::int64_t>(random())}};
    REQUIRE(spans_of(fr::sliding(7s, 7s, -2s), when) == spans_of(fr::tumbling(7s, -2s), when));
  }
}

TEST_CASE("sliding gives spans in ascending order, at the ends of time too", "[window][sliding]") {
  const fr::sliding windows(10us, 3us, 1us);
  for (const fr::timestamp when : {fr::timestamp_min, fr::timestamp_min + 4us, at(0s),
                                   fr::timestamp_max - 4us, fr::timestamp_max}) {
    const spans given = spans_of(windows, when);
    INFO("at " << when.time_since_epoch().count());
    REQUIRE(given.size() >= 3);
    REQUIRE(std::is_sorted(given.begin(), given.end()));
  }
}

TEST_CASE("sliding cuts spans at the ends of time and keeps them apart", "[window][sliding]") {
  const fr::timestamp first = fr::timestamp_min;
  const fr::timestamp last = fr::timestamp_max;
  // -2^63 = 2 and 2^63 - 1 = 2 (mod 5).
  const fr::sliding windows(10us, 5us);
  REQUIRE(spans_of(windows, first) == spans{{first, first + 3us}, {first, first + 8us}});
  REQUIRE(spans_of(windows, last) == spans{{last - 7us, last}, {last - 2us, last}});
}

TEST_CASE("sliding by the largest sizes and slides does not overflow", "[window][sliding]") {
  const fr::duration huge = fr::duration::max();
  REQUIRE(spans_of(fr::sliding(huge, huge), at(1s)) == spans{{at(0s), fr::timestamp_max}});
  // Only [0, 1 us) and its neighbours at both ends of time.
  REQUIRE(spans_of(fr::sliding(1us, huge), at(1us)).empty());
  REQUIRE(spans_of(fr::sliding(1us, huge), at(0us)) == spans{ticks(0, 1)});
  REQUIRE(spans_of(fr::sliding(huge, huge - 1us), at(0us)) ==
          spans{{fr::timestamp_min + 2us, at(1us)}, {at(0us), fr::timestamp_max}});
  REQUIRE(spans_of(fr::sliding(huge, huge / 2), fr::timestamp_min).size() >= 2);
}

TEST_CASE("sliding refuses parameters that make no windows or too many", "[window][sliding]") {
  REQUIRE(fr::sliding(0s, 1s).check() == "size 0s is not positive; give .size a positive duration");
  REQUIRE(fr::sliding(10min, 0s).check() ==
          "slide 0s is not positive; give .slide a positive duration, or use tumbling");
  REQUIRE(fr::sliding{.size = 10min}.check() == fr::sliding(10min, 0s).check());
  REQUIRE(fr::sliding(10min, 1min, 90s).check() ==
          "offset 90s is not shorter than slide 1min; give .offset 30s, which means the same");
  REQUIRE(fr::sliding(10min, 1min, 59s).check().empty());
  REQUIRE(fr::sliding(1'000'000us, 1us).check().empty());
  REQUIRE(fr::sliding(1'000'001us, 1us).check().find("1000000 slides of 1us") != std::string::npos);
}

TEST_CASE("sliding describes its parameters, an offset of zero left out", "[window][sliding]") {
  REQUIRE(fr::sliding(10min, 1min).describe() == "sliding 10min every 1min");
  REQUIRE(fr::sliding(10min, 1min, 5s).describe() == "sliding 10min every 1min offset 5s");
}

TEST_CASE("sliding keeps the window assigner contract", "[window][sliding][contract]") {
  const fr::duration huge = fr::duration::max();
  const auto windows =
      GENERATE_COPY(fr::sliding(10min, 1min), fr::sliding(7us, 3us, -2us), fr::sliding(2us, 5us),
                    fr::sliding(1us, 1us), fr::sliding(1us, huge, huge - 1us),
                    fr::sliding(huge, huge, -(huge - 1us)), fr::sliding(huge, huge / 5, 1us));
  REQUIRE_NOTHROW(fr::check_window_assigner(windows));
}
