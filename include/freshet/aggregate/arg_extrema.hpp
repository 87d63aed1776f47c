// arg_min, arg_max: what the row with the smallest or largest value of something has beside it.
//
// Order: of rows with equal values the one with the smallest order key counts (event time, then
// position in the log), so results are bit-equal for every order of arrival and every split.
// Threads: as aggregate.hpp. Memory: the two values and a 24-byte order key per key and window.
//
//     window(...) | aggregate("winners", arg_max("winner", &bid::bidder, &bid::price))
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/aggregate/projection.hpp>

#include <boost/describe/class.hpp>

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

/// The best row so far: what decided, its order key, and its value.
template <class V, class By>
struct arg_candidate {
  By by{};
  ordered_value<V> found;
  BOOST_DESCRIBE_CLASS(arg_candidate, (), (by, found), (), ())
};

/// What `arg_min` and `arg_max` keep. `V` is an optional where a row may have no value.
template <class V, class By, bool MayBeEmpty>
struct arg_state {
  std::optional<arg_candidate<V, By>> best;

  /// Keeps the candidate with the first `by` in the order of `before`.
  void add(const auto& by, const order_key& key, const auto& value, auto before) {
    if (best && !wins(by, key, before)) return;
    best = arg_candidate<V, By>{By(by), ordered_value<V>::of(key, value)};
  }
  void merge(const arg_state& from, auto before) {
    if (!from.best || (best && !wins(from.best->by, from.best->found.key(), before))) return;
    best = from.best;
  }

  detail::maybe<typename detail::without_optional<V>::type, MayBeEmpty> result() const {
    if (best) return best->found.value;
    return {};
  }

  BOOST_DESCRIBE_CLASS(arg_state, (), (best), (), ())

 private:
  bool wins(const auto& by, const order_key& key, auto before) const {
    if (before(by, best->by)) return true;
    return !before(best->by, by) && key < best->found.key();
  }
};

namespace detail {

template <class V, class By, class T>
struct arg_rule {
  static_assert(projection_of<V, T> && projection_of<By, T>,
                "freshet: arg_min and arg_max cannot read this row type; give the value and what "
                "decides as &row::member, or as functions of one row (const row&) that can be "
                "called on a const object");
  static constexpr bool decides =
      has_order<projected_value<By, T>> && keepable_state<projected_value<By, T>>;
  static_assert(!projection_of<By, T> || decides,
                "freshet: arg_min and arg_max decide by values with an order and a place in "
                "checkpoints; give last a member or function whose value is a number, a string, or "
                "a time");
  static constexpr bool keepable = keepable_state<projected_value<V, T>>;
  static_assert(!projection_of<V, T> || keepable,
                "freshet: arg_min and arg_max keep the value in a checkpoint; give a member or "
                "function whose value is a number, a string, a time, a container of those, or "
                "described with BOOST_DESCRIBE_STRUCT");
  using kept = std::conditional_t<keepable, projected_value<V, T>, double>;
  using by = std::conditional_t<decides, projected_value<By, T>, double>;
  using state = arg_state<maybe<kept, projects_optional<V, T>>, by,
                          projects_optional<V, T> || projects_optional<By, T>>;
};

// What arg_min and arg_max have in common; `Before` is the order of which the first is wanted.
template <class V, class By, class Before>
struct arg_extremum {
  template <class T>
  using state_for = typename arg_rule<V, By, T>::state;

  std::string name;
  V value;
  By by;

  template <class T>
  void add(state_for<T>& to, const T& row, const order_key& key) const {
    with_value(by, row, [&](const auto& found) {
      if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(found)>>) {
        if (std::isnan(found)) return;
      }
      to.add(found, key, std::invoke(value, row), Before{});
    });
  }
  template <class State>
  void merge(State& into, const State& from) const {
    into.merge(from, Before{});
  }
  template <class State>
  auto result(const State& of) const {
    return of.result();
  }
};

struct smaller_first {
  bool operator()(const auto& a, const auto& b) const { return is_before(a, b); }
};
struct larger_first {
  bool operator()(const auto& a, const auto& b) const { return is_before(b, a); }
};

}  // namespace detail

/// What the row with the smallest `by` has; made by `arg_min`.
template <class V, class By>
struct arg_min_aggregate : detail::arg_extremum<V, By, detail::smaller_first> {
  static constexpr std::string_view kind = "arg_min";
};

/// What the row with the largest `by` has; made by `arg_max`.
template <class V, class By>
struct arg_max_aggregate : detail::arg_extremum<V, By, detail::larger_first> {
  static constexpr std::string_view kind = "arg_max";
};

/// What `value` reads from the row in which `by` is smallest, the earliest of several by order key.
/// `by` has an order as for `min`. Rows whose `by` is absent or NaN are left out; -0.0 counts as
/// less than 0.0.
/// \return the type of the value; an optional where one of the two projections returns one: empty
///         when no row is left, or when the winner has no value. Else a default value for none.
/// \note   The arguments stand as in SQL's `arg_min(value, by)` (Trino: `min_by`).
template <class V, class By>
arg_min_aggregate<V, By> arg_min(std::string name, V value, By by) {
  return {{std::move(name), std::move(value), std::move(by)}};
}

/// What `value` reads from the row in which `by` is largest; otherwise as `arg_min`.
template <class V, class By>
arg_max_aggregate<V, By> arg_max(std::string name, V value, By by) {
  return {{std::move(name), std::move(value), std::move(by)}};
}

}  // namespace freshet
