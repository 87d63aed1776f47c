#include "runtime/change_log.hpp"

#include "catch.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace fr = freshet;
using fr::detail::change_log;

namespace {

using row_key = std::tuple<std::uint32_t, std::uint64_t, std::string>;
using rows = std::map<row_key, std::optional<std::string>>;

/// The key of a row as a backend gets it, read back.
row_key parsed(std::string_view key) {
  std::uint64_t hash = 0;
  for (std::size_t i = 4; i < 12; ++i) hash = hash << 8 | static_cast<unsigned char>(key[i]);
  return {fr::decode_state_number(key), hash, std::string(key.substr(12))};
}

/// Requires that keys ascend, each once.
rows contents(const change_log& log) {
  rows all;
  std::string_view before;
  for (const fr::state_change_view& each : log.in_order()) {
    REQUIRE(before < each.key);
    before = each.key;
    std::optional<std::string> value;
    if (each.value) value.emplace(each.value->substr(fr::expiry_bytes));
    all.emplace(parsed(each.key), value);
  }
  return all;
}

/// Changes of one snapshot, in `parts` logs: a key may be erased and put, in any order.
void draw_snapshot(std::mt19937_64& random, std::vector<change_log>& parts, rows& wanted) {
  rows own;
  for (std::size_t count = random() % 60; count > 0; --count) {
    const row_key key{random() % 3, random() % 4 == 0 ? random() : random() % 5,
                      std::string(random() % 3, static_cast<char>(random() % 256))};
    change_log& part = parts[std::get<1>(key) % parts.size()];
    const auto& [state, hash, own_key] = key;
    if (own.count(key) != 0 && own[key]) continue;
    if (random() % 3 == 0) {
      part.erase(state, hash, own_key);
      own.try_emplace(key);
      continue;
    }
    const std::string value(random() % 20 == 0 ? random() % 9'000 : random() % 9, 'v');
    const bool erased_too = random() % 5 == 0;
    if (erased_too && random() % 2 == 0) part.erase(state, hash, own_key);
    part.put(state, hash, own_key, fr::timestamp_max, value);
    if (erased_too) part.erase(state, hash, own_key);
    own[key] = value;
  }
  for (auto& [key, value] : own) wanted[key] = value;
}

void draw_snapshot_over(std::mt19937_64& random, change_log& into, rows& wanted) {
  std::vector<change_log> parts(1);
  draw_snapshot(random, parts, wanted);
  into = std::move(parts.front());
}

}  // namespace

TEST_CASE("a log of several snapshots hands out what a map of the latest changes has",
          "[runtime][change_log]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    rows wanted;
    change_log all;
    const auto snapshots = static_cast<std::uint32_t>(1 + random() % 3);
    for (std::uint32_t snapshot = 0; snapshot < snapshots; ++snapshot) {
      std::vector<change_log> parts(1 + random() % 3);
      draw_snapshot(random, parts, wanted);
      for (change_log& each : parts) all.add(std::move(each), snapshot);
    }
    REQUIRE(contents(all) == wanted);
    change_log latest = all.latest();
    REQUIRE(contents(latest) == wanted);
    REQUIRE(latest.rows() == wanted.size());
    REQUIRE(latest.bytes() <= all.bytes());
    // It is as old as one snapshot.
    change_log more;
    draw_snapshot_over(random, more, wanted);
    latest.add(std::move(more), 1);
    REQUIRE(contents(latest) == wanted);
  }
}

TEST_CASE("a log counts its rows, and the bytes of keys and values", "[runtime][change_log]") {
  change_log log;
  log.put(1, 2, "key", fr::timestamp_max, "value");
  log.erase(1, 2, "other");
  REQUIRE(log.rows() == 2);
  REQUIRE(log.bytes() == 12 + 3 + 8 + 5 + 12 + 5);
  change_log more;
  more.add(std::move(log));
  REQUIRE(more.rows() == 2);
  REQUIRE(more.bytes() == 45);
}

TEST_CASE("a value larger than a block stays whole beside small ones", "[runtime][change_log]") {
  change_log log;
  const std::string large(3'000'000, 'l');
  log.put(0, 1, "a", fr::timestamp_max, "first");
  log.put(0, 2, "b", fr::timestamp_max, large);
  log.put(0, 3, "c", fr::timestamp_max, "");
  const rows all = contents(log);
  REQUIRE(all.at({0, 1, "a"}) == "first");
  REQUIRE(all.at({0, 2, "b"}) == large);
  REQUIRE(all.at({0, 3, "c"}) == "");
}
