#include <freshet/sketch/ddsketch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace freshet {

namespace {

constexpr double accuracy_min = 1e-4;
constexpr double accuracy_max = 0.5;
constexpr std::uint32_t buckets_max_min = 64;
constexpr std::uint32_t buckets_max_max = 65536;

std::uint32_t resolution_for(double accuracy) {
  // Rounding to 32 bits widens a bucket by less than a hundred thousandth of it.
  constexpr double margin = 1 + 1e-5;
  constexpr double least_slope = 10.0 / 7;
  const double growth = std::log1p(accuracy) - std::log1p(-accuracy);
  return static_cast<std::uint32_t>(std::ceil(margin * 512 / (least_slope * growth)));
}

ddsketch_options checked(ddsketch_options options) {
  if (!(options.accuracy >= accuracy_min && options.accuracy <= accuracy_max)) {
    throw std::invalid_argument(
        fmt::format("ddsketch: accuracy {} is not in [{}, {}]; give the relative error of a "
                    "quantile, such as 0.01",
                    options.accuracy, accuracy_min, accuracy_max));
  }
  if (options.buckets_max < buckets_max_min || options.buckets_max > buckets_max_max) {
    throw std::invalid_argument(
        fmt::format("ddsketch: buckets_max {} is not in [{}, {}]; 2048 is a usual number",
                    options.buckets_max, buckets_max_min, buckets_max_max));
  }
  return options;
}

}  // namespace

namespace detail {

// --- bucket_scale --------------------------------------------------------------------------------

bucket_scale::bucket_scale(double accuracy) : bucket_scale(resolution_for(accuracy)) {}

/// The smallest normal double with this bucket or a higher one, to 1e-9 of it; the largest double
/// when there is none.
double bucket_scale::lower_bound(std::uint64_t bucket) const {
  const std::uint64_t wanted = ((bucket << fraction_bits) + resolution_ - 1) / resolution_;
  const std::uint64_t exponent = wanted >> 32;
  if (exponent >= 0x7ff) return std::numeric_limits<double>::max();
  if (exponent == 0) return std::numeric_limits<double>::min();
  // Newton's method; the cubic is close to its tangents, so that three steps are enough for 1e-12.
  const double wanted_part = std::ldexp(static_cast<double>(wanted & 0xffffffffU), -32);
  double part = wanted_part;
  for (int step = 0; step < 4; ++step) {
    const double value = ((6.0 / 35 * part - 3.0 / 5) * part + 10.0 / 7) * part;
    const double slope = (18.0 / 35 * part - 6.0 / 5) * part + 10.0 / 7;
    part -= (value - wanted_part) / slope;
  }
  const double bound =
      std::ldexp(1 + std::clamp(part, 0.0, 1.0), static_cast<int>(exponent) - 1023);
  return std::min(bound, std::numeric_limits<double>::max());
}

double bucket_scale::value_of(std::uint32_t bucket) const {
  const double low = lower_bound(bucket);
  const double high = lower_bound(std::uint64_t{bucket} + 1);
  // The number between the two that has the same relative distance to both: 2 low high / (low +
  // high), without leaving the range of double on the way.
  return low * (2 / (1 + low / high));
}

// --- bucket_counts -------------------------------------------------------------------------------

/// The lowest and the highest bucket with a value, widened to hold `span`.
bucket_span bucket_counts::widened(bucket_span span) const {
  const auto used = [](std::uint64_t count) { return count > 0; };
  const auto lowest = std::find_if(counts_.begin(), counts_.end(), used);
  if (lowest == counts_.end()) return span;
  const auto beyond = std::find_if(counts_.rbegin(), counts_.rend(), used).base();
  return {
      std::min(span.lowest, first_ + static_cast<std::uint32_t>(lowest - counts_.begin())),
      std::max(span.highest, first_ + static_cast<std::uint32_t>(beyond - counts_.begin()) - 1)};
}

/// Makes `counts_` cover the buckets of `span`, after what is below `floor` has become the floor,
/// and raises that where they are too many.
void bucket_counts::cover(bucket_span span, std::uint32_t floor, std::uint32_t buckets_max) {
  span = widened(span);
  const bool too_wide = span.highest - span.lowest >= buckets_max;
  const bool above_floor =
      floor > 0 && span.highest >= floor && span.highest - floor >= buckets_max;
  if (too_wide || above_floor) floor = std::max(floor, span.highest - buckets_max + 1);
  span = {std::max(span.lowest, floor), std::max(span.highest, floor)};

  // In whole steps, so that not every value at an edge moves all counts; but never so far that a
  // value could get in that ought to raise the floor.
  std::uint32_t first = std::max(span.lowest / step * step, floor);
  std::uint32_t end = (span.highest / step + 1) * step;
  if (floor > 0) end = std::min(end, floor + buckets_max);
  if (end - first > buckets_max) {
    first = span.lowest;
    end = first + buckets_max;
  }
  std::vector<std::uint64_t> covering(end - first);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    covering[std::max(first_ + static_cast<std::uint32_t>(i), floor) - first] += counts_[i];
  }
  counts_ = std::move(covering);
  first_ = first;
  floor_ = floor;
}

bool bucket_counts::covers(bucket_span span) const {
  return span.lowest >= first_ && span.highest - first_ < counts_.size();
}

/// From now on there is a count for each bucket. \pre `counts_` is empty.
void bucket_counts::spread_few(std::uint32_t buckets_max) {
  const std::vector<std::uint32_t> few = std::exchange(few_, {});
  if (few.empty()) return;
  const auto [lowest, highest] = std::minmax_element(few.begin(), few.end());
  cover({*lowest, *highest}, floor_, buckets_max);
  for (const std::uint32_t bucket : few) ++counts_[std::max(bucket, floor_) - first_];
}

void bucket_counts::add_elsewhere(std::uint32_t bucket, std::uint64_t times,
                                  std::uint32_t buckets_max) {
  if (times == 0) return;
  if (counts_.empty()) {
    if (times <= few_max - few_.size()) {
      few_.insert(few_.end(), static_cast<std::size_t>(times), bucket);
      return;
    }
    spread_few(buckets_max);
  }
  bucket = std::max(bucket, floor_);
  if (!covers({bucket, bucket})) {
    cover({bucket, bucket}, floor_, buckets_max);
    bucket = std::max(bucket, floor_);
  }
  counts_[bucket - first_] += times;
}

bool bucket_counts::subtract(std::uint32_t bucket, std::uint64_t times) {
  if (!counts_.empty()) {
    bucket = std::max(bucket, floor_);
    if (!covers({bucket, bucket})) return times == 0;
    std::uint64_t& count = counts_[bucket - first_];
    if (count < times) return false;
    count -= times;
    return true;
  }
  if (static_cast<std::uint64_t>(std::count(few_.begin(), few_.end(), bucket)) < times) {
    return false;
  }
  for (; times > 0; --times) {
    *std::find(few_.begin(), few_.end(), bucket) = few_.back();
    few_.pop_back();
  }
  return true;
}

void bucket_counts::merge(const bucket_counts& from, std::uint32_t buckets_max) {
  if (&from == this) {
    merge(bucket_counts(from), buckets_max);
    return;
  }
  for (const std::uint32_t bucket : from.few_) add(bucket, 1, buckets_max);
  if (from.counts_.empty()) return;
  if (counts_.empty()) spread_few(buckets_max);
  const std::uint32_t floor = std::max(floor_, from.floor_);
  const auto size = static_cast<std::uint32_t>(from.counts_.size());
  bucket_span span = from.widened({from.first_ + size - 1, from.first_});
  if (span.lowest > span.highest) span.highest = span.lowest;  // All was taken back.
  span = {std::max(span.lowest, floor), std::max(span.highest, floor)};
  if (floor != floor_ || !covers(span)) cover(span, floor, buckets_max);
  for (std::uint32_t i = 0; i < size; ++i) {
    if (from.counts_[i] == 0) continue;
    counts_[std::max(from.first_ + i, floor_) - first_] += from.counts_[i];
  }
}

std::uint64_t bucket_counts::total() const {
  std::uint64_t sum = few_.size();
  for (const std::uint64_t each : counts_) sum += each;
  return sum;
}

std::vector<std::uint32_t> bucket_counts::sorted_few() const {
  std::vector<std::uint32_t> few = few_;
  std::sort(few.begin(), few.end());
  return few;
}

std::uint32_t bucket_counts::at_rank(std::uint64_t rank) const {
  if (counts_.empty()) return sorted_few()[static_cast<std::size_t>(rank)];
  std::size_t i = 0;
  while (rank >= counts_[i]) rank -= counts_[i++];
  return static_cast<std::uint32_t>(first_ + i);
}

// The bytes: a 0, how many values there are and their buckets in order, each as the distance to the
// one before; or, once there are counts, how many there are from the lowest to the highest bucket
// with a value, the floor, the lowest bucket, and the counts.
void bucket_counts::encode(byte_writer& writer) const {
  if (counts_.empty()) {
    writer.write_count(0);
    writer.write_count(few_.size());
    std::uint32_t before = 0;
    for (const std::uint32_t bucket : sorted_few()) {
      writer.write_count(bucket - std::exchange(before, bucket));
    }
    return;
  }
  const auto size = static_cast<std::uint32_t>(counts_.size());
  bucket_span span = widened({first_ + size - 1, first_});
  if (span.lowest > span.highest) span = {first_, first_};  // All was taken back.
  writer.write_count(span.highest - span.lowest + 1);
  writer.write_count(floor_);
  writer.write_count(span.lowest);
  for (std::uint32_t bucket = span.lowest; bucket <= span.highest; ++bucket) {
    writer.write_count(counts_[bucket - first_]);
  }
}

bool bucket_counts::decode(byte_reader& reader, std::uint32_t buckets, std::uint32_t buckets_max) {
  *this = {};
  std::size_t size = 0;
  if (!reader.read_size(size)) return false;
  return size == 0 ? decode_few(reader, buckets)
                   : decode_counts(reader, size, buckets, buckets_max);
}

bool bucket_counts::decode_few(byte_reader& reader, std::uint32_t buckets) {
  std::size_t size = 0;
  if (!reader.read_size(size)) return false;
  if (size > few_max) return reader.fail("more than 64 single values found");
  std::uint64_t bucket = 0;
  for (std::size_t i = 0; i < size; ++i) {
    std::uint64_t distance = 0;
    if (!reader.read_count(distance)) return false;
    if (distance >= buckets || (bucket += distance) >= buckets) {
      return reader.fail("a bucket found above all");
    }
    few_.push_back(static_cast<std::uint32_t>(bucket));
  }
  return true;
}

bool bucket_counts::decode_counts(byte_reader& reader, std::size_t size, std::uint32_t buckets,
                                  std::uint32_t buckets_max) {
  std::uint64_t floor = 0;
  std::uint64_t first = 0;
  if (!reader.read_count(floor) || !reader.read_count(first)) return false;
  const std::uint64_t lowest_allowed = floor > 0 ? floor : first;
  if (first < floor || first >= buckets || size > buckets - first ||
      first - lowest_allowed + size > buckets_max) {
    return reader.fail("buckets found that are below the floor, above all, or too many");
  }
  counts_.resize(size);
  first_ = static_cast<std::uint32_t>(first);
  floor_ = static_cast<std::uint32_t>(floor);
  std::uint64_t sum = 0;
  for (std::uint64_t& count : counts_) {
    if (!reader.read_count(count)) return false;
    if ((sum += count) < count) return reader.fail("more than 2^64 - 1 values found");
  }
  return true;
}

}  // namespace detail

// --- ddsketch ------------------------------------------------------------------------------------

ddsketch::ddsketch(ddsketch_options options)
    : scale_(checked(options).accuracy), buckets_max_(options.buckets_max) {}

std::uint64_t& ddsketch::special_count(double value) {
  if (std::isnan(value)) return not_numbers_;
  if (std::isinf(value)) return value > 0 ? infinite_ : negative_infinite_;
  return zeros_;
}

bool ddsketch::subtract(double value, std::uint64_t times) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = bits & ~sign_bit;
  if (is_normal(magnitude)) {
    return signed_[bits >> 63].subtract(scale_.bucket_of(magnitude), times);
  }
  std::uint64_t& count = special_count(value);
  if (count < times) return false;
  count -= times;
  return true;
}

void ddsketch::merge(const ddsketch& other) {
  if (scale_ != other.scale_ || buckets_max_ != other.buckets_max_) {
    throw std::invalid_argument(
        "ddsketch: merge of sketches with different options; give both the same accuracy and "
        "buckets_max");
  }
  for (std::size_t sign = 0; sign < signed_.size(); ++sign) {
    signed_[sign].merge(other.signed_[sign], buckets_max_);
  }
  zeros_ += other.zeros_;
  infinite_ += other.infinite_;
  negative_infinite_ += other.negative_infinite_;
  not_numbers_ += other.not_numbers_;
}

std::uint64_t ddsketch::count() const {
  return signed_[0].total() + signed_[1].total() + zeros_ + infinite_ + negative_infinite_ +
         not_numbers_;
}

double ddsketch::quantile(double q) const {
  if (!(q >= 0 && q <= 1)) {
    throw std::invalid_argument(fmt::format(
        "ddsketch: quantile {} is not in [0, 1]; give 0.99 for the 99th percentile", q));
  }
  const std::uint64_t values = count();
  if (values == 0 || not_numbers_ > 0) return std::numeric_limits<double>::quiet_NaN();
  const double product = q * static_cast<double>(values - 1);
  std::uint64_t rank = values - 1;
  if (product < static_cast<double>(values - 1)) rank = static_cast<std::uint64_t>(product);

  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto passed = [&](std::uint64_t count) {
    if (rank < count) return false;
    rank -= count;
    return true;
  };
  if (!passed(negative_infinite_)) return -infinity;
  const std::uint64_t negative = signed_[1].total();
  if (!passed(negative)) {
    // The most negative value has the largest magnitude.
    return -scale_.value_of(signed_[1].at_rank(negative - 1 - rank));
  }
  if (!passed(zeros_)) return 0;
  if (rank >= signed_[0].total()) return infinity;
  return scale_.value_of(signed_[0].at_rank(rank));
}

void codec<ddsketch>::encode(byte_writer& writer, const ddsketch& value) {
  writer.write_count(value.scale_.resolution());
  writer.write_count(value.buckets_max_);
  for (const std::uint64_t count :
       {value.zeros_, value.infinite_, value.negative_infinite_, value.not_numbers_}) {
    writer.write_count(count);
  }
  for (const detail::bucket_counts& each : value.signed_) each.encode(writer);
}

bool codec<ddsketch>::decode(byte_reader& reader, ddsketch& value) {
  std::uint64_t resolution = 0;
  std::uint64_t buckets_max = 0;
  if (!reader.read_count(resolution) || !reader.read_count(buckets_max)) return false;
  if (resolution == 0 || resolution > detail::bucket_scale::resolution_max ||
      buckets_max < buckets_max_min || buckets_max > buckets_max_max) {
    return reader.fail("options found that no sketch has");
  }
  value.scale_ = detail::bucket_scale::of_resolution(static_cast<std::uint32_t>(resolution));
  value.buckets_max_ = static_cast<std::uint32_t>(buckets_max);
  for (std::uint64_t* count :
       {&value.zeros_, &value.infinite_, &value.negative_infinite_, &value.not_numbers_}) {
    if (!reader.read_count(*count)) return false;
  }
  return std::all_of(value.signed_.begin(), value.signed_.end(), [&](detail::bucket_counts& each) {
    return each.decode(reader, value.scale_.buckets(), value.buckets_max_);
  });
}

}  // namespace freshet
