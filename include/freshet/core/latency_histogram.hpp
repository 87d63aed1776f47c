// Latency histograms: how long things took, in fixed memory, as quantiles with a stated error.
//
// Log-linear buckets (the idea of HdrHistogram): lengths below 32 us each have their own bucket,
// and above that 16 buckets share each doubling, up to 2^36 us (19 hours); what is longer shares
// one more bucket. 4.2 KiB, no allocation. Durations below zero (a clock that was set back) count
// as 0.
//
// Threads: `latency_histogram` is a plain value. `live_latency_histogram` is written by one thread
// and copied by any; metrics are made of such copies.
//
// Example: `took.record(now - began);`, and elsewhere `took.copy().quantile(0.99)`.
#pragma once

#include <freshet/core/time.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace freshet {

namespace detail::latency {

inline constexpr int sub_bits = 4;   // 2^4 buckets share a doubling.
inline constexpr int top_bits = 36;  // One more bucket is for all lengths of 2^36 us and more.
inline constexpr std::size_t buckets = (std::size_t{top_bits - sub_bits + 1} << sub_bits) + 1;
inline constexpr std::uint64_t none_yet = std::numeric_limits<std::uint64_t>::max();

constexpr std::uint64_t ticks_of(duration length) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(length.count(), 0));
}

/// The bucket of a length of `ticks` us: its five leading bits, after how many bits follow them.
constexpr std::size_t bucket_of(std::uint64_t ticks) {
  const std::uint64_t counted = std::min(ticks, std::uint64_t{1} << top_bits);
  constexpr std::uint64_t shortest_shared = 2U << sub_bits;
  const auto bits = static_cast<int>(std::bit_width(counted | (shortest_shared - 1)));
  const int below = bits - sub_bits - 1;
  return (static_cast<std::size_t>(below) << sub_bits) + (counted >> below);
}

/// The shortest length of a bucket, in us.
constexpr std::uint64_t first_of(std::size_t bucket) {
  if (bucket < 2U << sub_bits) return bucket;
  const std::size_t below = (bucket >> sub_bits) - 1;
  return (bucket - (below << sub_bits)) << below;
}

constexpr std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum < a ? std::numeric_limits<std::uint64_t>::max() : sum;
}

constexpr duration length_of(std::uint64_t ticks) {
  constexpr auto longest = static_cast<std::uint64_t>(duration::max().count());
  return duration{static_cast<std::int64_t>(std::min(ticks, longest))};
}

}  // namespace detail::latency

/// One bucket with something in it: lengths in `[first, end)`.
struct latency_bucket {
  duration first{0};
  duration end{0};  ///< `duration::max()` for the last bucket, which has no end.
  std::uint64_t count = 0;
  bool operator==(const latency_bucket&) const = default;
};

/// Lengths of time, counted in buckets of which none is wider than 1/16 of its lengths.
class latency_histogram {
 public:
  /// Counts one length. \cost O(1), the same for every length.
  void record(duration length) {
    const std::uint64_t ticks = detail::latency::ticks_of(length);
    ++counts_[detail::latency::bucket_of(ticks)];
    ++count_;
    sum_ = detail::latency::saturating_sum(sum_, ticks);
    shortest_ = std::min(shortest_, ticks);
    longest_ = std::max(longest_, ticks);
  }

  std::uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  /// Exact; zero when nothing was recorded.
  duration min() const { return detail::latency::length_of(empty() ? 0 : shortest_); }
  duration max() const { return detail::latency::length_of(longest_); }

  /// Exact, but for the fraction of a microsecond; zero when nothing was recorded. The sum stops at
  /// 2^64 - 1 us (584,000 years).
  duration mean() const { return detail::latency::length_of(empty() ? 0 : sum_ / count_); }

  /// The length that a share of `q` (0 to 1, clamped) of what was recorded does not exceed: the one
  /// of rank ceil(q * count). 0.5 is the median, 0 the shortest and 1 the longest. Never below that
  /// length, and above it by less than 1/16 of it; exact below 32 us and where it is the longest.
  /// Zero when nothing was recorded. \cost O(buckets).
  duration quantile(double q) const {
    if (!(q > 0)) return min();
    // The product of a decimal fraction may be a little above the whole number that it stands for.
    const double exact_rank = std::ceil(q * static_cast<double>(count_) - 1e-9);
    if (!(exact_rank < static_cast<double>(count_))) return max();
    const auto rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(exact_rank), 1);
    std::size_t bucket = 0;
    for (std::uint64_t seen = counts_[0]; seen < rank; seen += counts_[bucket]) ++bucket;
    if (bucket + 1 == counts_.size()) return max();
    return detail::latency::length_of(
        std::min(detail::latency::first_of(bucket + 1) - 1, longest_));
  }

  /// Counts what `other` has counted, too.
  void merge(const latency_histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ = detail::latency::saturating_sum(sum_, other.sum_);
    shortest_ = std::min(shortest_, other.shortest_);
    longest_ = std::max(longest_, other.longest_);
  }

  /// The buckets that are not empty, ascending: for what draws or exports the distribution.
  std::vector<latency_bucket> buckets() const {
    std::vector<latency_bucket> all;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      const bool last = i + 1 == counts_.size();
      all.push_back(
          {detail::latency::length_of(detail::latency::first_of(i)),
           last ? duration::max() : detail::latency::length_of(detail::latency::first_of(i + 1)),
           counts_[i]});
    }
    return all;
  }

  bool operator==(const latency_histogram&) const = default;

 private:
  friend class live_latency_histogram;

  std::array<std::uint64_t, detail::latency::buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t shortest_ = detail::latency::none_yet;
  std::uint64_t longest_ = 0;
};

/// A latency histogram that one thread writes while others copy it, without locks.
class live_latency_histogram {
 public:
  /// Counts one length. By one thread at a time. \cost as `latency_histogram::record`, without
  /// atomic read-modify-write instructions.
  void record(duration length) {
    const std::uint64_t ticks = detail::latency::ticks_of(length);
    // What is copied with a bucket must already cover it: the bucket comes last.
    set(sum_, detail::latency::saturating_sum(get(sum_), ticks));
    set(shortest_, std::min(get(shortest_), ticks));
    set(longest_, std::max(get(longest_), ticks));
    std::atomic<std::uint64_t>& bucket = counts_[detail::latency::bucket_of(ticks)];
    bucket.store(get(bucket) + 1, std::memory_order_release);
  }

  /// What has been recorded so far, from any thread. Some of what is recorded during the copy may
  /// be missing, and `mean`, `min` and `max` may be ahead of the counts by that much; all that was
  /// recorded before is there.
  latency_histogram copy() const {
    latency_histogram now;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      now.counts_[i] = counts_[i].load(std::memory_order_acquire);
      now.count_ += now.counts_[i];
    }
    if (now.count_ == 0) return now;
    now.sum_ = get(sum_);
    now.shortest_ = get(shortest_);
    now.longest_ = get(longest_);
    return now;
  }

 private:
  static std::uint64_t get(const std::atomic<std::uint64_t>& of) {
    return of.load(std::memory_order_relaxed);
  }
  static void set(std::atomic<std::uint64_t>& of, std::uint64_t to) {
    of.store(to, std::memory_order_relaxed);
  }

  std::array<std::atomic<std::uint64_t>, detail::latency::buckets> counts_{};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> shortest_{detail::latency::none_yet};
  std::atomic<std::uint64_t> longest_{0};
};

}  // namespace freshet
