// What count windows accept and how they describe themselves.
#include "catch.hpp"

#include <freshet/window/count.hpp>

#include <cstdint>
#include <limits>

namespace fr = freshet;

TEST_CASE("count windows refuse sizes and slides that are not counts", "[window][count]") {
  REQUIRE(fr::count_window{.size = 1}.check().empty());
  REQUIRE(fr::count_window{.size = 100, .slide = 10}.check().empty());
  REQUIRE(fr::count_window{.size = 2, .slide = 5}.check().empty());
  REQUIRE(fr::count_window{}.check() ==
          "size 0 is not positive; give .size a positive number of records");
  REQUIRE(fr::count_window{.size = -3}.check() ==
          "size -3 is not positive; give .size a positive number of records");
  REQUIRE(fr::count_window{.size = 5, .slide = -1}.check() ==
          "slide -1 is negative; give .slide a positive number of records, or none for windows "
          "that do not overlap");
}

TEST_CASE("count windows refuse more parts for a key than anyone can mean", "[window][count]") {
  REQUIRE(fr::count_window{.size = 1'000'000, .slide = 1}.check().empty());
  REQUIRE(fr::count_window{.size = 1'000'001, .slide = 2}.check() ==
          "size 1000001 falls into more than 1000000 parts of 1, the common divisor with slide 2, "
          "and every key would keep that many; give a .slide that has more in common with .size");
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  REQUIRE(fr::count_window{.size = huge}.check().empty());
  REQUIRE(fr::count_window{.size = huge, .slide = huge}.check().empty());
  REQUIRE_FALSE(fr::count_window{.size = huge, .slide = huge - 1}.check().empty());
}

TEST_CASE("count windows say what they are", "[window][count]") {
  REQUIRE(fr::count_window{.size = 100}.describe() == "count 100");
  REQUIRE(fr::count_window{.size = 100, .slide = 100}.describe() == "count 100");
  REQUIRE(fr::count_window{.size = 100, .slide = 10, .partial = true}.describe() ==
          "count 100 every 10 partial");
}
