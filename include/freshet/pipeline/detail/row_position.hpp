// Positions of the rows that an operator makes of a row. Internal.
//
// A position depends on that of the row above and on the index among what was made of it, and on
// nothing that came before: so it is the same however the log is cut into batches, and whichever
// task receives the other rows of one record.
#pragma once

#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>

#include <cstdint>

namespace freshet::detail {

/// The position of row number `index` of those made of a row at `parent`. Rows of one record are
/// ordered by the indices on their way, the topmost first, as long as rows are made of rows at most
/// three times in a row, and below the first time fewer than 1024 of each. What goes beyond has a
/// position of its own, too, and an order that is the same in every run.
constexpr position position_of_row(const position& parent, std::uint32_t index) {
  constexpr std::uint32_t children = 1U << 10U;
  constexpr std::uint32_t parents = 1U << 21U;
  constexpr std::uint32_t beyond = 1U << 31U;
  if (index < children && parent.fanout < parents) {
    return {parent.sequence, parent.split, parent.fanout * children + index};
  }
  if (parent.fanout == 0 && index < beyond) {
    return {parent.sequence, parent.split, beyond + index};
  }
  return {combine_hashes(parent.sequence, parent.fanout), parent.split, index};
}

}  // namespace freshet::detail
