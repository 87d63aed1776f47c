// Watermark generators, and how the frontiers of several inputs combine. Case numbers are those of
// the project's list of stream processing semantics; times are in ticks of 1 us. Its W(t) is our
// frontier t + 1.
#include "window/naive_minimum.hpp"
#include "window/spans.hpp"

#include <freshet/window/watermark.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr fr::timestamp tick(std::int64_t count) {
  return at(fr::duration{count});
}

fr::timestamp frontier_after(const fr::bounded_disorder& generator,
                             std::initializer_list<std::int64_t> times) {
  fr::bounded_disorder::state state;
  for (const std::int64_t each : times) generator.observe(state, tick(each));
  return generator.frontier(state);
}

}  // namespace

TEST_CASE(
    "case 13: bounded disorder promises nothing before the first record, then the largest time "
    "minus the disorder",
    "[semantics][watermark]") {
  REQUIRE(frontier_after({10us}, {}) == fr::timestamp_min);
  REQUIRE(frontier_after({10us}, {1337}) == tick(1327));
}

TEST_CASE("case 14: a record that is not the latest does not move the frontier back",
          "[semantics][watermark]") {
  REQUIRE(frontier_after({10us}, {12345, 12300, 12340, 12280}) == tick(12335));
}

TEST_CASE("case 14: without disorder, a second record at the largest time is on time",
          "[semantics][watermark]") {
  REQUIRE(frontier_after({0us}, {50}) == tick(50));  // Exclusive: nothing before 50 is promised.
}

TEST_CASE("case 15: a watermark is exclusive, so the frontier of bounded disorder has no minus one",
          "[semantics][watermark]") {
  REQUIRE(frontier_after({100us}, {100}) == tick(0));
}

TEST_CASE("case 14: ascending promises the largest time so far, so that equal times are on time",
          "[semantics][watermark]") {
  fr::ascending::state state;
  REQUIRE(fr::ascending{}.frontier(state) == fr::timestamp_min);
  for (const std::int64_t each : {50, 50, 49}) fr::ascending{}.observe(state, tick(each));
  REQUIRE(fr::ascending{}.frontier(state) == tick(50));
}

TEST_CASE("punctuated keeps the furthest promise, and says which ones go back", "[watermark]") {
  const auto generator = fr::punctuated([](const std::optional<std::int64_t>& record) {
    return record ? std::optional(tick(*record)) : std::nullopt;
  });
  using record = std::optional<std::int64_t>;
  decltype(generator)::state state;
  REQUIRE(generator.observe(state, tick(1), record()));
  REQUIRE(generator.frontier(state) == fr::timestamp_min);
  REQUIRE(generator.observe(state, tick(1), record(30)));
  REQUIRE(generator.observe(state, tick(1), record(30)));
  REQUIRE_FALSE(generator.observe(state, tick(1), record(29)));
  REQUIRE(generator.frontier(state) == tick(30));
}

TEST_CASE("bounded disorder saturates at the beginning of time", "[watermark]") {
  const std::int64_t first = fr::timestamp_min.time_since_epoch().count();
  REQUIRE(frontier_after({10us}, {first + 5}) == fr::timestamp_min);
  REQUIRE(frontier_after({fr::duration::max()}, {-2}) == fr::timestamp_min);
}

TEST_CASE("bounded disorder refuses a negative disorder", "[watermark]") {
  REQUIRE(fr::bounded_disorder{0us}.check().empty());
  REQUIRE(fr::bounded_disorder{-1s}.check() ==
          "disorder -1s is negative; give zero or a positive duration");
}

TEST_CASE("case 16: the frontier of one input never goes back", "[semantics][watermark]") {
  fr::frontier_minimum one(1);
  REQUIRE(one.advance(0, tick(26)).frontier == tick(26));
  REQUIRE_FALSE(one.advance(0, tick(19)).frontier);
  REQUIRE(one.advance(0, tick(43)).frontier == tick(43));
  REQUIRE(one.frontier() == tick(43));
}

TEST_CASE("case 17: inputs that have not reported hold everything back", "[semantics][watermark]") {
  fr::frontier_minimum three(3);
  REQUIRE_FALSE(three.advance(0, tick(1)).frontier);
  REQUIRE_FALSE(three.advance(1, tick(1)).frontier);
  REQUIRE(three.advance(2, tick(1)).frontier == tick(1));
}

TEST_CASE("case 18: the combined frontier rises as far as the slowest input, step by step",
          "[semantics][watermark]") {
  fr::frontier_minimum three(3);
  (void)three.advance(0, tick(10));
  (void)three.advance(1, tick(20));
  REQUIRE(three.advance(2, tick(30)).frontier == tick(10));
  REQUIRE_FALSE(three.advance(2, tick(90)).frontier);
  REQUIRE(three.advance(0, tick(15)).frontier == tick(15));
  REQUIRE(three.advance(0, tick(40)).frontier == tick(20));
  REQUIRE_FALSE(three.advance(0, tick(50)).frontier);
  REQUIRE(three.advance(1, tick(70)).frontier == tick(50));
}

TEST_CASE("case 19: idle inputs are left out of the minimum", "[semantics][watermark]") {
  fr::frontier_minimum three(3);
  (void)three.advance(0, tick(16));
  REQUIRE_FALSE(three.advance(1, tick(11)).frontier);
  REQUIRE(three.set_idle(2).frontier == tick(11));
  REQUIRE(three.advance(1, tick(19)).frontier == tick(16));
  REQUIRE(three.advance(0, tick(21)).frontier == tick(19));
}

TEST_CASE("case 20: a watermark on an idle input is ignored", "[semantics][watermark]") {
  fr::frontier_minimum one(1);
  (void)one.advance(0, tick(26));
  const fr::frontier_change asleep = one.set_idle(0);
  REQUIRE(asleep.became_idle);
  REQUIRE_FALSE(asleep.frontier);
  REQUIRE_FALSE(one.advance(0, tick(51)).frontier);
  REQUIRE(one.frontier_of(0) == tick(26));
  const fr::frontier_change awake = one.set_active(0);
  REQUIRE(awake.became_active);
  REQUIRE_FALSE(awake.frontier);
  REQUIRE(one.advance(0, tick(51)).frontier == tick(51));
}

TEST_CASE("case 21: an input that wakes counts again once it has caught up",
          "[semantics][watermark]") {
  fr::frontier_minimum two(2);
  (void)two.advance(0, tick(5));
  (void)two.advance(1, tick(30));
  REQUIRE(two.set_idle(0).frontier == tick(30));
  REQUIRE_FALSE(two.set_active(0).frontier);
  REQUIRE_FALSE(two.advance(0, tick(20)).frontier);
  // Still behind: the other one alone decides.
  REQUIRE(two.advance(1, tick(40)).frontier == tick(40));
  REQUIRE_FALSE(two.advance(0, tick(39)).frontier);
  REQUIRE_FALSE(two.advance(0, tick(41)).frontier);
  // Caught up: from here on it holds the other one back.
  REQUIRE(two.advance(1, tick(50)).frontier == tick(41));
  REQUIRE(two.frontier() == tick(41));
}

TEST_CASE("case 22: when the last input goes idle the largest frontier is taken, in any order",
          "[semantics][watermark]") {
  std::vector<std::size_t> order = {0, 1, 2};
  do {
    fr::frontier_minimum three(3);
    (void)three.advance(0, tick(10));
    (void)three.advance(1, tick(30));
    (void)three.advance(2, tick(20));
    REQUIRE_FALSE(three.set_idle(order[0]).became_idle);
    REQUIRE_FALSE(three.set_idle(order[1]).became_idle);
    REQUIRE(three.set_idle(order[2]).became_idle);
    REQUIRE(three.frontier() == tick(30));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("case 23: inputs that are all still catching up move nothing", "[semantics][watermark]") {
  fr::frontier_minimum two(2);
  (void)two.advance(0, tick(5));
  (void)two.advance(1, tick(30));
  (void)two.set_idle(0);
  (void)two.set_idle(1);
  REQUIRE_FALSE(two.set_active(0).frontier);
  REQUIRE_FALSE(two.advance(0, tick(20)).frontier);
  REQUIRE(two.frontier() == tick(30));
}

TEST_CASE("case 24: no inputs at all promise nothing and are not idle", "[semantics][watermark]") {
  const fr::frontier_minimum none(0);
  REQUIRE(none.frontier() == fr::timestamp_min);
}

TEST_CASE("case 25: finished inputs leave the minimum, and idle ones beside them do not end time",
          "[semantics][watermark]") {
  fr::frontier_minimum three(3);
  (void)three.advance(0, tick(10));
  (void)three.advance(1, tick(20));
  (void)three.advance(2, tick(30));
  REQUIRE(three.finish(0).frontier == tick(20));
  REQUIRE(three.set_idle(1).frontier == tick(30));
  const fr::frontier_change all_idle = three.set_idle(2);
  REQUIRE(all_idle.became_idle);
  REQUIRE_FALSE(all_idle.frontier);
  REQUIRE(three.frontier() == tick(30));
  REQUIRE_FALSE(three.finish(1).frontier);
  const fr::frontier_change end = three.finish(2);
  REQUIRE(end.frontier == fr::timestamp_max);
  REQUIRE(end.became_active);
}

TEST_CASE("case 25: the end of time on an input finishes it", "[semantics][watermark]") {
  fr::frontier_minimum two(2);
  (void)two.advance(1, tick(7));
  REQUIRE(two.advance(0, fr::timestamp_max).frontier == tick(7));
  REQUIRE(two.is_finished(0));
  REQUIRE_FALSE(two.advance(0, tick(1)).frontier);
  REQUIRE(two.advance(1, fr::timestamp_max).frontier == fr::timestamp_max);
}

TEST_CASE("case 26: when the input that is furthest behind finishes, the frontier rises at once",
          "[semantics][watermark]") {
  fr::frontier_minimum two(2);
  (void)two.advance(0, tick(10));
  (void)two.advance(1, tick(3));
  REQUIRE(two.finish(1).frontier == tick(10));
}

TEST_CASE("case 29: a restored frontier is not promised a second time, nor taken back",
          "[semantics][watermark]") {
  fr::frontier_minimum one(1);
  one.restore(tick(11), {fr::timestamp_min});
  REQUIRE_FALSE(one.advance(0, tick(10)).frontier);
  REQUIRE_FALSE(one.advance(0, tick(11)).frontier);
  REQUIRE(one.frontier() == tick(11));
  REQUIRE(one.advance(0, tick(12)).frontier == tick(12));
}

TEST_CASE("case 29: an input behind a restored frontier does not hold it back until it caught up",
          "[semantics][watermark]") {
  fr::frontier_minimum two(2);
  two.restore(tick(30), {tick(10), tick(30)});  // The first one was idle, or catching up.
  REQUIRE_FALSE(two.counts(0));
  REQUIRE(two.counts(1));
  REQUIRE(two.frontier() == tick(30));
  REQUIRE(two.advance(1, tick(40)).frontier == tick(40));
  REQUIRE_FALSE(two.advance(0, tick(41)).frontier);
  REQUIRE(two.counts(0));
  REQUIRE(two.advance(1, tick(50)).frontier == tick(41));
}

TEST_CASE("cases 16 to 26: combined frontiers follow their definition on random events",
          "[semantics][watermark]") {
  using is = naive_minimum::is;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    std::mt19937_64 random(seed);
    const std::size_t count = 1 + random() % 4;
    fr::frontier_minimum found(count);
    naive_minimum wanted(count);
    for (int step = 0; step < 60; ++step) {
      const std::size_t input = random() % count;
      const fr::timestamp before = found.frontier();
      const bool was_idle = wanted.is_idle();
      fr::frontier_change change;
      switch (random() % 8) {
        case 0:
          change = found.set_idle(input);
          wanted.set_idle(input);
          break;
        case 1:
          change = found.set_active(input);
          wanted.set_active(input);
          break;
        case 2:
          if (random() % 4 != 0) continue;
          change = found.finish(input);
          wanted.finish(input);
          break;
        default: {
          const fr::timestamp to = tick(step + static_cast<std::int64_t>(random() % 20));
          change = found.advance(input, to);
          wanted.advance(input, to);
        }
      }
      INFO("seed " << seed << ", step " << step);
      REQUIRE(found.frontier() == wanted.combined);
      REQUIRE(found.frontier() >= before);
      REQUIRE(change.frontier.has_value() == (found.frontier() > before));
      REQUIRE(found.counts(input) == (wanted.status[input] == is::active));
      REQUIRE(change.became_idle == (!was_idle && wanted.is_idle()));
      REQUIRE(change.became_active == (was_idle && !wanted.is_idle()));
    }
  }
}
