// approx_distinct: about how many different values there are, in a few kilobytes.
//
// Order: the result is bit-equal for every order and every split of the records. Threads: as
// aggregate.hpp. Memory: 8 bytes per key and window without values, then 32 and up to
// 2^precision, 4 KiB by default; a window of few different values takes 4 to 16 bytes for each.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/boxed.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/sketch/hyperloglog.hpp>

#include <boost/describe/class.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace freshet {

/// Options of `approx_distinct`.
struct approx_distinct_options {
  /// Binary logarithm of the number of registers, in [4, 18]. The standard error is about
  /// 1.04 / sqrt(2^precision): 1.6 % for 12, 0.8 % for 14.
  int precision = 12;
};

/// What `approx_distinct` keeps.
struct approx_distinct_state {
  detail::boxed<hyperloglog> sketch;
  BOOST_DESCRIBE_CLASS(approx_distinct_state, (), (sketch), (), ())
};

namespace detail {

template <class P, class T>
struct approx_distinct_rule {
  static_assert(projection_of<P, T>,
                "freshet: approx_distinct cannot read this row type; give &row::member, or a "
                "function of one row (const row&) that can be called on a const object");
  static_assert(
      !projection_of<P, T> || stable_hashable<projected_value<P, T>>,
      "freshet: approx_distinct needs values with a stable hash; give a member or "
      "function whose value is a number, a string, a time, a tuple of those, or described "
      "with BOOST_DESCRIBE_STRUCT");
  using state = approx_distinct_state;
};

/// An empty sketch; throws `std::invalid_argument`, naming the aggregate.
hyperloglog empty_hyperloglog(const std::string& name, int precision);

}  // namespace detail

/// About how many different values; made by `approx_distinct`.
template <class P>
struct approx_distinct_aggregate {
  template <class T>
  using state_for = typename detail::approx_distinct_rule<P, T>::state;

  std::string kind;
  std::string name;
  P projection;
  hyperloglog empty;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](const auto& value) {
      to.sketch.or_make(empty).add(stable_hash(value));
    });
  }
  void merge(approx_distinct_state& into, const approx_distinct_state& from) const {
    into.sketch.merge(from.sketch);
  }
  std::uint64_t result(const approx_distinct_state& of) const {
    return of.sketch ? static_cast<std::uint64_t>(std::llround(of.sketch->estimate())) : 0;
  }
};

/// About the number of different values, as uint64; hyperloglog.hpp says how. Up to 768 of them
/// (3/16 * 2^precision) it is exact but for a chance of n^2 / 4e8 that it is one less. Absent
/// values are not counted; all NaNs are one value, and so are 0.0 and -0.0.
/// \throw  `std::invalid_argument` when the precision is out of range.
/// \cost   A stable hash and 1 to 3 ns per row; O(2^precision) per result, 2 us by default.
template <class P>
approx_distinct_aggregate<P> approx_distinct(std::string name, P projection,
                                             approx_distinct_options options = {}) {
  hyperloglog empty = detail::empty_hyperloglog(name, options.precision);
  return {"approx_distinct(" + std::to_string(options.precision) + ")", std::move(name),
          std::move(projection), std::move(empty)};
}

}  // namespace freshet
