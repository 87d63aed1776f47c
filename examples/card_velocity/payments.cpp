#include "payments.hpp"

#include <freshet/core/hash.hpp>

#include <fmt/core.h>

#include <chrono>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

/// What is drawn for a payment; each draw is independent of the others.
enum class draw : std::uint64_t { card, card_of_octave, amount, cents, fraud, delay, offline };

/// A number in [0, bound) that depends on `what` and `k` alone.
std::uint64_t drawn(draw what, std::uint64_t k, std::uint64_t bound) {
  return fr::combine_hashes(static_cast<std::uint64_t>(what), k) % bound;
}

/// A number in [first, first * 2^octaves). Every octave is equally likely, so the chance of a
/// single number falls like 1 / number, as Zipf found for words.
std::uint64_t drawn_by_octave(draw octave, draw within, std::uint64_t k, std::uint64_t first,
                              std::uint64_t octaves) {
  const std::uint64_t begin = first << drawn(octave, k, octaves);
  return begin + drawn(within, k, begin);
}

fr::duration delay_of(std::uint64_t k) {
  const std::uint64_t offline = drawn(draw::offline, k, 20'000);
  if (offline == 0) return 12min;
  if (offline <= 10) return 2min;
  return fr::duration{static_cast<std::int64_t>(drawn(draw::delay, k, 30'000'000))};
}

}  // namespace

payment payment_at(std::uint64_t k) {
  constexpr fr::timestamp first = std::chrono::sys_days{std::chrono::March / 14 / 2026};
  constexpr fr::duration between = 5ms;
  const bool fraud = drawn(draw::fraud, k, 100) == 0;
  const std::uint64_t cents = drawn_by_octave(draw::amount, draw::cents, k, 256, 6);
  const std::uint64_t card = drawn_by_octave(draw::card, draw::card_of_octave, k, 16, 7);
  return {.card = fmt::format("card {:04}", card),
          .amount = static_cast<double>(fraud ? 8 * cents : cents) / 100,
          .fraud = fraud,
          .at = first + static_cast<std::int64_t>(k) * between - delay_of(k)};
}
