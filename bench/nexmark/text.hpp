// The strings of Nexmark: slices of one arena that is the same in every run.
//
// All strings of all events are slices of fixed pools, so an event owns no memory and a string is
// eight bytes: where it begins in the arena and how long it is. Since the arena does not depend on
// seed, rate, or run, these eight bytes mean the same text in every process, and are what a
// checkpoint holds. Decoding refuses slices that do not lie within the arena.
//
// Threads: immutable once `prepare_pools` has returned; it may be called from any thread.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/hash.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nexmark {

/// More than the pools need, so that the arena's address and size are known to the linker.
inline constexpr std::uint32_t arena_bytes = 4U << 20;
extern std::array<char, arena_bytes> arena;

/// A slice of the arena. Compares as the text does, wherever it stands.
struct text {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;

  std::string_view view() const { return {arena.data() + offset, size}; }
  /// \pre from + count <= size
  text slice(std::size_t from, std::size_t count) const {
    return {offset + static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(count)};
  }

  friend bool operator==(const text& a, const text& b) {
    return (a.offset == b.offset && a.size == b.size) || a.view() == b.view();
  }
  friend std::strong_ordering operator<=>(const text& a, const text& b) {
    return a.view() <=> b.view();
  }
};

inline constexpr std::uint32_t pool_bytes = 1U << 20;  ///< Of each of the pools that are sliced.
inline constexpr std::uint32_t mail_count = 4096;
inline constexpr std::uint32_t card_count = 4096;
inline constexpr std::uint32_t hot_channel_count = 4;
inline constexpr std::uint32_t cold_channel_count = 10'000;
inline constexpr std::uint32_t number_count = 10'000;

/// Where each pool stands in the arena: what events are made of, and what queries add to them.
struct pools {
  std::uint32_t extra = 0;  ///< Begin of a pool of random letters.
  std::uint32_t words = 0;  ///< Begin of a pool of random letters and blanks.
  std::array<text, 99> names;
  std::array<text, 10> cities;
  std::array<text, 6> states;
  std::array<text, mail_count> mails;
  std::array<text, card_count> cards;
  std::array<text, hot_channel_count> hot_channels;
  std::array<text, hot_channel_count> hot_urls;
  std::array<text, cold_channel_count> cold_channels;
  std::array<text, cold_channel_count> cold_urls;
  std::array<text, number_count> numbers;  ///< "0", "1", "2", ...
  text day_time, night_time, other_time;
};

/// Fills the arena, the first time. \return where things are.
const pools& prepare_pools();

}  // namespace nexmark

template <>
struct freshet::hasher<nexmark::text> {
  std::uint64_t operator()(const nexmark::text& value) const {
    return freshet::stable_hash(value.view());
  }
};

template <>
struct freshet::codec<nexmark::text> {
  static void encode(byte_writer& to, const nexmark::text& value) {
    freshet::encode(to, value.offset);
    freshet::encode(to, value.size);
  }
  static bool decode(byte_reader& from, nexmark::text& value) {
    nexmark::text read;
    if (!freshet::decode(from, read.offset) || !freshet::decode(from, read.size)) return false;
    if (read.offset > nexmark::arena_bytes || read.size > nexmark::arena_bytes - read.offset) {
      from.fail("a text that does not lie within the pools of Nexmark");
      return false;
    }
    value = read;
    return true;
  }
  static std::string format() { return "nexmark text"; }
};
