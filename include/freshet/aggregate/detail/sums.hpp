// Sums that do not depend on order: exact ones of integers, compensated ones of floating point.
//
// Plain values for the states of aggregates; a default one is the sum of nothing. Fixed memory. One
// thread at a time. Not to be compiled with -ffast-math, which removes the compensation. Internal.
#pragma once

#include <boost/describe/class.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

namespace freshet::detail {

/// The exact sum of 64-bit integers in 128 bits, two's complement: 2^63 terms cannot overflow it.
struct exact_sum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  template <std::integral V>
  void add(V value) {
    // Unsigned throughout, so that a damaged state cannot lead to undefined behaviour either.
    std::uint64_t extension = 0;
    if constexpr (std::signed_integral<V>) extension = value < 0 ? ~std::uint64_t{0} : 0;
    add_words(extension, static_cast<std::uint64_t>(value));
  }

  template <std::integral V>
  void subtract(V value) {
    exact_sum one;
    one.add(value);
    unmerge(one);
  }

  void merge(const exact_sum& from) { add_words(from.high, from.low); }
  void unmerge(const exact_sum& part) {
    const std::uint64_t negated = ~part.low + 1;
    add_words(~part.high + (negated == 0 ? 1U : 0U), negated);
  }

  bool negative() const { return (high >> 63) != 0; }

  /// Clamped to the range of int64.
  std::int64_t to_signed() const {
    const auto value = static_cast<std::int64_t>(low);
    const std::uint64_t extension = value < 0 ? ~std::uint64_t{0} : 0;
    if (high == extension) return value;
    return negative() ? std::numeric_limits<std::int64_t>::min()
                      : std::numeric_limits<std::int64_t>::max();
  }

  /// Clamped to the range of uint64.
  std::uint64_t to_unsigned() const {
    if (negative()) return 0;
    return high == 0 ? low : std::numeric_limits<std::uint64_t>::max();
  }

  /// The nearest double, or its neighbour.
  double to_double() const {
    // Of the magnitude: the two words of a small negative number would cancel each other.
    std::uint64_t high_magnitude = high;
    std::uint64_t low_magnitude = low;
    if (negative()) {
      low_magnitude = ~low + 1;
      high_magnitude = ~high + (low_magnitude == 0 ? 1 : 0);
    }
    const double magnitude =
        std::ldexp(static_cast<double>(high_magnitude), 64) + static_cast<double>(low_magnitude);
    return negative() ? -magnitude : magnitude;
  }

  friend bool operator==(const exact_sum&, const exact_sum&) = default;

 private:
  void add_words(std::uint64_t high_word, std::uint64_t low_word) {
    low += low_word;
    high += high_word + (low < low_word ? 1U : 0U);
  }

  BOOST_DESCRIBE_CLASS(exact_sum, (), (high, low), (), ())
};

/// A sum of doubles together with what rounding took from it. The error of `value()` is below one
/// unit in the last place plus n^2 * 2^-106 of the sum of magnitudes.
/// \note   As in any sum of doubles, inf - inf and NaN give NaN, and inf stays inf. Finite values
///         whose partial sum leaves the range of double become infinite too; whether one does can
///         depend on the order in which they come.
/// \source Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen",
///         ZAMM 54, 1974 (the improved Kahan-Babuska algorithm).
struct compensated_sum {
  double sum = 0;
  double compensation = 0;

  void add(double value) {
    const double next = sum + value;
    // The exact rounding error of the line above; NaN beside an infinite sum, and then not used.
    const bool sum_is_larger = std::abs(sum) >= std::abs(value);
    compensation += sum_is_larger ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }

  void subtract(double value) { add(-value); }

  void merge(const compensated_sum& from) {
    add(from.sum);
    compensation += from.compensation;
  }

  double value() const {
    if (std::isfinite(sum)) return sum + compensation;
    // One NaN for all, because the sign of theirs depends on the order, and text shows it.
    return std::isnan(sum) ? std::numeric_limits<double>::quiet_NaN() : sum;
  }

 private:
  BOOST_DESCRIBE_CLASS(compensated_sum, (), (sum, compensation), (), ())
};

}  // namespace freshet::detail
