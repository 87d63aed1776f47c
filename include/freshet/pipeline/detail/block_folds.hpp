// Folds over ranges of consecutive items, in a constant number of merges while the ranges move
// forward. Internal.
//
// A range that has a boundary inside is the merge of two folds: of the items before the boundary,
// folded from the boundary down to the range's beginning, and of those behind it, folded from the
// boundary up to its end. Boundaries are the multiples of a block as long as the ranges. Both kinds
// of fold are kept, so that each item is merged twice per block, however many ranges hold it.
//
// The value of a range depends on its items and the boundary alone, to the last bit: not on earlier
// ranges, on the order in which items came, or on restarts. Nothing is ever subtracted.
//
// Threads: one at a time. Memory: one state per item before the boundary, and one per item behind
// it once a range has ended before an earlier one. Cost: amortised O(1) merges for a range that is
// not before the one before it; O(d) after an item was put in d items before the end of the ranges,
// or, where it falls before the boundary, O(items before it); O(range) for a range of an earlier
// block.
// \source van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and
//         octagonal kernels", Pattern Recognition Letters 13 (1992); Gil and Werman, "Computing 2-D
//         min, median, and max filters", IEEE PAMI 15 (1993). The family is surveyed in
//         Tangwongsan, Hirzel, and Schneider, "Sliding-window aggregation algorithms", Encyclopedia
//         of Big Data Technologies (2018).
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/described_codec.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/block_pool.hpp>
#include <freshet/pipeline/detail/galloping_search.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet::detail {

/// The last multiple of `step` at or before `at`, or the beginning of time.
constexpr timestamp floor_to(timestamp at, duration step) {
  return saturating_subtract(at, distance_past_multiple(at, step, duration::zero()));
}

/// Whether values of `T` stay of one size, but for strings: keeping one per item is then cheap.
/// Containers and types with codecs of their own may grow with every merge.
template <class T>
inline constexpr bool has_fixed_size = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <>
inline constexpr bool has_fixed_size<std::string> = true;
template <class Rep, class Period>
inline constexpr bool has_fixed_size<std::chrono::duration<Rep, Period>> = true;
template <class Clock, class Duration>
inline constexpr bool has_fixed_size<std::chrono::time_point<Clock, Duration>> = true;
template <class T>
inline constexpr bool has_fixed_size<std::optional<T>> = has_fixed_size<T>;
template <class A, class B>
inline constexpr bool has_fixed_size<std::pair<A, B>> = has_fixed_size<A> && has_fixed_size<B>;
template <class T, std::size_t Size>
inline constexpr bool has_fixed_size<std::array<T, Size>> = has_fixed_size<T>;
template <class... Parts>
inline constexpr bool has_fixed_size<std::tuple<Parts...>> = (has_fixed_size<Parts> && ...);
template <class... Parts>
inline constexpr bool has_fixed_size<type_list<Parts...>> = (has_fixed_size<Parts> && ...);
template <described T>
inline constexpr bool has_fixed_size<T> = has_fixed_size<typename field_types<T>::type>;

/// Ranges of so few items are folded on the spot, from the last item to the first: keeping folds
/// would cost more.
inline constexpr std::size_t few_items = 8;

/// Folds [first, last) around `boundary` without keeping anything. `add(state, i)` adds item i.
/// \pre first <= boundary <= last.
template <class State, class Merge, class Add>
State fold_around(std::size_t first, std::size_t boundary, std::size_t last, Merge&& merge,
                  Add&& add) {
  State down{};
  State up{};
  for (std::size_t i = boundary; i > first; --i) add(down, i - 1);
  for (std::size_t i = boundary; i < last; ++i) add(up, i);
  if (first == boundary) return up;
  if (last > boundary) merge(down, up);
  return down;
}

/// Folds [first, last) from the last item to the first.
template <class State, class Add>
State fold_few(std::size_t first, std::size_t last, Add&& add) {
  State all{};
  for (std::size_t i = last; i > first; --i) add(all, i - 1);
  return all;
}

template <class State>
class block_folds {
 public:
  /// Whether a range that ends at `at` is one of the current block, of length `block`.
  bool covers(timestamp at, duration block) const {
    return used_ && begin_ <= at && !passed(at, block);
  }

  /// The fold of the items from the first not before `begin` to number `last`: by `fold_few` if
  /// they are few, else as by `fold_around` with the block of `at`, of length `block`. `time(i)` is
  /// the time of item i, `merge(into, from)` merges states, `add(state, i)` adds item i.
  /// \pre item `last` - 1 is before `at` or at it, item `last` is not before it.
  template <class Time, class Merge, class Add>
  State fold(block_pool& pool, timestamp begin, timestamp at, duration block, std::size_t last,
             Time&& time, Merge&& merge, Add&& add) {
    if (!used_ || passed(at, block)) start(pool, begin, floor_to(at, block), last, time);
    if (at < begin_) {
      const std::size_t first = first_not_before(begin, last, last, time);
      if (last - first <= few_items) return fold_few<State>(first, last, add);
      const timestamp earlier = floor_to(at, block);
      const std::size_t boundary = first_not_before(earlier, last, last, time);
      return fold_around<State>(first, boundary, last, merge, add);
    }
    seek(begin, last, time);
    assert(cursor_ <= boundary_ && boundary_ <= last);
    if (last - cursor_ <= few_items) return fold_few<State>(cursor_, last, add);
    if (cursor_ < suffix_begin_) extend_down(pool, time, add);
    if (last == boundary_) return folds_[cursor_ - base_].fold;
    if (last < prefix_end_ && !keeps_prefixes_) keep_prefixes();
    if (last > prefix_end_) extend_up(pool, last, add);
    const State& up = keeps_prefixes_ ? folds_[last - 1 - base_].fold : prefix_;
    if (cursor_ == boundary_) return up;
    State all = folds_[cursor_ - base_].fold;
    merge(all, up);
    return all;
  }

  /// An item was put in as number `index`, and those behind it have moved. `at`: its time.
  void inserted(block_pool& pool, std::size_t index, timestamp at) {
    if (!used_) return;
    if (index <= cursor_) cursor_ = at >= cursor_begin_ ? narrow(index) : cursor_ + 1;
    if (at >= begin_) {
      truncate(index);
    } else if (index <= base_) {
      shift_up();
    } else {
      folds_.emplace(pool, index - base_);
      ++boundary_;
      ++prefix_end_;
      suffix_begin_ = std::max(suffix_begin_, narrow(index)) + 1;
    }
  }

  /// The state of item `index` has changed.
  void changed(std::size_t index, timestamp at) {
    if (!used_) return;
    if (at >= begin_) {
      truncate(index);
    } else {
      suffix_begin_ = std::max(suffix_begin_, narrow(index) + 1);
    }
  }

  /// The first `count` items are gone. \pre no later range holds one of them.
  void dropped(std::size_t count) {
    if (!used_) return;
    if (count > boundary_) {
      used_ = false;
      return;
    }
    const auto shift = [count](std::uint32_t& index) { index -= std::min(index, narrow(count)); };
    if (count > base_) folds_.erase_front(std::min(count - base_, folds_.size()));
    shift(base_);
    shift(boundary_);
    shift(suffix_begin_);
    shift(prefix_end_);
    shift(cursor_);
  }

  void release(block_pool& pool) { folds_.release(pool); }

  /// Asks for the memory that the next range will look at. Inline, or g++ 12 drops the call.
  [[gnu::always_inline]] void prefetch() const {
    if (!used_ || cursor_ < base_ || cursor_ >= boundary_) return;
    const auto* next = reinterpret_cast<const char*>(folds_.data() + (cursor_ - base_));
    __builtin_prefetch(next);
    __builtin_prefetch(next + 2 * sizeof(element) - 1);
  }

 private:
  struct element {
    timestamp at = timestamp_min;
    State fold{};
  };

  static std::uint32_t narrow(std::size_t index) { return static_cast<std::uint32_t>(index); }

  /// Whether `at` is behind the end of the block. \pre used_.
  bool passed(timestamp at, duration block) const {
    // The distance fits, as an unsigned number, wherever the two lie.
    const auto distance = static_cast<std::uint64_t>(at.time_since_epoch().count()) -
                          static_cast<std::uint64_t>(begin_.time_since_epoch().count());
    return at > begin_ && distance >= static_cast<std::uint64_t>(block.count());
  }

  template <class Time>
  void start(block_pool& pool, timestamp begin, timestamp block_begin, std::size_t last,
             Time&& time) {
    used_ = true;
    keeps_prefixes_ = false;
    begin_ = block_begin;
    boundary_ = narrow(first_not_before(begin_, last, last, time));
    cursor_ = narrow(first_not_before(begin, boundary_, cursor_, time));
    cursor_begin_ = begin;
    base_ = cursor_;
    suffix_begin_ = prefix_end_ = boundary_;
    folds_.truncate(0);
    folds_.prepend(pool, boundary_ - base_);
  }

  /// Moves the cursor to the first item not before `begin`.
  template <class Time>
  void seek(timestamp begin, std::size_t last, Time&& time) {
    if (begin >= cursor_begin_ && cursor_ >= suffix_begin_) {
      while (cursor_ < boundary_ && folds_[cursor_ - base_].at < begin) ++cursor_;
    } else {
      cursor_ = narrow(first_not_before(begin, last, cursor_, time));
    }
    cursor_begin_ = begin;
  }

  template <class Time, class Add>
  void extend_down(block_pool& pool, Time&& time, Add&& add) {
    if (cursor_ < base_) {
      // At least double, so that ranges that begin earlier and earlier cost O(1) each.
      const std::size_t wanted = std::max<std::size_t>(base_ - cursor_, folds_.size());
      const std::size_t room = std::min<std::size_t>(base_, wanted);
      folds_.prepend(pool, room);
      base_ -= narrow(room);
    }
    for (std::uint32_t i = suffix_begin_; i > cursor_; --i) {
      element& mine = folds_[i - 1 - base_];
      mine.at = time(i - 1);
      mine.fold = i == boundary_ ? State{} : folds_[i - base_].fold;
      add(mine.fold, i - 1);
    }
    suffix_begin_ = cursor_;
  }

  template <class Add>
  void extend_up(block_pool& pool, std::size_t last, Add&& add) {
    if (prefix_end_ == boundary_) {
      prefix_ = State{};
    } else if (keeps_prefixes_) {
      prefix_ = folds_.back().fold;
    }
    for (; prefix_end_ < last; ++prefix_end_) {
      add(prefix_, prefix_end_);
      if (keeps_prefixes_) folds_.emplace_back(pool, timestamp_min, prefix_);
    }
  }

  /// From now on a fold is kept for every end of a range, for ranges that do not move forward.
  void keep_prefixes() {
    keeps_prefixes_ = true;
    prefix_end_ = boundary_;
  }

  /// Forgets the folds that item `index` of the block, or one behind it, has gone into.
  void truncate(std::size_t index) {
    if (index >= prefix_end_) return;
    if (keeps_prefixes_) {
      folds_.truncate(index - base_);
      prefix_end_ = narrow(index);
    } else {
      keep_prefixes();
    }
  }

  void shift_up() {
    ++base_;
    ++boundary_;
    ++suffix_begin_;
    ++prefix_end_;
  }

  timestamp begin_ = timestamp_min;         ///< Of the block.
  timestamp cursor_begin_ = timestamp_min;  ///< Where the latest range began.
  // Fold i - base_ is of item i: down from the boundary for [suffix_begin_, boundary_), and
  // unspecified for [base_, suffix_begin_). If prefixes are kept, it is up from the boundary for
  // [boundary_, prefix_end_); else there is only the last one of these, `prefix_`.
  pooled_array<element> folds_;
  std::uint32_t base_ = 0;
  std::uint32_t suffix_begin_ = 0;
  std::uint32_t boundary_ = 0;
  std::uint32_t prefix_end_ = 0;
  std::uint32_t cursor_ = 0;  ///< The first item of the latest range.
  bool keeps_prefixes_ = false;
  bool used_ = false;
  State prefix_{};
};

}  // namespace freshet::detail
