// What `trailing` keeps of one key: its recent records one by one, and its older ones in panes.
// Internal.
//
// A record is kept as the state of the aggregates over it alone. The records are shared by all
// exact spans and the open part of all others; each resolution has a list of panes. The value of a
// span is folded from them in an order that depends on nothing but the records in the span, so it
// is the same to the last bit whenever they came, and after a restart.
//
// Threads: one at a time. Memory: what the spans hold, twice at worst. Cost of a record in order:
// amortised O(1) merges per span, or O(records in the span) for aggregates whose states grow.
#pragma once

#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/block_folds.hpp>
#include <freshet/pipeline/detail/galloping_search.hpp>
#include <freshet/pipeline/detail/pane_list.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class Aggregates>
class trailing_history {
 public:
  using state = typename Aggregates::state;
  using folded = accumulator<state, Aggregates>;

  /// Puts a record in and returns its number. `promised`: as in trailing_plan.hpp.
  std::size_t insert(const trailing_plan& plan, const Aggregates& parts, const order_key& order,
                     state of_record, timestamp promised) {
    if (times_.size() == times_.capacity()) make_room(plan, promised);
    const std::size_t index = place_of(order);
    const bool is_copy = index > 0 && order_of(index - 1) == order;
    const std::uint32_t copy = is_copy ? records_[index - 1].copy + 1 : 0;
    const auto offset = static_cast<std::ptrdiff_t>(index);
    times_.insert(times_.begin() + offset, order.at);
    records_.insert(records_.begin() + offset, {order.where, copy, false, std::move(of_record)});
    ++unsaved_;
    for (auto& each : record_folds_) each.inserted(index, order.at);
    if (!plan.resolutions().empty()) insert_into_panes(plan, parts, index, timestamp_min);
    return index;
  }

  /// One past the number of the last record before `at`.
  std::size_t end_before(timestamp at) const {
    return first_not_before(at, times_.size(), times_.size(), time_of_record());
  }

  /// What `of`, a span of the plan, holds for a record at `at`, which sees records up to `end`.
  folded fold(const trailing_plan& plan, const Aggregates& parts, const trailing_plan::span& of,
              timestamp at, std::size_t end) {
    folded all(parts);
    const timestamp begin = plan.begin_of(of, at);
    if (!of.panes) {
      fold_records(plan, all, parts, of.folds, begin, floor_to(at, of.block), end);
      return all;
    }
    const trailing_plan::resolution& panes = plan.resolutions()[*of.panes];
    const timestamp open = floor_to(at, panes.width);
    if (!panes_.empty()) {
      panes_[*of.panes].fold(all, plan, parts, of, begin, open, remake(parts, panes.width));
    }
    folded behind(parts);
    fold_records(plan, behind, parts, panes.folds, open, open, end);
    all.take(behind);
    return all;
  }

  /// Closes the panes that are complete, and forgets what no span can see any more. True when a
  /// pane was closed.
  bool advance(const trailing_plan& plan, const Aggregates& parts, timestamp promised) {
    bool any_closed = false;
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const trailing_plan::resolution& of = plan.resolutions()[r];
      any_closed |= panes_[r].advance(plan, of, promised, remake(parts, of.width));
    }
    const std::size_t gone = records_not_needed(plan, promised);
    if (gone > 0 && 2 * gone >= times_.size()) drop_records(gone);
    return any_closed;
  }

  /// The frontier at which `advance` has something to do, or the key has expired.
  timestamp next_deadline(const trailing_plan& plan) const {
    timestamp next = expires_at(plan);
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const timestamp* open = panes_[r].first_open();
      if (open != nullptr) next = std::min(next, plan.closes_at(plan.resolutions()[r], *open));
    }
    return next;
  }

  /// From this watermark on no span can see anything of this key.
  timestamp expires_at(const trailing_plan& plan) const {
    timestamp last = timestamp_min;
    if (!times_.empty()) last = plan.entry_expires_at(times_.back());
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      if (panes_[r].empty()) continue;
      last = std::max(last, plan.pane_expires_at(plan.resolutions()[r], panes_[r].last()));
    }
    return last;
  }

  /// Calls `record(order, copy, state)` and `closed_pane(resolution, begin, state)` for what no
  /// snapshot has seen yet.
  template <class Record, class ClosedPane>
  void take_unsaved(Record&& record_of, ClosedPane&& closed_pane) const {
    for (std::size_t i = times_.size(); i > 0 && unsaved_ > 0; --i) {
      const record& each = records_[i - 1];
      if (std::exchange(each.saved, true)) continue;
      record_of(order_of(i - 1), each.copy, each.of_record);
      --unsaved_;
    }
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      panes_[r].take_unsaved(
          [&](timestamp begin, const state& fold) { closed_pane(r, begin, fold); });
    }
  }

  // Rows come back in ascending order; false when they do not.
  bool restore_record(const order_key& order, std::uint32_t copy, state of_record) {
    if (!times_.empty() && order < order_of(times_.size() - 1)) return false;
    times_.push_back(order.at);
    records_.push_back({order.where, copy, true, std::move(of_record)});
    return true;
  }
  bool restore_pane(const trailing_plan& plan, std::size_t resolution, timestamp begin,
                    state fold) {
    panes_.resize(plan.resolutions().size());
    return panes_[resolution].restore(begin, std::move(fold));
  }
  /// Makes the panes that are open at `promised` from their records, after the last row.
  void restored(const trailing_plan& plan, const Aggregates& parts, timestamp promised) {
    for (std::size_t i = 0; i < times_.size() && !plan.resolutions().empty(); ++i) {
      insert_into_panes(plan, parts, i, promised);
    }
  }

  /// Asks for the memory that the next record will look at.
  void prefetch() const {
    if (times_.empty()) return;
    __builtin_prefetch(times_.data() + times_.size() - 1, 1);
    __builtin_prefetch(records_.data() + records_.size() - 1, 1);
    for (const auto& each : record_folds_) {
      each.prefetch();
      __builtin_prefetch(times_.data() + std::min(each.cursor(), times_.size() - 1));
    }
  }

  timestamp armed = timestamp_max;  ///< The deadline at which the key will be looked at.

 private:
  struct record {
    position where;
    std::uint32_t copy = 0;      ///< Numbers equal order keys, as in a stream merged with itself.
    mutable bool saved = false;  ///< A snapshot has seen it.
    state of_record{};
  };
  auto time_of_record() const {
    return [this](std::size_t i) { return times_[i]; };
  }
  order_key order_of(std::size_t index) const { return {times_[index], records_[index].where}; }

  /// Where a record belongs: behind all that it is not before.
  std::size_t place_of(const order_key& order) const {
    if (times_.empty() || times_.back() < order.at) return times_.size();
    std::size_t low = end_before(order.at);
    std::size_t high = times_.size();
    if (!(order < order_of(high - 1))) return high;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (order < order_of(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /// Adds record `index` to its panes, but for those that were closed at `open_from`.
  void insert_into_panes(const trailing_plan& plan, const Aggregates& parts, std::size_t index,
                         timestamp open_from) {
    panes_.resize(plan.resolutions().size());
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const trailing_plan::resolution& of = plan.resolutions()[r];
      const timestamp begin = floor_to(times_[index], of.width);
      if (plan.closes_at(of, begin) <= open_from) continue;
      const bool is_last =
          index + 1 == times_.size() || floor_to(times_[index + 1], of.width) != begin;
      panes_[r].add(parts, begin, records_[index].of_record, is_last);
    }
  }

  /// What folds the records of a pane of that width again.
  auto remake(const Aggregates& parts, duration width) const {
    return [this, &parts, width](timestamp begin) {
      folded all(parts);
      for (std::size_t i = end_before(begin);
           i < times_.size() && floor_to(times_[i], width) == begin; ++i) {
        all.take(records_[i].of_record);
      }
      return all.state();
    };
  }

  void fold_records(const trailing_plan& plan, folded& into, const Aggregates& parts,
                    std::size_t folds, timestamp begin, timestamp block, std::size_t end);

  /// Forgets what is not needed, and doubles the memory unless that gave enough of it.
  void make_room(const trailing_plan& plan, timestamp promised) {
    drop_records(records_not_needed(plan, promised));
    if (4 * times_.size() < 3 * times_.capacity()) return;
    const std::size_t room = std::max<std::size_t>(4, 2 * times_.capacity());
    times_.reserve(room);
    records_.reserve(room);
  }

  std::size_t records_not_needed(const trailing_plan& plan, timestamp promised) const {
    timestamp from = plan.exact_from(promised);
    for (const auto& each : panes_) {
      if (each.first_open() != nullptr) from = std::min(from, *each.first_open());
    }
    return first_not_before(from, times_.size(), 0, time_of_record());
  }

  void drop_records(std::size_t count) {
    if (count == 0) return;
    for (std::size_t i = 0; i < count; ++i) unsaved_ -= records_[i].saved ? 0U : 1U;
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(count));
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count));
    for (auto& each : record_folds_) each.dropped(count);
  }

  std::vector<timestamp> times_;  ///< Of the records, ascending.
  std::vector<record> records_;
  std::vector<block_folds<state>> record_folds_;  ///< As the plan numbers them; empty if unused.
  std::vector<pane_list<Aggregates>> panes_;      ///< By resolution; empty before the first record.
  mutable std::size_t unsaved_ = 0;               ///< Records that no snapshot has seen.
};

template <class Aggregates>
void trailing_history<Aggregates>::fold_records(const trailing_plan& plan, folded& into,
                                                const Aggregates& parts, std::size_t folds,
                                                timestamp begin, timestamp block, std::size_t end) {
  const auto item = [this](std::size_t i) -> const state& { return records_[i].of_record; };
  if constexpr (!has_fixed_size<state>) {
    // From the first on: then a state that collects only ever gets longer at its end.
    for (std::size_t i = first_not_before(begin, end, end, time_of_record()); i < end; ++i) {
      into.take(item(i));
    }
  } else if (end <= few_items || times_[end - 1 - few_items] < begin) {
    std::size_t first = end;
    while (first > 0 && times_[first - 1] >= begin) --first;
    std::size_t boundary = first;
    while (boundary < end && times_[boundary] < block) ++boundary;
    fold_directly(into, parts, first, boundary, end, item);
  } else {
    record_folds_.resize(plan.record_folds());
    block_folds<state>& kept = record_folds_[folds];
    const std::size_t first = first_not_before(begin, end, kept.cursor(), time_of_record());
    kept.fold(
        into, parts, block, first, end,
        [&] { return first_not_before(block, end, end, time_of_record()); }, item);
  }
}

}  // namespace freshet::detail
