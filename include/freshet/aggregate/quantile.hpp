// Quantiles: approximate ones of any number of values, exact ones of a bounded number.
//
// Order: none of them depends on it; results are bit-equal for every order and every split of the
// records. Threads: as aggregate.hpp. Memory per key and window: `approx_quantile` as ddsketch.hpp,
// 16 KiB at most for values of one sign with the default options; `quantile` and `median` 8 bytes a
// value, up to `values_max` values, all written at each checkpoint that saw a change.
//
//     window(...) | aggregate("latency", approx_quantile("p99", &call::milliseconds, 0.99),
//                                        median("typical", &call::milliseconds))
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/boxed.hpp>
#include <freshet/aggregate/detail/weight.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/sketch/ddsketch.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// Options of `quantile` and `median`.
struct exact_quantile_options {
  /// Of a key and window with more values there is no result, and they are not kept; at least 1.
  std::size_t values_max = 100'000;
};

namespace detail {

/// Throws `std::invalid_argument`, naming the aggregate, unless q is in [0, 1].
double checked_quantile(const std::string& name, double q);

/// A sketch as every state begins with; throws `std::invalid_argument`, naming the aggregate.
ddsketch empty_sketch(const std::string& name, ddsketch_options options);

/// What the state of an approximate quantile is a state of, for its fingerprint.
std::string kind_of(const ddsketch_options& options);

std::size_t checked_values_max(const std::string& name, std::size_t values_max);

template <class P, class T>
struct quantile_rule {
  static_assert(projection_of<P, T>,
                "freshet: quantiles cannot read this row type; give &row::member, or a function of "
                "one row (const row&) that can be called on a const object");
  static_assert(!projection_of<P, T> || summable<projected_value<P, T>>,
                "freshet: quantiles need a number; give &row::member or a function of one row that "
                "returns an integer, a float, a double, or an optional of one");
};

}  // namespace detail

/// What `approx_quantile` and `approx_quantiles` keep.
template <bool MayBeEmpty>
struct approx_quantile_state {
  detail::boxed<ddsketch> sketch;

  detail::maybe<double, MayBeEmpty> quantile(double q) const {
    if constexpr (MayBeEmpty) {
      if (!sketch) return std::nullopt;
    }
    return sketch ? sketch->quantile(q) : std::numeric_limits<double>::quiet_NaN();
  }
  BOOST_DESCRIBE_CLASS(approx_quantile_state, (), (sketch), (), ())
};

namespace detail {

// What the two approximate aggregates have in common.
template <class P>
struct sketched_quantiles {
  template <class T>
  struct rule : quantile_rule<P, T> {
    using state = approx_quantile_state<projects_optional<P, T>>;
  };
  template <class T>
  using state_for = typename rule<T>::state;

  static constexpr bool honours_weight = true;
  std::string kind;
  std::string name;
  P projection;
  ddsketch empty;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    with_value(projection, row, [&](auto value) {
      to.sketch.or_make(empty).add(static_cast<double>(value), units_of(row));
    });
  }
  template <class T>
  void subtract(state_for<T>& from, const T& row) const {
    with_value(projection, row, [&](auto value) {
      if (from.sketch) from.sketch->subtract(static_cast<double>(value), units_of(row));
    });
  }
  template <bool MayBeEmpty>
  void merge(approx_quantile_state<MayBeEmpty>& into,
             const approx_quantile_state<MayBeEmpty>& from) const {
    into.sketch.merge(from.sketch);
  }
};

}  // namespace detail

/// One quantile; made by `approx_quantile`.
template <class P>
struct approx_quantile_aggregate : detail::sketched_quantiles<P> {
  double q;

  template <bool MayBeEmpty>
  detail::maybe<double, MayBeEmpty> result(const approx_quantile_state<MayBeEmpty>& of) const {
    return of.quantile(q);
  }
};

/// Several quantiles; made by `approx_quantiles`.
template <class P>
struct approx_quantiles_aggregate : detail::sketched_quantiles<P> {
  std::vector<double> fractions;

  template <bool MayBeEmpty>
  std::vector<double> result(const approx_quantile_state<MayBeEmpty>& of) const {
    std::vector<double> all;
    if (!of.sketch) return all;
    for (const double q : fractions) all.push_back(of.sketch->quantile(q));
    return all;
  }
};

/// The value of rank floor(q * (n - 1)) of n values in order, counted from 0, to a relative error
/// of `options.accuracy`: q = 0.5 is the median, the lower one of an even number.
/// \return double. Of none: NaN, or empty where the projection returns an optional; NaN as long as
///         there is a NaN. Infinities are values; what is below 2.2e-308 counts as 0. The error
///         holds for magnitudes above the largest of their sign / 4e17 (ddsketch.hpp says how that
///         depends on the options); those below are taken for about the smallest above.
/// \throw  `std::invalid_argument` when q or an option is out of range.
/// \cost   3 ns per row, up to 1 us per result. Can take rows back.
/// \note   A sampled row counts `weight` times: the rank is that among the sum of the weights.
template <class P>
approx_quantile_aggregate<P> approx_quantile(std::string name, P projection, double q,
                                             ddsketch_options options = {}) {
  ddsketch empty = detail::empty_sketch(name, options);
  q = detail::checked_quantile(name, q);
  return {{detail::kind_of(options), std::move(name), std::move(projection), std::move(empty)}, q};
}

/// Several quantiles from one state, as a vector in the order of `fractions`; empty of no values.
/// Otherwise as `approx_quantile`.
template <class P>
approx_quantiles_aggregate<P> approx_quantiles(std::string name, P projection,
                                               std::vector<double> fractions,
                                               ddsketch_options options = {}) {
  ddsketch empty = detail::empty_sketch(name, options);
  for (const double q : fractions) detail::checked_quantile(name, q);
  return {{detail::kind_of(options), std::move(name), std::move(projection), std::move(empty)},
          std::move(fractions)};
}

/// Values for an exact quantile, as they came. After more than `values_max` only that there were.
struct exact_quantile_state {
  std::vector<double> values;
  bool too_many = false;

  void add(double value, std::size_t values_max);
  void merge(const exact_quantile_state& from, std::size_t values_max);
  std::optional<double> quantile(double q) const;

  BOOST_DESCRIBE_CLASS(exact_quantile_state, (), (values, too_many), (), ())
};

/// An exact quantile; made by `quantile` and `median`.
template <class P>
struct quantile_aggregate {
  template <class T>
  struct rule : detail::quantile_rule<P, T> {
    using state = exact_quantile_state;
  };
  template <class T>
  using state_for = typename rule<T>::state;

  static constexpr std::string_view kind = "quantile";
  std::string name;
  P projection;
  double q;
  std::size_t values_max;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row,
                       [&](auto value) { to.add(static_cast<double>(value), values_max); });
  }
  void merge(exact_quantile_state& into, const exact_quantile_state& from) const {
    into.merge(from, values_max);
  }
  std::optional<double> result(const exact_quantile_state& of) const { return of.quantile(q); }
};

/// The exact quantile: at q * (n - 1) of n values in order, counted from 0, linear between the two
/// values around it. (Type 7 of Hyndman and Fan, "Sample quantiles in statistical packages", The
/// American Statistician 50, 1996; `PERCENTILE_CONT` of SQL.)
/// \return an optional double; empty of no values, and of more than `options.values_max`: a result
///         is never an approximation. NaN when a value is NaN. Integers are rounded to double
///         first, and -0.0 counts as 0.0.
/// \throw  `std::invalid_argument` when q is not in [0, 1] or `values_max` is 0.
/// \cost   O(1) per row, O(n) per result.
template <class P>
quantile_aggregate<P> quantile(std::string name, P projection, double q,
                               exact_quantile_options options = {}) {
  q = detail::checked_quantile(name, q);
  const std::size_t values_max = detail::checked_values_max(name, options.values_max);
  return {std::move(name), std::move(projection), q, values_max};
}

/// The exact median: `quantile` with q = 0.5. Of an even number of values the mean of the two in
/// the middle.
template <class P>
quantile_aggregate<P> median(std::string name, P projection, exact_quantile_options options = {}) {
  return quantile(std::move(name), std::move(projection), 0.5, options);
}

}  // namespace freshet
