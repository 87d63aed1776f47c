// What an operator is told of rows that are in the newest commit only.
#include <freshet/pipeline/detail/cold_rows.hpp>
#include <freshet/state/memory.hpp>

#include "catch.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace fr = freshet;
using fr::detail::cold_keys;
using fr::detail::cold_rows;

namespace {

constexpr std::uint64_t hash_of_a = 1;                       // In the first key group,
constexpr std::uint64_t hash_of_b = std::uint64_t{7} << 60;  // in another.

/// A commit of state 3 that has the rows of `a` and `b`.
struct committed {
  std::unique_ptr<fr::state_backend> backend =
      fr::memory_backend(std::make_shared<fr::memory_checkpoint>());
  fr::detail::memory_pressure pressure;
  cold_rows rows{*backend, pressure, 3, 1000, "process 'p'"};
  cold_keys wanted;

  committed() {
    REQUIRE(backend->commit({{key(hash_of_a, "a"),
                              "expiries"
                              "value of a"},
                             {key(hash_of_b, "b"),
                              "expiries"
                              "value of b"}},
                            "", {}) == absl::OkStatus());
  }
  static std::string key(std::uint64_t hash, const std::string& own) {
    std::string bytes{0, 0, 0, 3};
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(hash >> shift & 0xff);
    return bytes + own;
  }
  std::map<std::string, std::string> read() {
    std::map<std::string, std::string> found;
    rows.want(wanted, hash_of_b, "b");
    rows.want(wanted, hash_of_a, "not there");
    rows.want(wanted, hash_of_a, "a");
    rows.want(wanted, hash_of_b, "b");
    rows.read(wanted, [&](std::uint64_t hash, std::string_view own, std::string_view value) {
      REQUIRE(hash == (own == "a" ? hash_of_a : hash_of_b));
      REQUIRE(found.emplace(own, value).second);
    });
    return found;
  }
};

using texts = std::map<std::string, std::string>;
const texts both = {{"a", "value of a"}, {"b", "value of b"}};
const texts only_b = {{"b", "value of b"}};

}  // namespace

TEST_CASE("rows are read by key, each once, in all key groups", "[runtime][memory_limit]") {
  committed all;
  REQUIRE(all.read() == both);
  REQUIRE(all.wanted.empty());
}

TEST_CASE("a key that was erased is not read until its deletion is durable",
          "[runtime][memory_limit]") {
  const auto every = fr::key_group_set::all();
  committed all;
  all.rows.note_erased(hash_of_a, "a");
  REQUIRE(all.read() == only_b);
  all.rows.note_snapshot(every);
  REQUIRE(all.read() == only_b);
  REQUIRE(all.rows.erased_bytes(every) > 0);
  all.rows.note_durable(every);  // Here the backend still has it, and shows who asks.
  REQUIRE(all.read() == both);
  REQUIRE(all.rows.erased_bytes(every) == 0);
}

TEST_CASE("what is erased after a snapshot outlasts its commit", "[runtime][memory_limit]") {
  const auto every = fr::key_group_set::all();
  committed all;
  all.rows.note_snapshot(every);
  all.rows.note_erased(hash_of_a, "a");
  all.rows.note_durable(every);
  REQUIRE(all.read() == only_b);
  all.rows.note_snapshot(every);
  all.rows.note_snapshot(every);  // The first one was abandoned.
  REQUIRE(all.read() == only_b);
  all.rows.note_durable(every);
  REQUIRE(all.read() == both);
}

TEST_CASE("rows are counted, and all read, by key group", "[runtime][memory_limit]") {
  committed all;
  fr::key_group_set first;
  first.insert_group(fr::key_group_of(hash_of_a));
  REQUIRE_FALSE(all.rows.holds(hash_of_a));
  all.rows.note_dropped(hash_of_a);
  all.rows.note_dropped(hash_of_b);
  REQUIRE(all.rows.holds(hash_of_a));
  REQUIRE(all.rows.dropped(first) == 1);
  REQUIRE(all.rows.dropped(fr::key_group_set::all()) == 2);
  const auto read_all = [&](const fr::key_group_set& of) {
    texts found;
    all.rows.read_all(of, [&](std::uint64_t, std::string_view own, std::string_view value) {
      found.emplace(own, value);
    });
    return found;
  };
  REQUIRE(read_all(fr::key_group_set::all()) == both);
  REQUIRE(read_all(first) == texts{{"a", "value of a"}});
  all.rows.note_erased(hash_of_a, "a");
  REQUIRE(read_all(fr::key_group_set::all()) == only_b);
  all.rows.note_read_back(hash_of_b);
  REQUIRE(read_all(fr::key_group_set::all()).empty());  // Nobody has dropped any there.
}

TEST_CASE("fewer rows fit the more they own, and some always", "[runtime][memory_limit]") {
  const auto within = [](std::size_t bytes) { return bytes / 100; };
  const fr::detail::row_budget budget(1'000'000, 90, within);
  const std::size_t small = budget.rows_at_most(0, 0);
  REQUIRE(small > 1000);
  REQUIRE(small * 300 < 1'000'000);
  REQUIRE(budget.rows_at_most(1000, 0) < small);
  REQUIRE(budget.rows_at_most(0, 400'000) < small);
  REQUIRE(budget.rows_at_most(0, 2'000'000) > 0);
  fr::detail::row_budget written = budget;
  for (int i = 0; i < 1000; ++i) written.note_copy(5000);
  REQUIRE(written.rows_at_most(0, 0) < small / 4);
}
