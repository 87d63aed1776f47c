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

/// Options of `window`.
struct window_options {
  /// How long after its end (event time) a window accepts records. Not negative.
  duration allowed_lateness{0};
  firing fire = firing::on_time;
};

}  // namespace freshet
