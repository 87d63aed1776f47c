// How windows treat late records, and when they fire. Plain values.
#pragma once

#include <freshet/core/time.hpp>

#include <cstdint>

namespace freshet {

/// When a window's rows are emitted.
enum class firing : std::uint8_t {
  on_time,   ///< When the watermark reaches the window's end, and again, with everything so far,
             ///< for each late record that is still accepted (accumulating, as in Dataflow), unless
             ///< `panes` say otherwise.
  at_close,  ///< Once, when the watermark reaches the end plus the allowed lateness. The stream's
             ///< watermark is then held back by the lateness, so that windows below see no late
             ///< rows.
  never,     ///< The end of the window emits nothing, only the early panes that `panes` ask for do.
             ///< What came after the last of them is dropped when the window closes.
};

/// Whether records are aggregated in the task that has them before they go to the task of their
/// key, so that a hot key does not make the latter the one that all wait for. Concerns windows
/// whose spans do not depend on other records (tumbling, sliding, an application's own), without
/// panes, at parallelism above 1; never changes what is in a row, but for the last bits of floating
/// sums.
enum class pre_aggregation : std::uint8_t {
  adaptive,  ///< The keys of which a task sees so many records that it pays, found by a sketch of a
             ///< sample; where the window is the only operator below its `key_by`.
  always,    ///< Every key, found hot or not. Costs more than it gives where records of one key and
             ///< window rarely meet in one task.
  never,
};

/// Options of `window`.
struct window_options {
  /// How long after its end (event time) a window accepts records. Not negative.
  duration allowed_lateness{0};
  firing fire = firing::on_time;
  /// \source Two-phase or local-global aggregation in Flink and in database systems.
  pre_aggregation pre_aggregate = pre_aggregation::adaptive;
};

}  // namespace freshet
