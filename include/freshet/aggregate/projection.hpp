// Projections: what an aggregate reads from a row.
//
// A projection is a member pointer (`&payment::amount`) or a function of one row. A value that is
// an empty `std::optional` is absent: the row is skipped. Projections are copied with their
// aggregate, called on a const object, by one thread at a time, in no particular order. No memory
// of their own.
#pragma once

#include <freshet/core/detail/optional.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace freshet {

namespace detail {

// Stands for the value of a projection that cannot be called, so that one sentence is enough.
struct unreadable {};

// What a state keeps of a value: views are turned into strings of their own.
template <class V>
struct owned {
  using type = V;
};
template <>
struct owned<std::string_view> {
  using type = std::string;
};

template <class P, class T>
struct projected {
  using type = unreadable;
};
template <class P, class T>
  requires std::is_invocable_v<const P&, const T&> &&
           (!std::is_void_v<std::invoke_result_t<const P&, const T&>>)
struct projected<P, T> {
  using type = std::remove_cvref_t<std::invoke_result_t<const P&, const T&>>;
};

}  // namespace detail

/// A projection of rows of type `T`: a member pointer, or a function object callable as const.
template <class P, class T>
concept projection_of = !std::is_same_v<typename detail::projected<P, T>::type, detail::unreadable>;

/// Whether `P` may find a row of type `T` without a value: it returns an optional.
template <class P, class T>
inline constexpr bool projects_optional =
    detail::is_optional<typename detail::projected<P, T>::type>;

/// The type of the values that `P` reads from rows of type `T`: without the optional around it, and
/// `std::string` for a view.
template <class P, class T>
using projected_value = typename detail::owned<
    typename detail::without_optional<typename detail::projected<P, T>::type>::type>::type;

/// A number that can be summed: an integer of up to 64 bits, `bool` (0 or 1), `float`, `double`.
/// Characters are none.
template <class V>
concept summable = std::is_same_v<V, float> || std::is_same_v<V, double> ||
                   (std::is_integral_v<V> && sizeof(V) <= 8 && !std::is_same_v<V, char> &&
                    !std::is_same_v<V, wchar_t> && !std::is_same_v<V, char8_t> &&
                    !std::is_same_v<V, char16_t> && !std::is_same_v<V, char32_t>);

namespace detail {

/// Calls `use(value)` with what `projection` reads from `row`, unless that is absent.
template <class P, class T, class F>
constexpr void with_value(const P& projection, const T& row, F&& use) {
  auto&& value = std::invoke(projection, row);
  if constexpr (projects_optional<P, T>) {
    if (value) use(*value);
  } else {
    use(value);
  }
}

// The result type of aggregates that have nothing to say about no values.
template <class R, bool MayBeEmpty>
using maybe = std::conditional_t<MayBeEmpty, std::optional<R>, R>;

}  // namespace detail

}  // namespace freshet
