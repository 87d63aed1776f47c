// The codecs of containers: vectors, deques, arrays, and sets and maps of any kind.
//
// Part of `codec.hpp`, which says what bytes they write; include that one. Stateless functions,
// safe from any thread. Writing an unordered container takes a second copy of its bytes for
// sorting; reading reserves no more memory than bytes are left. Record time and order play no part.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/standard_codecs.hpp>
#include <freshet/core/fields.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

namespace detail {

// Numbers whose bytes in memory are those of the format can be copied as one block.
template <class T>
concept copied_as_block = fixed_width<T> && std::endian::native == std::endian::little;

template <copied_as_block T>
std::string_view as_block(const T* first, std::size_t count) noexcept {
  return {reinterpret_cast<const char*>(first), count * sizeof(T)};
}

// Elements in order with their count in front: what `vector` and `deque` share.
template <class Sequence>
struct sequence_codec {
  using element = typename Sequence::value_type;
  using parts = type_list<element>;
  // Only vectors of other types than bool hold their elements in one block.
  static constexpr bool is_block =
      copied_as_block<element> && requires(Sequence& sequence) { sequence.data(); };

  static void encode(byte_writer& writer, const Sequence& value) {
    writer.write_count(value.size());
    if constexpr (is_block) {
      writer.write_bytes(as_block(value.data(), value.size()));
    } else {
      const nested level = writer.nest();
      for (const auto& each : value) {
        [[maybe_unused]] const std::size_t before = writer.size();
        freshet::encode(writer, static_cast<const element&>(each));
        assert(writer.size() > before && "a codec must write at least one byte");
      }
    }
  }
  static bool decode(byte_reader& reader, Sequence& value) {
    std::size_t size = 0;
    value.clear();
    if constexpr (is_block) {
      std::string_view bytes;
      if (!reader.read_size(size, sizeof(element))) return false;
      if (!reader.read_bytes(size * sizeof(element), bytes)) return false;
      value.resize(size);
      if (size > 0) std::memcpy(value.data(), bytes.data(), bytes.size());
      return true;
    } else {
      std::optional<nested> level;
      if (!reader.read_size(size) || !reader.nest(level)) return false;
      if constexpr (requires { value.reserve(size); }) {
        value.reserve(reader.plausible_capacity(size, sizeof(element)));
      }
      for (std::size_t index = 0; index < size; ++index) {
        if constexpr (std::same_as<element, bool>) {
          bool each = false;
          if (!freshet::decode(reader, each)) return false;
          value.push_back(each);
        } else {
          if (!freshet::decode(reader, value.emplace_back())) return false;
        }
      }
      return true;
    }
  }
  static void format(format_context& context) {
    append_format_of_parts<element>(context, "vector");
  }
};

}  // namespace detail

template <class T, class Allocator>
struct codec<std::vector<T, Allocator>> : detail::sequence_codec<std::vector<T, Allocator>> {};

template <class T, class Allocator>
struct codec<std::deque<T, Allocator>> : detail::sequence_codec<std::deque<T, Allocator>> {};

template <class T, std::size_t Size>
struct codec<std::array<T, Size>> {
  using parts = detail::type_list<T>;
  static void encode(byte_writer& writer, const std::array<T, Size>& value) {
    if constexpr (Size == 0) {
      freshet::encode(writer, std::monostate{});
    } else if constexpr (detail::copied_as_block<T>) {
      writer.write_bytes(detail::as_block(value.data(), Size));
    } else {
      for (const T& each : value) freshet::encode(writer, each);
    }
  }
  static bool decode(byte_reader& reader, std::array<T, Size>& value) {
    if constexpr (Size == 0) {
      std::monostate nothing;
      return freshet::decode(reader, nothing);
    } else {
      return std::all_of(value.begin(), value.end(),
                         [&](T& each) { return freshet::decode(reader, each); });
    }
  }
  static void format(detail::format_context& context) {
    context.text += "array<";
    detail::append_format<T>(context);
    context.text += "," + std::to_string(Size) + ">";
  }
};

namespace detail {

template <class T>
concept unique_container = !described<T> && requires(T& container, typename T::key_type key) {
  typename T::value_type;
  { container.size() } -> std::convertible_to<std::size_t>;
  container.begin() != container.end();
  container.clear();
};

// A set without duplicates. Recognised by shape, so that Abseil's and Boost's need no inclusion.
template <class T>
concept set_like =
    unique_container<T> && std::same_as<typename T::key_type, typename T::value_type> &&
    requires(T& container, typename T::key_type key) {
      { container.emplace(std::move(key)).second } -> std::convertible_to<bool>;
    };

template <class T>
concept map_like = unique_container<T> && requires(T& container, typename T::key_type key,
                                                   typename T::mapped_type mapped) {
  { container.emplace(std::move(key), std::move(mapped)).second } -> std::convertible_to<bool>;
};

template <class T>
concept ordered_container = requires { typename T::key_compare; };

template <class Container, class EncodeEntry>
void encode_entries(byte_writer& writer, const Container& container, EncodeEntry&& encode_entry) {
  writer.write_count(container.size());
  const nested level = writer.nest();
  if constexpr (ordered_container<Container>) {
    for (const auto& entry : container) encode_entry(writer, entry);
  } else {
    // The container's own order may differ from run to run; that of the bytes does not.
    std::string bytes;
    byte_writer bytes_writer = writer.beside(bytes);
    std::vector<std::size_t> ends;
    ends.reserve(container.size());
    for (const auto& entry : container) {
      encode_entry(bytes_writer, entry);
      ends.push_back(bytes.size());
    }
    std::vector<std::string_view> entries;
    entries.reserve(ends.size());
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      entries.push_back(std::string_view(bytes).substr(begin, end - begin));
      begin = end;
    }
    std::sort(entries.begin(), entries.end());
    for (const std::string_view entry : entries) writer.write_bytes(entry);
  }
}

template <class Container, class DecodeEntry>
bool decode_entries(byte_reader& reader, Container& container, DecodeEntry&& decode_and_emplace) {
  std::size_t size = 0;
  std::optional<nested> level;
  container.clear();
  if (!reader.read_size(size) || !reader.nest(level)) return false;
  if constexpr (requires { container.reserve(size); }) {
    container.reserve(reader.plausible_capacity(size, sizeof(typename Container::value_type)));
  }
  for (std::size_t index = 0; index < size; ++index) {
    if (!decode_and_emplace()) return false;
  }
  return true;
}

}  // namespace detail

template <detail::set_like Container>
struct codec<Container> {
  using key = typename Container::key_type;
  using parts = detail::type_list<key>;
  static void encode(byte_writer& writer, const Container& value) {
    detail::encode_entries(writer, value,
                           [](byte_writer& to, const key& each) { freshet::encode(to, each); });
  }
  static bool decode(byte_reader& reader, Container& value) {
    return detail::decode_entries(reader, value, [&] {
      key each{};
      if (!freshet::decode(reader, each)) return false;
      return value.emplace(std::move(each)).second || reader.fail("an element found twice");
    });
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<key>(context, "set");
  }
};

template <detail::map_like Container>
struct codec<Container> {
  using key = typename Container::key_type;
  using mapped = typename Container::mapped_type;
  using parts = detail::type_list<key, mapped>;
  static void encode(byte_writer& writer, const Container& value) {
    detail::encode_entries(writer, value, [](byte_writer& to, const auto& entry) {
      freshet::encode(to, entry.first);
      freshet::encode(to, entry.second);
    });
  }
  static bool decode(byte_reader& reader, Container& value) {
    return detail::decode_entries(reader, value, [&] {
      key each{};
      mapped with{};
      if (!freshet::decode(reader, each) || !freshet::decode(reader, with)) return false;
      return value.emplace(std::move(each), std::move(with)).second ||
             reader.fail("a key found twice");
    });
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<key, mapped>(context, "map");
  }
};

}  // namespace freshet
