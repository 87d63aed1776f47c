// Sliding windows that share panes: each record is added once, however many windows hold it.
// Internal.
//
// Windows are made from panes when they fire, for all keys together (pane_folds.hpp). Panes stay
// until the last window that holds them has closed; a late record that fires windows again is added
// to its pane, and the windows of its key are folded anew.
//
// Threads: one task. Memory: one state per key and pane, and what pane_folds.hpp says. Cost: one
// table update per record, about three merges per row; a fire visits keys in canonical order, in
// slices. A record behind its frontier costs what its windows have of panes.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pane_folds.hpp>
#include <freshet/pipeline/detail/row_collector.hpp>
#include <freshet/pipeline/detail/sliding_panes.hpp>
#include <freshet/pipeline/detail/sliding_plan.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/detail/window_times.hpp>
#include <freshet/window/sliding.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Key, class Aggregates>
class sliding_window_kernel;

template <class T, class Key, class... A>
class sliding_window_kernel<T, Key, aggregate_set<T, A...>> {
 public:
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = window_row<Key, aggregate_result<A, T>...>;
  /// Its span is that of a pane.
  using partial = partial_aggregate<Key, state>;

  sliding_window_kernel(const sliding& windows, const window_options& options, aggregates parts)
      : times_(options),
        parts_(std::move(parts)),
        panes_(windows),
        lateness_(options.allowed_lateness),
        fires_after_(options.fire == firing::on_time ? duration::zero() : lateness_),
        next_(plan().before_all()) {
    folds_.own(panes_, panes_.spare().spread());
  }

  const window_times& times() const { return times_; }

  void own(const key_group_set& groups) {
    panes_.spare().own(groups);
    folds_.own(panes_, panes_.spare().spread());
  }

  static constexpr bool emits_early = false;
  static constexpr bool wants_log_order() { return false; }

  /// Applies a record that is on time; false when no window wants it.
  [[gnu::always_inline]] bool add(std::uint64_t hash, const Key& key, const T& value,
                                  const order_key& order, row_collector<row>&) {
    return add(hash, key, value, order);
  }
  [[gnu::always_inline]] bool add(std::uint64_t hash, const Key& key, const T& value,
                                  const order_key& order) {
    table* keys = panes_.holding(order.at);
    if (keys == nullptr) return false;
    parts_.add(*keys->get_or_insert(hash, key).first, value, order);
    return true;
  }

  bool prefetch_pays() const {
    return panes_.latest() != nullptr && panes_.latest()->prefetch_pays();
  }
  [[gnu::always_inline]] void prefetch(std::uint64_t hash) const {
    if (panes_.latest() != nullptr) panes_.latest()->prefetch(hash);
  }

  void merge(std::uint64_t hash, partial& from) {
    const auto [of_key, is_new] = panes_.of(from.span).get_or_insert(hash, from.key);
    if (is_new) {
      *of_key = std::move(from.state);
    } else {
      parts_.merge(*of_key, from.state);
    }
  }

  /// Hands out the panes that are complete at `frontier`: before any window that holds them fires.
  template <class Take>
  void take_partials(timestamp frontier, Take&& take) {
    while (!panes_.empty() && panes_.begin()->second.end <= frontier) {
      const window_span span = panes_.span_of(panes_.begin());
      table keys = panes_.take(panes_.begin());
      keys.for_each([&](std::uint64_t hash, const Key& key, state& of_key) {
        take(hash, partial{key, span, std::move(of_key), 0});
      });
      panes_.spare().give(std::move(keys));
    }
  }

  late_outcome add_behind(std::uint64_t hash, const Key& key, const T& value,
                          const order_key& order, timestamp entry_frontier,
                          row_collector<row>& to) {
    const auto windows = plan().windows_of(order.at);
    if (windows.empty()) return late_outcome::unassigned;
    const whole open = std::max(windows.first, plan().first_due_after(entry_frontier, lateness_));
    if (open > windows.last) return late_outcome::late;
    const window_span pane = plan().pane_of(order.at);
    const auto [of_key, is_new] = panes_.of(pane).get_or_insert(hash, key);
    parts_.add(*of_key, value, order);
    const whole fired = std::min(windows.last + 1, fired_until(hash, entry_frontier));
    if (pane_is_due(pane.begin)) {
      folds_.amend(panes_, parts_, pane.begin, is_new, hash, key,
                   [&](state& fold) { parts_.add(fold, value, order); });
    }
    if (open < fired) fire_again(hash, key, {open, fired - 1}, is_new, entry_frontier, to);
    return late_outcome::accepted;
  }

  bool fire_until(timestamp frontier, row_collector<row>& to) {
    while (true) {
      if (!firing_) {
        const auto oldest = panes_.first_from(plan().begin_of(next_));
        if (oldest == panes_.end()) break;
        const whole due = std::max(next_, plan().windows_of(oldest->first).first);
        if (times_.fires_at(plan().span_of(due)) > frontier) break;
        firing_ = due;
      }
      if (!fire(*firing_, to)) return false;
      next_ = *firing_ + 1;
      firing_.reset();
    }
    next_ = std::max(next_, plan().first_due_after(frontier, fires_after_));
    frontier_ = std::max(frontier_, frontier);
    std::size_t budget = rows_per_slice;
    return folds_.leave(panes_, parts_, next_ - 1, budget) && close_until(frontier_);
  }

  /// Appends what a key's windows hold now, by span.
  void read(std::uint64_t hash, const Key& key, std::vector<row>& into) const {
    const whole open = plan().first_due_after(frontier_, lateness_);
    const std::vector<part> held = parts_of(hash, key, open, plan().behind_all());
    if (held.empty()) return;
    const whole fired = fired_until(hash, timestamp_min);
    const window_range windows{std::max(open, plan().windows_of(held.front().pane).first),
                               plan().windows_of(held.back().pane).last};
    fold_each(held, windows, [&](whole window, const state& fold, std::size_t) {
      const pane_timing timing = window < fired ? pane_timing::on_time : pane_timing::early;
      into.push_back({key, plan().span_of(window), parts_.result(fold), {timing, 0}});
    });
  }

  timestamp next_deadline() const {
    const auto oldest = panes_.first_from(plan().begin_of(next_));
    if (oldest == panes_.end()) return timestamp_max;
    return times_.fires_at(plan().span_of(std::max(next_, plan().windows_of(oldest->first).first)));
  }

  /// How many keys and panes there are.
  std::size_t size() const {
    std::size_t all = 0;
    for (const auto& [begin, pane] : panes_) all += pane.keys.size();
    return all;
  }

  state_size held_state() {
    state_size all;
    for (const auto& [begin, pane] : panes_) all += table_meter<Key, state>::of(pane.keys);
    if (!panes_.empty()) meter_.look_at(panes_.begin()->second.keys);
    all.bytes += meter_.owned_by(all.entries);
    for (const auto& [span, keys] : fired_again_) all.bytes += keys.memory_bytes();
    all.bytes += panes_.spare().memory_bytes() + folds_.memory_bytes();
    return all;
  }

  static value_schema row_schema() { return schema_of<std::pair<state, std::uint32_t>>(); }

  void snapshot(state_writer& to) {
    for (auto pane = panes_.begin(); pane != panes_.end(); ++pane) {
      const window_span span = panes_.span_of(pane);
      const timestamp closes = closes_at(pane);
      begin_table(pane->second.keys, to, span, row_kind::pane, closes,
                  [](const state& of_key) { return std::tie(of_key, no_panes_out); });
    }
    for (auto& [span, keys] : fired_again_) {
      begin_table(keys, to, span, row_kind::fired_again, times_.closes_at(span),
                  [](const std::uint32_t& panes) { return std::tie(no_state, panes); });
    }
    if (to.everything()) return;
    copied_pane_.reset();
    copied_span_.reset();
    copying_ = true;
  }

  bool continue_snapshot(std::size_t& rows) {
    if (!copying_) return true;
    auto pane = copied_pane_ ? panes_.behind(*copied_pane_) : panes_.begin();
    for (; pane != panes_.end(); ++pane) {
      if (!copy_table(pane->second.keys, rows)) return false;
      copied_pane_ = pane->first;
    }
    auto again = copied_span_ ? fired_again_.upper_bound(*copied_span_) : fired_again_.begin();
    for (; again != fired_again_.end(); ++again) {
      if (!copy_table(again->second, rows)) return false;
      copied_span_ = again->first;
    }
    copying_ = false;
    return true;
  }

  void restore(state_reader& from, timestamp done) {
    timestamp least = done;
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto key = from_bytes<stored_key>(key_bytes);
      if (!key.ok()) from.fail(key.status());
      auto stored = from_bytes<std::pair<state, std::uint32_t>>(value);
      if (!stored.ok()) from.fail(stored.status());
      auto& [of_key, span, kind] = *key;
      if (kind == static_cast<std::uint8_t>(row_kind::fired_again)) {
        again(span).insert_restored(hash, std::move(of_key), stored->second);
        return;
      }
      const timestamp fired = from.frontier_of(hash);
      ahead_[key_group_of(hash)] = fired;
      least = std::min(least, fired);
      panes_.of(span).insert_restored(hash, std::move(of_key), std::move(stored->first));
    });
    std::erase_if(ahead_, [&](const auto& each) { return each.second == least; });
    frontier_ = least;
    next_ = plan().first_due_after(least, fires_after_);
  }

 private:
  using pane_tables = sliding_panes<Key, state>;
  using table = typename pane_tables::table;
  using whole = sliding_plan::whole;
  using window_range = sliding_plan::window_range;
  using folds = std::conditional_t<aggregates::invertible, running_folds<Key, aggregates>,
                                   boundary_folds<Key, aggregates>>;
  using stored_key = std::tuple<Key, window_span, std::uint8_t>;
  enum class row_kind : std::uint8_t { pane, fired_again };

  /// What a key has in a pane.
  struct part {
    timestamp pane;
    const state* of_key;
  };

  static constexpr std::size_t rows_per_slice = 4 * batch_rows_max;
  static inline const state no_state{};
  static constexpr std::uint32_t no_panes_out = 0;

  const sliding_plan& plan() const { return panes_.plan(); }

  /// The first window that has not fired for a key, for a record that entered at `entry_frontier`.
  whole fired_until(std::uint64_t hash, timestamp entry_frontier) const {
    whole fired = std::max(next_, plan().first_due_after(entry_frontier, fires_after_));
    const auto ahead = ahead_.find(key_group_of(hash));
    if (ahead != ahead_.end())
      fired = std::max(fired, plan().first_due_after(ahead->second, fires_after_));
    return fired;
  }

  /// Whether a window that has not fired holds the pane.
  bool pane_is_due(timestamp pane) const {
    return sliding_plan::exact(pane) >= plan().begin_of(next_);
  }

  bool fire(whole window, row_collector<row>& to) {
    const window_span span = plan().span_of(window);
    std::size_t budget = rows_per_slice;
    if (stage_ == stage::gather) {
      if (!folds_.move_to(panes_, parts_, window, budget)) return false;
      stage_ = stage::emit;
    }
    if (stage_ == stage::emit) {
      std::size_t rows = to.left_in_slice();
      const bool some_are_ahead = !ahead_.empty();
      const bool all = folds_.visit_some(
          panes_, parts_, rows, [&](std::uint64_t hash, const Key& key, const state& of_key) {
            if (some_are_ahead && fired_until(hash, timestamp_min) > window) return;
            to.add({key, span, parts_.result(of_key)}, hash, std::nullopt);
          });
      if (all) stage_ = stage::leave;
      if (to.slice_is_full() || !all) return false;
    }
    if (!folds_.leave(panes_, parts_, window, budget)) return false;
    stage_ = stage::gather;
    return true;
  }

  timestamp closes_at(typename pane_tables::const_iterator pane) const {
    return times_.closes_at(plan().span_of(plan().windows_of(pane->first).last));
  }

  bool close_until(timestamp frontier) {
    while (!panes_.empty() && closes_at(panes_.begin()) <= frontier) {
      std::size_t rows = rows_per_slice;
      if (!panes_.begin()->second.keys.snapshot_some(rows)) return false;
      panes_.spare().give(panes_.take(panes_.begin()));
    }
    while (!fired_again_.empty() && times_.closes_at(fired_again_.begin()->first) <= frontier) {
      std::size_t rows = rows_per_slice;
      if (!fired_again_.begin()->second.snapshot_some(rows)) return false;
      fired_again_.erase(fired_again_.begin());
    }
    std::erase_if(ahead_, [&](const auto& each) { return each.second <= frontier; });
    return true;
  }

  /// Rows for the windows in `windows`, which have fired, or had nothing of the key by then. They
  /// hold a pane of the key that `is_new`, or not.
  void fire_again(std::uint64_t hash, const Key& key, window_range windows, bool is_new,
                  timestamp entry_frontier, row_collector<row>& to) {
    const auto held = parts_of(hash, key, windows.first, windows.last);
    fold_each(held, windows, [&](whole window, const state& fold, std::size_t count) {
      const window_span span = plan().span_of(window);
      const bool is_first = is_new && count == 1;
      std::uint32_t& index =
          *again(span).get_or_insert(hash, key, [&] { return is_first ? 0U : 1U; }).first;
      to.add({key, span, parts_.result(fold), {pane_timing::late, index++}}, hash, entry_frontier);
    });
  }

  keyed_table<Key, std::uint32_t>& again(const window_span& span) {
    return fired_again_.try_emplace(span, panes_.spare().spread()).first->second;
  }

  /// The panes of a key that the windows from `first` to `last` hold.
  std::vector<part> parts_of(std::uint64_t hash, const Key& key, whole first, whole last) const {
    std::vector<part> held;
    const whole end = plan().end_of(last);
    for (auto pane = panes_.first_from(plan().begin_of(first));
         pane != panes_.end() && panes_.begins_before(pane, end); ++pane) {
      const state* of_key = pane->second.keys.find(hash, key);
      if (of_key != nullptr) held.push_back({pane->first, of_key});
    }
    return held;
  }

  /// Calls `visit(window, fold, panes)` for those of the windows that hold something: in the order
  /// of merges in which pane_folds.hpp makes them. \cost Three merges per pane and window.
  template <class Visit>
  void fold_each(const std::vector<part>& held, window_range windows, Visit&& visit) const {
    const auto number_from = [&](whole moment) {
      const auto found = std::partition_point(held.begin(), held.end(), [&](const part& each) {
        return sliding_plan::exact(each.pane) < moment;
      });
      return static_cast<std::size_t>(found - held.begin());
    };
    std::optional<whole> block;
    std::vector<state> back;  // back[i]: from the boundary back to number first_in_back + i.
    std::size_t first_in_back = 0;
    std::size_t boundary = 0;
    std::size_t until = 0;
    state since{};
    for (whole window = windows.first; window <= windows.last; ++window) {
      const std::size_t from = number_from(plan().begin_of(window));
      const std::size_t end = number_from(plan().end_of(window));
      if (block != plan().first_of_block(window)) {
        block = plan().first_of_block(window);
        boundary = until = std::max(from, number_from(plan().end_of(*block)));
        first_in_back = from;
        back.assign(boundary - from, state{});
        for (std::size_t i = boundary; i > from; --i) {
          state& fold = back[i - 1 - from];
          if (i == boundary) {
            fold = *held[i - 1].of_key;
          } else {
            fold = back[i - from];
            parts_.merge(fold, *held[i - 1].of_key);
          }
        }
      }
      for (; until < end; ++until) {
        if (until == boundary) {
          since = *held[until].of_key;
        } else {
          parts_.merge(since, *held[until].of_key);
        }
      }
      if (from == end) continue;
      if (from >= boundary) {
        visit(window, std::as_const(since), end - from);
      } else if (until == boundary) {
        visit(window, std::as_const(back[from - first_in_back]), end - from);
      } else {
        state both = back[from - first_in_back];
        parts_.merge(both, since);
        visit(window, std::as_const(both), end - from);
      }
    }
  }

  template <class Value, class Stored>
  void begin_table(keyed_table<Key, Value>& keys, state_writer& to, const window_span& span,
                   row_kind kind, timestamp closes, Stored stored) {
    const auto key_of = [this, span, kind](const Key& key) {
      return bytes_.key(key, span, static_cast<std::uint8_t>(kind));
    };
    begin_rows(
        keys, to,
        [this, &to, key_of, closes, stored](std::uint64_t hash, const Key& key,
                                            const Value& value) {
          const auto& [of_key, panes] = stored(value);
          to.put(hash, key_of(key), closes, bytes_.value(of_key, panes));
        },
        [&to, key_of](std::uint64_t hash, const Key& key) { to.erase(hash, key_of(key)); });
  }

  template <class Table>
  static bool copy_table(Table& keys, std::size_t& rows) {
    if (rows == 0 || !keys.snapshot_some(rows)) return false;
    rows -= rows > 0 ? 1 : 0;
    return true;
  }

  enum class stage : std::uint8_t { gather, emit, leave };

  window_times times_;
  aggregates parts_;
  pane_tables panes_;
  duration lateness_;
  duration fires_after_;  ///< How long after its end a window fires.
  folds folds_;
  whole next_;                          ///< All windows before it have fired, or were empty.
  std::optional<whole> firing_;         ///< The one that is firing.
  stage stage_ = stage::gather;         ///< What is being done for it.
  timestamp frontier_ = timestamp_min;  ///< What has been fired until.
  /// How many panes are out for the keys of fired windows that had a late one.
  std::map<window_span, keyed_table<Key, std::uint32_t>> fired_again_;
  /// Until where windows have fired for the keys of a key group, where that is more than for
  /// others: they come from instances that had come to different watermarks.
  std::map<std::uint32_t, timestamp> ahead_;
  table_meter<Key, state> meter_;
  row_bytes bytes_;
  bool copying_ = false;                  ///< A snapshot is under way: of each table, or
  std::optional<timestamp> copied_pane_;  ///< it is complete up to these.
  std::optional<window_span> copied_span_;
};

}  // namespace freshet::detail
