// The open windows of one key. Internal.
//
// Plain values that belong to one key's slot; no threads of their own. Memory: one vector. What
// only panes need costs nothing where there are none.
#pragma once

#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/window/assigner.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class State, bool WithPanes>
struct open_window;

template <class State>
struct open_window<State, false> {
  window_span span;
  std::uint32_t panes = 0;  ///< How many are out, of the windows that grew into this one, too.
  bool fired = false;       ///< Its end was reached; a late record that changes it fires it again.
  State state{};
  BOOST_DESCRIBE_CLASS(open_window, (), (span, panes, fired, state), (), ())
};

/// A row that is out and may have to be taken back.
template <class State>
struct emitted_pane {
  window_span span;
  pane_timing timing = pane_timing::on_time;
  std::uint32_t index = 0;
  State state{};
  BOOST_DESCRIBE_CLASS(emitted_pane, (), (span, timing, index, state), (), ())
};

template <class State>
struct open_window<State, true> {
  window_span span;
  std::uint32_t panes = 0;
  bool fired = false;
  std::uint64_t since = 0;  ///< Records since the last pane.
  State state{};
  std::vector<emitted_pane<State>> emitted;  ///< Kept only in order to be taken back.
  BOOST_DESCRIBE_CLASS(open_window, (), (span, panes, fired, since, state, emitted), (), ())
};

/// When a key's early panes are due; `timestamp_max` stands for never.
struct early_deadlines {
  timestamp by_watermark = timestamp_max;
  timestamp by_clock = timestamp_max;
  BOOST_DESCRIBE_CLASS(early_deadlines, (), (by_watermark, by_clock), (), ())
};
struct no_early_deadlines {
  BOOST_DESCRIBE_CLASS(no_early_deadlines, (), (), (), ())
};

/// What a checkpoint holds of a key.
template <class State, bool WithPanes>
struct stored_windows {
  std::conditional_t<WithPanes, early_deadlines, no_early_deadlines> early;
  std::vector<open_window<State, WithPanes>> windows;
  BOOST_DESCRIBE_CLASS(stored_windows, (), (early, windows), (), ())
};

/// When a key is looked at.
struct armed_deadline {
  timestamp at = timestamp_max;
  bool is_set = false;
  /// There is a deadline for the key, at that time or before: the row was not in memory meanwhile.
  bool or_before = false;

  void set(timestamp when) { *this = {when, true, false}; }
};

/// The open windows of one key, ascending by end and begin, those that have fired before the others
/// (their ends lie behind the frontier). Windows that merge are disjoint, too. Finding is O(log n),
/// closing the earliest one amortised O(1); a new one moves those that end later.
template <class State, bool WithPanes>
class window_list {
 public:
  using window = open_window<State, WithPanes>;
  using iterator = typename std::vector<window>::iterator;
  using const_iterator = typename std::vector<window>::const_iterator;

  iterator begin() { return all_.begin() + static_cast<std::ptrdiff_t>(closed_); }
  iterator end() { return all_.end(); }
  const_iterator begin() const { return all_.begin() + static_cast<std::ptrdiff_t>(closed_); }
  const_iterator end() const { return all_.end(); }
  bool empty() const { return closed_ == all_.size(); }
  std::size_t size() const { return all_.size() - closed_; }
  /// What it owns: its memory, and what the windows own, if all are like the last.
  std::uint64_t memory_bytes() const {
    const std::uint64_t list = all_.capacity() * sizeof(window);
    return empty() ? list : list + size() * owned_bytes(all_.back());
  }

  iterator first_not_fired() {
    return std::partition_point(begin(), end(), [](const window& each) { return each.fired; });
  }

  // What adds and drops windows keeps `count`, the number of windows in all lists, up to date.

  /// The window of exactly this span, or a new one.
  window& at(const window_span& span, std::size_t& count) {
    const iterator found = std::partition_point(
        begin(), end(), [&span](const window& each) { return each.span < span; });
    return found != end() && found->span == span ? *found : *insert(found, span, count);
  }

  /// The first window that overlaps `span`, or the end. \pre The windows are disjoint.
  iterator first_overlapping(const window_span& span) {
    iterator first = first_ending_after(span.begin);
    // A session cut off by the end of time, and a record at the very last timestamp.
    if (first == end() && !empty() && overlap(std::prev(first)->span, span)) --first;
    return first != end() && overlap(first->span, span) ? first : end();
  }

  /// The window that `span` belongs to, grown by all that it touches, which `absorb(into, from)`
  /// merges; or a new one. \pre The windows are disjoint, and stay so. Always inline: it has one
  /// caller, and the call costs as much as the counting.
  template <class Absorb>
  [[gnu::always_inline]] window& grow(const window_span& span, Absorb&& absorb,
                                      std::size_t& count) {
    const iterator first = first_overlapping(span);
    if (first == end()) return *insert(first_ending_after(span.begin), span, count);
    window_span merged{std::min(first->span.begin, span.begin),
                       std::max(first->span.end, span.end)};
    iterator next = first + 1;
    for (; next != end() && overlap(next->span, span); ++next) {
      merged.end = std::max(merged.end, next->span.end);
      absorb(*first, *next);
      --count;
    }
    all_.erase(first + 1, next);
    first->span = merged;
    return *first;
  }

  /// Drops the windows before `until`.
  void close_before(iterator until, std::size_t& count) {
    for (iterator each = begin(); each != until; ++each, --count) *each = window{};
    closed_ = static_cast<std::size_t>(until - all_.begin());
    if (2 * closed_ < all_.size()) return;
    all_.erase(all_.begin(), until);
    closed_ = 0;
  }

  /// The one that ends last. \pre there is one.
  const window& last() const { return all_.back(); }

  stored_windows<State, WithPanes> stored() const {
    return {early, {all_.begin() + static_cast<std::ptrdiff_t>(closed_), all_.end()}};
  }
  void restore(stored_windows<State, WithPanes> from) {
    early = from.early;
    all_ = std::move(from.windows);
  }

  armed_deadline armed;  ///< When the key is looked at for what fires and closes.
  [[no_unique_address]] std::conditional_t<WithPanes, early_deadlines, no_early_deadlines> early;

 private:
  /// Half-open spans: exactly touching is not overlapping. A span cut off by the end of time has no
  /// end, so that two records at the last timestamp share a session.
  static bool overlap(const window_span& a, const window_span& b) {
    const auto begins_before_end = [](const window_span& x, const window_span& y) {
      return x.begin < y.end || y.end == timestamp_max;
    };
    return begins_before_end(a, b) && begins_before_end(b, a);
  }

  iterator first_ending_after(timestamp at) {
    return std::partition_point(begin(), end(),
                                [at](const window& each) { return each.span.end <= at; });
  }
  iterator insert(iterator before, const window_span& span, std::size_t& count) {
    ++count;
    window fresh;
    fresh.span = span;
    return all_.insert(before, std::move(fresh));
  }

  std::vector<window> all_;
  std::size_t closed_ = 0;  ///< How many at the front are gone.
};

}  // namespace freshet::detail
