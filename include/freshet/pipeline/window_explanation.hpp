// Why a window has not fired: what it waits for, and for whom. What `job::why_not_fired` answers.
//
// Plain values, about one moment of a running job. Times are event times; a frontier is exclusive,
// and `timestamp_min` where nothing has been promised yet.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace freshet {

/// How the watermark takes an input.
enum class input_state : std::uint8_t {
  waiting,      ///< It has promised nothing yet: no record so far, or none with a promise.
  active,       ///< It counts.
  catching_up,  ///< It was idle, or new, and is not waited for until it has caught up.
  idle,         ///< It is not waited for.
  finished,     ///< Nothing more comes from it.
};

/// One split of a source that feeds the window.
struct window_input {
  std::string source;
  std::string split;
  input_state state = input_state::waiting;
  /// What the split has promised. Of one that is idle or finished: the last of it.
  timestamp frontier = timestamp_min;
  /// The frontier it has to reach: that of the window, and more where a window in between holds its
  /// own watermark back.
  timestamp needed = timestamp_min;
  /// How far the frontier is from there, cut at the largest duration; zero when it is there.
  duration lacks{0};
  /// Whether the window waits for this split.
  bool holds_back = false;
};

struct window_explanation {
  std::string name;  ///< Of the window operator.
  window_span span;
  /// Whether the watermark has passed the moment at which the span fires. Keys without records in
  /// it have no row all the same, and a span that the assigner does not give never has.
  bool fired = false;
  timestamp needed = timestamp_min;     ///< The watermark at which the span fires.
  timestamp watermark = timestamp_min;  ///< The operator's.
  duration lacks{0};                    ///< From the watermark to what is needed.
  /// Every split that feeds the operator, in the order of the pipeline.
  std::vector<window_input> inputs;
  bool job_ended = false;  ///< This is how it stood when the job ended.

  /// All of it in a few lines for people, those first that hold the window back.
  std::string to_text() const;
};

}  // namespace freshet
