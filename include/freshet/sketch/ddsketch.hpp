// DDSketch: quantiles of a stream to a relative accuracy, in bounded memory.
//
// Counts values in buckets whose bounds grow geometrically. What it holds is a function of the
// values and their number alone: any order, any split merged in any order, gives equal sketches and
// equal bytes, on every platform and with every compiler, because buckets are found with integers.
// Values can be taken back. No event time. Memory: 4 bytes per value for the first 64 values of
// each sign, then 8 per bucket between the smallest and the largest, at most `buckets_max` for each
// sign. One thread at a time.
#pragma once

#include <freshet/core/codec.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

/// Options of `ddsketch` and of the aggregates made of it.
struct ddsketch_options {
  /// By how much a quantile may differ from the value of its rank, relative to that value; in
  /// [0.0001, 0.5].
  double accuracy = 0.01;
  /// Buckets kept for values of each sign, in [64, 65536]. 2048 at an accuracy of 0.01 reach from
  /// the largest magnitude of a sign down to 4e17 times less; for another accuracy a, to about
  /// exp(2 a * buckets_max) times less.
  std::uint32_t buckets_max = 2048;
};

namespace detail {

/// Which bucket a magnitude falls into. Between powers of two the logarithm is replaced by a cubic,
/// which takes 1 % more buckets and no logarithm.
class bucket_scale {
 public:
  /// The bit patterns of the smallest normal double and of infinity.
  static constexpr std::uint64_t smallest_bits = std::uint64_t{1} << 52;
  static constexpr std::uint64_t infinity_bits = std::uint64_t{0x7ff} << 52;

  explicit bucket_scale(double accuracy);

  /// Of which `resolution` this is a scale of; for codecs. \pre it is in [1, resolution_max].
  static constexpr std::uint32_t resolution_max = 1'900'000;
  static bucket_scale of_resolution(std::uint32_t resolution) { return bucket_scale(resolution); }
  std::uint32_t resolution() const { return resolution_; }

  /// The bucket of a positive normal number with these bits. Never smaller for a larger number,
  /// but for numbers that differ by less than 1e-9 of themselves.
  std::uint32_t bucket_of(std::uint64_t bits) const {
    return static_cast<std::uint32_t>((logarithm(bits) * resolution_) >> fraction_bits);
  }

  /// A number whose distance to each number of the bucket is at most `accuracy` times that one.
  double value_of(std::uint32_t bucket) const;

  /// The number of buckets there are.
  std::uint32_t buckets() const { return bucket_of(infinity_bits - 1) + 1; }

  bool operator==(const bucket_scale&) const = default;

 private:
  static constexpr int resolution_bits = 9;
  static constexpr int fraction_bits = 32 + resolution_bits;

  explicit bucket_scale(std::uint32_t resolution) : resolution_(resolution) {}

  /// Nearly the binary logarithm, in 2^-32: the biased exponent above, and below, for the part s of
  /// the mantissa behind the point, 10/7 s - 3/5 s^2 + 6/35 s^3. The cubic meets the logarithm at
  /// both ends, with one slope; that slope, against the true logarithm, is at least 10/7.
  static std::uint64_t logarithm(std::uint64_t bits) {
    constexpr std::uint64_t cubic = 736'280'107;          // 6/35 * 2^32
    constexpr std::uint64_t square = 2'576'980'377;       // 3/5 * 2^32
    constexpr std::uint64_t linear_half = 3'067'833'782;  // 10/7 * 2^31
    const std::uint64_t part = (bits >> 20) & 0xffffffffU;
    const std::uint64_t bend = square - ((cubic * part) >> 32);
    const std::uint64_t slope_half = linear_half - ((bend * part) >> 33);
    return ((bits >> 52) << 32) + ((slope_half * part) >> 31);
  }

  double lower_bound(std::uint64_t bucket) const;

  std::uint32_t resolution_;  ///< Buckets per unit of `logarithm`, times 2^resolution_bits.
};

/// Buckets from the lowest to the highest, both included.
struct bucket_span {
  std::uint32_t lowest;
  std::uint32_t highest;
};

/// How many values fell into which bucket, for magnitudes of one sign. Once more than a few values
/// spread over more than `buckets_max` buckets, there is a floor: only that many buckets up to the
/// highest are told apart, and what is lower counts in the lowest of these.
class bucket_counts {
 public:
  void add(std::uint32_t bucket, std::uint64_t times, std::uint32_t buckets_max) {
    const std::uint32_t offset = bucket - first_;
    if (offset < counts_.size()) {
      counts_[offset] += times;
    } else {
      add_elsewhere(bucket, times, buckets_max);
    }
  }

  /// False, and nothing has happened, if there are less than `times` in its bucket.
  bool subtract(std::uint32_t bucket, std::uint64_t times);

  void merge(const bucket_counts& from, std::uint32_t buckets_max);

  std::uint64_t total() const;

  /// The bucket of the value that has `rank` values below it. \pre rank < total().
  std::uint32_t at_rank(std::uint64_t rank) const;

  /// Below this bucket values are not told apart any more; 0 as long as all are.
  std::uint32_t floor() const { return floor_; }

  std::size_t memory_bytes() const {
    return counts_.capacity() * sizeof(std::uint64_t) + few_.capacity() * sizeof(std::uint32_t);
  }

  void encode(byte_writer& writer) const;
  bool decode(byte_reader& reader, std::uint32_t buckets, std::uint32_t buckets_max);

 private:
  static constexpr std::size_t few_max = 64;
  static constexpr std::uint32_t step = 64;  ///< By which `counts_` grows.

  void add_elsewhere(std::uint32_t bucket, std::uint64_t times, std::uint32_t buckets_max);
  bucket_span widened(bucket_span span) const;
  void cover(bucket_span span, std::uint32_t floor, std::uint32_t buckets_max);
  bool covers(bucket_span span) const;
  void spread_few(std::uint32_t buckets_max);
  std::vector<std::uint32_t> sorted_few() const;
  bool decode_few(byte_reader& reader, std::uint32_t buckets);
  bool decode_counts(byte_reader& reader, std::size_t size, std::uint32_t buckets,
                     std::uint32_t buckets_max);

  // Either the buckets of up to `few_max` values in no order, or a count for each bucket from
  // `first_` on: of at most `buckets_max` ones, and up to floor_ + buckets_max once there is a
  // floor. No count is below the floor.
  std::vector<std::uint32_t> few_;
  std::vector<std::uint64_t> counts_;
  std::uint32_t first_ = 0;
  std::uint32_t floor_ = 0;
};

}  // namespace detail

/// Quantiles of doubles. `quantile(q)` is within `accuracy` of the value of rank floor(q * (n - 1))
/// of n, counted from 0, relative to that value, if its magnitude is not in the lowest bucket of
/// its sign (see `collapsed`); of those the quantile is the magnitude of that bucket, and the rank
/// is right nevertheless.
///
/// Zeros, and what is smaller than any normal double (2.2e-308), are counted exactly, as 0.
/// Infinities are values beyond all others. A NaN has no rank: as long as there is one, every
/// quantile is NaN.
/// \source Masson, Rim, and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
///         relative-error guarantees", PVLDB 12(12), 2019; the cubic is that of its Java version.
class ddsketch {
 public:
  /// Throws `std::invalid_argument` when an option is out of range.
  explicit ddsketch(ddsketch_options options);
  ddsketch() : ddsketch(ddsketch_options{}) {}

  /// Counts `value` so many times. The sum of all counts may not exceed 2^64 - 1.
  /// \cost About 2 ns; a sketch of 64 or fewer values only notes the bucket.
  void add(double value, std::uint64_t times = 1) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const std::uint64_t magnitude = bits & ~sign_bit;
    if (is_normal(magnitude)) {
      signed_[bits >> 63].add(scale_.bucket_of(magnitude), times, buckets_max_);
    } else {
      special_count(value) += times;
    }
  }

  /// Takes back an `add` of the same value. False, and nothing has happened, when there are less
  /// than `times` values of its bucket.
  /// \note   Exact until something is `collapsed`: the quantiles are then as if the value had
  ///         never been added. Later fewer small values may be told apart than by such a sketch.
  bool subtract(double value, std::uint64_t times = 1);

  /// Adds what `other` has counted. Throws `std::invalid_argument` when the two have different
  /// options.
  void merge(const ddsketch& other);

  /// How many values were added, NaNs among them.
  std::uint64_t count() const;

  /// See the class; NaN of no values. Throws `std::invalid_argument` unless q is in [0, 1].
  /// \cost O(buckets), 0.1 to 1 us.
  double quantile(double q) const;

  /// Whether values of a sign spread over more than `buckets_max` buckets, so that the smallest
  /// magnitudes are not told apart any more.
  bool collapsed() const { return signed_[0].floor() > 0 || signed_[1].floor() > 0; }

  std::size_t memory_bytes() const {
    return sizeof(*this) + signed_[0].memory_bytes() + signed_[1].memory_bytes();
  }

 private:
  friend struct codec<ddsketch>;

  static constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

  static bool is_normal(std::uint64_t magnitude) {
    // One comparison: what is below wraps around.
    return magnitude - detail::bucket_scale::smallest_bits <
           detail::bucket_scale::infinity_bits - detail::bucket_scale::smallest_bits;
  }

  std::uint64_t& special_count(double value);

  detail::bucket_scale scale_;
  std::uint32_t buckets_max_;
  std::array<detail::bucket_counts, 2> signed_;  ///< Positive, negative.
  std::uint64_t zeros_ = 0;
  std::uint64_t infinite_ = 0;
  std::uint64_t negative_infinite_ = 0;
  std::uint64_t not_numbers_ = 0;
};

/// The options, then the counts that have no bucket, then those of positive and negative buckets.
template <>
struct codec<ddsketch> {
  static constexpr std::uint32_t version = 1;
  static void encode(byte_writer& writer, const ddsketch& value);
  static bool decode(byte_reader& reader, ddsketch& value);
  static std::string format() { return "ddsketch"; }
};

}  // namespace freshet
