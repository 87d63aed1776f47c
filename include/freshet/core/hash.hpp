// A stable 64-bit hash of keys: the same on every platform, in every run, for good.
//
// It decides which key group, worker, and checkpoint row a key belongs to, and which records a
// sampler keeps, so it may never change: tests hold golden values. (`std::hash` and `absl::Hash`
// may differ between two runs and are never used for what outlives one.) All 64 bits are good, the
// high ones too. Pure functions: no state, no allocation, safe from any thread; record time and
// order play no part. Not for keys chosen by an attacker: there is no secret seed.
//
// How a value is hashed, for whoever has to reproduce it elsewhere:
//   integer, character, bool, enumeration   mix_bits(value widened to 64 bits); `char` as unsigned
//   chrono duration or time point           its count, in its own unit
//   float, double                           mix_bits(bits of the double); -0.0 as 0.0, one NaN
//   string, string_view                     XXH3_64bits of the bytes, without seed
//   a sequence of n elements e1 .. en       h = mix_bits(n), then h = combine_hashes(h, hash(e))
// Sequences are pair, tuple, array, vector, and described structs (their fields); an optional is a
// sequence of 0 or 1 elements, std::monostate of 0, a variant the sequence (index, value).
// So widening a key from int32 to int64 or from float to double keeps its hash and its key group;
// adding a field to a key, or wrapping it, does not.
#pragma once

#include <freshet/core/fields.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

/// The full tier of extension: how to hash a type that cannot be described. Specialise it with
/// `std::uint64_t operator()(const T&) const`, which must depend on the value alone (no addresses,
/// no `std::hash`) and be equal for equal values. It need not be well mixed; `stable_hash` does
/// that.
/// \note   The easy tier is BOOST_DESCRIBE_STRUCT, which needs no code.
template <class T>
struct hasher;

/// A bijection of 64-bit numbers under which every input bit flips every output bit about half of
/// the time. Distinct integers therefore never collide.
/// \source Steele, Lea, and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014:
///         the SplitMix64 generator's next output when its state is `bits`.
constexpr std::uint64_t mix_bits(std::uint64_t bits) noexcept {
  bits += 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

/// The hash of a sequence that hashed to `before` and is now longer by an element hashed `element`.
/// Order matters. A bijection in each argument while the other is fixed.
constexpr std::uint64_t combine_hashes(std::uint64_t before, std::uint64_t element) noexcept {
  // The odd factor keeps two equal hashes from cancelling and makes the two arguments differ.
  return mix_bits(before * 0xff51afd7ed558ccdU + element);
}

namespace detail {

/// XXH3_64bits of `size` bytes, seed 0. Compiled once, so that no public header includes xxHash.
std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept;

template <class T>
concept hashable_number = (std::integral<T> && !std::same_as<T, wchar_t> && sizeof(T) <= 8) ||
                          std::same_as<T, float> || std::same_as<T, double>;

template <class T>
concept has_hasher = requires(const T& value) {
  { hasher<T>{}(value) } -> std::same_as<std::uint64_t>;
};

template <class T>
struct hash_rule;  // Defined below, for every type that can be hashed without a `hasher`.

template <class T>
consteval bool can_hash() {
  if constexpr (has_hasher<T>) {
    return true;
  } else if constexpr (requires { hash_rule<T>::supported; }) {
    return hash_rule<T>::supported;
  } else {
    return false;
  }
}

}  // namespace detail

/// What `stable_hash` accepts, and with it what may be a key.
template <class T>
concept stable_hashable = detail::can_hash<std::remove_cv_t<T>>();

/// The stable hash of `key`; see the top of this file for its definition.
/// \cost   Numbers: two multiplications. Strings: a call, XXH3 reads up to 16 bytes at once.
template <class Key>
constexpr std::uint64_t stable_hash(const Key& key) {
  static_assert(stable_hashable<Key>,
                "freshet: this type has no stable hash and cannot be a key; describe it with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::hasher");
  if constexpr (!stable_hashable<Key>) {
    return 0;
  } else if constexpr (detail::has_hasher<Key>) {
    return mix_bits(hasher<Key>{}(key));
  } else {
    return detail::hash_rule<Key>::hash(key);
  }
}

/// The key group of a hash: the high half of the 128-bit product `hash * groups`, which splits the
/// hashes into `groups` equal and contiguous ranges. The low half, `hash * groups` in 64 bits, is
/// uniform within the group: a table may take its slot from that one's high bits. Which keys share
/// an instance of an operator is decided by `key_group_of` of key_group.hpp: this with 128 groups.
/// \pre    groups > 0.
/// \return a group in [0, groups), growing with `hash`.
constexpr std::uint32_t key_group(std::uint64_t hash, std::uint32_t groups) noexcept {
  // Schoolbook multiplication by halves: 128-bit integers are no standard C++, and compilers turn
  // this into the same few instructions.
  const std::uint64_t low = (hash & 0xffffffffU) * groups;
  const std::uint64_t high = (hash >> 32) * groups + (low >> 32);
  return static_cast<std::uint32_t>(high >> 32);
}

// --- How each kind of type is hashed; nothing below is for users
// ----------------------------------

namespace detail {

template <class... Elements>
constexpr std::uint64_t hash_sequence(const Elements&... elements) {
  std::uint64_t hash = mix_bits(sizeof...(Elements));
  ((hash = combine_hashes(hash, stable_hash(elements))), ...);
  return hash;
}

template <hashable_number T>
struct hash_rule<T> {
  static constexpr bool supported = true;
  static constexpr std::uint64_t hash(T value) noexcept {
    if constexpr (std::floating_point<T>) {
      constexpr std::uint64_t not_a_number = 0x7ff8000000000000U;
      // Comparing with zero first gives both zeros the bits of 0.0.
      if (value == T{0}) return mix_bits(0);
      if (value != value) return mix_bits(not_a_number);
      return mix_bits(std::bit_cast<std::uint64_t>(static_cast<double>(value)));
    } else if constexpr (std::same_as<T, char>) {
      return mix_bits(
          static_cast<unsigned char>(value));  // `char` is signed on some platforms only.
    } else {
      return mix_bits(static_cast<std::uint64_t>(value));
    }
  }
};

template <class T>
  requires std::is_enum_v<T>
struct hash_rule<T> {
  static constexpr bool supported = true;
  static constexpr std::uint64_t hash(T value) noexcept {
    return stable_hash(static_cast<std::underlying_type_t<T>>(value));
  }
};

template <class T>
  requires std::same_as<T, std::string> || std::same_as<T, std::string_view>
struct hash_rule<T> {
  static constexpr bool supported = true;
  static std::uint64_t hash(std::string_view text) noexcept {
    return hash_bytes(text.data(), text.size());
  }
};

template <class Rep, class Period>
struct hash_rule<std::chrono::duration<Rep, Period>> {
  static constexpr bool supported = stable_hashable<Rep>;
  static constexpr std::uint64_t hash(std::chrono::duration<Rep, Period> value) {
    return stable_hash(value.count());
  }
};

template <class Clock, class Duration>
struct hash_rule<std::chrono::time_point<Clock, Duration>> {
  static constexpr bool supported = stable_hashable<Duration>;
  static constexpr std::uint64_t hash(std::chrono::time_point<Clock, Duration> value) {
    return stable_hash(value.time_since_epoch());
  }
};

template <class First, class Second>
struct hash_rule<std::pair<First, Second>> {
  static constexpr bool supported = stable_hashable<First> && stable_hashable<Second>;
  static constexpr std::uint64_t hash(const std::pair<First, Second>& value) {
    return hash_sequence(value.first, value.second);
  }
};

template <class... Elements>
struct hash_rule<std::tuple<Elements...>> {
  static constexpr bool supported = (stable_hashable<Elements> && ...);
  static constexpr std::uint64_t hash(const std::tuple<Elements...>& value) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return hash_sequence(std::get<I>(value)...);
    }(std::index_sequence_for<Elements...>{});
  }
};

template <class T>
struct hash_rule<std::optional<T>> {
  static constexpr bool supported = stable_hashable<T>;
  static constexpr std::uint64_t hash(const std::optional<T>& value) {
    return value ? hash_sequence(*value) : hash_sequence();
  }
};

template <class Range, class Element>
struct hash_rule_of_range {
  static constexpr bool supported = stable_hashable<Element>;
  static constexpr std::uint64_t hash(const Range& range) {
    std::uint64_t hash = mix_bits(range.size());
    for (const auto& element : range) {
      hash = combine_hashes(hash, stable_hash(static_cast<const Element&>(element)));
    }
    return hash;
  }
};

template <class T, class Allocator>
struct hash_rule<std::vector<T, Allocator>> : hash_rule_of_range<std::vector<T, Allocator>, T> {};

template <class T, std::size_t Size>
struct hash_rule<std::array<T, Size>> : hash_rule_of_range<std::array<T, Size>, T> {};

template <>
struct hash_rule<std::monostate> {
  static constexpr bool supported = true;
  static constexpr std::uint64_t hash(std::monostate) noexcept { return hash_sequence(); }
};

template <class... Alternatives>
struct hash_rule<std::variant<Alternatives...>> {
  static constexpr bool supported = (stable_hashable<Alternatives> && ...);
  static constexpr std::uint64_t hash(const std::variant<Alternatives...>& value) {
    if (value.valueless_by_exception()) return hash_sequence();
    return std::visit(
        [&](const auto& held) {
          return hash_sequence(static_cast<std::uint64_t>(value.index()), held);
        },
        value);
  }
};

template <described T>
struct hash_rule<T> {
  static constexpr bool supported = []<std::size_t... I>(std::index_sequence<I...>) {
    return (stable_hashable<field_t<T, I>> && ...);
  }(std::make_index_sequence<field_count<T>>{});
  static constexpr std::uint64_t hash(const T& value) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return hash_sequence(field<I>(value)...);
    }(std::make_index_sequence<field_count<T>>{});
  }
};

}  // namespace detail
}  // namespace freshet
