// SpaceSaving against exact counts: the bounds hold always, and what is heavy is found.
#include "catch.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/sketch/space_saving.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using freshet::counted_hash;
using freshet::mix_bits;
using freshet::space_saving;

namespace {

using hashes = std::vector<std::uint64_t>;

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

/// Exact weights. Doubles hold halves of small whole numbers without rounding.
struct exact_weights {
  std::map<std::uint64_t, double> of;
  double total = 0;

  void add(std::uint64_t hash, std::uint64_t weight) {
    of[hash] += static_cast<double>(weight);
    total += static_cast<double>(weight);
  }
  void halve() {
    for (auto& [hash, weight] : of) weight /= 2;
    total /= 2;
  }
  void merge(const exact_weights& other) {
    for (const auto& [hash, weight] : other.of) of[hash] += weight;
    total += other.total;
  }
};

/// A sketch and what it should be near to.
struct checked {
  space_saving sketch;
  exact_weights exact = {};
  std::size_t smallest_capacity = sketch.capacity();
  bool halved = false;

  void add(std::uint64_t hash, std::uint64_t weight = 1) {
    sketch.add(hash, weight);
    exact.add(hash, weight);
  }
  void halve() {
    sketch.halve();
    exact.halve();
    halved = true;
  }
  void merge(const checked& other) {
    smallest_capacity = std::min(smallest_capacity, other.smallest_capacity);
    halved = halved || other.halved;
    sketch.merge(other.sketch);
    exact.merge(exact_weights(other.exact));
  }
};

/// What `space_saving` promises, for every key there was and one that there was not.
void require_bounds(const checked& of) {
  const double share = of.exact.total / static_cast<double>(of.smallest_capacity);
  const double rounding = of.halved ? 2 : 0;
  REQUIRE(static_cast<double>(of.sketch.total()) >= of.exact.total);
  REQUIRE(static_cast<double>(of.sketch.total()) <= of.exact.total + rounding);
  REQUIRE(static_cast<double>(of.sketch.untracked_at_most()) <= share + rounding);
  REQUIRE(of.sketch.estimate(largest - 7).at_least() == 0);
  std::set<std::uint64_t> tracked;
  for (const counted_hash& each : of.sketch.items()) {
    REQUIRE(tracked.insert(each.hash).second);
    REQUIRE(of.exact.of.contains(each.hash));
    REQUIRE(of.sketch.estimate(each.hash) == each);
    REQUIRE(each.error <= each.count);
    REQUIRE(static_cast<double>(each.error) <= share + rounding);
  }
  REQUIRE(tracked.size() == of.sketch.size());
  if (of.smallest_capacity == of.sketch.capacity()) {
    REQUIRE(tracked.size() == std::min(of.sketch.capacity(), of.exact.of.size()));
  }
  for (const auto& [hash, weight] : of.exact.of) {
    const counted_hash told = of.sketch.estimate(hash);
    REQUIRE(static_cast<double>(told.at_least()) <= weight);
    REQUIRE(static_cast<double>(told.count) >= weight);
    if (weight > share + rounding) REQUIRE(tracked.contains(hash));
  }
}

/// `count` ranks in [0, keys), rank r with a probability proportional to 1 / (r + 1)^exponent.
hashes zipf(std::size_t count, std::size_t keys, double exponent, std::uint64_t seed) {
  std::vector<double> weights;
  for (std::size_t rank = 0; rank < keys; ++rank) {
    weights.push_back(std::pow(static_cast<double>(rank + 1), -exponent));
  }
  std::discrete_distribution<std::uint64_t> draw(weights.begin(), weights.end());
  std::mt19937_64 random(seed);
  hashes all(count);
  for (std::uint64_t& each : all) each = mix_bits(draw(random));
  return all;
}

std::string text_of(const counted_hash& item) {
  return std::to_string(item.hash) + ": " + std::to_string(item.count) + "-" +
         std::to_string(item.error);
}

std::vector<std::string> texts_of(const std::vector<counted_hash>& items) {
  std::vector<std::string> all;
  for (const counted_hash& each : items) all.push_back(text_of(each));
  return all;
}

}  // namespace

TEST_CASE("space_saving refuses a capacity that it cannot have", "[sketch][space_saving]") {
  for (const std::size_t wrong : {std::size_t{0}, (std::size_t{1} << 20) + 1}) {
    try {
      const space_saving sketch(wrong);
      FAIL("it accepted " << wrong);
    } catch (const std::invalid_argument& error) {
      REQUIRE(std::string(error.what()) ==
              "space_saving: capacity " + std::to_string(wrong) +
                  " is not in [1, 1048576]; give a number of counters, such as 128");
    }
  }
}

TEST_CASE("space_saving counts exactly while the keys fit", "[sketch][space_saving]") {
  space_saving sketch(3);
  sketch.add(7);
  sketch.add(5, 4);
  sketch.add(9, 0);
  sketch.add(7);
  REQUIRE(sketch.total() == 6);
  REQUIRE(sketch.untracked_at_most() == 0);
  REQUIRE(texts_of(sketch.items()) == std::vector<std::string>{"5: 4-0", "7: 2-0"});
  REQUIRE(sketch.estimate(9).count == 0);
}

TEST_CASE("space_saving replaces a key of the lowest count, whose count becomes the error",
          "[sketch][space_saving]") {
  // As in the paper's section 3, with two counters:  x x y | z replaces y | y replaces one of both
  space_saving sketch(2);
  sketch.add(hashes{1, 1, 2});
  REQUIRE(texts_of(sketch.items()) == std::vector<std::string>{"1: 2-0", "2: 1-0"});
  sketch.add(3);
  REQUIRE(texts_of(sketch.items()) == std::vector<std::string>{"1: 2-0", "3: 2-1"});
  REQUIRE(sketch.untracked_at_most() == 1);
  sketch.add(2);
  REQUIRE(sketch.items()[0].count == 3);
  REQUIRE(sketch.items()[0].error == 2);
  REQUIRE(sketch.untracked_at_most() == 2);
}

TEST_CASE("space_saving keeps its bounds for random keys, weights, halvings and merges",
          "[sketch][space_saving]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const std::size_t capacity = 1 + random() % 40;
    const std::uint64_t keys = 1 + random() % 120;
    const std::uint64_t weight_max = seed % 2 == 0 ? 1 : 1 + random() % 50;
    const bool may_halve = seed % 3 == 0;
    checked one{space_saving(capacity)};
    checked two{space_saving(seed % 5 == 0 ? 1 + random() % 40 : capacity)};
    for (int i = 0; i < 400; ++i) {
      // The smaller of two is uneven: small ones are the hot keys.
      const std::uint64_t key = std::min(random() % keys, random() % keys);
      (random() % 2 == 0 ? one : two).add(mix_bits(key), 1 + random() % weight_max);
      if (may_halve && random() % 100 == 0) one.halve();
      if (random() % 150 == 0) one.merge(two);
      if (i % 40 == 0) require_bounds(one);
    }
    require_bounds(one);
    require_bounds(two);
  }
}

TEST_CASE("space_saving keeps its bounds and its sum for orders made to break it",
          "[sketch][space_saving]") {
  constexpr std::size_t capacity = 16;
  const std::map<std::string, std::function<std::uint64_t(std::uint64_t)>> orders = {
      {"never the same key twice", [](std::uint64_t i) { return i; }},
      {"always the key just replaced", [](std::uint64_t i) { return i % (capacity + 1); }},
      {"blocks", [](std::uint64_t i) { return i / 100; }},
      {"falling back and forth",
       [](std::uint64_t i) { return i % 40 < 20 ? i % 40 : 40 - i % 40; }},
      {"one heavy key first", [](std::uint64_t i) { return i < 500 ? 0 : i; }},
      {"one heavy key last", [](std::uint64_t i) { return i < 1500 ? i : 0; }},
      {"a heavy key among new ones", [](std::uint64_t i) { return i % 3 == 0 ? 0 : i; }},
      {"runs, each as long as all before", [](std::uint64_t i) { return std::bit_width(i); }},
  };
  // 0x9e37... is the factor of the table: times its inverse, all hashes want the same slot.
  std::uint64_t inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9e3779b97f4a7c15U * inverse;
  REQUIRE(inverse * 0x9e3779b97f4a7c15U == 1);
  for (const auto& [name, key_at] : orders) {
    for (const std::uint64_t factor : {std::uint64_t{1}, inverse, std::uint64_t{1} << 40}) {
      CAPTURE(name, factor);
      checked one{space_saving(capacity)};
      for (std::uint64_t i = 0; i < 2000; ++i) one.add(key_at(i) * factor);
      require_bounds(one);
      std::uint64_t sum = 0;
      for (const counted_hash& each : one.sketch.items()) sum += each.count;
      REQUIRE(sum == 2000);
    }
  }
}

TEST_CASE("space_saving finds the top keys of a Zipf 1.2 stream", "[sketch][space_saving]") {
  constexpr std::size_t count = 200'000;
  for (const std::size_t capacity : {64U, 128U, 256U}) {
    CAPTURE(capacity);
    checked one{space_saving(capacity)};
    for (const std::uint64_t hash : zipf(count, 100'000, 1.2, capacity)) one.add(hash);
    require_bounds(one);
    std::vector<std::pair<double, std::uint64_t>> truth;
    for (const auto& [hash, weight] : one.exact.of) truth.emplace_back(-weight, hash);
    std::sort(truth.begin(), truth.end());
    const std::vector<counted_hash> found = one.sketch.items();
    for (std::size_t rank = 0; rank < 8; ++rank) {
      CHECK(found[rank].hash == truth[rank].second);
      CHECK(static_cast<double>(found[rank].count) <= -truth[rank].first * 1.05);
    }
    // A threshold of n / capacity, and one far above it.
    for (const std::uint64_t threshold : {count / capacity, count / 20}) {
      REQUIRE(threshold >= one.sketch.untracked_at_most());
      std::set<std::uint64_t> may;
      for (const counted_hash& each : one.sketch.may_exceed(threshold)) may.insert(each.hash);
      for (const auto& [weight, hash] : truth) {
        if (-weight > static_cast<double>(threshold)) REQUIRE(may.contains(hash));
      }
      REQUIRE_FALSE(one.sketch.must_exceed(threshold).empty());
      for (const counted_hash& each : one.sketch.must_exceed(threshold)) {
        REQUIRE(one.exact.of.at(each.hash) > static_cast<double>(threshold));
      }
    }
  }
}

TEST_CASE("space_saving merged from parts knows the whole stream", "[sketch][space_saving]") {
  const hashes stream = zipf(60'000, 20'000, 1.2, 1);
  for (const bool in_blocks : {false, true}) {
    std::vector<checked> parts(4, checked{space_saving(64)});
    for (std::size_t i = 0; i < stream.size(); ++i) {
      parts[in_blocks ? i / 15'000 : i % 4].add(stream[i]);
    }
    checked in_order{space_saving(64)};
    for (const checked& part : parts) in_order.merge(part);
    require_bounds(in_order);
    parts[0].merge(parts[1]);
    parts[2].merge(parts[3]);
    parts[2].merge(parts[0]);
    require_bounds(parts[2]);
    // It goes on as if it had counted everything itself.
    for (const std::uint64_t hash : zipf(5'000, 20'000, 1.2, 2)) parts[2].add(hash);
    require_bounds(parts[2]);
    REQUIRE(parts[2].sketch.items()[0].hash == mix_bits(0));
  }
}

TEST_CASE("space_saving merged with nothing, into nothing, and with itself",
          "[sketch][space_saving]") {
  checked one{space_saving(8)};
  for (std::uint64_t i = 0; i < 100; ++i) one.add(i % 11);
  const auto before = texts_of(one.sketch.items());
  one.merge(checked{space_saving(8)});
  REQUIRE(texts_of(one.sketch.items()) == before);
  checked fresh{space_saving(8)};
  fresh.merge(one);
  REQUIRE(texts_of(fresh.sketch.items()) == before);
  one.merge(one);
  require_bounds(one);
  REQUIRE(one.sketch.total() == 200);
}

TEST_CASE("space_saving knows what a merged sketch of fewer counters may have forgotten",
          "[sketch][space_saving]") {
  checked small{space_saving(2)};
  for (std::uint64_t i = 0; i < 9; ++i) small.add(i % 3);
  checked large{space_saving(8)};
  large.merge(small);
  // There is room for each of these, but one of them was counted before.
  for (std::uint64_t i = 0; i < 4; ++i) large.add(i);
  require_bounds(large);
  REQUIRE(large.sketch.untracked_at_most() == 4);
}

TEST_CASE("space_saving lets keys fade that do not come any more", "[sketch][space_saving]") {
  checked one{space_saving(16)};
  for (int i = 0; i < 10'000; ++i) one.add(1);
  for (int epoch = 0; epoch < 12; ++epoch) {
    one.halve();
    for (std::uint64_t i = 0; i < 100; ++i) one.add(i % 2 == 0 ? 2 : 1000 + i);
    require_bounds(one);
  }
  // Of the old key 10000 / 2^12 is left, of the new one 50 + 25 + ... < 100.
  REQUIRE(one.sketch.items()[0].hash == 2);
  REQUIRE(one.sketch.must_exceed(one.sketch.total() / 4).size() == 1);
  REQUIRE(one.sketch.estimate(1).at_least() <= 2);
}

TEST_CASE("space_saving tells the same after the same calls, one by one or in batches",
          "[sketch][space_saving]") {
  const hashes stream = zipf(20'000, 5'000, 1.0, 9);
  space_saving one(32);
  for (const std::uint64_t hash : stream) one.add(hash);
  space_saving two(32);
  const std::span<const std::uint64_t> all(stream);
  for (std::size_t from = 0; from < all.size(); from += 700) {
    two.add(all.subspan(from, std::min<std::size_t>(700, all.size() - from)));
  }
  REQUIRE(texts_of(one.items()) == texts_of(two.items()));
  REQUIRE(one.untracked_at_most() == two.untracked_at_most());
}

TEST_CASE("space_saving stops at the largest weight instead of wrapping",
          "[sketch][space_saving]") {
  space_saving sketch(2);
  sketch.add(1, largest - 1);
  sketch.add(1, 5);
  sketch.add(2, largest);
  REQUIRE(sketch.total() == largest);
  REQUIRE(sketch.estimate(1).count == largest);
  // Both counters are full: a third key takes one of them, and nothing is known for certain of it.
  for (std::uint64_t i = 3; i < 10; ++i) sketch.add(i, largest);
  REQUIRE(sketch.estimate(9) == counted_hash{9, largest, largest});
  REQUIRE(sketch.size() == 2);
  sketch.merge(space_saving(sketch));
  REQUIRE(sketch.items()[0].count == largest);
}
