// What a JSON value must look like to fill a C++ value, as a table: the typed half of
// `jsonl::read`.
//
// A `shape` tells the compiled decoder how to fill one type, without naming it: the members of a
// described struct, the elements of a vector, the text of a scalar. Each type costs one table and a
// few one-line functions. Constants; safe from any thread. Include <freshet/connectors/jsonl.hpp>
// instead of this file.
#pragma once

#include <freshet/connectors/detail/csv_reader.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::jsonl::detail {

using csv::timestamp_format;

enum class scalar_kind : std::uint8_t { number, string, boolean };

/// A scalar as it stands in the text; a string without its quotes, its escapes resolved.
struct scalar {
  scalar_kind kind;
  std::string_view text;
};

struct member;

/// How to fill a value, at an address. Which functions are set tells what it is.
struct shape {
  bool (*fill)(const scalar& from, timestamp_format format, void* out) = nullptr;  ///< Scalars.
  std::string (*wanted)(timestamp_format format) = nullptr;

  std::span<const member> members = {};  ///< Objects.
  bool is_object = false;

  void (*clear)(void* array) = nullptr;  ///< Arrays.
  void* (*append)(void* array) = nullptr;
  const shape* element = nullptr;

  void* (*engage)(void* optional) = nullptr;  ///< Optional ones, in addition.
  void (*reset)(void* optional) = nullptr;
};

struct member {
  std::string_view name;
  const shape* of;
  void* (*at)(void* object);
};

template <class X>
inline constexpr bool is_vector = false;
template <class X>
inline constexpr bool is_vector<std::vector<X>> = !std::same_as<X, bool>;

using csv::detail::is_optional;

template <class X>
inline constexpr bool is_scalar =
    !is_optional<X> && !std::same_as<X, csv::raw_record> && csv::detail::readable<X>();

template <class T>
consteval bool readable_members();

template <class X>
consteval bool readable() {
  if constexpr (is_optional<X>) {
    return !is_optional<typename X::value_type> && readable<typename X::value_type>();
  } else if constexpr (is_vector<X>) {
    return readable<typename X::value_type>();
  } else if constexpr (is_scalar<X>) {
    return true;
  } else if constexpr (described<X>) {
    return readable_members<X>();
  } else {
    return false;
  }
}

template <class T>
consteval bool readable_members() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return ((std::same_as<field_t<T, I>, csv::raw_record> || readable<field_t<T, I>>()) && ...);
  }(std::make_index_sequence<field_count<T>>{});
}

/// The text of a number that JSON has no word for, in quotes: `nan`, `inf`, `-inf`.
bool parse_special(std::string_view text, double& out);

template <class X>
bool fill_scalar(const scalar& from, timestamp_format format, void* out) {
  X& value = *static_cast<X*>(out);
  if constexpr (std::same_as<X, std::string> || std::same_as<X, char>) {
    if (from.kind != scalar_kind::string) return false;
  } else if constexpr (std::same_as<X, bool>) {
    if (from.kind != scalar_kind::boolean) return false;
  } else if constexpr (std::floating_point<X>) {
    if (from.kind == scalar_kind::string) {
      double special = 0;
      if (!parse_special(from.text, special)) return false;
      value = static_cast<X>(special);
      return true;
    }
    if (from.kind != scalar_kind::number) return false;
  } else if constexpr (csv::detail::plain_integer<X>) {
    if (from.kind != scalar_kind::number) return false;
  } else {  // Times, by their format, and durations: `"90s"` or 90.
    if (from.kind == scalar_kind::boolean) return false;
  }
  return csv::detail::fill(csv::detail::field_text{from.text, true}, format, value);
}

template <class X>
std::string wanted_scalar(timestamp_format format) {
  if constexpr (std::same_as<X, std::string>) {
    return "a string";
  } else if constexpr (std::same_as<X, bool>) {
    return "true or false";
  } else if constexpr (std::same_as<X, char>) {
    return "a string of one byte";
  } else {
    return csv::detail::wanted<X>(format);
  }
}

template <class X>
consteval shape make_shape();

template <class X>
inline constexpr shape shape_of = make_shape<X>();

template <class T, std::size_t I>
constexpr member make_member() {
  return {field_name<T, I>, &shape_of<field_t<T, I>>,
          [](void* object) -> void* { return &freshet::field<I>(*static_cast<T*>(object)); }};
}

/// Without the members that take the record's own text.
template <class T>
constexpr auto make_members() {
  constexpr auto wanted = []<std::size_t... I>(std::index_sequence<I...>) {
    return (std::size_t{0} + ... + (std::same_as<field_t<T, I>, csv::raw_record> ? 0 : 1));
  }(std::make_index_sequence<field_count<T>>{});
  std::array<member, wanted> all{};
  std::size_t next = 0;
  csv::detail::for_each_column_member<T>(
      [&]<std::size_t I>() { all[next++] = make_member<T, I>(); });
  return all;
}

template <class T>
inline constexpr auto members_of = make_members<T>();

template <class X>
consteval shape make_shape() {
  shape made;
  if constexpr (is_optional<X>) {
    using inner = typename X::value_type;
    made = shape_of<inner>;
    made.engage = [](void* optional) -> void* { return &static_cast<X*>(optional)->emplace(); };
    made.reset = [](void* optional) { static_cast<X*>(optional)->reset(); };
  } else if constexpr (is_vector<X>) {
    made.clear = [](void* array) { static_cast<X*>(array)->clear(); };
    made.append = [](void* array) -> void* { return &static_cast<X*>(array)->emplace_back(); };
    made.element = &shape_of<typename X::value_type>;
  } else if constexpr (is_scalar<X>) {
    made.fill = &fill_scalar<X>;
    made.wanted = &wanted_scalar<X>;
  } else {
    made.members = members_of<X>;
    made.is_object = true;
  }
  return made;
}

}  // namespace freshet::jsonl::detail
