// Latency histograms against the sorted list of what was recorded.
#include "catch.hpp"

#include <freshet/core/latency_histogram.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

using freshet::duration;
using freshet::latency_bucket;
using freshet::latency_histogram;
using freshet::live_latency_histogram;
using namespace std::chrono_literals;

namespace {

using lengths = std::vector<duration>;

/// This length and all longer ones share the last bucket.
constexpr duration range_end{std::int64_t{1} << 36};

/// As long as one step of `random` says, from microseconds to days, each scale as likely.
duration random_length(std::mt19937_64& random) {
  const auto scale = random() % 42;
  return duration{static_cast<std::int64_t>(random() >> (63 - scale))};
}

/// The length that `quantile(q)` stands for, with q = per_mille / 1000.
duration naive_quantile(const lengths& sorted, std::uint64_t per_mille) {
  const std::uint64_t rank = (per_mille * sorted.size() + 999) / 1000;
  return sorted[std::max<std::uint64_t>(rank, 1) - 1];
}

void require_near(const latency_histogram& told, lengths all) {
  std::sort(all.begin(), all.end());
  REQUIRE(told.count() == all.size());
  REQUIRE(told.min() == all.front());
  REQUIRE(told.max() == all.back());
  double sum = 0;
  for (const duration each : all) sum += static_cast<double>(each.count());
  const double mean = sum / static_cast<double>(all.size());
  REQUIRE(std::abs(static_cast<double>(told.mean().count()) - mean) <= 1 + mean * 1e-12);
  for (std::uint64_t per_mille = 0; per_mille <= 1000; ++per_mille) {
    const duration exact = naive_quantile(all, per_mille);
    const duration got = told.quantile(static_cast<double>(per_mille) / 1000);
    REQUIRE(got >= exact);
    REQUIRE(got <= all.back());
    if (exact < range_end) REQUIRE((got - exact) * 16 <= exact);
  }
  std::uint64_t in_buckets = 0;
  for (const latency_bucket& each : told.buckets()) {
    const auto from = std::lower_bound(all.begin(), all.end(), each.first);
    const auto to = std::lower_bound(all.begin(), all.end(), each.end);
    REQUIRE(each.count == static_cast<std::uint64_t>(to - from));
    in_buckets += each.count;
  }
  REQUIRE(in_buckets == all.size());
}

}  // namespace

TEST_CASE("a latency histogram without records tells zeros", "[core][latency_histogram]") {
  const latency_histogram none;
  REQUIRE(none.empty());
  REQUIRE(none.min() == 0us);
  REQUIRE(none.max() == 0us);
  REQUIRE(none.mean() == 0us);
  REQUIRE(none.quantile(0.5) == 0us);
  REQUIRE(none.quantile(1) == 0us);
  REQUIRE(none.buckets().empty());
}

TEST_CASE("a latency histogram is exact below 32 us", "[core][latency_histogram]") {
  latency_histogram of;
  for (int i = 0; i < 32; ++i) of.record(duration{i});
  for (int i = 1; i <= 32; ++i) REQUIRE(of.quantile(i / 32.0) == duration{i - 1});
  REQUIRE(of.mean() == 15us);
  REQUIRE(of.buckets()[31] == latency_bucket{31us, 32us, 1});
}

TEST_CASE("the buckets of a latency histogram follow each other and are 1/16 wide at most",
          "[core][latency_histogram]") {
  namespace latency = freshet::detail::latency;
  std::uint64_t before = 0;
  for (std::size_t bucket = 0; bucket + 1 < latency::buckets; ++bucket) {
    const std::uint64_t first = latency::first_of(bucket);
    const std::uint64_t end = latency::first_of(bucket + 1);
    REQUIRE(first == before);
    REQUIRE(latency::bucket_of(first) == bucket);
    REQUIRE(latency::bucket_of(end - 1) == bucket);
    REQUIRE((end - first == 1 || (end - first) * 16 <= first));
    before = end;
  }
  REQUIRE(before == std::uint64_t{1} << 36);
  REQUIRE(latency::bucket_of(before) == latency::buckets - 1);
  REQUIRE(latency::bucket_of(~std::uint64_t{0}) == latency::buckets - 1);
  STATIC_REQUIRE(range_end > 1h);
}

TEST_CASE("a latency histogram is near to the sorted list", "[core][latency_histogram]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    latency_histogram of;
    latency_histogram merged;
    live_latency_histogram live;
    lengths all;
    const std::size_t count = 1 + random() % (seed % 2 == 0 ? 20 : 3000);
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(random_length(random));
      of.record(all.back());
      live.record(all.back());
      latency_histogram one;
      one.record(all.back());
      merged.merge(one);
    }
    require_near(of, all);
    REQUIRE(merged == of);
    REQUIRE(live.copy() == of);
  }
}

TEST_CASE("the quantile of a decimal fraction is that of the whole rank it stands for",
          "[core][latency_histogram]") {
  // 0.07 * 100 and 0.29 * 100 are not 7 and 29 in binary.
  latency_histogram of;
  for (int i = 1; i <= 100; ++i) of.record(duration{i % 30});
  lengths sorted;
  for (int i = 1; i <= 100; ++i) sorted.emplace_back(i % 30);
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t rank = 1; rank <= 100; ++rank) {
    REQUIRE(of.quantile(static_cast<double>(rank) / 100) == sorted[rank - 1]);
  }
  REQUIRE(of.quantile(-1) == of.min());
  REQUIRE(of.quantile(std::nan("")) == of.min());
  REQUIRE(of.quantile(2) == of.max());
}

TEST_CASE("a latency histogram takes lengths from outside of its range",
          "[core][latency_histogram]") {
  latency_histogram of;
  of.record(-5us);
  of.record(duration::min());
  REQUIRE(of.max() == 0us);
  of.record(duration::max());
  of.record(duration::max());
  of.record(duration::max());
  of.record(range_end);
  REQUIRE(of.max() == duration::max());
  REQUIRE(of.quantile(0.5) == duration::max());
  REQUIRE(of.mean() == duration{static_cast<std::int64_t>(~std::uint64_t{0} / 6)});
  REQUIRE(of.buckets().back().count == 4);
  REQUIRE(of.buckets().back().end == duration::max());
}

TEST_CASE("a latency histogram is copied while it is written", "[core][latency_histogram]") {
  constexpr std::uint64_t records = 20'000;
  live_latency_histogram live;
  std::atomic<std::uint64_t> written = 0;
  std::atomic<bool> consistent = true;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&] {
      std::uint64_t before = 0;
      while (before < records) {
        const std::uint64_t at_least = written.load(std::memory_order_acquire);
        const latency_histogram now = live.copy();
        // Nothing that was there is missing, and what bounds the counts is never behind them.
        bool fine = now.count() >= std::max(before, at_least) && now.count() <= records;
        fine = fine && now.quantile(1e-9) >= now.min() && now.quantile(1 - 1e-9) <= now.max();
        if (!now.empty()) fine = fine && now.buckets().front().end > now.min();
        if (!now.empty()) fine = fine && now.buckets().back().first <= now.max();
        if (!fine) consistent = false;
        before = std::max(before, now.count());
        if (!fine) return;
      }
    });
  }
  // Ever longer and ever shorter lengths, so that both ends move.
  for (std::uint64_t i = 0; i < records; ++i) {
    live.record(
        duration{static_cast<std::int64_t>(i % 2 == 0 ? 1'000'000 + i * 997 : 1'000'000 - i * 49)});
    written.store(i + 1, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  REQUIRE(consistent);
  REQUIRE(live.copy().count() == records);
}
