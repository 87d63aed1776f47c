// What all contracts share: how a violation is reported, and how cases are drawn.
//
// A contract checks, on seeded random input, the promises that a concept cannot express. It depends
// on no test framework: it returns when everything held and throws `contract_violation` otherwise,
// which every framework reports as a failed test, together with the seed that draws the same cases
// again. No threads, no clock; the same seed gives the same cases on every platform.
#pragma once

#include <fmt/core.h>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace freshet {

/// A promise that did not hold. The text names the subject, the case, and the seed, what was found,
/// what was wanted, and what to look at.
struct contract_violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The generator behind all cases; its sequence is fixed by the standard. Draw from it with `%` and
/// shifts: the distributions of the standard library differ between platforms.
using contract_random = std::mt19937_64;

namespace detail {

/// A number in [0, bound); bound > 0.
inline std::uint64_t draw_below(contract_random& random, std::uint64_t bound) {
  return random() % bound;
}

/// True once in `times`.
inline bool draw_once_in(contract_random& random, std::uint64_t times) {
  return draw_below(random, times) == 0;
}

/// A number of any size and sign: every power of two is about as likely as any other.
inline std::int64_t draw_any_size(contract_random& random) {
  const std::uint64_t bits = random() >> draw_below(random, 64);
  return static_cast<std::int64_t>(draw_once_in(random, 2) ? bits : ~bits);
}

/// Whether two values are the same: floating point within `tolerance` relative to the larger one,
/// bit by bit when that is 0, but every NaN is the same; containers and optionals by their
/// elements; all else by `==`.
template <class V>
bool same_within(const V& a, const V& b, double tolerance) {
  if constexpr (std::floating_point<V>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    if (a == b) return tolerance > 0 || std::signbit(a) == std::signbit(b);
    const V larger = std::fmax(std::abs(a), std::abs(b));
    return std::isfinite(larger) && std::abs(a - b) <= static_cast<V>(tolerance) * larger;
  } else if constexpr (requires {
                         a.has_value();
                         *a;
                       }) {
    return a.has_value() == b.has_value() && (!a.has_value() || same_within(*a, *b, tolerance));
  } else if constexpr (requires {
                         a[a.size()];
                         requires !std::convertible_to<V, std::string_view>;
                       }) {
    bool same = a.size() == b.size();
    for (decltype(a.size()) i = 0; same && i < a.size(); ++i) {
      same = same_within<typename V::value_type>(a[i], b[i], tolerance);
    }
    return same;
  } else {
    static_assert(std::equality_comparable<V>,
                  "freshet: check_aggregate compares results; give the result type an operator==");
    return a == b;
  }
}

/// `value` for a message, as far as it can be written.
template <class V>
std::string text_of(const V& value) {
  if constexpr (std::is_arithmetic_v<V>) {
    return fmt::format("{}", value);
  } else if constexpr (std::convertible_to<const V&, std::string_view>) {
    return "'" + std::string(std::string_view(value)) + "'";
  } else if constexpr (requires {
                         value.has_value();
                         *value;
                       }) {
    return value.has_value() ? text_of(*value) : "nothing";
  } else if constexpr (requires { value[value.size()]; }) {
    std::string text = "[";
    for (decltype(value.size()) i = 0; i < value.size(); ++i) {
      if (i > 0) text += ", ";
      text += text_of<typename V::value_type>(value[i]);
    }
    return text + "]";
  } else {
    return "a value";
  }
}

}  // namespace detail

}  // namespace freshet
