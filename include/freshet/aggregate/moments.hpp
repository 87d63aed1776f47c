// Moments: variance and standard deviation.
//
// Order: results of any order and any split of the records are equal to 1e-12. Threads: as
// aggregate.hpp. Memory: 48 bytes per key and window, independent of the number of rows. Large
// offsets do no harm: values near 1e9 that vary by 1e-3 keep the digits that double has for them.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/sums.hpp>
#include <freshet/aggregate/projection.hpp>

#include <boost/describe/class.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

/// Options of `variance` and `stddev`.
struct spread_options {
  /// Divides by n instead of n - 1: the rows are all there is, not a sample of it.
  bool population = false;
};

namespace detail {

/// The sums of `x - shift` and its square over some values x. Adding costs a subtraction and two
/// compensated sums, and no division but at counts that are powers of two. There `shift` moves to
/// the mean of the values so far, so that at most about half of the sum of squares is due to the
/// distance between `shift` and the mean, whatever the first value was, and cancels in `spread()`.
/// \source Chan, Golub, and LeVeque, "Updating formulae and a pairwise algorithm for computing
///         sample variances", 1979, for `merge`; the same, "Algorithms for computing the sample
///         variance", The American Statistician 37, 1983, for shifting.
struct power_sums {
  std::uint64_t values = 0;
  double shift = 0;
  compensated_sum distances;
  compensated_sum squares;

  void add(double value) {
    if (values == 0) shift = value;
    const double distance = value - shift;
    distances.add(distance);
    squares.add(distance * distance);
    ++values;
    // Not std::has_single_bit: without a popcount instruction it costs as much as all the rest.
    const bool is_power_of_two = (values & (values - 1)) == 0;
    if (is_power_of_two) move_shift(distances.value() / count());
  }

  void merge(const power_sums& from) {
    if (from.values == 0) return;
    if (values == 0) {
      *this = from;
      return;
    }
    const double mean = distances.value() / count();  // Relative to `shift`, and so is the next.
    const double mean_of_from = (from.shift - shift) + from.distances.value() / from.count();
    const double share = from.count() / (count() + from.count());
    const double between = (mean_of_from - mean) * (mean_of_from - mean) * count() * share;
    // Both sums of squares become sums around the part's own mean, then around the common one.
    squares.add(-distances.value() * mean);
    squares.merge(from.squares);
    squares.add(-from.distances.value() * (from.distances.value() / from.count()));
    squares.add(between);
    values += from.values;
    set_shift(mean + (mean_of_from - mean) * share);
  }

  /// The sum of squared distances from the mean; NaN when a value is not finite, or when the
  /// squares leave the range of double.
  double spread() const {
    const double around_shift = squares.value();
    const double around_mean = around_shift - distances.value() * (distances.value() / count());
    if (!std::isfinite(around_mean)) return std::numeric_limits<double>::quiet_NaN();
    return std::fmax(around_mean, 0.0);
  }

 private:
  double count() const { return static_cast<double>(values); }

  // Moves `shift` to the mean, which lies `mean` above it.
  void move_shift(double mean) {
    squares.add(-distances.value() * mean);
    set_shift(mean);
  }

  // Moves `shift` by `distance`, to where the mean is; `squares` are those around the mean.
  void set_shift(double distance) {
    const double moved = shift + distance;
    const double rest = (shift - moved) + distance;  // What rounding keeps of the mean.
    shift = moved;
    distances = {};
    distances.add(rest * count());
    squares.add(rest * rest * count());
  }

  BOOST_DESCRIBE_CLASS(power_sums, (), (values, shift, distances, squares), (), ())
};

}  // namespace detail

/// What `variance` and `stddev` keep.
template <bool MayBeEmpty>
struct spread_state {
  detail::power_sums moments;

  /// Empty or NaN where the divisor is 0.
  detail::maybe<double, MayBeEmpty> variance(const spread_options& options) const {
    const std::uint64_t lost = options.population ? 0 : 1;
    if (moments.values <= lost) {
      if constexpr (MayBeEmpty) return std::nullopt;
      return std::numeric_limits<double>::quiet_NaN();
    }
    return moments.spread() / static_cast<double>(moments.values - lost);
  }
  BOOST_DESCRIBE_CLASS(spread_state, (), (moments), (), ())
};

namespace detail {

template <class P, class T>
struct spread_rule {
  static_assert(projection_of<P, T>,
                "freshet: variance and stddev cannot read this row type; give &row::member, or a "
                "function of one row (const row&) that can be called on a const object");
  static_assert(
      !projection_of<P, T> || summable<projected_value<P, T>>,
      "freshet: variance and stddev need a number; give &row::member or a function of one "
      "row that returns an integer, a float, a double, or an optional of one");
  using state = spread_state<projects_optional<P, T>>;
};

}  // namespace detail

/// The variance of what `projection` reads; made by `variance`.
template <class P>
struct variance_aggregate {
  template <class T>
  using state_for = typename detail::spread_rule<P, T>::state;

  static constexpr std::string_view kind = "variance";
  std::string name;
  P projection;
  spread_options options;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row,
                       [&](auto value) { to.moments.add(static_cast<double>(value)); });
  }
  template <bool MayBeEmpty>
  void merge(spread_state<MayBeEmpty>& into, const spread_state<MayBeEmpty>& from) const {
    into.moments.merge(from.moments);
  }
  template <bool MayBeEmpty>
  auto result(const spread_state<MayBeEmpty>& of) const {
    return of.variance(options);
  }
};

/// The standard deviation of what `projection` reads; made by `stddev`.
template <class P>
struct stddev_aggregate {
  template <class T>
  using state_for = typename detail::spread_rule<P, T>::state;

  static constexpr std::string_view kind = "stddev";
  std::string name;
  P projection;
  spread_options options;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row,
                       [&](auto value) { to.moments.add(static_cast<double>(value)); });
  }
  template <bool MayBeEmpty>
  void merge(spread_state<MayBeEmpty>& into, const spread_state<MayBeEmpty>& from) const {
    into.moments.merge(from.moments);
  }
  template <bool MayBeEmpty>
  detail::maybe<double, MayBeEmpty> result(const spread_state<MayBeEmpty>& of) const {
    const detail::maybe<double, MayBeEmpty> variance = of.variance(options);
    if constexpr (MayBeEmpty) {
      return variance ? std::optional<double>(std::sqrt(*variance)) : std::nullopt;
    } else {
      return std::sqrt(variance);
    }
  }
};

/// The variance of the values, in the square of their unit: that of the sample, sum of squares over
/// n - 1, or with `{.population = true}` of the whole population, over n.
/// \return double. Without enough values (one, or two for a sample's): NaN, or empty when the
///         projection returns an optional. NaN also when a value is not finite, or when the
///         squares leave the range of double. Integers are rounded to double first.
template <class P>
variance_aggregate<P> variance(std::string name, P projection, spread_options options = {}) {
  return {std::move(name), std::move(projection), options};
}

/// The standard deviation, in the unit of the values: the square root of `variance`, of the sample
/// or with `{.population = true}` of the population.
template <class P>
stddev_aggregate<P> stddev(std::string name, P projection, spread_options options = {}) {
  return {std::move(name), std::move(projection), options};
}

}  // namespace freshet
