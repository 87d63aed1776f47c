// Checks: what a field of a record must be, for `expect`.
//
//     check::between(0, 1e6)          a number within bounds, both included
//     check::not_null()               not an empty optional, and not a NaN
//     check::one_of({"EUR", "USD"})   one of a list of values
//     check::satisfying("a date", f)  what a function says
//
// A check is an immutable value with `bool passes(const V&)` for the values it can judge and
// `std::string wanted()` for messages; a type of one's own with these two is as good. The optional
// around a field is taken off first: what is not there passes every check but `not_null`.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// What `expect` takes for values of type `V`.
template <class C, class V>
concept check_of = requires(const C& check, const V& value) {
  { check.passes(value) } -> std::convertible_to<bool>;
  { check.wanted() } -> std::convertible_to<std::string>;
};

namespace detail {

/// A value as text, for messages. `?` for what cannot be written.
template <class V>
std::string value_text(const V& value) {
  if constexpr (std::is_convertible_v<const V&, std::string_view>) {
    return "'" + std::string(std::string_view(value)) + "'";
  } else if constexpr (std::is_enum_v<V>) {
    return fmt::format("{}", static_cast<std::underlying_type_t<V>>(value));
  } else if constexpr (std::is_arithmetic_v<V>) {
    return fmt::format("{}", value);
  } else {
    return "?";
  }
}

/// What a check keeps of a bound: texts become strings of their own.
template <class B>
using kept_bound =
    std::conditional_t<std::is_convertible_v<const B&, std::string_view>, std::string, B>;

template <class V>
concept counting_number = std::integral<V> && !std::same_as<V, bool> && !std::same_as<V, char>;

/// Whether a >= b. Numbers of different types compare by their values, whatever their signs; an
/// integer of 64 bits and a `double` in `long double`. False for NaNs.
template <class A, class B>
bool not_less(const A& a, const B& b) {
  if constexpr (counting_number<A> && counting_number<B>) {
    return std::cmp_greater_equal(a, b);
  } else if constexpr (std::is_same_v<A, B> || !std::is_arithmetic_v<A> ||
                       !std::is_arithmetic_v<B>) {
    return a >= b;
  } else {
    return static_cast<long double>(a) >= static_cast<long double>(b);
  }
}

template <class A, class B>
concept ordered_with = requires(const A& a, const B& b) {
  { a >= b } -> std::convertible_to<bool>;
  { b >= a } -> std::convertible_to<bool>;
};

template <class Low, class High>
struct between_check {
  Low low;
  High high;

  template <class V>
    requires ordered_with<V, Low> && ordered_with<V, High>
  bool passes(const V& value) const {
    return not_less(value, low) && not_less(high, value);
  }
  std::string wanted() const { return "between " + value_text(low) + " and " + value_text(high); }
};

struct not_null_check {
  template <class V>
  bool passes(const V& value) const {
    if constexpr (std::is_floating_point_v<V>) return !std::isnan(value);
    return true;
  }
  std::string wanted() const { return "a value"; }
};

template <class B>
struct one_of_check {
  std::vector<B> values;

  template <class V>
    requires requires(const V& value, const B& one) {
      { value == one } -> std::convertible_to<bool>;
    }
  bool passes(const V& value) const {
    return std::any_of(values.begin(), values.end(), [&](const B& one) {
      if constexpr (counting_number<V> && counting_number<B>) {
        return std::cmp_equal(value, one);
      } else {
        return value == one;
      }
    });
  }
  std::string wanted() const {
    std::string all;
    for (const B& one : values) all += (all.empty() ? "" : ", ") + value_text(one);
    return "one of " + all;
  }
};

template <class F>
struct function_check {
  std::string what;
  F f;

  template <class V>
    requires std::is_invocable_r_v<bool, const F&, const V&>
  bool passes(const V& value) const {
    return std::invoke(f, value);
  }
  std::string wanted() const { return what; }
};

}  // namespace detail

namespace check {

/// At least `low` and at most `high`; a NaN is between nothing. The bounds may be of other types
/// than the field: `check::between(0, 1e6)`. In the wrong order they are refused by `expect`.
template <class Low, class High>
auto between(Low low, High high) {
  return detail::between_check<detail::kept_bound<Low>, detail::kept_bound<High>>{std::move(low),
                                                                                  std::move(high)};
}

/// There is a value: no empty optional, and no NaN.
inline detail::not_null_check not_null() {
  return {};
}

/// Equal to one of `values`, which must not be empty.
template <class B>
auto one_of(std::vector<B> values) {
  return detail::one_of_check<B>{std::move(values)};
}
template <class B>
auto one_of(std::initializer_list<B> values) {
  return one_of(std::vector<detail::kept_bound<B>>(values.begin(), values.end()));
}

/// `f(value)` is true. `what` completes the sentence "wanted ...", as in "a card of 16 digits".
template <class F>
auto satisfying(std::string what, F f) {
  return detail::function_check<F>{std::move(what), std::move(f)};
}

}  // namespace check

}  // namespace freshet
