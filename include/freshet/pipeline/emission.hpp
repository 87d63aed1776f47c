// When operators with updated results say what they know: `group_aggregate`, `top_n`,
// `deduplicate`.
//
//     emit_changes{}                        at once, with every record that changes something
//     emit_every{10s}                       whenever the watermark reaches a multiple of 10 s
//     emit_complete{1h}                     once, when the key has had no record for an hour
//     emit_final{}                          once, at the end of the input
//
// The first two give changes (pipeline/change.hpp), the others plain rows. State that nothing ends
// grows for ever: `emit_complete` forgets keys, and the first two do if `forget_after` says so.
//
// What is final or complete is a function of the log, whatever the batches, splits and restarts.
// What changes is so over one split, or below `ordered`; over several splits the rows in between
// depend on how the splits interleave, and the table that they lead to does not as long as nothing
// is forgotten.
//
// Plain values.
#pragma once

#include <freshet/core/time.hpp>

#include <string>

namespace freshet {

/// Keys stay for ever, but for what is taken back.
inline constexpr duration never_forgotten = duration::max();

/// Rows at once, with the event time of the record that causes them. A record that changes nothing
/// causes none.
struct emit_changes {
  /// Whether rows that stood are taken back (`insert`, `update_before`, `update_after`), or only
  /// replaced (`upsert`). Both end with `erase`.
  bool retract = false;
  /// The state of a key goes, without a row, when the watermark has passed its newest record by
  /// more than this; a record later than that begins anew. Not negative.
  duration forget_after = never_forgotten;

  std::string check() const;
  std::string describe() const;
};

/// For each key with changes since the last time: the difference between what was said and what is
/// so now. Costs the rows that were said, in memory and in checkpoints, beside the state.
struct emit_every {
  duration period;  ///< Positive. Moments are multiples of it, counted from the epoch.
  /// Moments of the watermark, or of the clock. A clock's pending ones are made up for at the end
  /// of the input.
  time_domain time = time_domain::event_time;
  bool retract = false;                     ///< As of `emit_changes`.
  duration forget_after = never_forgotten;  ///< The same; what had changed is said before.

  std::string check() const;
  std::string describe() const;
};

/// Each key's rows once, at the end of the input, with the last moment of time as their event time.
/// Then its state goes.
struct emit_final {
  std::string check() const { return {}; }
  std::string describe() const { return "final"; }
};

/// Each key's rows once, when the watermark has passed its newest record by more than `after`, with
/// the event time `after` later than that. Then its state goes, and a later record begins anew. 0:
/// records of one time belong together, as the rows that windows fire: keyed by the end of the
/// window they are complete when the watermark reaches it.
/// \note A record behind its entry frontier counts as if it were of that time.
struct emit_complete {
  duration after{0};  ///< Not negative.

  std::string check() const;
  std::string describe() const;
};

}  // namespace freshet
