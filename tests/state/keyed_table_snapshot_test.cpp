// Snapshots of a table that goes on changing, against a copy that is made when they begin.
#include <freshet/state/keyed_table.hpp>

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fr = freshet;

namespace {

using row_key = std::pair<std::uint64_t, int>;  // (hash, key)
using table = fr::keyed_table<int, std::int64_t>;

std::uint64_t scattered(int key) {
  return std::mt19937_64{static_cast<std::uint64_t>(key)}();
}

using hash_rule = std::uint64_t (*)(int);
const hash_rule hash_rules[] = {
    scattered,
    [](int) { return ~std::uint64_t{0}; },
    [](int key) { return static_cast<std::uint64_t>(key % 3) << 62; },
    [](int key) { return scattered(key) >> 5; },
};

// What a checkpoint holds, and what a table has told it since.
struct collected {
  std::map<row_key, std::int64_t> put;
  std::set<row_key> erased;
  bool twice = false;
  std::uint64_t fails_in = 0;  // Calls until one throws; 0 for never.

  void count_down() {
    if (fails_in > 0 && --fails_in == 0) throw std::runtime_error("full");
  }
  void begin(table& rows) {
    rows.begin_snapshot(
        [this](std::uint64_t hash, int key, std::int64_t value) {
          count_down();
          twice |= !put.emplace(row_key{hash, key}, value).second;
        },
        [this](std::uint64_t hash, int key) {
          count_down();
          twice |= !erased.emplace(hash, key).second;
        });
  }
  void apply_to(std::map<row_key, std::int64_t>& checkpoint) const {
    for (const row_key& each : erased) checkpoint.erase(each);
    for (const auto& [key, value] : put) checkpoint[key] = value;
  }
};

std::map<row_key, std::int64_t> copy_of(const table& rows) {
  std::map<row_key, std::int64_t> all;
  rows.for_each([&](std::uint64_t hash, int key, std::int64_t value) {
    all.emplace(row_key{hash, key}, value);
  });
  return all;
}

// One change that the table may refuse with an exception, after which its rows are as they were.
void change_one(table& rows, int key, std::uint64_t hash, std::uint64_t what) {
  switch (what % 8) {
    case 0:
    case 1:
    case 2:
      *rows.get_or_insert(hash, key).first += 3;
      break;
    case 3:
    case 4:
      rows.erase(hash, key);
      break;
    case 5:
      if (std::int64_t* value = rows.find(hash, key)) {
        *value += 5;
        rows.mark_dirty(value);
      }
      break;
    case 6:
      if (std::int64_t* value = rows.find(hash, key)) rows.mark_dirty(value);
      break;
    default:
      rows.reserve(static_cast<std::size_t>(what / 8 % 3000));
  }
}

// One change of many rows.
void change_many(table& rows, std::uint64_t what) {
  switch (what % 7) {
    case 0:
      rows.sweep([&](std::uint64_t, int key, std::int64_t& value) {
        const auto fate = static_cast<fr::row_fate>((key + static_cast<int>(what / 7 % 5)) % 3);
        if (fate == fr::row_fate::changed) value += 1;
        return fate;
      });
      break;
    case 1:
    case 2:
      rows.for_each([&](std::uint64_t, int key, std::int64_t& value) {
        if (key % 3 != 0) return;
        value += 11;
        rows.mark_dirty(&value);
      });
      break;
    case 3: {
      std::size_t next = 0;
      rows.visit_some(next, 20, [&](std::uint64_t, int, std::int64_t& value) {
        value += 13;
        rows.mark_dirty(&value);
      });
      break;
    }
    case 4: {
      table moved = std::move(rows);
      rows = std::move(moved);
      break;
    }
    case 5:
      rows.clear();
      break;
    default:
      rows.release();
  }
}

// Snapshots one after the other, in slices between random changes: each leaves a checkpoint with
// exactly the rows that the table had when it began.
void run(hash_rule hash_of, int keys, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  table rows;
  std::map<row_key, std::int64_t> checkpoint;
  for (int round = 0; round < 60; ++round) {
    collected part;
    const std::map<row_key, std::int64_t> wanted = copy_of(rows);
    part.begin(rows);
    for (bool complete = false; !complete;) {
      for (std::uint64_t changes = random() % 12; changes > 0; --changes) {
        const int key = static_cast<int>(random() % static_cast<std::uint64_t>(keys));
        if (random() % 40 == 0) part.fails_in = 1 + random() % 3;
        try {
          if (random() % 150 == 0) {
            change_many(rows, random());
          } else {
            change_one(rows, key, hash_of(key), random());
          }
        } catch (const std::runtime_error&) {
        }
      }
      std::size_t budget = 1 + random() % 6;
      try {
        complete = rows.snapshot_some(budget);
      } catch (const std::runtime_error&) {
      }
    }
    part.apply_to(checkpoint);
    REQUIRE_FALSE(rows.snapshot_under_way());
    REQUIRE_FALSE(part.twice);
    REQUIRE(checkpoint == wanted);
    for (std::uint64_t changes = random() % 50; changes > 0; --changes) {
      const int key = static_cast<int>(random() % static_cast<std::uint64_t>(keys));
      change_one(rows, key, hash_of(key), random());
    }
  }
}

}  // namespace

TEST_CASE("a snapshot in slices is what a copy at its beginning is, whatever happens meanwhile",
          "[state][keyed_table][snapshot]") {
  for (std::size_t rule = 0; rule < std::size(hash_rules); ++rule) {
    for (const int keys : {3, 40, 600}) {
      for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
        CAPTURE(rule, keys, seed);
        run(hash_rules[rule], keys, seed);
      }
    }
  }
}

TEST_CASE("a snapshot that begins while another is under way finishes that first",
          "[state][keyed_table][snapshot]") {
  table rows;
  for (int key = 0; key < 100; ++key) *rows.get_or_insert(scattered(key), key).first = 1;
  collected first;
  first.begin(rows);
  std::size_t budget = 10;
  REQUIRE_FALSE(rows.snapshot_some(budget));
  REQUIRE(budget == 0);
  REQUIRE(first.put.size() == 10);
  *rows.get_or_insert(scattered(7), 7).first = 2;
  collected second;
  second.begin(rows);
  REQUIRE(first.put.size() == 100);
  REQUIRE(first.put.at({scattered(7), 7}) == 1);
  rows.finish_snapshot();
  REQUIRE(second.put == std::map<row_key, std::int64_t>{{{scattered(7), 7}, 2}});
}

TEST_CASE("a slice of a snapshot is as long as its budget, in rows and in empty slots",
          "[state][keyed_table][snapshot]") {
  table rows;
  rows.reserve(100'000);
  rows.get_or_insert(~std::uint64_t{0}, 1);
  collected all;
  all.begin(rows);
  // It begins at the first row that has changed: what is behind that may be empty.
  rows.get_or_insert(0, 2);
  rows.finish_snapshot();
  rows.get_or_insert(0, 2);
  rows.get_or_insert(~std::uint64_t{0}, 1);
  all = {};
  all.begin(rows);
  std::size_t slices = 1;
  for (std::size_t budget = 10; !rows.snapshot_some(budget); budget = 10) ++slices;
  REQUIRE(slices > 20);
  REQUIRE(all.put.size() == 2);
}

TEST_CASE("what reads a table hands nothing out before its time",
          "[state][keyed_table][snapshot]") {
  table rows;
  for (int key = 0; key < 100; ++key) rows.get_or_insert(scattered(key), key);
  collected all;
  all.begin(rows);
  REQUIRE(std::as_const(rows).find(scattered(5), 5) != nullptr);
  REQUIRE(copy_of(rows).size() == 100);
  std::size_t cursor = 0;
  rows.look_at_some(cursor, 50, [](std::uint64_t, int, std::int64_t) {});
  REQUIRE(all.put.empty());
}

TEST_CASE("a snapshot that fails goes on where it failed", "[state][keyed_table][snapshot]") {
  table rows;
  rows.insert_restored(2, 2, 0);
  for (const int key : {1, 3, 4}) rows.get_or_insert(static_cast<std::uint64_t>(key), key);
  rows.erase(2, 2);
  collected all;
  all.fails_in = 3;
  all.begin(rows);
  REQUIRE_THROWS_AS(rows.finish_snapshot(), std::runtime_error);
  REQUIRE(rows.snapshot_under_way());
  rows.finish_snapshot();
  REQUIRE_FALSE(all.twice);
  REQUIRE(all.put.size() == 3);
  REQUIRE(all.erased == std::set<row_key>{{2, 2}});
}

TEST_CASE("values that cannot be copied are in snapshots, too", "[state][keyed_table][snapshot]") {
  fr::keyed_table<std::string, std::unique_ptr<int>> rows;
  rows.get_or_insert(1, std::string("a"), [] { return std::make_unique<int>(1); });
  int seen = 0;
  rows.begin_snapshot(
      [&](std::uint64_t, const std::string&, const std::unique_ptr<int>& value) { seen = *value; },
      [](std::uint64_t, const std::string&) {});
  **rows.get_or_insert(1, std::string("a"), [] { return std::make_unique<int>(0); }).first = 2;
  REQUIRE(seen == 1);
}
