// What a query came to: how many rows, and a checksum over them in whatever order.
//
// The checksum is that of the specification: it hashes every byte of every string, which costs more
// than most of the queries. While something is timed rows are therefore only *digested*: every
// number, and the place and length of every string, times a constant of its column, summed up.
// Both are sums, so that they do not depend on order, but on how often a row comes.
#pragma once

#include "random.hpp"
#include "text.hpp"

#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace nexmark {

struct answer {
  std::uint64_t rows = 0;
  std::uint64_t checksum = 0;  ///< Zero where rows were only digested.
  std::uint64_t digest = 0;    ///< Zero where rows were hashed.
  friend bool operator==(const answer&, const answer&) = default;
};
BOOST_DESCRIBE_STRUCT(answer, (), (rows, checksum, digest))

namespace detail {

template <std::integral V>
std::uint64_t bits_of(V value) {
  return static_cast<std::uint64_t>(value);
}
/// Times count in milliseconds, the unit of the benchmark.
inline std::uint64_t bits_of(freshet::timestamp value) {
  return static_cast<std::uint64_t>(
      std::chrono::floor<std::chrono::milliseconds>(value.time_since_epoch()).count());
}
/// FNV-1a.
inline std::uint64_t bits_of(const text& value) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char each : value.view()) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3;
  }
  return hash;
}

inline std::uint64_t place_of(const text& value) {
  return std::uint64_t{value.offset} << 32 | value.size;
}
template <class V>
std::uint64_t place_of(const V& value) {
  if constexpr (std::integral<V>) {
    return static_cast<std::uint64_t>(value);
  } else {
    return static_cast<std::uint64_t>(value.time_since_epoch().count());
  }
}

/// Calls `f(value)` for every column of a row; arrays have several.
template <class Row, class F>
void for_each_column(const Row& row, F&& f) {
  freshet::for_each_field(row, [&f](std::string_view, const auto& value) {
    if constexpr (requires { value.begin(); }) {
      for (const auto& each : value) f(each);
    } else {
      f(value);
    }
  });
}

}  // namespace detail

template <class Row>
std::uint64_t row_hash(const Row& row) {
  std::uint64_t hash = 0x243F6A8885A308D3;
  detail::for_each_column(row, [&hash](const auto& value) {
    hash = mix64((hash ^ detail::bits_of(value)) + golden_gamma);
  });
  return hash;
}

template <class Row>
std::uint64_t row_digest(const Row& row) {
  std::uint64_t sum = 0;
  std::uint64_t factor = golden_gamma;
  detail::for_each_column(row, [&](const auto& value) {
    sum += detail::place_of(value) * factor;
    factor += 2 * (golden_gamma ^ 0xD1B54A32D192ED03);  // Stays odd; the compiler knows each.
  });
  return sum;
}

/// Where the loops put their rows.
template <bool Hashed>
struct tally {
  answer all;

  template <class Row>
  void operator()(const Row& row) {
    ++all.rows;
    if constexpr (Hashed) {
      all.checksum += row_hash(row);
    } else {
      all.digest += row_digest(row);
    }
  }
};

}  // namespace nexmark
