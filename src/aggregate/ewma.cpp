#include <freshet/aggregate/ewma.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace freshet::detail {

namespace {

/// How far a weight may be shifted before nothing is left of any sum.
constexpr std::uint64_t shift_max = 4096;

/// later - earlier, or `shift_max` if that is less. \pre earlier <= later.
int shift_between(std::int64_t earlier, std::int64_t later) {
  const std::uint64_t distance =
      static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
  return static_cast<int>(std::min(distance, shift_max));
}

void scale_down(compensated_sum& sum, int shift) {
  sum.sum = std::ldexp(sum.sum, -shift);
  sum.compensation = std::ldexp(sum.compensation, -shift);
}

void count_from(decayed_sums& sums, std::int64_t latest) {
  const int shift = shift_between(sums.latest, latest);
  sums.latest = latest;
  if (shift == 0) return;
  scale_down(sums.values, shift);
  scale_down(sums.weights, shift);
}

}  // namespace

void decayed_sums::add(double value, double times, timestamp at, duration half_life) {
  const std::int64_t time = at.time_since_epoch().count();
  const std::int64_t length = half_life.count();
  std::int64_t number = time / length;
  std::int64_t past = time % length;
  if (past < 0) {
    past += length;
    --number;
  }
  if (rows == 0) latest = number;
  if (number > latest) count_from(*this, number);
  ++rows;
  double weight = std::exp2(static_cast<double>(past) / static_cast<double>(length) - 1);
  if (number < latest) weight = std::ldexp(weight, -shift_between(number, latest));
  weight *= times;
  weights.add(weight);
  // A value that is not finite stays what it is, however old: it must not depend on which came
  // first.
  values.add(std::isfinite(value) ? value * weight : value);
}

void decayed_sums::merge(const decayed_sums& from) {
  if (from.rows == 0) return;
  if (rows == 0) {
    *this = from;
    return;
  }
  decayed_sums other = from;
  if (other.latest > latest) count_from(*this, other.latest);
  if (latest > other.latest) count_from(other, latest);
  rows += other.rows;
  values.merge(other.values);
  weights.merge(other.weights);
}

double decayed_sums::mean() const {
  if (rows == 0) return std::numeric_limits<double>::quiet_NaN();
  return values.value() / weights.value();
}

duration checked_half_life(const std::string& name, duration half_life) {
  if (half_life <= duration::zero()) {
    throw std::invalid_argument(
        fmt::format("aggregate '{}': half_life {} us is not positive; give the time after which a "
                    "value counts half",
                    name, half_life.count()));
  }
  return half_life;
}

std::string ewma_kind(duration half_life) {
  return fmt::format("ewma({} us)", half_life.count());
}

}  // namespace freshet::detail
