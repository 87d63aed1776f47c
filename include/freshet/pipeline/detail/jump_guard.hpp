// Keeps single records from the far future from moving the frontier of their split. Internal.
//
// A value; its state belongs to one split and is checkpointed with it. O(1) per record. Arithmetic
// saturates: where latest + jump_max passes the end of time, nothing is too far ahead.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace freshet::detail {

/// Refuses a record whose event time is more than `jump_max` ahead of the latest accepted one of
/// its split. The first record of a split has nothing to be compared with and is accepted.
///
/// `confirmations` refused records in a row, each within `jump_max` of the latest of them, make the
/// next such record believed: it is accepted, and time goes on from it. Zero: never.
class jump_guard {
 public:
  struct state {
    bool seen = false;                         ///< Whether any record was accepted.
    timestamp latest = timestamp_min;          ///< The largest event time accepted.
    std::uint64_t refused = 0;                 ///< In a row, near each other, since then.
    timestamp latest_refused = timestamp_min;  ///< The largest event time among those.
  };

  jump_guard(duration jump_max, std::size_t confirmations)
      : jump_max_(jump_max), confirmations_(confirmations) {}

  bool enabled() const { return jump_max_ > duration::zero(); }
  duration jump_max() const { return jump_max_; }

  /// The largest event time that is accepted without question.
  timestamp limit(const state& of) const {
    return of.seen ? saturating_add(of.latest, jump_max_) : timestamp_max;
  }

  /// Whether a record at `at` is accepted.
  bool admit(state& of, timestamp at) const {
    if (at <= limit(of)) {
      of.latest = of.seen ? std::max(of.latest, at) : at;
      of.seen = true;
      of.refused = 0;
      return true;
    }
    if (confirmations_ == 0) return false;
    const bool near = of.refused > 0 && at <= saturating_add(of.latest_refused, jump_max_) &&
                      at >= saturating_subtract(of.latest_refused, jump_max_);
    if (near && of.refused >= confirmations_) {
      of.latest = at;
      of.refused = 0;
      return true;
    }
    of.latest_refused = near ? std::max(of.latest_refused, at) : at;
    of.refused = near ? of.refused + 1 : 1;
    return false;
  }

 private:
  duration jump_max_;
  std::uint64_t confirmations_;
};
BOOST_DESCRIBE_STRUCT(jump_guard::state, (), (seen, latest, refused, latest_refused))

}  // namespace freshet::detail
