// `map | filter | map` over events: what the job `chain` does to each, and the loop that does the
// same by hand. The loop is compiled twice, see chain_loop.inc.
#pragma once

#include "kernels.hpp"

#include <cstdint>

namespace kernels {

// Function objects, so that both sides inline them.
inline constexpr auto scaled = [](const event& of) {
  return event{of.key, of.amount * 3 + 1, of.at};
};
inline constexpr auto is_wanted = [](const event& of) { return (of.amount & 7) != 0; };
inline constexpr auto mixed = [](const event& of) {
  return event{of.key, of.amount ^ static_cast<std::int64_t>(of.key), of.at};
};

answer chain_scalar_loop(const load& of);
answer chain_vectorised_loop(const load& of);  ///< If the compiler can.

}  // namespace kernels
