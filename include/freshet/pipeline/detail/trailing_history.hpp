// What `trailing` keeps of one key: its recent records one by one, and its older ones in panes.
// Internal.
//
// A record is kept as what the aggregates need of it. The records are shared by all exact spans and
// the open part of all others; each resolution has a list of panes. The value of a
// span is folded from them in an order that depends on nothing but the records in the span, so it
// is the same to the last bit whenever they came, and after a restart.
//
// Threads: one at a time. Memory: what the spans hold, twice at worst. Cost of a record in order:
// amortised O(1) merges per span, or O(records in the span) for aggregates whose states grow.
#pragma once

#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/block_folds.hpp>
#include <freshet/pipeline/detail/block_pool.hpp>
#include <freshet/pipeline/detail/galloping_search.hpp>
#include <freshet/pipeline/detail/pane_list.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace freshet::detail {

/// `Items`: see trailing_items.hpp. `Spans`: how many there are; exact ones and resolutions
/// together are not more.
template <class Items, std::size_t Spans>
class trailing_history {
  static_assert(Spans <= 32);

 public:
  using state = typename Items::state;
  using item = typename Items::item;
  /// What histories have in common.
  struct tools {
    const trailing_plan& plan;
    const Items& items;
    block_pool& pool;
  };

  explicit trailing_history(block_pool& pool) : pool_(&pool) {}
  trailing_history(const trailing_history&) = delete;
  trailing_history& operator=(const trailing_history&) = delete;
  ~trailing_history() {
    records_.release(*pool_);
    places_.release(*pool_);
    for (auto& each : folds_) each.release(*pool_);
    for (auto& each : panes_) each.release(*pool_);
  }

  block_pool& pool() const { return *pool_; }
  /// How many records are kept one by one.
  std::size_t size() const { return records_.size(); }
  /// What is neither in this object nor in the pool, if all records are like the last.
  std::uint64_t owned_outside_pool() const {
    const std::uint64_t lists = panes_.capacity() * sizeof(pane_list<Items>);
    if (records_.empty()) return lists;
    return lists + records_.size() * owned_bytes(records_.back().of_record);
  }

  /// Puts a record in and returns its number. Records of one time stand in the order in which they
  /// were put in or, where they see each other, in that of their positions. `promised`: as in
  /// trailing_plan.hpp.
  std::size_t insert(const tools& with, const order_key& order, item of_record,
                     timestamp promised) {
    if (records_.size() == records_.capacity()) make_room(with, promised);
    std::size_t index = records_.size();
    if (index == 0 || last_at_ < order.at) {
      records_.emplace_back(with.pool, order.at, 0U, false, std::move(of_record));
      if (with.plan.options().include_self) places_.emplace_back(with.pool, order.where);
      last_at_ = order.at;
    } else {
      index = place_of(with, order);
      const bool is_copy = index > 0 && is_at(with, order, index - 1);
      const std::uint32_t copy = is_copy ? records_[index - 1].copy + 1 : 0;
      records_.emplace(with.pool, index, order.at, copy, false, std::move(of_record));
      if (with.plan.options().include_self) places_.emplace(with.pool, index, order.where);
    }
    ++unsaved_;
    for_used_folds([&](auto& each) { each.inserted(with.pool, index, order.at); });
    if (!with.plan.resolutions().empty()) insert_into_panes(with, index, timestamp_min);
    return index;
  }

  /// One past the number of the last record before `at`.
  std::size_t end_before(timestamp at) const {
    if (last_at_ < at) return records_.size();
    return first_not_before(at, records_.size(), records_.size(), time_of_record());
  }

  /// What `of`, a span of the plan, holds for a record at `at`, which sees records up to `end`.
  state fold(const tools& with, const trailing_plan::span& of, timestamp at, std::size_t end) {
    const timestamp begin = with.plan.begin_of(of, at);
    if (!of.panes) return fold_records(with, of.folds, begin, at, of.block, end);
    if (panes_.empty()) return {};
    const trailing_plan::resolution& panes = with.plan.resolutions()[*of.panes];
    const timestamp open = floor_to(at, panes.width);
    state all = panes_[*of.panes].fold(with.pool, with.plan, with.items, of, begin, open,
                                       remake(with, panes.width));
    with.items.merge(all, fold_records(with, panes.folds, open, at, panes.width, end));
    return all;
  }

  /// Closes the panes that are complete, and forgets what no span can see any more. True when a
  /// pane was closed.
  bool advance(const tools& with, timestamp promised) {
    bool any_closed = false;
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const trailing_plan::resolution& of = with.plan.resolutions()[r];
      any_closed |= panes_[r].advance(with.plan, of, promised, remake(with, of.width));
    }
    const std::size_t gone = records_not_needed(with, promised);
    if (gone > 0 && 2 * gone >= records_.size()) drop_records(gone);
    return any_closed;
  }

  /// The frontier at which `advance` has something to do, or the key has expired.
  timestamp next_deadline(const tools& with) const {
    timestamp next = with.plan.look_at(expires_at(with));
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const timestamp* open = panes_[r].first_open();
      if (open != nullptr)
        next = std::min(next, with.plan.closes_at(with.plan.resolutions()[r], *open));
    }
    return next;
  }

  /// From this watermark on no span can see anything of this key.
  timestamp expires_at(const tools& with) const {
    timestamp last = timestamp_min;
    if (!records_.empty()) last = with.plan.entry_expires_at(last_at_);
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      if (panes_[r].empty()) continue;
      last =
          std::max(last, with.plan.pane_expires_at(with.plan.resolutions()[r], panes_[r].last()));
    }
    return last;
  }

  /// Calls `record(order, copy, item)` and `closed_pane(resolution, begin, state)` for what no
  /// snapshot has seen yet.
  template <class Record, class ClosedPane>
  void take_unsaved(Record&& record_of, ClosedPane&& closed_pane) {
    for (std::size_t i = records_.size(); i > 0 && unsaved_ > 0; --i) {
      record& each = records_[i - 1];
      if (std::exchange(each.saved, true)) continue;
      record_of(order_of(i - 1), each.copy, std::as_const(each.of_record));
      --unsaved_;
    }
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      panes_[r].take_unsaved(
          [&](timestamp begin, const state& fold) { closed_pane(r, begin, fold); });
    }
  }

  /// Calls the same for everything, in order, and remembers nothing.
  template <class Record, class ClosedPane>
  void for_each(Record&& record_of, ClosedPane&& closed_pane) const {
    for (std::size_t i = 0; i < records_.size(); ++i) {
      record_of(order_of(i), records_[i].copy, records_[i].of_record);
    }
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      panes_[r].for_each_closed(
          [&](timestamp begin, const state& fold) { closed_pane(r, begin, fold); });
    }
  }

  // Rows come back in ascending order; false when they do not.
  bool restore_record(const tools& with, const order_key& order, std::uint32_t copy,
                      item of_record) {
    if (!records_.empty() && order < order_of(records_.size() - 1)) return false;
    records_.emplace_back(with.pool, order.at, copy, true, std::move(of_record));
    if (with.plan.options().include_self) places_.emplace_back(with.pool, order.where);
    last_at_ = order.at;
    return true;
  }
  bool restore_pane(const tools& with, std::size_t resolution, timestamp begin, state fold) {
    panes_.resize(with.plan.resolutions().size());
    return panes_[resolution].restore(with.pool, begin, std::move(fold));
  }
  /// Makes the panes that are open at `promised` from their records, after the last row.
  void restored(const tools& with, timestamp promised) {
    for (std::size_t i = 0; i < records_.size() && !with.plan.resolutions().empty(); ++i) {
      insert_into_panes(with, i, promised);
    }
  }

  /// Asks for the memory that the next record will look at. Inline, or g++ 12 drops the call.
  [[gnu::always_inline]] void prefetch() const {
    if (records_.empty()) return;
    const auto* next = reinterpret_cast<const char*>(records_.data() + records_.size());
    __builtin_prefetch(next - sizeof(record), 1);
    __builtin_prefetch(next + sizeof(record) - 1, 1);
    for (std::size_t i = 0; i < Spans; ++i) {
      if ((used_folds_ >> i & 1) != 0) folds_[i].prefetch();
    }
  }
  /// How much of this object itself an ordinary record looks at.
  static constexpr std::size_t front_bytes() { return 2 * cache_line_bytes; }

 private:
  struct record {
    timestamp at = timestamp_min;
    std::uint32_t copy = 0;  ///< Numbers records of one time, or of one order key.
    bool saved = false;      ///< A snapshot has seen it.
    [[no_unique_address]] item of_record{};
  };

  auto time_of_record() const {
    return [all = records_.data()](std::size_t i) { return all[i].at; };
  }

  /// Without positions where nobody asks for them.
  order_key order_of(std::size_t index) const {
    return {records_[index].at, places_.empty() ? position{} : places_[index]};
  }
  bool is_at(const tools& with, const order_key& order, std::size_t index) const {
    return records_[index].at == order.at &&
           (!with.plan.options().include_self || places_[index] == order.where);
  }

  /// Where a record belongs: behind all that it is not before. \pre there are some.
  std::size_t place_of(const tools& with, const order_key& order) const {
    std::size_t high = records_.size();
    if (last_at_ > order.at) {
      high = first_not_before(saturating_add(order.at, duration{1}), high, high, time_of_record());
    }
    if (!with.plan.options().include_self) return high;
    std::size_t low = end_before(order.at);
    if (low == high || !(order < order_of(high - 1))) return high;
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
  void insert_into_panes(const tools& with, std::size_t index, timestamp open_from) {
    panes_.resize(with.plan.resolutions().size());
    for (std::size_t r = 0; r < panes_.size(); ++r) {
      const trailing_plan::resolution& of = with.plan.resolutions()[r];
      const timestamp begin = floor_to(records_[index].at, of.width);
      if (with.plan.closes_at(of, begin) <= open_from) continue;
      const bool is_last =
          index + 1 == records_.size() || floor_to(records_[index + 1].at, of.width) != begin;
      panes_[r].add(with.pool, with.items, begin, records_[index].of_record, is_last);
    }
  }

  /// What folds the records of a pane of that width again.
  auto remake(const tools& with, duration width) const {
    return [this, &with, width](timestamp begin) {
      state all{};
      for (std::size_t i = end_before(begin);
           i < records_.size() && floor_to(records_[i].at, width) == begin; ++i) {
        with.items.add(all, records_[i].of_record);
      }
      return all;
    };
  }

  /// Folds the records from the first not before `begin` to `end`, in blocks like that of `at`.
  state fold_records(const tools& with, std::size_t folds, timestamp begin, timestamp at,
                     duration block, std::size_t end) {
    if (end == 0 || (end == records_.size() && last_at_ < begin)) return {};
    const auto merge = [&](state& into, const state& from) { with.items.merge(into, from); };
    const auto add = [&](state& to, std::size_t i) { with.items.add(to, records_[i].of_record); };
    if constexpr (!has_fixed_size<state>) {
      // From the first on: then a state that collects only ever gets longer at its end.
      state all{};
      std::size_t i = first_not_before(begin, end, end, time_of_record());
      for (; i < end; ++i) add(all, i);
      return all;
    } else {
      const bool is_used = (used_folds_ >> folds & 1) != 0;
      if (!is_used || !folds_[folds].covers(at, block)) {
        std::size_t first = end;
        while (first > 0 && records_[first - 1].at >= begin && end - first <= few_items) --first;
        if (end - first <= few_items) return fold_few<state>(first, end, add);
      }
      used_folds_ |= std::uint32_t{1} << folds;
      return folds_[folds].fold(with.pool, begin, at, block, end, time_of_record(), merge, add);
    }
  }

  /// Forgets what is not needed, and asks for more memory unless that gave enough of it.
  void make_room(const tools& with, timestamp promised) {
    drop_records(records_not_needed(with, promised));
    if (4 * records_.size() < 3 * records_.capacity()) return;
    records_.reserve(with.pool, records_.capacity() + records_.capacity() / 2 + 1);
  }

  std::size_t records_not_needed(const tools& with, timestamp promised) const {
    timestamp from = with.plan.exact_from(promised);
    for (const auto& each : panes_) {
      if (each.first_open() != nullptr) from = std::min(from, *each.first_open());
    }
    return first_not_before(from, records_.size(), 0, time_of_record());
  }

  void drop_records(std::size_t count) {
    if (count == 0) return;
    for (std::size_t i = 0; i < count; ++i) unsaved_ -= records_[i].saved ? 0U : 1U;
    records_.erase_front(count);
    if (!places_.empty()) places_.erase_front(count);
    for_used_folds([&](auto& each) { each.dropped(count); });
  }

  template <class F>
  void for_used_folds(F&& f) {
    for (std::uint32_t left = used_folds_; left != 0; left &= left - 1) {
      f(folds_[static_cast<std::size_t>(std::countr_zero(left))]);
    }
  }

  // What an ordinary record looks at comes first: see `front_bytes`.
  pooled_array<record> records_;       ///< Ascending.
  timestamp last_at_ = timestamp_min;  ///< The time of the last record.

 public:
  timestamp armed = timestamp_max;  ///< The deadline at which the key will be looked at.

 private:
  std::uint32_t unsaved_ = 0;                    ///< Records that no snapshot has seen.
  std::uint32_t used_folds_ = 0;                 ///< Which of `folds_` are in use, as bits.
  std::array<block_folds<state>, Spans> folds_;  ///< As the plan numbers those over records.
  std::vector<pane_list<Items>> panes_;          ///< By resolution; empty before the first record.
  pooled_array<position> places_;                ///< Of the records, if records see themselves.
  block_pool* pool_;
};

}  // namespace freshet::detail
