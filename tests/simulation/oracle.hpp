// What every run of a plan must give, by the rules of docs/reference/time.md: one thread, all
// records in memory, plain containers, and nothing of the library but the hashes that order ties.
//
// Every operator is applied to all rows of its inputs at once. What the library calls a watermark
// does not occur: a row has its turn at its event time, or, when it is behind, at its entry
// frontier, and time passes from turn to turn.
#pragma once

#include "simulation/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

namespace freshet::simulated {

/// Where a row comes from. Rows of one record are told apart by their path: which of the rows of
/// the first operator that made several of one, which of those of the next, and so on.
struct place {
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::vector<std::uint32_t> path;

  friend auto operator<=>(const place&, const place&) = default;
};

struct row {
  event value;
  ticks entry = 0;  ///< The entry frontier; a row at or after it is on time, whatever it is.
  place where;

  ticks at() const { return tick_of(value.at); }
  bool behind() const { return at() < entry; }
  ticks turn() const { return behind() ? entry : at(); }
  /// Of equal turns, those behind come first: they entered before what is on time there.
  auto turn_order() const {
    return std::tuple<ticks, bool, const place&>(turn(), !behind(), where);
  }
  auto order_key() const { return std::tuple<ticks, const place&>(at(), where); }
};

/// All rows of one output.
struct flow {
  std::vector<row> rows;
  /// The rows come down one way, in this order, and know their entry frontiers: what depends on
  /// arrival is promised.
  bool in_log_order = false;
  /// The rows of each key reach a sink in this order.
  bool in_key_order = false;
  /// Which node has numbered the rows: those of one record are told apart among its rows only.
  std::size_t numbered_by = 0;
};

/// What one node gives.
struct outcome {
  std::vector<flow> outputs;  ///< By port.
  std::size_t late = 0;
  std::size_t unassigned = 0;
  std::size_t dead = 0;
};

/// What the last node of `all` gives, when `before` is what the others give.
outcome outcome_of_last(const plan& all, const input_log& input,
                        const std::vector<outcome>& before);

std::vector<outcome> outcomes_of(const plan& all, const input_log& input);

/// Whether the rows of these outputs may come together: places must tell them apart.
bool may_merge(const std::vector<const flow*>& inputs);

}  // namespace freshet::simulated
