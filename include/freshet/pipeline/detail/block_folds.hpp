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
// Threads: one at a time. Memory: one state per item between the first and the last range of the
// current block. Cost: amortised O(1) merges for a range that is not before the one before it;
// O(d) after an item was put in d items before the end of the ranges, or, where it falls before the
// boundary, O(items before it); O(range) for a range of an earlier block.
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

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

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

/// Merges states one after the other. What no state has gone into is the state of no records.
template <class State, class Aggregates>
class accumulator {
 public:
  explicit accumulator(const Aggregates& parts) : parts_(parts) {}

  void take(const State& from) {
    if (empty_) {
      state_ = from;
      empty_ = false;
    } else {
      parts_.merge(state_, from);
    }
  }
  void take(const accumulator& from) {
    if (!from.empty_) take(from.state_);
  }
  const State& state() const { return state_; }

 private:
  const Aggregates& parts_;
  State state_{};
  bool empty_ = true;
};

/// Ranges of so few items are folded on the spot: keeping folds would cost more.
inline constexpr std::size_t few_items = 8;

/// Folds [first, last) around `boundary` without keeping anything; `item(i)` is the state of item
/// i.
/// \pre first <= boundary <= last.
template <class State, class Aggregates, class Item>
void fold_directly(accumulator<State, Aggregates>& into, const Aggregates& parts, std::size_t first,
                   std::size_t boundary, std::size_t last, Item&& item) {
  for (std::size_t i = boundary; i > first; --i) into.take(item(i - 1));
  accumulator<State, Aggregates> behind(parts);
  for (std::size_t i = boundary; i < last; ++i) behind.take(item(i));
  into.take(behind);
}

template <class State>
class block_folds {
 public:
  /// Merges the fold of the items [first, last) into `into`, with the same result as
  /// `fold_directly`. `begin`: where the block begins, `boundary()` the first item of the block.
  template <class Aggregates, class Boundary, class Item>
  void fold(accumulator<State, Aggregates>& into, const Aggregates& parts, timestamp begin,
            std::size_t first, std::size_t last, Boundary&& boundary, Item&& item) {
    if (!used_ || begin_ < begin) start(begin, first, boundary());
    if (begin < begin_) {
      fold_directly(into, parts, first, boundary(), last, item);
      return;
    }
    assert(first <= boundary_ && boundary_ <= last);
    cursor_ = first;
    if (first < suffix_begin_) extend_down(parts, first, item);
    if (last > prefix_end_) extend_up(parts, last, item);
    if (first < boundary_) into.take(folds_[first - base_]);
    if (last > boundary_) into.take(folds_[last - 1 - base_]);
  }

  /// Where the latest range began: a hint for the next one.
  std::size_t cursor() const { return cursor_; }

  /// An item was put in as number `index`, and those behind it have moved. `at`: its time.
  void inserted(std::size_t index, timestamp at) {
    if (!used_) return;
    if (index < cursor_) ++cursor_;
    if (at >= begin_) {
      truncate(index);
    } else if (index <= base_) {
      shift_up();
    } else {
      folds_.insert(folds_.begin() + static_cast<std::ptrdiff_t>(index - base_), State{});
      ++boundary_;
      ++prefix_end_;
      suffix_begin_ = std::max(suffix_begin_, index) + 1;
    }
  }

  /// The state of item `index` has changed.
  void changed(std::size_t index, timestamp at) {
    if (!used_) return;
    if (at >= begin_) {
      truncate(index);
    } else {
      suffix_begin_ = std::max(suffix_begin_, index + 1);
    }
  }

  /// The first `count` items are gone. \pre no later range holds one of them.
  void dropped(std::size_t count) {
    if (!used_) return;
    if (count > boundary_) {
      *this = block_folds{};
      return;
    }
    const auto shift = [count](std::size_t& index) { index -= std::min(index, count); };
    if (count > base_) {
      folds_.erase(folds_.begin(), folds_.begin() + static_cast<std::ptrdiff_t>(count - base_));
    }
    shift(base_);
    shift(boundary_);
    shift(suffix_begin_);
    shift(prefix_end_);
    shift(cursor_);
  }

  /// Asks for the memory that the next range will look at.
  void prefetch() const {
    if (!used_ || folds_.empty()) return;
    const std::size_t next = std::min(cursor_ - base_ + 1, folds_.size() - 1);
    __builtin_prefetch(folds_.data() + next);
    __builtin_prefetch(folds_.data() + folds_.size() - 1, 1);
  }

 private:
  void start(timestamp begin, std::size_t first, std::size_t boundary) {
    used_ = true;
    begin_ = begin;
    base_ = first;
    boundary_ = suffix_begin_ = prefix_end_ = boundary;
    folds_.assign(boundary - first, State{});
  }

  template <class Aggregates, class Item>
  void extend_down(const Aggregates& parts, std::size_t first, Item&& item) {
    if (first < base_) {
      // At least double, so that ranges that begin earlier and earlier cost O(1) each.
      const std::size_t room = std::min(base_, std::max(base_ - first, folds_.size()));
      folds_.insert(folds_.begin(), room, State{});
      base_ -= room;
    }
    for (std::size_t i = suffix_begin_; i > first; --i) {
      State& fold = folds_[i - 1 - base_];
      if (i == boundary_) {
        fold = item(i - 1);
      } else {
        fold = folds_[i - base_];
        parts.merge(fold, item(i - 1));
      }
    }
    suffix_begin_ = first;
  }

  template <class Aggregates, class Item>
  void extend_up(const Aggregates& parts, std::size_t last, Item&& item) {
    for (std::size_t i = prefix_end_; i < last; ++i) {
      if (i == boundary_) {
        folds_.push_back(item(i));
      } else {
        folds_.push_back(State(folds_.back()));
        parts.merge(folds_.back(), item(i));
      }
    }
    prefix_end_ = last;
  }

  /// Forgets the folds that item `index` of the block, or one behind it, has gone into.
  void truncate(std::size_t index) {
    if (index >= prefix_end_) return;
    folds_.resize(index - base_);
    prefix_end_ = index;
  }

  void shift_up() {
    ++base_;
    ++boundary_;
    ++suffix_begin_;
    ++prefix_end_;
  }

  timestamp begin_ = timestamp_min;  ///< Of the block.
  // Fold i - base_ is of item i: down from the boundary for [suffix_begin_, boundary_), up from it
  // for [boundary_, prefix_end_), and unspecified for [base_, suffix_begin_).
  std::vector<State> folds_;
  std::size_t base_ = 0;
  std::size_t suffix_begin_ = 0;
  std::size_t boundary_ = 0;
  std::size_t prefix_end_ = 0;
  std::size_t cursor_ = 0;
  bool used_ = false;
};

}  // namespace freshet::detail
