// distinct: how many different values there are, exactly.
//
// Order: the result does not depend on it. Threads: as aggregate.hpp. Memory: every different value
// once, in a hash table per key and window, and all of them again at each checkpoint that saw a
// change. For large windows an estimate is the better choice.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/hash.hpp>

#include <absl/container/flat_hash_set.h>
#include <boost/describe/class.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

struct hash_of_value {
  template <class V>
  std::size_t operator()(const V& value) const {
    return static_cast<std::size_t>(stable_hash(value));
  }
};

// As `==`, but all NaNs are one value.
struct same_value {
  template <class V>
  bool operator()(const V& a, const V& b) const {
    if constexpr (std::is_floating_point_v<V>) {
      return a == b || (std::isnan(a) && std::isnan(b));
    } else {
      return a == b;
    }
  }
};

// One representative for values that count as the same: equal states then have equal bytes.
template <class V>
V canonical(const auto& value) {
  if constexpr (std::is_floating_point_v<V>) {
    if (std::isnan(value)) return std::numeric_limits<V>::quiet_NaN();
    return value + V{0};  // Turns -0.0 into 0.0.
  } else {
    return V(value);
  }
}

}  // namespace detail

/// The different values so far.
template <class V>
struct distinct_state {
  absl::flat_hash_set<V, detail::hash_of_value, detail::same_value> different;

  void add(const auto& value) { different.insert(detail::canonical<V>(value)); }
  void merge(const distinct_state& from) {
    different.insert(from.different.begin(), from.different.end());
  }
  std::uint64_t result() const { return different.size(); }

  BOOST_DESCRIBE_CLASS(distinct_state, (), (different), (), ())
};

namespace detail {

template <class P, class T>
struct distinct_rule {
  static_assert(projection_of<P, T>,
                "freshet: distinct cannot read this row type; give &row::member, or a function of "
                "one row (const row&) that can be called on a const object");
  static constexpr bool usable = stable_hashable<projected_value<P, T>> &&
                                 keepable_state<projected_value<P, T>> &&
                                 std::equality_comparable<projected_value<P, T>>;
  static_assert(
      !projection_of<P, T> || usable,
      "freshet: distinct needs values with a stable hash, ==, and a place in checkpoints; "
      "give a member or function whose value is a number, a string, a time, a tuple of "
      "those, or described with BOOST_DESCRIBE_STRUCT");
  using state = distinct_state<std::conditional_t<usable, projected_value<P, T>, double>>;
};

}  // namespace detail

/// The number of different values of what `projection` reads; made by `distinct`.
template <class P>
struct distinct_aggregate {
  template <class T>
  using state_for = typename detail::distinct_rule<P, T>::state;

  static constexpr std::string_view kind = "distinct";
  std::string name;
  P projection;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](const auto& value) { to.add(value); });
  }
  template <class V>
  void merge(distinct_state<V>& into, const distinct_state<V>& from) const {
    into.merge(from);
  }
  template <class V>
  std::uint64_t result(const distinct_state<V>& of) const {
    return of.result();
  }
};

/// The exact number of different values as uint64. Absent values are not counted; all NaNs are one
/// value, and so are 0.0 and -0.0.
/// \cost   One stable hash per row.
template <class P>
distinct_aggregate<P> distinct(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

}  // namespace freshet
