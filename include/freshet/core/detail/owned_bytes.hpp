// What a value owns besides itself: the memory of its strings and containers, for metrics.
// Internal.
//
// An estimate that costs little: the first element of a container stands for all of them, and what
// lies between elements (nodes, spare capacity) is left out. Seen are strings, containers,
// optionals, tuples, and the fields of described structs; what a type hides counts as nothing. The
// same for equal values, so that tests can say what it is. Cost: O(fields).
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet::detail {

/// Tuples, pairs, and arrays, whose elements are part of them.
template <class T>
concept tuple_like = requires { std::tuple_size<T>::value; };

template <class T>
concept sized_container = std::ranges::sized_range<const T> && requires { typename T::value_type; };

template <class T>
inline constexpr bool may_be_empty = false;
template <class T>
inline constexpr bool may_be_empty<std::optional<T>> = true;

/// For types of this library that are not described: `static bytes(const T&)`.
template <class T>
struct owned_rule {};

/// A string no longer than this needs no memory of its own.
inline const std::size_t short_string_bytes = std::string().capacity();

template <class T>
std::uint64_t owned_bytes(const T& value);

template <class T>
std::uint64_t owned_by_elements(const T& all) {
  using element = typename T::value_type;
  const auto count = static_cast<std::uint64_t>(std::ranges::size(all));
  if (count == 0) return 0;
  if constexpr (std::is_trivially_copyable_v<element>) {
    return count * sizeof(element);
  } else {
    const element& first = *std::ranges::begin(all);
    return count * (sizeof(element) + owned_bytes(first));
  }
}

/// Bytes that `value` owns; `sizeof(T)` is not among them.
template <class T>
std::uint64_t owned_bytes(const T& value) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    return 0;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.size() > short_string_bytes ? value.size() + 1 : 0;
  } else if constexpr (requires { owned_rule<T>::bytes(value); }) {
    return owned_rule<T>::bytes(value);
  } else if constexpr (may_be_empty<T>) {
    return value ? owned_bytes(*value) : 0;
  } else if constexpr (described<T>) {
    std::uint64_t all = 0;
    for_each_field(value, [&all](std::string_view, const auto& part) { all += owned_bytes(part); });
    return all;
  } else if constexpr (sized_container<T>) {
    const std::uint64_t all = owned_by_elements(value);
    return tuple_like<T> ? all - std::ranges::size(value) * sizeof(typename T::value_type) : all;
  } else if constexpr (tuple_like<T>) {
    return std::apply(
        [](const auto&... part) { return (std::uint64_t{0} + ... + owned_bytes(part)); }, value);
  } else {
    return 0;
  }
}

/// Bytes of a batch's values, each taken to be like the first.
template <class T>
std::uint64_t bytes_of(const batch<T>& rows) {
  if (rows.empty()) return 0;
  if constexpr (std::is_trivially_copyable_v<T>) {
    return rows.size() * sizeof(T);
  } else {
    return rows.size() * (sizeof(T) + owned_bytes(rows.values.front()));
  }
}

/// How much the values of some kind own on average, going by samples. Older samples fade.
class owned_mean {
 public:
  template <class T>
  void look_at(const T& value) {
    note(owned_bytes(value));
  }
  void note(std::uint64_t bytes) {
    sum_ += bytes;
    if (++count_ < samples_max) return;
    sum_ /= 2;
    count_ /= 2;
  }
  std::uint64_t of(std::uint64_t values) const { return count_ == 0 ? 0 : values * sum_ / count_; }

 private:
  static constexpr std::uint64_t samples_max = 256;
  std::uint64_t sum_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace freshet::detail
