// Telling optionals apart from what they hold. Internal; compile time only.
#pragma once

#include <optional>

namespace freshet::detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// `T`, or what it holds when it is an optional.
template <class T>
struct without_optional {
  using type = T;
};
template <class T>
struct without_optional<std::optional<T>> {
  using type = T;
};

}  // namespace freshet::detail
