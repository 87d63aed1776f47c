#include "catch.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/core/key_group.hpp>

#include <cstdint>
#include <random>
#include <set>
#include <string>

namespace fr = freshet;

TEST_CASE("key_group_of is key_group for the number of groups that there are",
          "[core][key_group]") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t hash = random();
    REQUIRE(fr::key_group_of(hash) == fr::key_group(hash, fr::key_groups));
  }
  REQUIRE(fr::key_group_of(0) == 0);
  REQUIRE(fr::key_group_of(~std::uint64_t{0}) == fr::key_groups - 1);
}

TEST_CASE("a key_group_set is a set of numbers", "[core][key_group]") {
  std::mt19937_64 random(8);
  fr::key_group_set set;
  std::set<std::uint32_t> wanted;
  for (int i = 0; i < 2'000; ++i) {
    const auto group = static_cast<std::uint32_t>(random() % fr::key_groups);
    if (random() % 2 == 0) {
      set.insert_group(group);
      wanted.insert(group);
    } else {
      set.erase_group(group);
      wanted.erase(group);
    }
    REQUIRE(set.size() == wanted.size());
    REQUIRE(set.empty() == wanted.empty());
    const std::uint64_t hash = random();
    REQUIRE(set.contains(hash) == (wanted.count(fr::key_group_of(hash)) != 0));
    REQUIRE(set.contains_group(group) == (wanted.count(group) != 0));
  }
  REQUIRE(fr::key_group_set::all().size() == fr::key_groups);
  REQUIRE(fr::key_group_set{}.empty());
}

TEST_CASE("key_group_sets intersect where they share a group", "[core][key_group]") {
  fr::key_group_set low;
  fr::key_group_set high;
  for (std::uint32_t group = 0; group < fr::key_groups; ++group) {
    (group < 70 ? low : high).insert_group(group);
  }
  REQUIRE_FALSE(low.intersects(high));
  REQUIRE(low.intersects(fr::key_group_set::all()));
  high.insert_group(69);
  REQUIRE(low.intersects(high));
}

TEST_CASE("a key_group_set comes back from its bytes, and takes 16 of them", "[core][key_group]") {
  fr::key_group_set set;
  set.insert_group(0);
  set.insert_group(64);
  set.insert_group(127);
  const std::string bytes = fr::to_bytes(set);
  REQUIRE(bytes.size() == 16);
  const auto read = fr::from_bytes<fr::key_group_set>(bytes);
  REQUIRE(read.ok());
  REQUIRE(*read == set);
  REQUIRE_FALSE(fr::from_bytes<fr::key_group_set>(bytes.substr(1)).ok());
}
