// The panes of one key and one resolution: folds of the records of spans `[k * width, (k + 1) *
// width)`. Internal.
//
// A pane is open while records may still come into it, and then closed for good. The fold of a pane
// is that of its records in their order, however they came.
//
// Threads: one at a time. Memory: one state per pane that has records.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/block_folds.hpp>
#include <freshet/pipeline/detail/block_pool.hpp>
#include <freshet/pipeline/detail/galloping_search.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>

#include <cassert>
#include <cstddef>
#include <utility>
#include <vector>

namespace freshet::detail {

/// `Items`: see trailing_items.hpp.
template <class Items>
class pane_list {
 public:
  using state = typename Items::state;

  bool empty() const { return all_.empty(); }
  timestamp last() const { return all_.back().begin; }
  /// The first pane that is open, if any is.
  const timestamp* first_open() const {
    return closed_ == all_.size() ? nullptr : &all_[closed_].begin;
  }

  /// Adds a record of the pane that begins at `begin`. `is_last`: none of the pane's records stands
  /// behind it.
  void add(block_pool& pool, const Items& items, timestamp begin,
           const typename Items::item& of_record, bool is_last) {
    const std::size_t at = first_not_before(begin, all_.size(), all_.size(), time());
    assert(at >= closed_);
    const bool is_new = at == all_.size() || all_[at].begin != begin;
    if (is_new) all_.emplace(pool, at, begin);
    if (is_last && !all_[at].stale) {
      items.add(all_[at].fold, of_record);
    } else {
      all_[at].stale = true;
    }
    for (auto& each : folds_) {
      if (is_new) {
        each.inserted(pool, at, begin);
      } else {
        each.changed(at, begin);
      }
    }
  }

  /// Folds the panes that begin in [begin, end), in blocks of `of.block`. `remake(begin)` folds the
  /// records of a pane.
  template <class Remake>
  state fold(block_pool& pool, const trailing_plan& plan, const Items& items,
             const trailing_plan::span& of, timestamp begin, timestamp end, Remake&& remake) {
    const std::size_t last = first_not_before(end, all_.size(), all_.size(), time());
    const auto merge = [&](state& into, const state& from) { items.merge(into, from); };
    const auto add = [&](state& to, std::size_t i) { merge(to, refreshed(all_[i], remake)); };
    if constexpr (!has_fixed_size<state>) {
      state all{};
      std::size_t i = first_not_before(begin, last, last, time());
      for (; i < last; ++i) add(all, i);
      return all;
    } else {
      if (last <= few_items || all_[last - 1 - few_items].begin < begin) {
        return fold_few<state>(first_not_before(begin, last, last, time()), last, add);
      }
      folds_.resize(plan.resolutions()[*of.panes].spans);
      return folds_[of.folds].fold(pool, begin, end, of.block, last, time(), merge, add);
    }
  }

  /// Closes the panes that are complete at `promised`, and drops those that no span sees any more.
  /// True when one was closed.
  template <class Remake>
  bool advance(const trailing_plan& plan, const trailing_plan::resolution& of, timestamp promised,
               Remake&& remake) {
    const std::size_t closed_before = closed_;
    while (closed_ < all_.size() && plan.closes_at(of, all_[closed_].begin) <= promised) {
      refreshed(all_[closed_++], remake);
    }
    const bool any_closed = closed_ > closed_before;
    std::size_t gone = 0;
    while (gone < closed_ && plan.pane_expires_at(of, all_[gone].begin) <= promised) ++gone;
    if (gone > 0 && 2 * gone >= all_.size()) {
      all_.erase_front(gone);
      closed_ -= gone;
      for (auto& each : folds_) each.dropped(gone);
    }
    return any_closed;
  }

  /// Calls `closed_pane(begin, state)` for the closed panes that it was not called for yet.
  template <class ClosedPane>
  void take_unsaved(ClosedPane&& closed_pane) {
    // Panes close in their order.
    for (std::size_t i = closed_; i > 0 && !std::exchange(all_[i - 1].saved, true); --i) {
      closed_pane(all_[i - 1].begin, std::as_const(all_[i - 1].fold));
    }
  }

  /// Calls the same for every closed pane.
  template <class ClosedPane>
  void for_each_closed(ClosedPane&& closed_pane) const {
    for (std::size_t i = 0; i < closed_; ++i) closed_pane(all_[i].begin, all_[i].fold);
  }

  /// Puts a closed pane back; false unless it is behind those before.
  bool restore(block_pool& pool, timestamp begin, state fold) {
    if (!all_.empty() && begin <= all_.back().begin) return false;
    all_.emplace_back(pool, begin, std::move(fold), false, true);
    ++closed_;
    return true;
  }

  void release(block_pool& pool) {
    all_.release(pool);
    for (auto& each : folds_) each.release(pool);
  }

 private:
  struct pane {
    timestamp begin = timestamp_min;
    state fold{};
    bool stale = false;  ///< The fold has to be made again from the records.
    bool saved = false;  ///< A snapshot has seen it.
  };

  auto time() const {
    return [this](std::size_t i) { return all_[i].begin; };
  }

  template <class Remake>
  const state& refreshed(pane& of, Remake&& remake) {
    if (std::exchange(of.stale, false)) of.fold = remake(of.begin);
    return of.fold;
  }

  pooled_array<pane> all_;  ///< Ascending; only those with records.
  std::size_t closed_ = 0;  ///< How many at the front are closed.
  std::vector<block_folds<state>>
      folds_;  ///< One for each span of the resolution; empty if unused.
};

}  // namespace freshet::detail
