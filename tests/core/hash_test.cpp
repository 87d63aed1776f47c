// The stable hash: golden values that may never change, its quality, and the key groups.
//
// Everything here is seeded or enumerated, so a bound is crossed always or never; the chances
// stated are those with which a perfect hash would have crossed it.
#include <freshet/core/hash.hpp>

#include <freshet/core/time.hpp>

#include "catch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

enum class color : std::int16_t { red, green = 5 };

struct point {
  std::int32_t x;
  std::int32_t y;
};
BOOST_DESCRIBE_STRUCT(point, (), (x, y))

struct card_and_day {
  std::string card;
  std::int32_t day;
};
BOOST_DESCRIBE_STRUCT(card_and_day, (), (card, day))

// The full tier: two spellings of one value.
struct fraction {
  std::uint64_t numerator;
  std::uint64_t denominator;
};

// The oracle: the high half of hash * groups, by adding hash * 2^i for each bit i of groups.
std::uint32_t naive_key_group(std::uint64_t hash, std::uint32_t groups) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (int bit = 31; bit >= 0; --bit) {
    high = high << 1 | low >> 63;
    low <<= 1;
    if ((groups >> bit & 1U) == 0) continue;
    low += hash;
    if (low < hash) ++high;
  }
  return static_cast<std::uint32_t>(high);
}

// How often each of the 64 output bits flips when one input bit does, as a fraction of `samples`;
// the extremes over all pairs of bits. `hash_flipped(random bits, bit)` hashes with `bit` flipped.
template <class Hash>
std::pair<double, double> flip_rates(std::size_t input_bits, Hash&& hash_with) {
  constexpr int samples = 4096;
  std::mt19937_64 random(7);
  std::pair<double, double> extremes{1, 0};
  for (std::size_t bit = 0; bit < input_bits; ++bit) {
    std::vector<int> flips(64, 0);
    for (int sample = 0; sample < samples; ++sample) {
      const std::uint64_t seed = random();
      const std::uint64_t changed = hash_with(seed, input_bits) ^ hash_with(seed, bit);
      for (std::size_t out = 0; out < 64; ++out)
        flips[out] += static_cast<int>(changed >> out & 1U);
    }
    const auto [lowest, highest] = std::minmax_element(flips.begin(), flips.end());
    extremes.first = std::min(extremes.first, double(*lowest) / samples);
    extremes.second = std::max(extremes.second, double(*highest) / samples);
  }
  return extremes;
}

// Half of 4,096 flips has a standard deviation of 0.0078, so 0.45 and 0.55 lie 6.4 of them away: a
// perfect hash crosses one with a chance of 1.6e-10 for a pair of bits, 8e-7 for 5,000 pairs.
template <class Hash>
void check_avalanche(std::size_t input_bits, Hash&& hash_with) {
  const auto [lowest, highest] = flip_rates(input_bits, hash_with);
  CHECK(lowest > 0.45);
  CHECK(highest < 0.55);
}

std::uint64_t flip(std::uint64_t bits, std::size_t bit) {
  return bit < 64 ? bits ^ (std::uint64_t{1} << bit) : bits;
}

// Pearson's statistic of how evenly `hashes` fall into 128 key groups: 127 degrees of freedom.
double chi_squared_of_groups(const std::vector<std::uint64_t>& hashes) {
  constexpr std::uint32_t groups = 128;
  std::vector<double> counts(groups, 0);
  for (const std::uint64_t hash : hashes) counts[fr::key_group(hash, groups)] += 1;
  const double expected = static_cast<double>(hashes.size()) / groups;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

template <class Key>
std::vector<std::uint64_t> hashes_of(std::size_t count, Key&& key_of) {
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < count; ++i) hashes.push_back(fr::stable_hash(key_of(i)));
  return hashes;
}

}  // namespace

template <>
struct freshet::hasher<fraction> {
  std::uint64_t operator()(const fraction& value) const {
    return value.numerator * 1000 / value.denominator;
  }
};

TEST_CASE("hash of numbers is the golden one", "[core][hash][golden]") {
  CHECK(fr::stable_hash(0) == 0xe220a8397b1dcdafU);
  CHECK(fr::stable_hash(1) == 0x910a2dec89025cc1U);
  CHECK(fr::stable_hash(-1) == 0xe4d971771b652c20U);
  CHECK(fr::stable_hash(true) == 0x910a2dec89025cc1U);
  CHECK(fr::stable_hash(1.5) == 0xd6dab18e1392608aU);
  CHECK(fr::stable_hash(fr::timestamp{1'372'930'200'000'001us}) == 0xf75488fba7d46e39U);
}

TEST_CASE("hash of strings is the golden one at each length class", "[core][hash][golden]") {
  // XXH3 takes another path above 0, 3, 8, 16, 128, and 240 bytes.
  CHECK(fr::stable_hash(""s) == 0x2d06800538d394c2U);
  CHECK(fr::stable_hash("a"s) == 0xe6c632b61e964e1fU);
  CHECK(fr::stable_hash("card"s) == 0x73f323b182390ba6U);
  CHECK(fr::stable_hash("card-1042"s) == 0x33ff6fb65df705ddU);
  CHECK(fr::stable_hash("0123456789abcdef"s) == 0x64439946d8fa212dU);
  CHECK(fr::stable_hash("0123456789abcdefg"s) == 0xd2e63ed5466f5c32U);
  CHECK(fr::stable_hash(std::string(128, 'x')) == 0x4ca37e83f6cddd17U);
  CHECK(fr::stable_hash(std::string(129, 'x')) == 0xe4f9742108fe27dcU);
  CHECK(fr::stable_hash(std::string(240, 'x')) == 0x3e16ca8a0c6ccb68U);
  CHECK(fr::stable_hash(std::string(241, 'x')) == 0x14da9e5c301a6a1dU);
  CHECK(fr::stable_hash(std::string(4096, 'x')) == 0x854c667088efe093U);
  CHECK(fr::stable_hash(std::string_view("card")) == fr::stable_hash("card"s));
}

TEST_CASE("hash of composed keys is the golden one", "[core][hash][golden]") {
  CHECK(fr::stable_hash(std::optional<int>{}) == 0xe220a8397b1dcdafU);
  CHECK(fr::stable_hash(std::optional<int>{5}) == 0x487f9b3ecd2b10ddU);
  CHECK(fr::stable_hash(std::pair{1, 2}) == 0x73eaa64f5527f856U);
  CHECK(fr::stable_hash(point{1, 2}) == 0x73eaa64f5527f856U);
  CHECK(fr::stable_hash(std::tuple{1, 2}) == 0x73eaa64f5527f856U);
  CHECK(fr::stable_hash(std::array{1, 2}) == 0x73eaa64f5527f856U);
  CHECK(fr::stable_hash(std::vector{1, 2}) == 0x73eaa64f5527f856U);
  CHECK(fr::stable_hash(card_and_day{"card", 7}) == 0x5ddb8c3a814fd5baU);
  CHECK(fr::stable_hash(std::variant<int, std::string>{"card"}) == 0x6aa55026d2765689U);
  CHECK(fr::stable_hash(std::monostate{}) == 0xe220a8397b1dcdafU);
  CHECK(fr::stable_hash(std::vector<bool>{true, false}) == fr::stable_hash(std::pair{1, 0}));
}

TEST_CASE("hash stays when a key is widened", "[core][hash]") {
  for (const int value : {0, 5, -5, std::numeric_limits<int>::min()}) {
    CAPTURE(value);
    CHECK(fr::stable_hash(value) == fr::stable_hash(std::int64_t{value}));
  }
  CHECK(fr::stable_hash(std::uint32_t{0xffffffffU}) == fr::stable_hash(std::int64_t{0xffffffff}));
  CHECK(fr::stable_hash(0.1F) == fr::stable_hash(double{0.1F}));
  CHECK(fr::stable_hash(color::green) == fr::stable_hash(5));
  CHECK(fr::stable_hash('\xff') == fr::stable_hash(255));
  CHECK(fr::stable_hash(std::chrono::seconds{5}) == fr::stable_hash(5));
}

TEST_CASE("hash is equal for equal floating keys and for all NaNs", "[core][hash]") {
  CHECK(fr::stable_hash(-0.0) == fr::stable_hash(0.0));
  CHECK(fr::stable_hash(-0.0F) == fr::stable_hash(0.0));
  const double quiet = std::numeric_limits<double>::quiet_NaN();
  CHECK(fr::stable_hash(quiet) == 0xc72971d82e15bb46U);
  CHECK(fr::stable_hash(-quiet) == fr::stable_hash(quiet));
  CHECK(fr::stable_hash(std::numeric_limits<float>::signaling_NaN()) == fr::stable_hash(quiet));
}

TEST_CASE("hash tells the order and the borders of elements apart", "[core][hash]") {
  const std::vector<std::uint64_t> hashes{
      fr::stable_hash(std::pair{1, 2}),
      fr::stable_hash(std::pair{2, 1}),
      fr::stable_hash(std::pair{0, 0}),
      fr::stable_hash(std::tuple{0, 0, 0}),
      fr::stable_hash(std::tuple{0}),
      fr::stable_hash(0),
      fr::stable_hash(std::pair{"ab"s, "c"s}),
      fr::stable_hash(std::pair{"a"s, "bc"s}),
      fr::stable_hash(std::pair{std::vector{1}, std::vector{2, 3}}),
      fr::stable_hash(std::pair{std::vector{1, 2}, std::vector{3}}),
      fr::stable_hash(std::variant<int, bool>{1}),
      fr::stable_hash(std::variant<int, bool>{true}),
  };
  CHECK(std::set(hashes.begin(), hashes.end()).size() == hashes.size());
}

TEST_CASE("hash of small pairs does not collide", "[core][hash]") {
  // A perfect hash has a collision among 10^6 keys with a chance of 2.7e-8.
  std::vector<std::uint64_t> hashes =
      hashes_of(1'000'000, [](std::size_t i) { return std::pair{i / 1000, i % 1000}; });
  std::sort(hashes.begin(), hashes.end());
  CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
}

TEST_CASE("hash flips every bit half of the time", "[core][hash]") {
  check_avalanche(
      64, [](std::uint64_t seed, std::size_t bit) { return fr::stable_hash(flip(seed, bit)); });
  check_avalanche(64, [](std::uint64_t seed, std::size_t bit) {
    return fr::stable_hash(std::pair{flip(seed, bit), std::uint64_t{3}});
  });
  check_avalanche(64, [](std::uint64_t seed, std::size_t bit) {
    return fr::stable_hash(std::pair{std::uint64_t{3}, flip(seed, bit)});
  });
  check_avalanche(64, [](std::uint64_t seed, std::size_t bit) {
    const std::uint64_t bits = flip(seed, bit);
    return fr::stable_hash("card" + std::string(reinterpret_cast<const char*>(&bits), 8));
  });
}

TEST_CASE("hash of a user's hasher is mixed", "[core][hash]") {
  CHECK(fr::stable_hash(fraction{1, 2}) == fr::stable_hash(fraction{2, 4}));
  CHECK(fr::stable_hash(fraction{1, 2}) == fr::mix_bits(500));
  CHECK(fr::stable_hash(std::pair{fraction{1, 2}, 1}) == fr::stable_hash(std::pair{500, 1}));
}

TEST_CASE("hash knows what can be a key", "[core][hash]") {
  STATIC_REQUIRE(fr::stable_hashable<std::pair<std::string, std::optional<point>>>);
  STATIC_REQUIRE(fr::stable_hashable<const fr::timestamp>);
  STATIC_REQUIRE(fr::stable_hashable<fraction>);
  STATIC_REQUIRE_FALSE(fr::stable_hashable<int*>);
  STATIC_REQUIRE_FALSE(fr::stable_hashable<const char*>);
  STATIC_REQUIRE_FALSE(fr::stable_hashable<long double>);
  STATIC_REQUIRE_FALSE(fr::stable_hashable<wchar_t>);
  STATIC_REQUIRE_FALSE(fr::stable_hashable<std::vector<int*>>);
  STATIC_REQUIRE(fr::stable_hash(5) == fr::mix_bits(5));  // At compile time too.
}

TEST_CASE("key_group is the high half of the 128-bit product", "[core][hash]") {
  std::mt19937_64 random(9);
  for (int round = 0; round < 100'000; ++round) {
    const std::uint64_t hash = random() >> (random() % 64);
    const auto groups = static_cast<std::uint32_t>(random() >> (32 + random() % 31)) | 1U;
    CAPTURE(hash, groups);
    REQUIRE(fr::key_group(hash, groups) == naive_key_group(hash, groups));
    REQUIRE(fr::key_group(hash, groups) < groups);
  }
}

TEST_CASE("key_group splits the hashes into contiguous equal ranges", "[core][hash]") {
  constexpr auto highest = std::numeric_limits<std::uint64_t>::max();
  CHECK(fr::key_group(highest, 1) == 0);
  CHECK(fr::key_group(highest, std::numeric_limits<std::uint32_t>::max()) == 0xfffffffeU);
  constexpr std::uint64_t width = std::uint64_t{1} << 57;  // 2^64 / 128
  for (std::uint32_t group = 0; group < 128; ++group) {
    CHECK(fr::key_group(group * width, 128) == group);
    CHECK(fr::key_group(group * width + (width - 1), 128) == group);
  }
}

TEST_CASE("key_group receives common keys evenly", "[core][hash]") {
  // Above 230, a perfect hash would end with a chance of 6.1e-8 (chi-squared, 127 degrees).
  const auto number = [](std::size_t i) { return i; };
  const auto step = [](std::size_t i) { return i << 32; };
  const auto card = [](std::size_t i) { return "card-" + std::to_string(i); };
  const auto both = [](std::size_t i) { return std::pair{i % 1000, i / 1000}; };
  const auto minute = [](std::size_t i) { return fr::timestamp{1min * static_cast<long>(i)}; };
  CHECK(chi_squared_of_groups(hashes_of(200'000, number)) < 230);
  CHECK(chi_squared_of_groups(hashes_of(200'000, step)) < 230);
  CHECK(chi_squared_of_groups(hashes_of(200'000, card)) < 230);
  CHECK(chi_squared_of_groups(hashes_of(200'000, both)) < 230);
  CHECK(chi_squared_of_groups(hashes_of(200'000, minute)) < 230);
}
