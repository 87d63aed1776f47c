// interval_join at the ends of time, and with the longest bounds there are, against its definition
// in integers that cannot overflow.
#include "catch.hpp"

#include <freshet/pipeline/interval_join.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
namespace frt = freshet::testing;

namespace {

__extension__ using wide = __int128;

struct item {
  std::int64_t key = 0;
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(item, (), (key, number))

struct pair_row {
  std::int64_t left = -1;
  std::int64_t right = -1;
};
BOOST_DESCRIBE_STRUCT(pair_row, (), (left, right))

pair_row pair_of(const item* left, const item* right) {
  return {left ? left->number : -1, right ? right->number : -1};
}

struct timed_item {
  item what;
  fr::timestamp at;
};

/// An end of the 64-bit numbers, or something next to one, or to zero.
std::int64_t extreme(std::mt19937_64& random) {
  const auto near = static_cast<std::int64_t>(random() % 4);
  switch (random() % 3) {
    case 0:
      return INT64_MIN + near;
    case 1:
      return INT64_MAX - near;
    default:
      return near - 2;
  }
}

fr::timestamp clamped(wide count) {
  count = std::clamp<wide>(count, INT64_MIN, INT64_MAX);
  return fr::timestamp{fr::duration{static_cast<std::int64_t>(count)}};
}

wide count_of(fr::timestamp at) {
  return at.time_since_epoch().count();
}

/// Rows of a full join of records none of which is behind.
std::vector<std::string> naive(const std::vector<timed_item>& left,
                               const std::vector<timed_item>& right, const fr::between& asked) {
  const bool no_lower = asked.lower == fr::duration::min();
  const bool no_upper = asked.upper == fr::duration::max();
  std::vector<std::string> rows;
  std::vector<bool> met(right.size());
  for (const timed_item& l : left) {
    bool matched = false;
    for (std::size_t i = 0; i < right.size(); ++i) {
      const wide apart = count_of(right[i].at) - count_of(l.at);
      const bool in =
          (no_lower || apart >= asked.lower.count()) && (no_upper || apart <= asked.upper.count());
      if (l.what.key != right[i].what.key || !in) continue;
      matched = met[i] = true;
      rows.push_back(frt::row_text(pair_of(&l.what, &right[i].what), std::max(l.at, right[i].at)));
    }
    const wide last = no_upper ? wide{INT64_MAX} : count_of(l.at) + asked.upper.count();
    if (!matched) {
      rows.push_back(frt::row_text(pair_of(&l.what, nullptr), std::max(l.at, clamped(last))));
    }
  }
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (met[i]) continue;
    const timed_item& r = right[i];
    const wide last = no_lower ? wide{INT64_MAX} : count_of(r.at) - asked.lower.count();
    rows.push_back(frt::row_text(pair_of(nullptr, &r.what), std::max(r.at, clamped(last))));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<timed_item> random_items(std::mt19937_64& random) {
  std::vector<timed_item> all(random() % 7);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = {{static_cast<std::int64_t>(random() % 2), static_cast<std::int64_t>(i)},
              fr::timestamp{fr::duration{extreme(random)}}};
  }
  return all;
}

}  // namespace

TEST_CASE("interval_join keeps its definition at the ends of time and of durations",
          "[join][interval_join]") {
  std::mt19937_64 random(77);
  std::size_t rows = 0;
  for (int round = 0; round < 400; ++round) {
    fr::between asked{fr::duration{extreme(random)}, fr::duration{extreme(random)}};
    if (asked.upper < asked.lower) std::swap(asked.lower, asked.upper);
    const std::vector<timed_item> left = random_items(random);
    const std::vector<timed_item> right = random_items(random);
    INFO("round " << round << ", between " << asked.lower.count() << " and "
                  << asked.upper.count());
    const std::uint64_t turns = random();
    const auto scenario = [&](const frt::harness_options& options) {
      frt::harness h(options);
      const auto l = h.input<item>("left");
      const auto r = h.input<item>("right");
      const auto joined = l.stream() | fr::key_by(&item::key) |
                          fr::interval_join<fr::join_type::full>(
                              "near", r.stream() | fr::key_by(&item::key), asked, pair_of);
      const auto found = h.collect(joined);
      std::mt19937_64 turn(turns);
      for (std::size_t i = 0, j = 0; i < left.size() || j < right.size();) {
        if (j == right.size() || (i < left.size() && turn() % 2 == 0)) {
          l.push(left[i].what, left[i].at);
          ++i;
        } else {
          r.push(right[j].what, right[j].at);
          ++j;
        }
      }
      h.finish();
      std::vector<std::string> texts = found.text();
      std::sort(texts.begin(), texts.end());
      return texts;
    };
    const std::vector<std::string> found =
        round % 20 == 0 ? frt::in_every_mode(scenario) : scenario(frt::harness_options{});
    REQUIRE(found == naive(left, right, asked));
    rows += found.size();
  }
  CHECK(rows > 1000);
}
