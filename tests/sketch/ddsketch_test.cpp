// DDSketch against sorted values: every quantile within its accuracy, whatever the shape, order,
// split and options; what it holds is a function of the values alone.
#include "catch.hpp"
#include "sketch/shapes.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/sketch/ddsketch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using freshet::ddsketch;
using freshet::ddsketch_options;
using freshet::from_bytes;
using freshet::to_bytes;
using freshet::test::shapes;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double quiet = std::numeric_limits<double>::quiet_NaN();

ddsketch sketch_of(const std::vector<double>& values, ddsketch_options options = {}) {
  ddsketch sketch(options);
  for (const double value : values) sketch.add(value);
  return sketch;
}

/// The oracle: the value of rank floor(q * (n - 1)).
double naive_quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

bool near(double found, double wanted, double accuracy) {
  // Numbers that are smaller than every normal one count as zero.
  if (std::abs(wanted) < std::numeric_limits<double>::min()) return found == 0;
  return std::abs(found / wanted - 1) <= accuracy;
}

std::vector<double> shuffled(std::vector<double> values, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
  return values;
}

}  // namespace

TEST_CASE("ddsketch is within its accuracy for values of every shape", "[sketch][ddsketch]") {
  for (const double accuracy : {0.0001, 0.002, 0.01, 0.05, 0.5}) {
    for (const std::size_t count : {1U, 5U, 64U, 65U, 3000U}) {
      for (const auto& [name, values] : shapes(count, count)) {
        const ddsketch sketch = sketch_of(values, {.accuracy = accuracy, .buckets_max = 65536});
        // At 0.0001 some shapes are wider than the sketch; the others must not be skipped.
        if (accuracy == 0.0001 && sketch.collapsed()) continue;
        REQUIRE((!sketch.collapsed() || name == "edges"));
        if (sketch.collapsed()) continue;
        for (const double q : {0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
          INFO(name << " " << count << " values, accuracy " << accuracy << ", quantile " << q);
          REQUIRE(near(sketch.quantile(q), naive_quantile(values, q), accuracy));
        }
      }
    }
  }
}

TEST_CASE("ddsketch keeps its accuracy at the bounds of all buckets", "[sketch][ddsketch]") {
  for (const double accuracy : {0.0001, 0.01, 0.3}) {
    const freshet::detail::bucket_scale scale(accuracy);
    std::mt19937_64 random(5);
    for (int i = 0; i < 20000; ++i) {
      // Neighbours of bounds: the largest number of a bucket and the smallest of the next.
      const auto bucket = static_cast<std::uint32_t>(scale.bucket_of(
          freshet::detail::bucket_scale::smallest_bits + (random() >> 2) % (2046ULL << 52)));
      if (bucket + 1 == scale.buckets()) continue;
      const double inside = scale.value_of(bucket);
      double step = inside * accuracy * 1.03;
      double edge = inside;
      for (int halving = 0; halving < 40; ++halving, step /= 2) {
        const double next = edge + step;
        if (std::isinf(next)) continue;
        if (scale.bucket_of(std::bit_cast<std::uint64_t>(next)) <= bucket) edge = next;
      }
      INFO("accuracy " << accuracy << ", bucket " << bucket << ": " << inside << " up to " << edge
                       << ", then " << scale.value_of(bucket + 1));
      REQUIRE(near(inside, edge, accuracy));
      REQUIRE(
          near(scale.value_of(bucket + 1), std::nextafter(edge, infinity), accuracy * (1 + 1e-4)));
    }
  }
}

TEST_CASE("ddsketch does not depend on order, splits, or restarts", "[sketch][ddsketch]") {
  std::mt19937_64 random(7);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const ddsketch_options options{.accuracy = 0.01, .buckets_max = seed % 2 == 0 ? 64U : 2048U};
    const std::size_t count = std::size_t{1} << (seed % 11);
    for (const auto& [name, values] : shapes(seed, count)) {
      INFO(name << ", seed " << seed);
      const std::string whole = to_bytes(sketch_of(values, options));
      REQUIRE(to_bytes(sketch_of(shuffled(values, seed), options)) == whole);
      std::vector<ddsketch> parts(1 + random() % 4, ddsketch(options));
      for (const double value : shuffled(values, seed + 1)) {
        ddsketch& part = parts[random() % parts.size()];
        if (random() % 16 == 0) part = *from_bytes<ddsketch>(to_bytes(part));
        part.add(value);
      }
      while (parts.size() > 1) {
        parts[random() % (parts.size() - 1)].merge(parts.back());
        parts.pop_back();
      }
      REQUIRE(to_bytes(parts.front()) == whole);
    }
  }
}

TEST_CASE("ddsketch without what was taken back is as if it had never come", "[sketch][ddsketch]") {
  std::mt19937_64 random(8);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    for (const auto& [name, values] : shapes(seed, 10 + 20 * seed)) {
      INFO(name << ", seed " << seed);
      const ddsketch_options options{.accuracy = 0.01, .buckets_max = 65536};
      ddsketch sketch = sketch_of(values, options);
      std::vector<double> kept;
      for (const double value : shuffled(values, seed)) {
        if (random() % 3 == 0) {
          kept.push_back(value);
        } else {
          REQUIRE(sketch.subtract(value));
        }
      }
      if (sketch.collapsed()) continue;
      const ddsketch wanted = sketch_of(kept, options);
      REQUIRE(sketch.count() == wanted.count());
      if (kept.empty()) continue;
      for (const double q : {0.0, 0.2, 0.5, 0.8, 0.99, 1.0}) {
        REQUIRE(sketch.quantile(q) == wanted.quantile(q));
      }
    }
  }
}

TEST_CASE("ddsketch does not take back what it does not have", "[sketch][ddsketch]") {
  ddsketch sketch = sketch_of({1, 1, -3, 0, infinity});
  const std::string before = to_bytes(sketch);
  REQUIRE_FALSE(sketch.subtract(2));
  REQUIRE_FALSE(sketch.subtract(1, 3));
  REQUIRE_FALSE(sketch.subtract(3));
  REQUIRE_FALSE(sketch.subtract(-infinity));
  REQUIRE_FALSE(sketch.subtract(quiet));
  REQUIRE(to_bytes(sketch) == before);
  REQUIRE(sketch.subtract(1, 2));
  REQUIRE(sketch.count() == 3);
  sketch.add(5, 1000);
  REQUIRE_FALSE(sketch.subtract(5, 1001));
  REQUIRE_FALSE(sketch.subtract(1e300));
  REQUIRE(sketch.subtract(5, 1000));
  REQUIRE(sketch.count() == 3);
  REQUIRE(near(sketch.quantile(0), -3, 0.01));
  REQUIRE(sketch.quantile(0.5) == 0);
}

TEST_CASE("ddsketch tells the largest buckets apart and keeps the ranks of the others",
          "[sketch][ddsketch]") {
  // Seven doublings in 64 buckets of 2 %, then 50 values a thousand times larger.
  const ddsketch_options options{.accuracy = 0.01, .buckets_max = 64};
  std::vector<double> values;
  for (int i = 0; i < 150; ++i) values.push_back(std::ldexp(1.0, i % 8));
  for (int i = 0; i < 50; ++i) values.push_back(1e5 + i);
  const ddsketch sketch = sketch_of(values, options);
  REQUIRE(sketch.collapsed());
  REQUIRE(near(sketch.quantile(0.76), naive_quantile(values, 0.76), 0.01));
  REQUIRE(near(sketch.quantile(1), 100'049, 0.01));
  // The rest has the magnitude of the lowest bucket: 1e5 / exp(0.02 * 64) = 28,000.
  REQUIRE(near(sketch.quantile(0.74), 28'000, 0.04));
  REQUIRE(sketch.quantile(0.0) == sketch.quantile(0.74));
  // Negative values have buckets of their own, and it is the small magnitudes that are given up.
  ddsketch both = sketch;
  both.add(-7, 200);
  REQUIRE(near(both.quantile(0.1), -7, 0.01));
  REQUIRE(sketch.memory_bytes() <= 1024);
}

TEST_CASE("ddsketch counts zeros and infinities exactly and answers NaN beside a NaN",
          "[sketch][ddsketch]") {
  ddsketch sketch = sketch_of({-infinity, -2, 0, -0.0, 1e-320, 3, infinity});
  REQUIRE(sketch.quantile(0) == -infinity);
  REQUIRE(near(sketch.quantile(1.0 / 6), -2, 0.01));
  REQUIRE(sketch.quantile(2.0 / 6 + 1e-9) == 0);
  REQUIRE(sketch.quantile(4.0 / 6 + 1e-9) == 0);
  REQUIRE(near(sketch.quantile(5.0 / 6 + 1e-9), 3, 0.01));
  REQUIRE(sketch.quantile(1) == infinity);
  sketch.add(quiet);
  REQUIRE(sketch.count() == 8);
  REQUIRE(std::isnan(sketch.quantile(0.5)));
  REQUIRE(sketch.subtract(-quiet));
  REQUIRE(sketch.quantile(0.5) == 0);
  REQUIRE(std::isnan(ddsketch().quantile(0.5)));
}

TEST_CASE("ddsketch answers for counts beyond 2^53", "[sketch][ddsketch]") {
  ddsketch sketch;
  sketch.add(1, std::uint64_t{1} << 62);
  sketch.add(2, std::uint64_t{1} << 62);
  REQUIRE(near(sketch.quantile(0.49), 1, 0.01));
  REQUIRE(near(sketch.quantile(0.51), 2, 0.01));
  REQUIRE(near(sketch.quantile(1), 2, 0.01));
}

TEST_CASE("ddsketch refuses options out of range and other options in a merge",
          "[sketch][ddsketch]") {
  for (const double accuracy : {0.0, 0.00009, 0.51, -1.0, quiet}) {
    REQUIRE_THROWS_AS(ddsketch({.accuracy = accuracy}), std::invalid_argument);
  }
  REQUIRE_THROWS_AS(ddsketch({.buckets_max = 63}), std::invalid_argument);
  REQUIRE_THROWS_AS(ddsketch({.buckets_max = 65537}), std::invalid_argument);
  ddsketch sketch;
  REQUIRE_THROWS_AS(sketch.merge(ddsketch({.accuracy = 0.02})), std::invalid_argument);
  REQUIRE_THROWS_AS(sketch.merge(ddsketch({.buckets_max = 64})), std::invalid_argument);
  for (const double q : {-0.1, 1.1, quiet}) {
    REQUIRE_THROWS_AS(sketch.quantile(q), std::invalid_argument);
  }
}

TEST_CASE("ddsketch reads no damaged bytes as a sketch that breaks", "[sketch][ddsketch]") {
  std::mt19937_64 random(9);
  for (const auto& [name, values] : shapes(3, 200)) {
    const std::string bytes = to_bytes(sketch_of(values));
    for (int i = 0; i < 2000; ++i) {
      std::string damaged = bytes;
      for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      if (random() % 4 == 0) damaged.resize(random() % damaged.size());
      auto read = from_bytes<ddsketch>(damaged);
      if (!read.ok()) continue;
      // Whatever it is, it is a sketch: it goes on, and comes back from its bytes.
      const std::string again = to_bytes(*read);
      REQUIRE(to_bytes(*from_bytes<ddsketch>(again)) == again);
      read->add(1e300);
      read->add(-1e-300);
      static_cast<void>(read->quantile(0.5));
      ddsketch doubled = *read;
      doubled.merge(*read);
    }
  }
}
