// How the windows of `sliding` are made of panes. Internal.
//
// A pane is the time between two neighbouring moments at which a window begins or ends: all records
// of a pane belong to the same windows. Where the slide divides the size, a pane is a slide;
// elsewhere there are two for each slide. So no window has more than twice as many panes as slides,
// however size and slide are related.
//
// Windows have numbers, ascending by begin and end. Arithmetic is that of whole numbers, in 128
// bits; only the spans that others see are cut at the ends of time.
//
// Threads: immutable value, safe to share. Cost: some divisions of 128 bits, for each new pane and
// each window that fires, and not for each record.
// \source Krishnamurthy, Wu, and Franklin, "On-the-fly sharing for streamed aggregation", SIGMOD
//         2006: paired windows.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>
#include <freshet/window/sliding.hpp>

namespace freshet::detail {

class sliding_plan {
 public:
  /// The number of a window, or a moment that may lie outside of time.
  __extension__ using whole = __int128;

  struct window_range {
    whole first;
    whole last;
    bool empty() const { return last < first; }
  };

  explicit sliding_plan(const sliding& windows);

  /// Below and above the number of every window.
  whole before_all() const { return -beyond_; }
  whole behind_all() const { return beyond_; }

  whole begin_of(whole window) const { return offset_ + window * slide_; }
  whole end_of(whole window) const { return begin_of(window) + size_; }
  /// As others see it.
  window_span span_of(whole window) const { return {cut(begin_of(window)), cut(end_of(window))}; }

  /// The windows that hold `at`; none in a gap between two windows.
  window_range windows_of(timestamp at) const;
  /// The pane that holds `at`, cut at the ends of time. \pre some window holds `at`.
  window_span pane_of(timestamp at) const;
  /// The first window whose end lies more than `delay` before `frontier`, or in future: the first
  /// with `saturating_add(end, delay) > frontier`.
  whole first_due_after(timestamp frontier, duration delay) const;

  /// Windows come in blocks. The end of a block's first window is a moment that the others hold, or
  /// begin at.
  whole first_of_block(whole window) const { return floor(window, block_) * block_; }

  static whole exact(timestamp at) { return at.time_since_epoch().count(); }
  static timestamp cut(whole moment) {
    if (moment <= exact(timestamp_min)) return timestamp_min;
    if (moment >= exact(timestamp_max)) return timestamp_max;
    return timestamp{duration{static_cast<duration::rep>(moment)}};
  }

 private:
  static whole floor(whole number, whole step) {
    const whole quotient = number / step;
    return number % step < 0 ? quotient - 1 : quotient;
  }

  whole size_;
  whole slide_;
  whole offset_;
  whole block_;
  whole beyond_;
};

}  // namespace freshet::detail
