// Rows that leave a table's memory and come back, against a map that has all of them.
#include <freshet/state/keyed_table.hpp>

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace fr = freshet;

namespace {

using row_key = std::pair<std::uint64_t, std::string>;  // (hash, key)
using rows = std::map<row_key, std::string>;
using table = fr::keyed_table<std::string, std::string>;

/// A table with little memory, and the database beside it, as an operator uses them.
struct limited_table {
  table hot;
  rows database;
  rows writing;  ///< What the snapshot under way, or not yet durable, has put.
  std::set<row_key> erasing;
  std::set<row_key> erased_before;  ///< Erased, and the database does not know it:
  std::set<row_key> erased;         ///< in the snapshot, and since.
  bool snapshot_open = false;
  std::size_t hand = 0;
  std::size_t evicted = 0;
  std::size_t read_back = 0;

  void bring_in(const row_key& of) {
    if (hot.contains(of.first, of.second) || erased.contains(of) || erased_before.contains(of))
      return;
    const auto found = database.find(of);
    if (found == database.end()) return;
    hot.insert_stored(of.first, of.second, found->second);
    ++read_back;
  }
  void erase(const row_key& of) {
    bring_in(of);
    const std::string* value = hot.find(of.first, of.second);
    if (value == nullptr) return;
    if (hot.is_known(value)) erased.insert(of);
    hot.erase(of.first, of.second);
  }
  void begin_snapshot() {
    if (snapshot_open) return;
    snapshot_open = true;
    erased_before.swap(erased);
    hot.begin_snapshot(
        [this](std::uint64_t hash, const std::string& key, const std::string& value) {
          writing[{hash, key}] = value;
        },
        [this](std::uint64_t hash, const std::string& key) { erasing.emplace(hash, key); });
  }
  void make_durable() {
    if (!snapshot_open) return;
    hot.finish_snapshot();
    for (const row_key& each : erasing) database.erase(each);
    for (const auto& [key, value] : writing) database[key] = value;
    writing.clear();
    erasing.clear();
    erased_before.clear();
    snapshot_open = false;
    hot.mark_stored();
  }
  void evict(std::size_t slots, std::size_t count) {
    evicted += hot.evict_some(hand, slots, count,
                              [](std::uint64_t, const std::string&, const std::string&) {});
  }
  rows all() const {
    rows found = database;
    for (const auto& [key, value] : writing) found[key] = value;
    for (const row_key& each : erasing) {
      if (!writing.contains(each)) found.erase(each);
    }
    for (const row_key& each : erased_before) {
      if (!writing.contains(each)) found.erase(each);
    }
    for (const row_key& each : erased) found.erase(each);
    hot.for_each([&](std::uint64_t hash, const std::string& key, const std::string& value) {
      found[{hash, key}] = value;
    });
    return found;
  }
};

std::uint64_t scattered(std::uint64_t key) {
  return std::mt19937_64{key}();
}

using hash_rule = std::uint64_t (*)(std::uint64_t);
const hash_rule hash_rules[] = {
    scattered,
    [](std::uint64_t) { return std::numeric_limits<std::uint64_t>::max(); },
    [](std::uint64_t key) { return (key % 3) << 62; },
    [](std::uint64_t key) { return scattered(key) >> 5; },
};

}  // namespace

TEST_CASE("rows that leave a table and come back are those of a table that keeps all",
          "[state][keyed_table][eviction]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const hash_rule hash_of = hash_rules[seed % std::size(hash_rules)];
    const std::uint64_t keys = seed % 3 == 0 ? 2000 : 60;
    limited_table limited;
    rows wanted;
    for (int step = 0; step < 4000; ++step) {
      const std::uint64_t key = random() % keys;
      const row_key of{hash_of(key), "a key of some length " + std::to_string(key)};
      switch (random() % 12) {
        default:
          limited.bring_in(of);
          limited.hot.get_or_insert(of.first, of.second).first->append("x");
          wanted[of] += "x";
          break;
        case 6:
        case 7:
          limited.erase(of);
          wanted.erase(of);
          break;
        case 8:
          limited.begin_snapshot();
          break;
        case 9: {
          std::size_t budget = random() % 20;
          limited.hot.snapshot_some(budget);
          break;
        }
        case 10:
          if (random() % 3 == 0) limited.make_durable();
          break;
        case 11:
          limited.evict(random() % 200, random() % 50);
          break;
      }
    }
    REQUIRE(limited.all() == wanted);
    // All of it, by way of the database alone.
    limited.begin_snapshot();
    limited.make_durable();
    limited.begin_snapshot();
    limited.make_durable();
    while (!limited.hot.empty()) limited.evict(1000, 1000);
    REQUIRE(limited.database == wanted);
    REQUIRE(limited.evicted > 100);
    REQUIRE(limited.read_back > 50);
  }
}

TEST_CASE("a table drops no row that is not stored as it is now",
          "[state][keyed_table][eviction]") {
  table rows;
  std::size_t hand = 0;
  const auto evicted = [&] {
    return rows.evict_some(hand, 1000, 1000,
                           [](std::uint64_t, const std::string&, const std::string&) {});
  };
  const auto snapshot = [&] {
    rows.begin_snapshot([](std::uint64_t, const std::string&, const std::string&) {},
                        [](std::uint64_t, const std::string&) {});
    rows.finish_snapshot();
  };
  rows.get_or_insert(1, std::string("one"));
  rows.get_or_insert(2, std::string("two"));
  REQUIRE(evicted() == 0);
  snapshot();
  REQUIRE(evicted() == 0);  // Not durable yet.
  rows.get_or_insert(2, std::string("two")).first->append("changed");
  rows.mark_stored();
  REQUIRE(evicted() == 1);
  REQUIRE(rows.find(1, std::string("one")) == nullptr);
  REQUIRE(rows.find(2, std::string("two")) != nullptr);
  snapshot();
  REQUIRE(evicted() == 0);
  rows.mark_stored();
  REQUIRE(evicted() == 1);
  REQUIRE(rows.empty());
}

TEST_CASE("a row that was used is passed over once", "[state][keyed_table][eviction]") {
  fr::keyed_table<int, int> rows;
  for (int key = 0; key < 3; ++key) rows.get_or_insert(static_cast<std::uint64_t>(key) << 62, key);
  rows.begin_snapshot([](std::uint64_t, int, int) {}, [](std::uint64_t, int) {});
  rows.finish_snapshot();
  rows.mark_stored();
  std::size_t hand = 0;
  const auto drop = [&](std::size_t slots) {
    return rows.evict_some(hand, slots, 1, [](std::uint64_t, int, int) {});
  };
  REQUIRE(drop(rows.slots()) == 0);
  REQUIRE(drop(2 * rows.slots()) == 1);
}
