// When windows fire and close, and what may be promised downstream: all that the options of a
// window say about time. Internal.
//
// An immutable value. Moments are of whatever time the frontier is of.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/window_options.hpp>
#include <freshet/window/assigner.hpp>

namespace freshet::detail {

class window_times {
 public:
  explicit window_times(const window_options& options) : options_(options) {}

  /// Whether the end of a window emits anything.
  bool fires() const { return options_.fire != firing::never; }

  /// The moment at which a window's rows are due; where none are, that of its close.
  timestamp fires_at(const window_span& span) const {
    return options_.fire == firing::on_time ? span.end : closes_at(span);
  }
  /// The moment from which on a window accepts nothing and is forgotten.
  timestamp closes_at(const window_span& span) const {
    return saturating_add(span.end, options_.allowed_lateness);
  }

  /// What may be promised downstream at `frontier`: rows that fire only when their window closes
  /// come a lateness after their event time.
  timestamp promised(timestamp frontier) const {
    if (options_.fire != firing::at_close || frontier == timestamp_max) return frontier;
    return saturating_subtract(frontier, options_.allowed_lateness);
  }
  /// What had been promised downstream at most when the frontier reached `moment`: the entry
  /// frontier of the rows that this moment emits, however far the frontier jumped.
  timestamp promised_before(timestamp moment) const {
    return promised(saturating_subtract(moment, duration{1}));
  }

 private:
  window_options options_;
};

}  // namespace freshet::detail
