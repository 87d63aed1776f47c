// What count windows keep of one key. Internal.
//
// Records are aggregated in panes of gcd(size, slide) records. Panes come in blocks of one window
// size: when a block is complete, its panes are merged from the back into suffixes, so that every
// later window is one suffix of the block before merged with the panes since: two merges a pane,
// whatever the size. Where blocks begin depends on the number of records alone, so that results of
// floating-point aggregates are the same after a restart to the last bit.
//
// Threads: immutable, the state belongs to its key. Memory: size / gcd + 1 panes per key.
// Source: the two stacks of Hirzel et al., "Sliding-Window Aggregation Algorithms", DEBS 2017.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>
#include <freshet/window/count.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

/// The aggregates of some records, and when these happened.
template <class State>
struct count_pane {
  State state{};
  timestamp at_min = timestamp_max;
  timestamp at_max = timestamp_min;
  BOOST_DESCRIBE_CLASS(count_pane, (), (state, at_min, at_max), (), ())

  window_span span() const { return {at_min, saturating_add(at_max, duration{1})}; }
};

template <class State>
struct counted_key {
  using pane = count_pane<State>;

  std::int64_t seen = 0;    ///< Records of the key.
  std::vector<pane> older;  ///< Suffixes of the block before that are still wanted, longest last.
  std::vector<pane> newer;  ///< The panes of the block being filled; the last may be incomplete.
  pane merged;  ///< The complete ones of them; where windows do not overlap, the window.
  BOOST_DESCRIBE_CLASS(counted_key, (), (seen, older, newer, merged), (), ())
};

/// `Parts`: an `aggregate_set`.
template <class Parts>
class count_panes {
 public:
  using state = typename Parts::state;
  using pane = count_pane<state>;
  using key_state = counted_key<state>;

  /// \pre `windows.check()` is empty.
  count_panes(const count_window& windows, Parts parts)
      : parts_(std::move(parts)),
        size_(windows.size),
        slide_(windows.slide == 0 ? windows.size : windows.slide),
        partial_(windows.partial),
        pane_(slide_ < size_ ? std::gcd(size_, slide_) : size_),
        panes_(size_ / pane_) {}

  const Parts& parts() const { return parts_; }

  struct outcome {
    bool assigned = true;       ///< False where the record lies between two windows.
    std::optional<pane> fired;  ///< The window that the record completes.
  };

  template <class T>
  outcome add(key_state& of, const T& value, const order_key& order) const {
    return slide_ < size_ ? add_overlapping(of, value, order) : add_apart(of, value, order);
  }

  /// The window that would have fired next, where it has records.
  std::optional<pane> rest_of(const key_state& of) const {
    if (slide_ >= size_) {
      const std::int64_t filled = of.seen % slide_;
      if (filled == 0 || filled >= size_) return std::nullopt;
      return of.merged;
    }
    if (of.seen == 0 || (of.seen - size_) % slide_ == 0) return std::nullopt;
    // The first window that ends after the records so far. Both numbers stay below twice the size.
    std::int64_t after = (size_ - of.seen) % slide_;
    if (after < 0) after += slide_;
    const std::int64_t first = std::max<std::int64_t>(0, of.seen + (after - size_)) / pane_;
    const std::int64_t block = of.seen / pane_ / panes_ * panes_;
    pane rest;
    auto from = of.newer.begin();
    if (first < block) {
      rest = of.older[static_cast<std::size_t>(block - first - 1)];
    } else {
      from += first - block;
    }
    for (; from != of.newer.end(); ++from) merge(rest, *from);
    return rest;
  }

  /// Whether `add` could have left `of` so.
  bool valid(const key_state& of) const {
    if (of.seen < 0) return false;
    std::int64_t older = 0;
    std::int64_t newer = 0;
    if (slide_ < size_) {
      const std::int64_t complete = of.seen / pane_;
      if (complete >= panes_) older = panes_ - 1 - complete % panes_;
      newer = complete % panes_ + (of.seen % pane_ != 0 ? 1 : 0);
    }
    return std::cmp_equal(of.older.size(), older) && std::cmp_equal(of.newer.size(), newer);
  }

 private:
  template <class T>
  void include(pane& in, const T& value, const order_key& order) const {
    parts_.add(in.state, value, order);
    in.at_min = std::min(in.at_min, order.at);
    in.at_max = std::max(in.at_max, order.at);
  }

  void merge(pane& into, const pane& from) const {
    parts_.merge(into.state, from.state);
    into.at_min = std::min(into.at_min, from.at_min);
    into.at_max = std::max(into.at_max, from.at_max);
  }

  template <class T>
  outcome add_apart(key_state& of, const T& value, const order_key& order) const {
    const std::int64_t place = of.seen % slide_;
    if (place < size_) include(of.merged, value, order);
    ++of.seen;
    if (place + 1 == size_) return {true, std::exchange(of.merged, {})};
    return {place < size_, std::nullopt};
  }

  template <class T>
  outcome add_overlapping(key_state& of, const T& value, const order_key& order) const {
    if (of.seen % pane_ == 0) of.newer.emplace_back();
    include(of.newer.back(), value, order);
    ++of.seen;
    if (of.seen % pane_ != 0) return {};

    merge(of.merged, of.newer.back());
    outcome result;
    const bool complete = of.seen >= size_ || partial_;
    if (complete && (of.seen - size_) % slide_ == 0) {
      if (of.older.empty()) {
        result.fired = of.merged;
      } else {
        result.fired = of.older.back();
        merge(*result.fired, of.merged);
      }
    }
    if (!of.older.empty()) of.older.pop_back();
    if (std::cmp_equal(of.newer.size(), panes_)) begin_block(of);
    return result;
  }

  /// The first pane of a complete block is in no window that is still to come.
  void begin_block(key_state& of) const {
    assert(of.older.empty());
    of.older.reserve(of.newer.size());
    for (std::size_t i = of.newer.size() - 1; i > 0; --i) {
      of.older.push_back(std::move(of.newer[i]));
      if (of.older.size() > 1) merge(of.older.back(), of.older[of.older.size() - 2]);
    }
    of.newer.clear();
    of.merged = {};
  }

  Parts parts_;
  std::int64_t size_;
  std::int64_t slide_;
  bool partial_;
  std::int64_t pane_;   ///< Records in a pane; a whole window where windows do not overlap.
  std::int64_t panes_;  ///< Panes in a window.
};

}  // namespace freshet::detail
