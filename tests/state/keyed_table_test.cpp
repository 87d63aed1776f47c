#include <freshet/state/keyed_table.hpp>

#include "catch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace fr = freshet;

namespace {

using row_key = std::pair<std::uint64_t, int>;  // (hash, key): std::pair orders it canonically.
using table = fr::keyed_table<int, std::int64_t>;

// How a key gets its hash; the bad ones put all rows into one run, anywhere in the table.
struct hash_rule {
  const char* name;
  std::uint64_t (*hash_of)(int key);
};

std::uint64_t scattered(int key) {
  return std::mt19937_64{static_cast<std::uint64_t>(key)}();  // The first draw for that seed.
}

const hash_rule hash_rules[] = {
    {"scattered", scattered},
    {"all zero", [](int) { return std::uint64_t{0}; }},
    {"all the largest", [](int) { return ~std::uint64_t{0}; }},
    {"all in the middle", [](int) { return std::uint64_t{1} << 63; }},
    {"close below the largest",
     [](int key) { return ~std::uint64_t{0} - static_cast<std::uint64_t>(key % 5); }},
    {"three values", [](int key) { return static_cast<std::uint64_t>(key % 3) << 62; }},
    {"ascending and dense", [](int key) { return static_cast<std::uint64_t>(key); }},
    {"from one sixteenth", [](int key) { return scattered(key) >> 4; }},
};

// What a table promises, told by ordered maps: the rows, and what was handed out last.
struct model {
  std::map<row_key, std::int64_t> rows;
  std::set<row_key> changed;
  std::set<row_key> handed_out;
  std::set<row_key> erased;

  void remove(const row_key& key) {
    rows.erase(key);
    changed.erase(key);
    if (handed_out.erase(key) != 0) erased.insert(key);
  }
  void forget(const row_key& key) {
    rows.erase(key);
    changed.erase(key);
    handed_out.erase(key);
  }
};

struct change {
  row_key key;
  bool put = false;
  std::int64_t value = 0;
  bool operator==(const change&) const = default;
};

std::vector<change> expected_changes(model& told) {
  std::map<row_key, change> all;
  for (const row_key& key : told.erased) all[key] = {.key = key, .put = false, .value = 0};
  for (const row_key& key : told.changed) {
    all[key] = {.key = key, .put = true, .value = told.rows.at(key)};
    told.handed_out.insert(key);
  }
  told.erased.clear();
  told.changed.clear();
  std::vector<change> result;
  for (const auto& [key, one] : all) result.push_back(one);
  return result;
}

// A snapshot in one go, in canonical order.
std::vector<change> take_changes(table& rows) {
  std::map<row_key, change> all;
  rows.begin_snapshot(
      [&](std::uint64_t hash, int key, std::int64_t value) {
        all[{hash, key}] = {.key = {hash, key}, .put = true, .value = value};
      },
      [&](std::uint64_t hash, int key) {
        all.try_emplace({hash, key}, change{.key = {hash, key}, .put = false, .value = 0});
      });
  rows.finish_snapshot();
  std::vector<change> result;
  for (const auto& [key, one] : all) result.push_back(one);
  return result;
}

std::vector<std::pair<row_key, std::int64_t>> all_rows(const table& rows) {
  std::vector<std::pair<row_key, std::int64_t>> result;
  rows.for_each([&](std::uint64_t hash, int key, std::int64_t value) {
    result.push_back({{hash, key}, value});
  });
  return result;
}

std::vector<std::pair<row_key, std::int64_t>> all_rows(const model& told) {
  return {told.rows.begin(), told.rows.end()};
}

// One random operation on both; `keys` bounds the keys drawn.
void step(table& rows, model& told, const hash_rule& rule, int keys, std::mt19937_64& random) {
  const int key = static_cast<int>(random() % static_cast<std::uint64_t>(keys));
  const std::uint64_t hash = rule.hash_of(key);
  const row_key id{hash, key};
  switch (random() % 10) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const auto [value, inserted] =
          rows.get_or_insert(hash, key, [&] { return std::int64_t{key}; });
      REQUIRE(inserted == (told.rows.count(id) == 0));
      told.rows.try_emplace(id, key);
      REQUIRE(*value == told.rows[id]);
      told.rows[id] = *value += 3;
      told.changed.insert(id);
      break;
    }
    case 4:
    case 5:
    case 6:
      REQUIRE(rows.erase(hash, key) == (told.rows.count(id) != 0));
      told.remove(id);
      break;
    case 7:
      if (std::int64_t* value = rows.find(hash, key)) {
        *value += 5;
        rows.mark_dirty(value);
        told.rows.at(id) += 5;
        told.changed.insert(id);
      } else {
        REQUIRE(told.rows.count(id) == 0);
      }
      break;
    default: {
      const std::int64_t* value = std::as_const(rows).find(hash, key);
      REQUIRE((value != nullptr) == (told.rows.count(id) != 0));
      if (value != nullptr) REQUIRE(*value == told.rows.at(id));
    }
  }
}

void sweep_both(table& rows, model& told, std::int64_t divisor) {
  const auto fate_of = [divisor](std::int64_t value) {
    return static_cast<fr::row_fate>((value / divisor) % 4);
  };
  const auto before = all_rows(told);
  std::vector<row_key> visited;
  rows.sweep([&](std::uint64_t hash, int key, std::int64_t& value) {
    visited.push_back({hash, key});
    const fr::row_fate fate = fate_of(value);
    if (fate == fr::row_fate::changed) value += 1;
    return fate;
  });
  std::vector<row_key> wanted;
  for (const auto& [key, value] : before) {
    wanted.push_back(key);
    switch (fate_of(value)) {
      case fr::row_fate::keep:
        break;
      case fr::row_fate::changed:
        told.rows[key] += 1;
        told.changed.insert(key);
        break;
      case fr::row_fate::erase:
        told.remove(key);
        break;
      case fr::row_fate::forget:
        told.forget(key);
        break;
    }
  }
  REQUIRE(visited == wanted);
}

}  // namespace

TEST_CASE("a table holds, orders, and hands out what ordered maps say, for good and bad hashes",
          "[state][keyed_table]") {
  for (const hash_rule& rule : hash_rules) {
    for (const int keys : {4, 40, 700}) {
      const std::uint64_t seed = 20261121U + static_cast<std::uint64_t>(keys);
      CAPTURE(rule.name, keys, seed);
      std::mt19937_64 random(seed);
      table rows;
      model told;
      for (int round = 0; round < 4000; ++round) {
        step(rows, told, rule, keys, random);
        if (random() % 60 == 0) REQUIRE(take_changes(rows) == expected_changes(told));
        if (random() % 90 == 0) REQUIRE(all_rows(rows) == all_rows(told));
        if (random() % 400 == 0)
          sweep_both(rows, told, static_cast<std::int64_t>(random() % 7) + 1);
        REQUIRE(rows.size() == told.rows.size());
      }
      REQUIRE(all_rows(rows) == all_rows(told));
      REQUIRE(take_changes(rows) == expected_changes(told));
      REQUIRE(take_changes(rows).empty());
    }
  }
}

TEST_CASE("the order of rows depends on neither their insertion nor the capacity",
          "[state][keyed_table]") {
  for (const hash_rule& rule : hash_rules) {
    CAPTURE(rule.name);
    table ascending;
    table descending;
    descending.reserve(10'000);
    for (int key = 0; key < 300; ++key) ascending.get_or_insert(rule.hash_of(key), key);
    for (int key = 499; key >= 0; --key) descending.get_or_insert(rule.hash_of(key), key);
    for (int key = 300; key < 500; ++key) descending.erase(rule.hash_of(key), key);
    REQUIRE(all_rows(ascending) == all_rows(descending));
    REQUIRE(ascending.memory_bytes() < descending.memory_bytes());
  }
}

TEST_CASE("a table for a part of the hashes spreads that part over all its slots",
          "[state][keyed_table]") {
  // A run of rows would be as long as the table if the part's hashes met in few slots: filling it
  // would be quadratic, and this test would take minutes.
  const fr::hash_range part{.first = std::uint64_t{37} << 57,
                            .last = (std::uint64_t{38} << 57) - 1};
  table rows(part);
  std::map<row_key, std::int64_t> told;
  for (int key = 0; key < 200'000; ++key) {
    const std::uint64_t hash = part.first + (scattered(key) >> 7);
    *rows.get_or_insert(hash, key).first = key;
    told[{hash, key}] = key;
  }
  rows.get_or_insert(part.first, -1);
  rows.get_or_insert(part.last, -2);
  told[{part.first, -1}] = told[{part.last, -2}] = 0;
  REQUIRE(all_rows(rows) ==
          std::vector<std::pair<row_key, std::int64_t>>(told.begin(), told.end()));
}

TEST_CASE("a table for some key groups spreads them over all its slots", "[state][keyed_table]") {
  // As above: without the spread this would take minutes.
  std::mt19937_64 random(5);
  for (const auto& [count, together] : {std::pair(1U, false),
                                        {3U, false},
                                        {43U, false},
                                        {127U, false},
                                        {2U, true},
                                        {64U, true},
                                        {100U, true}}) {
    INFO(count << " key groups" << (together ? " that stand together" : ""));
    fr::key_group_set groups;
    for (std::uint32_t group = 28; together && group < 28 + count; ++group) {
      groups.insert_group(group);
    }
    while (groups.size() < count) {
      groups.insert_group(static_cast<std::uint32_t>(random() % fr::key_groups));
    }
    table rows(fr::spread_over(groups));
    std::map<row_key, std::int64_t> told;
    for (int key = 0; told.size() < 20'000; ++key) {
      const std::uint64_t low = scattered(key) >> 7;
      const auto group = static_cast<std::uint32_t>(random() % fr::key_groups);
      if (!groups.contains_group(group)) continue;
      const std::uint64_t hash = std::uint64_t{group} << 57 | low;
      *rows.get_or_insert(hash, key).first = key;
      told[{hash, key}] = key;
    }
    // Others' rows find their place, too, if not as fast.
    for (int key = -1; key > -200; --key) {
      const std::uint64_t hash = random();
      *rows.get_or_insert(hash, key).first = key;
      told[{hash, key}] = key;
    }
    // Asked once at the end: an assertion costs more than what it is about.
    const bool all_found = std::all_of(told.begin(), told.end(), [&](const auto& each) {
      const std::int64_t* found = rows.find(each.first.first, each.first.second);
      return found != nullptr && *found == each.second;
    });
    REQUIRE(all_found);
    const bool same_order =
        all_rows(rows) == std::vector<std::pair<row_key, std::int64_t>>(told.begin(), told.end());
    REQUIRE(same_order);
  }
}

TEST_CASE("rows that are put back in canonical order stand in it, whatever comes in between",
          "[state][keyed_table]") {
  for (const hash_rule& rule : hash_rules) {
    INFO(rule.name);
    std::mt19937_64 random(20261127);
    std::map<row_key, std::int64_t> told;
    for (int key = 0; key < 3000; ++key) told.insert({{rule.hash_of(key), key}, key});
    table rows;
    std::map<row_key, std::int64_t> known;
    for (const auto& [key, value] : told) {
      if (known.count(key) == 0) {
        rows.insert_restored(key.first, key.second, value);
        known.emplace(key, value);
      }
      const std::uint64_t what = random() % 8;
      const int other = static_cast<int>(random() % 3000);
      const row_key of{rule.hash_of(other), other};
      if (what == 0) {
        *rows.get_or_insert(of.first, of.second).first = other;
        known[of] = other;
      } else if (what == 1 && of < key) {
        rows.erase(of.first, of.second);
        known.erase(of);
      }
    }
    REQUIRE(all_rows(rows) ==
            std::vector<std::pair<row_key, std::int64_t>>(known.begin(), known.end()));
    for (const auto& [key, value] : known) REQUIRE(*rows.find(key.first, key.second) == value);
  }
}

TEST_CASE("a restored row is no change until it changes", "[state][keyed_table]") {
  table rows;
  for (const int key : {7, 3, 5}) rows.insert_restored(scattered(key), key, key * 10);
  REQUIRE(take_changes(rows).empty());
  *rows.get_or_insert(scattered(5), 5).first = 51;
  rows.erase(scattered(3), 3);
  std::map<row_key, change> wanted = {
      {{scattered(3), 3}, {.key = {scattered(3), 3}, .put = false, .value = 0}},
      {{scattered(5), 5}, {.key = {scattered(5), 5}, .put = true, .value = 51}}};
  std::vector<change> ordered;
  for (const auto& [key, one] : wanted) ordered.push_back(one);
  REQUIRE(take_changes(rows) == ordered);
}

TEST_CASE("a row that comes and goes between two checkpoints is never mentioned",
          "[state][keyed_table]") {
  table rows;
  rows.get_or_insert(1, 1);
  rows.erase(1, 1);
  REQUIRE(take_changes(rows).empty());
}

TEST_CASE("a row erased and inserted again is handed out once, as a put", "[state][keyed_table]") {
  table rows;
  rows.get_or_insert(1, 1);
  take_changes(rows);
  rows.erase(1, 1);
  *rows.get_or_insert(1, 1).first = 4;
  REQUIRE(take_changes(rows) == std::vector<change>{{.key = {1, 1}, .put = true, .value = 4}});
  SECTION("and if it goes once more, as one erasure") {
    rows.erase(1, 1);
    rows.get_or_insert(1, 1);
    rows.erase(1, 1);
    REQUIRE(take_changes(rows) == std::vector<change>{{.key = {1, 1}, .put = false, .value = 0}});
  }
}

TEST_CASE("a sweep that throws loses no row", "[state][keyed_table]") {
  for (const hash_rule& rule : hash_rules) {
    CAPTURE(rule.name);
    table rows;
    for (int key = 0; key < 100; ++key) rows.get_or_insert(rule.hash_of(key), key);
    int calls = 0;
    REQUIRE_THROWS_AS(rows.sweep([&](std::uint64_t, int, std::int64_t&) {
      if (++calls == 50) throw std::runtime_error("user");
      return calls % 2 == 0 ? fr::row_fate::erase : fr::row_fate::keep;
    }),
                      std::runtime_error);
    REQUIRE(rows.size() == 100 - 24);
    for (const auto& [id, value] : all_rows(rows))
      REQUIRE(rows.find(id.first, id.second) != nullptr);
  }
}

TEST_CASE("clear erases all rows and keeps the memory, release gives it back",
          "[state][keyed_table]") {
  table rows;
  for (int key = 0; key < 1000; ++key) rows.get_or_insert(scattered(key), key);
  take_changes(rows);
  const std::size_t memory = rows.memory_bytes();
  rows.clear();
  REQUIRE(rows.empty());
  REQUIRE(all_rows(rows).empty());
  REQUIRE(rows.memory_bytes() >= memory);
  REQUIRE(take_changes(rows).size() == 1000);
  rows.release();
  REQUIRE(rows.memory_bytes() == 0);
  REQUIRE(rows.find(scattered(1), 1) == nullptr);
  REQUIRE(rows.get_or_insert(scattered(1), 1).second);
}

TEST_CASE("an empty table can be asked for anything", "[state][keyed_table]") {
  table rows;
  REQUIRE(rows.find(0, 0) == nullptr);
  REQUIRE_FALSE(rows.erase(0, 0));
  rows.prefetch(0);
  rows.clear();
  REQUIRE(take_changes(rows).empty());
  REQUIRE(rows.memory_bytes() == 0);
}

TEST_CASE("values that only move, and texts found by view, survive growth and removal",
          "[state][keyed_table]") {
  fr::keyed_table<std::string, std::unique_ptr<int>> rows;
  const auto hash_of = [](std::string_view key) { return scattered(static_cast<int>(key.size())); };
  for (int length = 0; length < 400; ++length) {
    const std::string key(static_cast<std::size_t>(length), 'x');
    rows.get_or_insert(hash_of(key), key, [&] { return std::make_unique<int>(length); });
  }
  for (int length = 0; length < 400; length += 3) {
    const std::string key(static_cast<std::size_t>(length), 'x');
    REQUIRE(rows.erase(hash_of(key), std::string_view(key)));
  }
  fr::keyed_table<std::string, std::unique_ptr<int>> moved = std::move(rows);
  REQUIRE(moved.size() == 400 - 134);
  moved.for_each([](std::uint64_t, const std::string& key, const std::unique_ptr<int>& value) {
    REQUIRE(static_cast<std::size_t>(*value) == key.size());
  });
  rows = std::move(moved);
  REQUIRE(rows.find(hash_of("xx"), std::string_view("xx")) != nullptr);
}

TEST_CASE("an insertion that throws leaves the table as it was", "[state][keyed_table]") {
  fr::keyed_table<std::string, std::vector<int>> rows;
  for (int key = 0; key < 11; ++key) rows.get_or_insert(5, std::to_string(key));
  const std::size_t memory = rows.memory_bytes();
  REQUIRE_THROWS_AS(
      rows.get_or_insert(5, "5a", []() -> std::vector<int> { throw std::bad_alloc(); }),
      std::bad_alloc);
  REQUIRE(rows.size() == 11);
  REQUIRE(rows.memory_bytes() == memory);
  REQUIRE(rows.find(5, "5a") == nullptr);
  for (int key = 0; key < 11; ++key) REQUIRE(rows.find(5, std::to_string(key)) != nullptr);
}
