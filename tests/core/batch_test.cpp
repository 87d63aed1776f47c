#include "catch.hpp"

#include <freshet/core/batch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace fr = freshet;

namespace {

/// What an assignment would need is missing; moving is all it can.
struct unassignable {
  explicit unassignable(std::uint64_t v) : value(std::make_unique<const std::uint64_t>(v)) {}
  unassignable(const unassignable& other) : unassignable(*other.value) {}
  unassignable(unassignable&&) = default;
  unassignable& operator=(const unassignable&) = delete;
  unassignable& operator=(unassignable&&) = delete;
  bool operator==(const unassignable& other) const { return *value == *other.value; }
  std::unique_ptr<const std::uint64_t> value;
};

template <class T>
T made(std::uint64_t from) {
  if constexpr (std::is_same_v<T, std::string>) {
    return "a text that is too long for the string itself: " + std::to_string(from);
  } else {
    return T{from};
  }
}

template <class T>
fr::batch<T> random_batch(std::mt19937_64& random, std::size_t rows, unsigned columns) {
  fr::batch<T> made_up;
  for (std::uint32_t row = 0; row < rows; ++row) {
    made_up.values.push_back(made<T>(random()));
    made_up.positions.push_back({random(), row, row % 3});
    const auto time = [&random] {
      return fr::timestamp{fr::duration{static_cast<std::int32_t>(random())}};
    };
    if ((columns & 1) != 0) made_up.times.push_back(time());
    if ((columns & 2) != 0) made_up.hashes.push_back(random());
    if ((columns & 4) != 0) made_up.entry_frontiers.push_back(time());
    if ((columns & 8) != 0 && random() % 4 == 0) made_up.behind.push_back({row, time()});
  }
  return made_up;
}

template <class T>
bool same(const fr::batch<T>& a, const fr::batch<T>& b) {
  const auto same_behind = [](const fr::behind_row& x, const fr::behind_row& y) {
    return x.row == y.row && x.entry_frontier == y.entry_frontier;
  };
  return a.values == b.values && a.positions == b.positions && a.times == b.times &&
         a.hashes == b.hashes && a.entry_frontiers == b.entry_frontiers &&
         std::equal(a.behind.begin(), a.behind.end(), b.behind.begin(), b.behind.end(),
                    same_behind);
}

/// `append_rows`, twice into one batch, against `append_row` for every row.
template <class T>
void check_append_rows(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  fr::batch<T> copied;
  fr::batch<T> moved;
  fr::batch<T> wanted;
  const auto columns = static_cast<unsigned>(random() % 16);
  for (int round = 0; round < 2; ++round) {
    fr::batch<T> from = random_batch<T>(random, random() % 40, columns);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < from.size(); ++row) {
      if (random() % 2 == 0) rows.push_back(row);
    }
    std::size_t cursor = 0;
    for (const std::uint32_t row : rows) wanted.append_row(from, row, from.values[row], cursor);
    copied.append_rows(static_cast<const fr::batch<T>&>(from), rows);
    moved.append_rows(from, rows);
  }
  INFO("seed " << seed);
  REQUIRE(same(copied, wanted));
  REQUIRE(same(moved, wanted));
}

/// `keep_rows` against `append_row` for every row that is kept. Batches are of several lengths of
/// what it works at in one go; some keep all rows, none, or those at one end.
template <class T>
void check_keep_rows(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  fr::batch<T> from = random_batch<T>(random, random() % 700, static_cast<unsigned>(random() % 16));
  std::vector<bool> keeps(from.size());
  const std::uint64_t how = random() % 6;
  for (std::size_t row = 0; row < keeps.size(); ++row) {
    keeps[row] = how == 0   ? false
                 : how == 1 ? true
                 : how == 2 ? row < keeps.size() / 2
                 : how == 3 ? row >= keeps.size() / 2
                            : random() % how != 0;
  }
  fr::batch<T> wanted;
  std::size_t cursor = 0;
  for (std::size_t row = 0; row < keeps.size(); ++row) {
    if (keeps[row]) wanted.append_row(from, row, from.values[row], cursor);
  }
  from.keep_rows([&](std::size_t row) { return keeps[row]; });
  INFO("seed " << seed);
  REQUIRE(same(from, wanted));
}

}  // namespace

TEST_CASE("keep_rows leaves what append_row gives of each row kept", "[core][batch]") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    check_keep_rows<std::uint64_t>(seed);
    check_keep_rows<std::string>(seed);
  }
}

TEST_CASE("keep_rows that throws leaves the row it was at, and those after it", "[core][batch]") {
  std::mt19937_64 random(1);
  for (const std::size_t at : {0U, 1U, 255U, 256U, 300U, 699U}) {
    fr::batch<std::string> rows = random_batch<std::string>(random, 700, 3);
    const fr::batch<std::string> before = rows;
    const auto keep = [at](std::size_t row) {
      if (row == at) throw 1;
      return row % 2 == 0;
    };
    REQUIRE_THROWS_AS(rows.keep_rows(keep), int);
    REQUIRE(rows.size() == before.size());
    for (std::size_t row = at; row < rows.size(); ++row) {
      REQUIRE(rows.values[row] == before.values[row]);
      REQUIRE(rows.positions[row] == before.positions[row]);
    }
  }
}

TEST_CASE("append_rows gives what append_row gives row by row", "[core][batch]") {
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    check_append_rows<std::uint64_t>(seed);
    check_append_rows<std::string>(seed);
    check_append_rows<unassignable>(seed);
  }
}

TEST_CASE("append_rows moves values out of a batch that is not const", "[core][batch]") {
  std::mt19937_64 random(1);
  fr::batch<std::string> from = random_batch<std::string>(random, 3, 0);
  const char* const memory = from.values[1].data();
  fr::batch<std::string> to;
  to.append_rows(from, std::vector<std::uint32_t>{1});
  REQUIRE(to.values[0].data() == memory);
}
