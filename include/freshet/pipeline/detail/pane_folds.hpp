// Windows made of panes, for all keys at once. Internal.
//
// Two ways, of which the aggregates decide: where what was merged can be taken out again, exactly,
// one running total per key, to which panes come and from which they go (`running_folds`);
// elsewhere, for each key, a fold from a boundary back to the window's beginning and one from there
// on to its end (`boundary_folds`), as in block_folds.hpp. So nothing that rounds is ever
// subtracted, and what a window comes to depends on its panes alone, to the last bit: not on
// parallelism, on restarts, or on when late records came.
//
// All tables stand in one canonical order, so that all passes over them go forward through memory.
// All work is done in slices.
//
// Threads: one task. Memory: one state per key, and for `boundary_folds` one more for each of about
// 2 * sqrt(panes) panes. Cost of a window: for each key of each pane that comes or goes about a
// merge, and for each row one or two.
// \source Tangwongsan, Hirzel, and Schneider, "Sliding-window aggregation algorithms", Encyclopedia
//         of Big Data Technologies (2018): subtract-on-evict, two-stacks.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/sliding_panes.hpp>
#include <freshet/pipeline/detail/sliding_plan.hpp>
#include <freshet/state/keyed_table.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

/// Goes through a table in slices: `visit(hash, key, value)`. Remembers where it is.
class table_walk {
 public:
  /// \return whether the end was reached; then it begins anew. `budget` is lessened by the rows.
  template <class Table, class Visit>
  bool go_on(Table& keys, std::size_t& budget, Visit&& visit) {
    const std::size_t most = budget;
    const bool done =
        keys.visit_some(next_, most, [&](std::uint64_t hash, const auto& key, auto& value) {
          --budget;
          visit(hash, key, value);
        });
    if (done) next_ = 0;
    return done;
  }

 private:
  std::size_t next_ = 0;
};

/// For aggregates with `unmerge`.
template <class Key, class Aggregates>
class running_folds {
 public:
  using state = typename Aggregates::state;
  using panes = sliding_panes<Key, state>;
  using whole = sliding_plan::whole;

  void own(const panes& of, const key_group_spread_handle& spread) {
    from_ = until_ = of.plan().begin_of(of.plan().before_all());
    totals_ = keyed_table<Key, total>(spread);
  }

  /// Makes the folds those of `window`. \return false when there is more to do.
  bool move_to(panes& of, const Aggregates& parts, whole window, std::size_t& budget) {
    return move_to(of, parts, of.plan().begin_of(window), of.plan().end_of(window), budget);
  }
  /// Lets go of what the windows behind `window` do not hold.
  bool leave(panes& of, const Aggregates& parts, whole window, std::size_t& budget) {
    return move_to(of, parts, of.plan().begin_of(window + 1), until_, budget);
  }

  /// Calls `row(hash, key, state)` for the keys of the window, in canonical order.
  template <class Row>
  bool visit_some(panes&, const Aggregates&, std::size_t& budget, Row&& row) {
    return walk_.go_on(totals_, budget, [&](std::uint64_t hash, const Key& key, total& of_key) {
      row(hash, key, std::as_const(of_key.fold));
    });
  }

  /// A record came to the pane at `begin`, which windows to come hold. `add(state)` adds it.
  template <class Add>
  void amend(panes&, const Aggregates&, timestamp begin, bool is_new, std::uint64_t hash,
             const Key& key, Add&& add) {
    if (sliding_plan::exact(begin) >= until_) return;
    total& of_key = *totals_.get_or_insert(hash, key).first;
    add(of_key.fold);
    if (is_new) ++of_key.panes;
  }

  std::size_t memory_bytes() const { return totals_.memory_bytes(); }

 private:
  struct total {
    state fold{};
    std::uint32_t panes = 0;  ///< How many have the key.
  };

  bool move_to(panes& of, const Aggregates& parts, whole begin, whole end, std::size_t& budget) {
    while (from_ < begin) {
      const auto pane = of.first_from(from_);
      if (pane == of.end() || !of.begins_before(pane, std::min(begin, until_))) {
        from_ = begin;
        break;
      }
      if (!walk_.go_on(pane->second.keys, budget, taking_out(parts))) return false;
      from_ = sliding_plan::exact(pane->first) + 1;
    }
    if (until_ < begin) until_ = begin;
    while (until_ < end) {
      const auto pane = of.first_from(until_);
      if (pane == of.end() || !of.begins_before(pane, end)) {
        until_ = end;
        break;
      }
      if (!walk_.go_on(pane->second.keys, budget, taking_in(parts))) return false;
      until_ = sliding_plan::exact(pane->first) + 1;
    }
    return true;
  }

  auto taking_in(const Aggregates& parts) {
    return [this, &parts](std::uint64_t hash, const Key& key, const state& of_pane) {
      total& of_key = *totals_.get_or_insert(hash, key).first;
      parts.merge(of_key.fold, of_pane);
      ++of_key.panes;
    };
  }
  auto taking_out(const Aggregates& parts) {
    return [this, &parts](std::uint64_t hash, const Key& key, const state& of_pane) {
      total& of_key = *totals_.find(hash, key);
      if (--of_key.panes == 0) {
        totals_.erase(hash, key);
      } else {
        parts.unmerge(of_key.fold, of_pane);
      }
    };
  }

  // The totals are of the panes that begin in [from_, until_).
  whole from_ = 0;
  whole until_ = 0;
  keyed_table<Key, total> totals_;
  table_walk walk_;
};

/// For all aggregates.
template <class Key, class Aggregates>
class boundary_folds {
 public:
  using state = typename Aggregates::state;
  using panes = sliding_panes<Key, state>;
  using table = typename panes::table;
  using whole = sliding_plan::whole;

  void own(const panes&, const key_group_spread_handle& spread) { since_ = table(spread); }

  bool move_to(panes& of, const Aggregates& parts, whole window, std::size_t& budget) {
    const sliding_plan& plan = of.plan();
    const whole first = plan.first_of_block(window);
    if (block_ != first) {
      if (!forget(of)) return false;
      block_ = first;
      boundary_ = until_ = plan.end_of(first);
    }
    const whole end = plan.end_of(window);
    while (until_ < end) {
      const auto pane = of.first_from(until_);
      if (pane == of.end() || !of.begins_before(pane, end)) {
        until_ = end;
        break;
      }
      if (!walk_.go_on(pane->second.keys, budget, merging_into(since_, parts))) return false;
      until_ = sliding_plan::exact(pane->first) + 1;
    }
    const auto oldest = of.first_from(plan.begin_of(window));
    if (oldest == of.end() || !of.begins_before(oldest, boundary_)) {
      before_ = nullptr;
      return true;
    }
    if (!build(of, parts, oldest, budget)) return false;
    before_ = &back_.find(oldest->first)->second;
    return true;
  }

  bool leave(panes& of, const Aggregates&, whole window, std::size_t&) {
    before_ = nullptr;
    const whole begin = of.plan().begin_of(window + 1);
    while (!back_.empty() && sliding_plan::exact(back_.begin()->first) < begin) {
      of.spare().give(std::move(back_.extract(back_.begin()).mapped()));
    }
    return true;
  }

  template <class Row>
  bool visit_some(panes&, const Aggregates& parts, std::size_t& budget, Row&& row) {
    if (before_ == nullptr) return walk_.go_on(since_, budget, row);
    while (true) {
      older_.look(*before_);
      newer_.look(since_);
      if (!older_.there() && !newer_.there()) break;
      if (budget == 0) return false;
      --budget;
      if (older_.is_before(newer_)) {
        row(older_.hash, *older_.key, std::as_const(*older_.value));
        older_.pass();
      } else if (newer_.is_before(older_)) {
        row(newer_.hash, *newer_.key, std::as_const(*newer_.value));
        newer_.pass();
      } else {
        state both = *older_.value;
        parts.merge(both, *newer_.value);
        row(older_.hash, *older_.key, std::as_const(both));
        older_.pass();
        newer_.pass();
      }
    }
    older_ = newer_ = {};
    return true;
  }

  /// What the record changes is folded anew, so that it is as if the record had been there before.
  template <class Add>
  void amend(panes& of, const Aggregates& parts, timestamp begin, bool, std::uint64_t hash,
             const Key& key, Add&&) {
    const whole at = sliding_plan::exact(begin);
    if (!block_ || at >= until_) return;
    if (at >= boundary_) {
      state fold{};
      bool any = false;
      for (auto pane = of.first_from(boundary_); pane != of.end() && of.begins_before(pane, until_);
           ++pane) {
        merge_key(fold, any, pane, hash, key, parts);
      }
      *since_.get_or_insert(hash, key).first = std::move(fold);
      return;
    }
    if (back_.empty()) return;
    state fold{};
    bool any = false;
    auto pane = of.first_from(boundary_);
    auto kept = back_.rbegin();
    while (kept != back_.rend() && pane != of.begin()) {
      --pane;
      merge_key(fold, any, pane, hash, key, parts);
      // A fold is kept where a pane begins.
      if (pane->first != kept->first) continue;
      if (kept->first <= begin) *kept->second.get_or_insert(hash, key).first = fold;
      ++kept;
    }
  }

  std::size_t memory_bytes() const {
    std::size_t all = since_.memory_bytes();
    for (const auto& [begin, keys] : back_) all += keys.memory_bytes();
    return all;
  }

 private:
  /// A row of a table, and where the next one is.
  struct cursor {
    std::size_t next = 0;
    std::uint64_t hash = 0;
    const Key* key = nullptr;
    state* value = nullptr;
    bool ended = false;

    bool there() const { return key != nullptr; }
    void pass() { key = nullptr; }
    void look(table& of) {
      if (there() || ended) return;
      of.visit_some(next, 1, [this](std::uint64_t h, const Key& k, state& v) {
        hash = h;
        key = &k;
        value = &v;
      });
      ended = !there();
    }
    /// Whether its row comes first, and alone. \pre one of the two is there.
    bool is_before(const cursor& other) const {
      if (!there() || !other.there()) return there();
      return hash != other.hash ? hash < other.hash : *key < *other.key;
    }
  };

  static void merge_key(state& fold, bool& any, typename panes::const_iterator pane,
                        std::uint64_t hash, const Key& key, const Aggregates& parts) {
    const state* of_pane = pane->second.keys.find(hash, key);
    if (of_pane == nullptr) return;
    if (std::exchange(any, true)) {
      parts.merge(fold, *of_pane);
    } else {
      fold = *of_pane;
    }
  }

  static auto merging_into(table& folds, const Aggregates& parts) {
    return [&folds, &parts](std::uint64_t hash, const Key& key, const state& of_pane) {
      const auto [fold, is_new] = folds.get_or_insert(hash, key, [&] { return of_pane; });
      if (!is_new) parts.merge(*fold, of_pane);
    };
  }

  bool forget(panes& of) {
    for (; !back_.empty(); back_.erase(back_.begin())) {
      of.spare().give(std::move(back_.begin()->second));
    }
    if (since_.empty()) return true;
    table fresh = of.spare().take();
    of.spare().give(std::exchange(since_, std::move(fresh)));
    return true;
  }

  /// Sees to it that there is a fold from the boundary back to `oldest`: on from the nearest one
  /// that is kept. Some on the way are kept: the last ones, which will be asked for next, and a few
  /// to go on from. So a block of n panes costs 2 n merges and 2 sqrt(n) tables.
  bool build(panes& of, const Aggregates& parts, typename panes::iterator oldest,
             std::size_t& budget) {
    if (!building_) {
      const auto nearest = back_.lower_bound(oldest->first);
      if (nearest != back_.end() && nearest->first == oldest->first) return true;
      const bool goes_on = nearest != back_.end();
      const auto from =
          goes_on ? of.first_from(sliding_plan::exact(nearest->first)) : of.first_from(boundary_);
      const auto count = static_cast<std::size_t>(std::distance(oldest, from));
      building_.emplace(building{.folds = of.spare().take(), .next = from, .left = count});
      building_->stride = static_cast<std::size_t>(std::sqrt(static_cast<double>(count))) + 1;
      if (goes_on) building_->copied = &nearest->second;
    }
    building& now = *building_;
    while (true) {
      if (now.copied != nullptr) {
        const auto copy = [&](std::uint64_t hash, const Key& key, const state& fold) {
          now.copy_into().insert_restored(hash, key, fold);
        };
        if (!walk_.go_on(*now.copied, budget, copy)) return false;
        now.copied = nullptr;
        if (now.copy) {
          back_.emplace(now.next->first, std::move(*now.copy));
          now.copy.reset();
        }
      }
      if (now.left == 0) break;
      if (!now.merging) {
        --now.next;
        now.merging = true;
      }
      if (!walk_.go_on(now.next->second.keys, budget, merging_into(now.folds, parts))) return false;
      now.merging = false;
      --now.left;
      if (now.left > 0 && (now.left <= now.stride || now.left % now.stride == 0)) {
        now.copied = &now.folds;
        now.copy = of.spare().take();
      }
    }
    back_.emplace(oldest->first, std::move(now.folds));
    building_.reset();
    return true;
  }

  struct building {
    table folds;                    ///< From the boundary to `next`.
    typename panes::iterator next;  ///< The oldest pane that was merged, or is being merged.
    std::size_t left = 0;           ///< How many panes are not merged yet.
    std::size_t stride = 1;
    bool merging = false;
    table* copied = nullptr;         ///< What is copied now, if anything is: into `copy`,
    std::optional<table> copy = {};  ///< or where there is none, into `folds`.
    table& copy_into() { return copy ? *copy : folds; }
  };

  std::optional<whole> block_;  ///< Its first window.
  whole boundary_ = 0;
  whole until_ = 0;
  table since_;                      ///< Folds of the panes that begin in [boundary_, until_).
  std::map<timestamp, table> back_;  ///< Folds of those from each moment on until the boundary.
  table* before_ = nullptr;          ///< The one of the window.
  std::optional<building> building_;
  table_walk walk_;
  cursor older_;
  cursor newer_;
};

}  // namespace freshet::detail
