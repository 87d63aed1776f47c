// Basic aggregates: count, sum, mean, min, max.
//
// Order: none of them depends on it; counts, integers, and extrema are bit-equal for every order
// and every split of the records, floating sums and means equal to 1e-12. Threads: as
// aggregate.hpp. Memory: 8 to 32 bytes per key and window, and the value itself for extrema. Empty
// optionals are skipped everywhere: `mean("delay", &flight::delay)` with an optional delay is the
// mean of those that are there, and is empty itself when none is.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/sums.hpp>
#include <freshet/aggregate/projection.hpp>

#include <boost/describe/class.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

// --- count ---------------------------------------------------------------------------------------

/// How many rows; made by `count`.
struct count_aggregate {
  struct state {
    std::uint64_t rows = 0;
  };

  static constexpr std::string_view kind = "count";
  std::string name;

  template <class T>
  void add(state& to, const T&) const {
    ++to.rows;
  }
  template <class T>
  void subtract(state& from, const T&) const {
    --from.rows;
  }
  void merge(state& into, const state& from) const { into.rows += from.rows; }
  void unmerge(state& from, const state& part) const { from.rows -= part.rows; }
  std::uint64_t result(const state& of) const { return of.rows; }
};
BOOST_DESCRIBE_STRUCT(count_aggregate::state, (), (rows))

/// How many rows satisfy a predicate or have a value; made by `count`.
template <class P>
struct count_if_aggregate {
  struct state {
    std::uint64_t matching_rows = 0;
    BOOST_DESCRIBE_CLASS(state, (), (matching_rows), (), ())
  };

  static constexpr std::string_view kind = "count_if";
  std::string name;
  P predicate;

  template <class T>
  void add(state& to, const T& row) const {
    constexpr bool is_predicate = std::is_same_v<typename detail::projected<P, T>::type, bool>;
    constexpr bool is_value =
        projects_optional<P, T> && !std::is_same_v<projected_value<P, T>, bool>;
    static_assert(
        is_predicate || is_value,
        "freshet: count needs a function of one row, or a member, that is bool (rows where "
        "it is true count) or an optional of anything but bool (rows that have it count)");
    if constexpr (is_predicate) {
      if (std::invoke(predicate, row)) ++to.matching_rows;
    } else if constexpr (is_value) {
      if (std::invoke(predicate, row).has_value()) ++to.matching_rows;
    }
  }
  template <class T>
  void subtract(state& from, const T& row) const {
    state one;
    add(one, row);
    from.matching_rows -= one.matching_rows;
  }
  void merge(state& into, const state& from) const { into.matching_rows += from.matching_rows; }
  void unmerge(state& from, const state& part) const { from.matching_rows -= part.matching_rows; }
  std::uint64_t result(const state& of) const { return of.matching_rows; }
};

/// The number of rows, as uint64.
inline count_aggregate count(std::string name) {
  return {std::move(name)};
}

/// The number of rows for which `predicate` is true or, where it returns an optional, has a value.
template <class P>
count_if_aggregate<P> count(std::string name, P predicate) {
  return {std::move(name), std::move(predicate)};
}

// --- sum, mean -----------------------------------------------------------------------------------

/// The sum of values of type `V`, exact or compensated.
template <class V>
struct sum_state {
  using sum_type =
      std::conditional_t<std::is_integral_v<V>, detail::exact_sum, detail::compensated_sum>;
  sum_type total;

  auto result() const {
    if constexpr (std::is_floating_point_v<V>) {
      return total.value();
    } else if constexpr (std::is_signed_v<V>) {
      return total.to_signed();
    } else {
      return total.to_unsigned();
    }
  }
  BOOST_DESCRIBE_CLASS(sum_state, (), (total), (), ())
};

/// The sum and the number of values.
template <class V, bool MayBeEmpty>
struct mean_state {
  typename sum_state<V>::sum_type total;
  std::uint64_t values = 0;

  detail::maybe<double, MayBeEmpty> result() const {
    if (values == 0) {
      if constexpr (MayBeEmpty) return std::nullopt;
      return std::numeric_limits<double>::quiet_NaN();
    }
    const auto divisor = static_cast<double>(values);
    if constexpr (std::is_integral_v<V>) {
      return total.to_double() / divisor;
    } else {
      return total.value() / divisor;
    }
  }
  BOOST_DESCRIBE_CLASS(mean_state, (), (total, values), (), ())
};

namespace detail {

template <class P, class T>
struct sum_rule {
  static_assert(projection_of<P, T>,
                "freshet: sum and mean cannot read this row type; give &row::member, or a function "
                "of one row (const row&) that can be called on a const object");
  static_assert(!projection_of<P, T> || summable<projected_value<P, T>>,
                "freshet: sum and mean need a number; give &row::member or a function of one row "
                "that returns an integer, a float, a double, or an optional of one");
  using value = std::conditional_t<summable<projected_value<P, T>>, projected_value<P, T>, double>;
  using sum = sum_state<value>;
  using mean = mean_state<value, projects_optional<P, T>>;
};

}  // namespace detail

/// The sum of what `projection` reads; made by `sum`.
template <class P>
struct sum_aggregate {
  template <class T>
  using state_for = typename detail::sum_rule<P, T>::sum;

  static constexpr std::string_view kind = "sum";
  std::string name;
  P projection;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](auto value) { to.total.add(value); });
  }
  template <class T>
  void subtract(state_for<T>& from, const T& row) const {
    detail::with_value(projection, row, [&](auto value) { from.total.subtract(value); });
  }
  template <class V>
  void merge(sum_state<V>& into, const sum_state<V>& from) const {
    into.total.merge(from.total);
  }
  template <std::integral V>
  void unmerge(sum_state<V>& from, const sum_state<V>& part) const {
    from.total.unmerge(part.total);
  }
  template <class V>
  auto result(const sum_state<V>& of) const {
    return of.result();
  }
};

/// The mean of what `projection` reads; made by `mean`.
template <class P>
struct mean_aggregate {
  template <class T>
  using state_for = typename detail::sum_rule<P, T>::mean;

  static constexpr std::string_view kind = "mean";
  std::string name;
  P projection;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](auto value) {
      to.total.add(value);
      ++to.values;
    });
  }
  template <class T>
  void subtract(state_for<T>& from, const T& row) const {
    detail::with_value(projection, row, [&](auto value) {
      from.total.subtract(value);
      --from.values;
    });
  }
  template <class V, bool MayBeEmpty>
  void merge(mean_state<V, MayBeEmpty>& into, const mean_state<V, MayBeEmpty>& from) const {
    into.total.merge(from.total);
    into.values += from.values;
  }
  template <std::integral V, bool MayBeEmpty>
  void unmerge(mean_state<V, MayBeEmpty>& from, const mean_state<V, MayBeEmpty>& part) const {
    from.total.unmerge(part.total);
    from.values -= part.values;
  }
  template <class V, bool MayBeEmpty>
  auto result(const mean_state<V, MayBeEmpty>& of) const {
    return of.result();
  }
};

/// The sum of the values; 0 when there are none.
/// \return int64 for signed integers and uint64 for unsigned ones and bool, exact, and clamped to
///         the ends of that type; double for float and double, compensated. There one NaN, or
///         infinities of both signs, make it NaN, and infinities of one sign make it infinite, as
///         do finite values whose sum leaves the range of double on the way.
template <class P>
sum_aggregate<P> sum(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

/// The arithmetic mean of the values as double: of integers from their exact sum, of floating point
/// from the compensated one, NaN or infinite where that is. NaN also when there are none, or empty
/// where the projection is optional.
template <class P>
mean_aggregate<P> mean(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

// --- min, max ------------------------------------------------------------------------------------

namespace detail {

template <class V>
concept has_order = requires(const V& a, const V& b) {
  { a < b } -> std::convertible_to<bool>;
};

/// `a` before `b` in the order of extrema: `<`, and for floating point -0.0 before 0.0. The types
/// differ when a view is compared with the string that is kept.
template <class A, class B>
bool is_before(const A& a, const B& b) {
  if constexpr (std::is_floating_point_v<A>) {
    return a < b || (a == b && std::signbit(a) && !std::signbit(b));
  } else {
    return a < b;
  }
}

// Replaces `best` with `value` where `beats(value, *best)`, and with NaN as soon as there is one.
template <class V, class Beats>
void keep_extremum(std::optional<V>& best, const auto& value, Beats&& beats) {
  if constexpr (std::is_floating_point_v<V>) {
    if (best && beats(*best, value)) return;  // Mostly; false when one of them is NaN.
    // One NaN for all, because which of several was first depends on the order.
    if (std::isnan(value)) {
      best = std::numeric_limits<V>::quiet_NaN();
      return;
    }
    if (best && std::isnan(*best)) return;
  }
  if (!best) {
    best.emplace(value);
  } else if (beats(value, *best)) {
    *best = value;
  }
}

// The result of an extremum: of no values, empty if that was to be expected, else NaN or `V{}`.
template <bool MayBeEmpty, class V>
maybe<V, MayBeEmpty> extremum_result(const std::optional<V>& best) {
  if constexpr (MayBeEmpty) {
    return best;
  } else if constexpr (std::is_floating_point_v<V>) {
    return best.value_or(std::numeric_limits<V>::quiet_NaN());
  } else {
    return best ? *best : V{};
  }
}

}  // namespace detail

/// The smallest value so far.
template <class V, bool MayBeEmpty>
struct min_state {
  std::optional<V> smallest;

  void add(const auto& value) {
    detail::keep_extremum(smallest, value, [](const auto& candidate, const V& best) {
      return detail::is_before(candidate, best);
    });
  }
  void merge(const min_state& from) {
    if (from.smallest) add(*from.smallest);
  }
  detail::maybe<V, MayBeEmpty> result() const {
    return detail::extremum_result<MayBeEmpty>(smallest);
  }
  BOOST_DESCRIBE_CLASS(min_state, (), (smallest), (), ())
};

/// The largest value so far.
template <class V, bool MayBeEmpty>
struct max_state {
  std::optional<V> largest;

  void add(const auto& value) {
    detail::keep_extremum(largest, value, [](const auto& candidate, const V& best) {
      return detail::is_before(best, candidate);
    });
  }
  void merge(const max_state& from) {
    if (from.largest) add(*from.largest);
  }
  detail::maybe<V, MayBeEmpty> result() const {
    return detail::extremum_result<MayBeEmpty>(largest);
  }
  BOOST_DESCRIBE_CLASS(max_state, (), (largest), (), ())
};

namespace detail {

template <class P, class T>
struct extremum_rule {
  static_assert(projection_of<P, T>,
                "freshet: min and max cannot read this row type; give &row::member, or a function "
                "of one row (const row&) that can be called on a const object");
  static_assert(
      !projection_of<P, T> || has_order<projected_value<P, T>>,
      "freshet: min and max need values with an order; give &row::member or a function of "
      "one row that returns a number, a string, a time, or anything with operator<");
  using value = std::conditional_t<has_order<projected_value<P, T>>, projected_value<P, T>, double>;
  using min = min_state<value, projects_optional<P, T>>;
  using max = max_state<value, projects_optional<P, T>>;
};

}  // namespace detail

/// The smallest of what `projection` reads; made by `min`.
template <class P>
struct min_aggregate {
  template <class T>
  using state_for = typename detail::extremum_rule<P, T>::min;

  static constexpr std::string_view kind = "min";
  std::string name;
  P projection;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](const auto& value) { to.add(value); });
  }
  template <class State>
  void merge(State& into, const State& from) const {
    into.merge(from);
  }
  template <class State>
  auto result(const State& of) const {
    return of.result();
  }
};

/// The largest of what `projection` reads; made by `max`.
template <class P>
struct max_aggregate {
  template <class T>
  using state_for = typename detail::extremum_rule<P, T>::max;

  static constexpr std::string_view kind = "max";
  std::string name;
  P projection;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](const auto& value) { to.add(value); });
  }
  template <class State>
  void merge(State& into, const State& from) const {
    into.merge(from);
  }
  template <class State>
  auto result(const State& of) const {
    return of.result();
  }
};

/// The smallest value: of numbers, strings, times, and whatever has an order `<` in which two
/// values that are different are never equivalent. So that the result does not depend on the order
/// of rows, one NaN makes it NaN, and -0.0 counts as less than 0.0.
/// \return the type of the values, empty for none when the projection returns an optional; else
///         NaN or a default value for none.
template <class P>
min_aggregate<P> min(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

/// The largest value; otherwise as `min`.
template <class P>
max_aggregate<P> max(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

}  // namespace freshet
