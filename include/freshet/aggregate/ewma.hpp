// ewma: a mean in which a value counts half as much for every `half_life` it is older.
//
// Time and order: ages are those of event times. A mean only knows ratios of weights, so that the
// moment from which ages are counted does not matter, and arrival neither: results of any order and
// any split of the records are equal to 1e-12. Weights are kept as powers of two times a fraction,
// which makes counting from a later moment exact. Threads: as aggregate.hpp. Memory: 48 bytes per
// key and window.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/sums.hpp>
#include <freshet/aggregate/detail/weight.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace freshet {

namespace detail {

/// Sums of weighted values and of their weights. A weight is 2^(time / half_life - latest - 1),
/// where `latest` is the number of the half-life, counted from the epoch of time, that holds the
/// latest time so far: of rows in it, weights are in [1/2, 1).
struct decayed_sums {
  std::uint64_t rows = 0;
  std::int64_t latest = 0;
  compensated_sum values;
  compensated_sum weights;

  void add(double value, double times, timestamp at, duration half_life);
  void merge(const decayed_sums& from);

  /// NaN of none.
  double mean() const;

  BOOST_DESCRIBE_CLASS(decayed_sums, (), (rows, latest, values, weights), (), ())
};

/// Throws `std::invalid_argument`, naming the aggregate, unless it is positive.
duration checked_half_life(const std::string& name, duration half_life);

/// What the state is a state of, for its fingerprint.
std::string ewma_kind(duration half_life);

}  // namespace detail

/// What `ewma` keeps.
template <bool MayBeEmpty>
struct ewma_state {
  detail::decayed_sums sums;
  BOOST_DESCRIBE_CLASS(ewma_state, (), (sums), (), ())
};

namespace detail {

template <class P, class T>
struct ewma_rule {
  static_assert(projection_of<P, T>,
                "freshet: ewma cannot read this row type; give &row::member, or a function of one "
                "row (const row&) that can be called on a const object");
  static_assert(!projection_of<P, T> || summable<projected_value<P, T>>,
                "freshet: ewma needs a number; give &row::member or a function of one row that "
                "returns an integer, a float, a double, or an optional of one");
  using state = ewma_state<projects_optional<P, T>>;
};

}  // namespace detail

/// An exponentially weighted moving average; made by `ewma`.
template <class P>
struct ewma_aggregate {
  template <class T>
  using state_for = typename detail::ewma_rule<P, T>::state;

  static constexpr bool honours_weight = true;
  std::string kind;
  std::string name;
  P projection;
  duration half_life;

  template <class T>
  void add(state_for<T>& to, const T& row, const order_key& key) const {
    detail::with_value(projection, row, [&](auto value) {
      to.sums.add(static_cast<double>(value), detail::weight_of(row), key.at, half_life);
    });
  }
  template <bool MayBeEmpty>
  void merge(ewma_state<MayBeEmpty>& into, const ewma_state<MayBeEmpty>& from) const {
    into.sums.merge(from.sums);
  }
  template <bool MayBeEmpty>
  detail::maybe<double, MayBeEmpty> result(const ewma_state<MayBeEmpty>& of) const {
    if constexpr (MayBeEmpty) {
      if (of.sums.rows == 0) return std::nullopt;
    }
    return of.sums.mean();
  }
};

/// The mean of the values, each weighted by 2^(-age / half_life). Ages are differences of event
/// times, so that rows of one moment weigh the same, however many came between; without a window,
/// as in `group_aggregate`, it is the exponential moving average of the key.
/// \return double: NaN or infinite as `mean`, NaN of none, or empty where the projection returns an
///         optional. Rows without a value are left out. Values 1074 half-lives older than others do
///         not count at all.
/// \throw  `std::invalid_argument` unless half_life is positive.
/// \cost   About 9 ns per row.
/// \note   A sampled row counts `weight` times.
/// \source Cormode, Shkapenyuk, Srivastava, and Xu, "Forward decay: a practical time decay model
///         for streaming systems", ICDE 2009: weights relative to a fixed moment do not change with
///         time.
template <class P>
ewma_aggregate<P> ewma(std::string name, P projection, duration half_life) {
  half_life = detail::checked_half_life(name, half_life);
  return {detail::ewma_kind(half_life), std::move(name), std::move(projection), half_life};
}

}  // namespace freshet
