// The codecs of numbers, enumerations, chrono, strings, and of values with a fixed set of parts.
//
// Part of `codec.hpp`, which says what bytes they write; include that one. Stateless functions,
// safe from any thread, without memory of their own. Record time and order play no part.
#pragma once

#include <freshet/core/codec.hpp>

#include <array>
#include <bit>
#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace freshet {

namespace detail {

template <class T>
constexpr std::string_view number_name() {
  if constexpr (std::same_as<T, char>) return "char";
  if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? "f32" : "f64";
  constexpr std::array<std::string_view, 4> with_sign{"i8", "i16", "i32", "i64"};
  constexpr std::array<std::string_view, 4> without_sign{"u8", "u16", "u32", "u64"};
  constexpr auto place = static_cast<std::size_t>(std::countr_zero(sizeof(T)));
  return std::is_signed_v<T> ? with_sign[place] : without_sign[place];
}

template <class Period>
std::string period_name() {
  if constexpr (std::same_as<Period, std::nano>) return "ns";
  if constexpr (std::same_as<Period, std::micro>) return "us";
  if constexpr (std::same_as<Period, std::milli>) return "ms";
  if constexpr (std::same_as<Period, std::ratio<1>>) return "s";
  if constexpr (std::same_as<Period, std::ratio<60>>) return "min";
  if constexpr (std::same_as<Period, std::ratio<3600>>) return "h";
  if constexpr (std::same_as<Period, std::ratio<86400>>) return "d";
  return std::to_string(Period::num) + "/" + std::to_string(Period::den) + "s";
}

// "duration_us"; with its type when that is not the usual one: "duration_s<f64>".
template <class Rep, class Period>
void append_time_format(format_context& context, std::string_view kind) {
  context.text.append(kind).append(period_name<Period>());
  if constexpr (!(std::signed_integral<Rep> && sizeof(Rep) == 8)) {
    append_format_of_parts<Rep>(context, "");
  }
}

}  // namespace detail

template <>
struct codec<bool> {
  static void encode(byte_writer& writer, bool value) { writer.write_byte(value ? 1 : 0); }
  static bool decode(byte_reader& reader, bool& value) {
    std::uint8_t byte = 0;
    if (!reader.read_byte(byte)) return false;
    if (byte > 1) return reader.fail("flag " + std::to_string(byte) + " found, 0 or 1 wanted");
    value = byte == 1;
    return true;
  }
  static void format(detail::format_context& context) { context.text += "bool"; }
};

template <detail::fixed_width T>
struct codec<T> {
  static void encode(byte_writer& writer, T value) { writer.write_fixed(value); }
  static bool decode(byte_reader& reader, T& value) { return reader.read_fixed(value); }
  static void format(detail::format_context& context) { context.text += detail::number_name<T>(); }
};

template <class T>
  requires std::is_enum_v<T> && (!detail::open_enumeration<T>)
struct codec<T> {
  using number = std::underlying_type_t<T>;
  using parts = detail::type_list<number>;
  static void encode(byte_writer& writer, T value) {
    freshet::encode(writer, static_cast<number>(value));
  }
  static bool decode(byte_reader& reader, T& value) {
    number read{};
    if (!freshet::decode(reader, read)) return false;
    value = static_cast<T>(read);
    return true;
  }
  static void format(detail::format_context& context) { detail::append_format<number>(context); }
};

template <class Rep, class Period>
struct codec<std::chrono::duration<Rep, Period>> {
  using duration_type = std::chrono::duration<Rep, Period>;
  using parts = detail::type_list<Rep>;
  static void encode(byte_writer& writer, duration_type value) {
    freshet::encode(writer, value.count());
  }
  static bool decode(byte_reader& reader, duration_type& value) {
    Rep count{};
    if (!freshet::decode(reader, count)) return false;
    value = duration_type(count);
    return true;
  }
  static void format(detail::format_context& context) {
    detail::append_time_format<Rep, Period>(context, "duration_");
  }
};

// Of all clocks only the system's has an epoch that is the same after a restart.
template <class Rep, class Period>
struct codec<
    std::chrono::time_point<std::chrono::system_clock, std::chrono::duration<Rep, Period>>> {
  using duration_type = std::chrono::duration<Rep, Period>;
  using time_type = std::chrono::time_point<std::chrono::system_clock, duration_type>;
  using parts = detail::type_list<duration_type>;
  static void encode(byte_writer& writer, time_type value) {
    freshet::encode(writer, value.time_since_epoch());
  }
  static bool decode(byte_reader& reader, time_type& value) {
    duration_type since_epoch{};
    if (!freshet::decode(reader, since_epoch)) return false;
    value = time_type(since_epoch);
    return true;
  }
  static void format(detail::format_context& context) {
    detail::append_time_format<Rep, Period>(context, "time_");
  }
};

template <>
struct codec<std::string> {
  static void encode(byte_writer& writer, const std::string& value) {
    writer.write_count(value.size());
    writer.write_bytes(value);
  }
  static bool decode(byte_reader& reader, std::string& value) {
    std::size_t size = 0;
    std::string_view bytes;
    if (!reader.read_size(size) || !reader.read_bytes(size, bytes)) return false;
    value.assign(bytes.data(), bytes.size());
    return true;
  }
  static void format(detail::format_context& context) { context.text += "string"; }
};

template <>
struct codec<std::monostate> {
  static void encode(byte_writer& writer, std::monostate) { writer.write_byte(0); }
  static bool decode(byte_reader& reader, std::monostate&) {
    std::uint8_t byte = 0;
    if (!reader.read_byte(byte)) return false;
    if (byte != 0) return reader.fail("byte " + std::to_string(byte) + " found, 0 wanted");
    return true;
  }
  static void format(detail::format_context& context) { context.text += "empty"; }
};

template <class T>
struct codec<std::optional<T>> {
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const std::optional<T>& value) {
    freshet::encode(writer, value.has_value());
    if (value) freshet::encode(writer, *value);
  }
  static bool decode(byte_reader& reader, std::optional<T>& value) {
    bool has_value = false;
    value.reset();
    if (!freshet::decode(reader, has_value)) return false;
    return !has_value || freshet::decode(reader, value.emplace());
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<T>(context, "optional");
  }
};

template <class First, class Second>
struct codec<std::pair<First, Second>> {
  using parts = detail::type_list<First, Second>;
  static void encode(byte_writer& writer, const std::pair<First, Second>& value) {
    freshet::encode(writer, value.first);
    freshet::encode(writer, value.second);
  }
  static bool decode(byte_reader& reader, std::pair<First, Second>& value) {
    return freshet::decode(reader, value.first) && freshet::decode(reader, value.second);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<First, Second>(context, "tuple");
  }
};

template <class... Elements>
struct codec<std::tuple<Elements...>> {
  using parts = detail::type_list<Elements...>;
  static void encode(byte_writer& writer, const std::tuple<Elements...>& value) {
    if constexpr (sizeof...(Elements) == 0) freshet::encode(writer, std::monostate{});
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (freshet::encode(writer, std::get<I>(value)), ...);
    }(std::index_sequence_for<Elements...>{});
  }
  static bool decode(byte_reader& reader, std::tuple<Elements...>& value) {
    if constexpr (sizeof...(Elements) == 0) {
      std::monostate nothing;
      return freshet::decode(reader, nothing);
    } else {
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return (freshet::decode(reader, std::get<I>(value)) && ...);
      }(std::index_sequence_for<Elements...>{});
    }
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<Elements...>(context, "tuple");
  }
};

template <class... Alternatives>
struct codec<std::variant<Alternatives...>> {
  using value_type = std::variant<Alternatives...>;
  using parts = detail::type_list<Alternatives...>;
  /// \pre the variant holds a value; without assertions its bytes are refused when read back.
  static void encode(byte_writer& writer, const value_type& value) {
    assert(!value.valueless_by_exception());
    writer.write_count(value.index());
    if (value.valueless_by_exception()) return;
    std::visit([&](const auto& held) { freshet::encode(writer, held); }, value);
  }
  static bool decode(byte_reader& reader, value_type& value) {
    std::uint64_t index = 0;
    if (!reader.read_count(index)) return false;
    if (index >= sizeof...(Alternatives)) {
      return reader.fail("alternative " + std::to_string(index) + " found, one below " +
                         std::to_string(sizeof...(Alternatives)) + " wanted");
    }
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      bool decoded = false;
      const auto decode_if = [&]<std::size_t Index>() {
        if (index == Index) decoded = freshet::decode(reader, value.template emplace<Index>());
      };
      (decode_if.template operator()<I>(), ...);
      return decoded;
    }(std::index_sequence_for<Alternatives...>{});
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<Alternatives...>(context, "variant");
  }
};

}  // namespace freshet
