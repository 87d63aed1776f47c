// What a `trailing` computes, and how long it keeps what for it. Internal.
//
// An immutable value. Times are event times; all arithmetic saturates. "Promised" is the frontier
// up to which all turns have been: whatever is accepted from then on has an event time of at least
// `promised - allowed lateness`.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/block_folds.hpp>
#include <freshet/window/trailing.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace freshet::detail {

class trailing_plan {
 public:
  struct span {
    duration length{0};
    duration block{0};                 ///< Folds run from multiples of it.
    std::optional<std::size_t> panes;  ///< Its resolution's number; none: it is exact.
    std::size_t folds = 0;             ///< Number among the folds over records, or over the panes.
  };
  /// Spans of one resolution share their panes.
  struct resolution {
    duration width{0};
    duration reach{0};      ///< The longest of its spans.
    std::size_t spans = 0;  ///< How many it has.
    std::size_t folds = 0;  ///< Number among the folds over records.
  };

  trailing_plan(const std::vector<trailing_span>& spans, const trailing_options& options)
      : options_(options) {
    for (const trailing_span& each : spans) {
      if (each.resolution == duration::zero()) {
        spans_.push_back({each.length, each.length, std::nullopt, 0});
        exact_reach_ = std::max(exact_reach_, each.length);
      } else {
        // The range of whole panes is as long as that, or longer by one pane.
        const duration block = each.length / each.resolution.count() * each.resolution.count();
        const std::size_t panes = resolution_of(each);
        spans_.push_back({each.length, block, panes, resolutions_[panes].spans++});
      }
    }
    number_folds();
  }

  const std::vector<span>& spans() const { return spans_; }
  const std::vector<resolution>& resolutions() const { return resolutions_; }
  const trailing_options& options() const { return options_; }

  /// Whether a record that entered at the frontier `entry` may not be used any more.
  bool is_late(timestamp at, timestamp entry) const {
    return saturating_add(at, options_.allowed_lateness) < entry;
  }

  /// The first event time in the span of a record at `at`.
  timestamp begin_of(const span& of, timestamp at) const {
    const timestamp begin = saturating_subtract(at, of.length);
    return of.panes ? floor_to(begin, resolutions_[*of.panes].width) : begin;
  }

  /// Where the pane that begins at `pane` ends. The first pane of all time may be shorter.
  static timestamp pane_end(const resolution& of, timestamp pane) {
    return saturating_add(pane,
                          of.width - distance_past_multiple(pane, of.width, duration::zero()));
  }
  /// From this watermark on nothing can come into a pane any more.
  timestamp closes_at(const resolution& of, timestamp pane) const {
    return saturating_add(pane_end(of, pane), options_.allowed_lateness);
  }
  /// From this watermark on no record sees a pane any more.
  timestamp pane_expires_at(const resolution& of, timestamp pane) const {
    return saturating_add(closes_at(of, pane), of.reach);
  }
  /// From this watermark on a record is not needed by itself any more.
  timestamp entry_expires_at(timestamp at) const {
    timestamp last = timestamp_min;
    if (exact_reach_ > duration::zero()) {
      const timestamp seen =
          saturating_add(saturating_add(at, options_.allowed_lateness), exact_reach_);
      last = saturating_add(seen, duration{1});
    }
    for (const resolution& each : resolutions_) {
      last = std::max(last, closes_at(each, floor_to(at, each.width)));
    }
    return last;
  }
  /// Exact spans need no record before this event time.
  timestamp exact_from(timestamp promised) const {
    if (exact_reach_ == duration::zero()) return timestamp_max;
    return saturating_subtract(saturating_subtract(promised, options_.allowed_lateness),
                               exact_reach_);
  }
  /// When to look whether a key has expired that does so at `when`: not before, but at one of few
  /// times, so that many keys are looked at together.
  timestamp look_at(timestamp when) const {
    duration reach = exact_reach_;
    for (const resolution& each : resolutions_) reach = std::max(reach, each.reach);
    const duration step = reach / 64 + duration{1};
    return saturating_add(floor_to(when, step), step);
  }

 private:
  /// The folds of the longest exact span come first: they are the ones in use, and near the front.
  void number_folds() {
    std::vector<span*> exact;
    for (span& each : spans_) {
      if (!each.panes) exact.push_back(&each);
    }
    std::stable_sort(exact.begin(), exact.end(),
                     [](const span* a, const span* b) { return a->length > b->length; });
    std::size_t next = 0;
    for (span* each : exact) each->folds = next++;
    for (resolution& each : resolutions_) each.folds = next++;
  }

  std::size_t resolution_of(const trailing_span& of) {
    const auto known =
        std::find_if(resolutions_.begin(), resolutions_.end(),
                     [&](const resolution& each) { return each.width == of.resolution; });
    if (known != resolutions_.end()) {
      known->reach = std::max(known->reach, of.length);
      return static_cast<std::size_t>(known - resolutions_.begin());
    }
    resolutions_.push_back({of.resolution, of.length, 0, 0});
    return resolutions_.size() - 1;
  }

  trailing_options options_;
  std::vector<span> spans_;
  std::vector<resolution> resolutions_;
  duration exact_reach_{0};  ///< The longest exact span; zero when there is none.
};

}  // namespace freshet::detail
