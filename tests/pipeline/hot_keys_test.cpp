// Which keys count as hot: against the true shares of the stream.
#include "catch.hpp"

#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/hot_keys.hpp>

#include <cstdint>
#include <random>
#include <vector>

namespace {

using freshet::detail::hot_keys;

/// Feeds `batches` of 1024 records whose keys `draw(number)` gives.
template <class Draw>
void feed(hot_keys& to, std::size_t batches, Draw draw) {
  std::vector<std::uint64_t> hashes(1024);
  for (std::size_t batch = 0; batch < batches; ++batch) {
    for (std::size_t row = 0; row < hashes.size(); ++row) {
      hashes[row] = freshet::stable_hash(draw(batch * hashes.size() + row));
    }
    to.look_at(hashes);
  }
}

std::uint64_t hash_of(std::uint64_t key) {
  return freshet::stable_hash(key);
}

}  // namespace

TEST_CASE("a key with half of the records is hot, and its neighbours are not", "[hot_keys]") {
  hot_keys keys;
  std::mt19937_64 random(1);
  feed(keys, 64, [&](std::uint64_t) -> std::uint64_t {
    return random() % 2 == 0 ? 7 : 1000 + random() % 100'000;
  });
  REQUIRE(keys.any());
  CHECK(keys.contains(hash_of(7)));
  for (std::uint64_t key = 1000; key < 2000; ++key) REQUIRE_FALSE(keys.contains(hash_of(key)));
}

TEST_CASE("no key of a stream that is spread evenly is hot", "[hot_keys]") {
  // The chance that one of 10,000 keys comes more than 8 times in the first 1024 samples, or more
  // than 32 times in 16,384 samples, is below 1e-10.
  hot_keys keys;
  std::mt19937_64 random(2);
  for (std::size_t times = 0; times < 128; ++times) {
    feed(keys, 32, [&](std::uint64_t) -> std::uint64_t { return random() % 10'000; });
    REQUIRE_FALSE(keys.any());
  }
}

TEST_CASE("a key is found whatever the period at which it comes", "[hot_keys]") {
  for (std::uint64_t period = 2; period <= 64; ++period) {
    hot_keys keys;
    std::mt19937_64 random(period);
    feed(keys, 256, [&](std::uint64_t number) -> std::uint64_t {
      return number % period == 0 ? 7 : 1000 + random() % 1'000'000;
    });
    INFO("period " << period);
    REQUIRE(keys.any());
    REQUIRE(keys.contains(hash_of(7)));
  }
}

TEST_CASE("a key is hot whatever its hash is", "[hot_keys]") {
  hot_keys keys;
  std::vector<std::uint64_t> hashes(1024);
  for (std::size_t row = 0; row < hashes.size(); ++row) hashes[row] = row % 4;
  for (std::size_t batch = 0; batch < 64; ++batch) keys.look_at(hashes);
  REQUIRE(keys.any());
  for (std::uint64_t hash = 0; hash < 4; ++hash) REQUIRE(keys.contains(hash));
  REQUIRE_FALSE(keys.contains(4));
  REQUIRE_FALSE(keys.contains(~std::uint64_t{0}));
}

TEST_CASE("a key is found also after there was none for long", "[hot_keys]") {
  hot_keys keys;
  std::mt19937_64 random(4);
  feed(keys, 8192, [&](std::uint64_t) -> std::uint64_t { return random() % 100'000; });
  REQUIRE_FALSE(keys.any());
  // Of eight times as many records as at first, because of every eighth sample.
  feed(keys, 512, [&](std::uint64_t) -> std::uint64_t {
    return random() % 2 == 0 ? 7 : 1000 + random() % 100'000;
  });
  REQUIRE(keys.any());
  CHECK(keys.contains(hash_of(7)));
}

TEST_CASE("a hot key that does not come any more stops being hot", "[hot_keys]") {
  hot_keys keys;
  std::mt19937_64 random(3);
  feed(keys, 256, [&](std::uint64_t) -> std::uint64_t {
    return random() % 2 == 0 ? 7 : 1000 + random() % 100'000;
  });
  REQUIRE(keys.contains(hash_of(7)));
  feed(keys, 4096, [&](std::uint64_t) -> std::uint64_t { return 1000 + random() % 100'000; });
  CHECK_FALSE(keys.any());
}

TEST_CASE("where partial aggregates are hardly fewer than records no key is hot for a while",
          "[hot_keys]") {
  hot_keys keys;
  const auto only_one = [](std::uint64_t) -> std::uint64_t { return 7; };
  feed(keys, 64, only_one);
  REQUIRE(keys.any());
  keys.note_sent(1000, 501);
  feed(keys, 64, only_one);
  CHECK_FALSE(keys.any());
  feed(keys, 2048, only_one);
  CHECK(keys.any());
}
