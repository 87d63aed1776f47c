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
#include <freshet/pipeline/detail/galloping_search.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>

#include <cassert>
#include <cstddef>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class Aggregates>
class pane_list {
 public:
  using state = typename Aggregates::state;
  using folded = accumulator<state, Aggregates>;

  bool empty() const { return all_.empty(); }
  timestamp last() const { return all_.back().begin; }
  /// The first pane that is open, if any is.
  const timestamp* first_open() const {
    return closed_ == all_.size() ? nullptr : &all_[closed_].begin;
  }

  /// Adds a record of the pane that begins at `begin`. `is_last`: none of the pane's records stands
  /// behind it.
  void add(const Aggregates& parts, timestamp begin, const state& of_record, bool is_last) {
    const std::size_t at = first_not_before(begin, all_.size(), all_.size(), time());
    assert(at >= closed_);
    if (at == all_.size() || all_[at].begin != begin) {
      all_.insert(all_.begin() + static_cast<std::ptrdiff_t>(at), {begin, of_record});
      for (auto& each : folds_) each.inserted(at, begin);
      return;
    }
    if (is_last && !all_[at].stale) {
      parts.merge(all_[at].fold, of_record);
    } else {
      all_[at].stale = true;
    }
    for (auto& each : folds_) each.changed(at, begin);
  }

  /// Folds the panes that begin in [begin, end) into `into`, in blocks of `of.block`.
  /// `remake(begin)` folds the records of a pane.
  template <class Remake>
  void fold(folded& into, const trailing_plan& plan, const Aggregates& parts,
            const trailing_plan::span& of, timestamp begin, timestamp end, Remake&& remake) {
    const std::size_t last = first_not_before(end, all_.size(), all_.size(), time());
    const auto item = [&](std::size_t i) -> const state& { return refreshed(all_[i], remake); };
    if constexpr (!has_fixed_size<state>) {
      for (std::size_t i = first_not_before(begin, last, last, time()); i < last; ++i) {
        into.take(item(i));
      }
    } else {
      const timestamp block = floor_to(end, of.block);
      const auto boundary = [&] { return first_not_before(block, last, last, time()); };
      if (last <= few_items || all_[last - 1 - few_items].begin < begin) {
        const std::size_t first = first_not_before(begin, last, last, time());
        fold_directly(into, parts, first, boundary(), last, item);
        return;
      }
      folds_.resize(plan.resolutions()[*of.panes].spans);
      block_folds<state>& kept = folds_[of.folds];
      const std::size_t first = first_not_before(begin, last, kept.cursor(), time());
      kept.fold(into, parts, block, first, last, boundary, item);
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
      all_.erase(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(gone));
      closed_ -= gone;
      for (auto& each : folds_) each.dropped(gone);
    }
    return any_closed;
  }

  /// Calls `closed_pane(begin, state)` for the closed panes that it was not called for yet.
  template <class ClosedPane>
  void take_unsaved(ClosedPane&& closed_pane) const {
    // Panes close in their order.
    for (std::size_t i = closed_; i > 0 && !std::exchange(all_[i - 1].saved, true); --i) {
      closed_pane(all_[i - 1].begin, all_[i - 1].fold);
    }
  }

  /// Puts a closed pane back; false unless it is behind those before.
  bool restore(timestamp begin, state fold) {
    if (!all_.empty() && begin <= all_.back().begin) return false;
    all_.push_back({begin, std::move(fold), false, true});
    ++closed_;
    return true;
  }

 private:
  struct pane {
    timestamp begin = timestamp_min;
    state fold{};
    bool stale = false;          ///< The fold has to be made again from the records.
    mutable bool saved = false;  ///< A snapshot has seen it.
  };

  auto time() const {
    return [this](std::size_t i) { return all_[i].begin; };
  }

  template <class Remake>
  const state& refreshed(pane& of, Remake&& remake) {
    if (std::exchange(of.stale, false)) of.fold = remake(of.begin);
    return of.fold;
  }

  std::vector<pane> all_;   ///< Ascending; only those with records.
  std::size_t closed_ = 0;  ///< How many at the front are closed.
  std::vector<block_folds<state>>
      folds_;  ///< One for each span of the resolution; empty if unused.
};

}  // namespace freshet::detail
