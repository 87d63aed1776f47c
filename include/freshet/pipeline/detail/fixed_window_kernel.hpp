// Windows whose spans do not depend on other records: tumbling, sliding, an application's own.
// Internal.
//
// One table of keys per open span, so that a span fires and is forgotten as a whole; what only
// matters after that stands in tables of its own, and slots hold nothing but key and state.
// Threads: one task. Cost: one table update per record and span, without asking the assigner again
// while records stay inside one span of a partition; a fire visits the span's keys in canonical
// order, in slices.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/row_collector.hpp>
#include <freshet/pipeline/detail/spare_tables.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/detail/window_times.hpp>
#include <freshet/state/keyed_table.hpp>
#include <freshet/window/assigner.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

/// What some records of one key and span come to.
template <class Key, class State>
struct partial_aggregate {
  Key key;
  window_span span;
  State state;
  /// For counting records: how many were folded into this one and all others since the last that
  /// said so.
  std::uint64_t rows = 0;
};

template <class T, class Key, class Assigner, class Aggregates>
class fixed_window_kernel;

template <class T, class Key, class Assigner, class... A>
class fixed_window_kernel<T, Key, Assigner, aggregate_set<T, A...>> {
 public:
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = window_row<Key, aggregate_result<A, T>...>;
  using partial = partial_aggregate<Key, state>;

  fixed_window_kernel(Assigner assigner, const window_options& options, aggregates parts)
      : assigner_(std::move(assigner)), times_(options), parts_(std::move(parts)) {}

  const window_times& times() const { return times_; }

  /// Says whose keys will come, before any does.
  void own(const key_group_set& groups) { spare_.own(groups); }

  /// Whether `add` may emit rows.
  static constexpr bool emits_early = false;

  /// Records may be applied in any order that the window operator allows.
  static constexpr bool wants_log_order() { return false; }

  /// Applies a record that is on time; false when no window wants it.
  [[gnu::always_inline]] bool add(std::uint64_t hash, const Key& key, const T& value,
                                  const order_key& order, row_collector<row>&) {
    return add(hash, key, value, order);
  }
  [[gnu::always_inline]] bool add(std::uint64_t hash, const Key& key, const T& value,
                                  const order_key& order) {
    if constexpr (partitions_time<Assigner>) {
      // At the very end of time a span is asked for again: two may end there.
      if (cached_ != nullptr && cached_span_.begin <= order.at && order.at < cached_span_.end) {
        parts_.add(*cached_->get_or_insert(hash, key).first, value, order);
        return true;
      }
    }
    return add_elsewhere(hash, key, value, order);
  }

  /// Whether memory is that far away that it should be asked for ahead: by `prefetch`, some rows
  /// before they are added.
  bool prefetch_pays() const { return cached_ != nullptr && cached_->prefetch_pays(); }
  [[gnu::always_inline]] void prefetch(std::uint64_t hash) const {
    if (cached_ != nullptr) cached_->prefetch(hash);
  }

  /// Applies records that are on time and were added to a state elsewhere, before their window
  /// fires.
  void merge(std::uint64_t hash, partial& from) {
    const auto [of_key, is_new] = table_of(from.span).get_or_insert(hash, from.key);
    if (is_new) {
      *of_key = std::move(from.state);
    } else {
      parts_.merge(*of_key, from.state);
    }
  }

  /// Hands out the windows that are due at `frontier`, for being merged elsewhere, and forgets
  /// them: `take(hash, partial)` for each key.
  template <class Take>
  void take_partials(timestamp frontier, Take&& take) {
    while (!open_.empty() && times_.fires_at(open_.begin()->first) <= frontier) {
      auto due = open_.extract(open_.begin());
      if (cached_ == &due.mapped()) cached_ = nullptr;
      due.mapped().for_each([&](std::uint64_t hash, const Key& key, state& of_key) {
        take(hash, partial{key, due.key(), std::move(of_key), 0});
      });
      spare_.give(std::move(due.mapped()));
    }
  }

  /// Applies a record at the moment when the log had reached `entry_frontier`.
  late_outcome add_behind(std::uint64_t hash, const Key& key, const T& value,
                          const order_key& order, timestamp entry_frontier,
                          row_collector<row>& to) {
    assign(order.at, value);
    if (spans_.empty()) return late_outcome::unassigned;
    late_outcome outcome = late_outcome::late;
    for (const window_span& span : spans_) {
      if (times_.closes_at(span) <= entry_frontier) continue;
      outcome = late_outcome::accepted;
      if (times_.fires_at(span) > entry_frontier) {
        parts_.add(*table_of(span).get_or_insert(hash, key).first, value, order);
        continue;
      }
      // Fired already, or nothing had come for it by then: fires for this key at once.
      const auto [of_key, is_first] = in(fired_, span).get_or_insert(hash, key);
      parts_.add(*of_key, value, order);
      std::uint32_t& panes =
          *in(panes_, span).get_or_insert(hash, key, [&] { return is_first ? 0U : 1U; }).first;
      to.add({key, span, parts_.result(*of_key), {pane_timing::late, panes++}}, hash,
             entry_frontier);
    }
    return outcome;
  }

  /// Fires every window that `frontier` completes and forgets those that it closes.
  /// \return false when a slice is done and there is more to do.
  bool fire_until(timestamp frontier, row_collector<row>& to) {
    while (true) {
      if (firing_.empty()) {
        if (open_.empty() || times_.fires_at(open_.begin()->first) > frontier) break;
        firing_ = open_.extract(open_.begin());
        fired_until_ = 0;
        if (cached_ == &firing_.mapped()) cached_ = nullptr;
      }
      const window_span span = firing_.key();
      const bool all_fired = firing_.mapped().visit_some(
          fired_until_, to.left_in_slice(), [&](std::uint64_t hash, const Key& key, state& of_key) {
            to.add({key, span, parts_.result(of_key)}, hash, std::nullopt);
          });
      if (all_fired && times_.closes_at(span) > frontier) {
        keep_fired(std::exchange(firing_, {}));
      } else if (all_fired) {
        spare_.give(std::move(std::exchange(firing_, {}).mapped()));
      }
      if (to.slice_is_full()) return false;
    }
    while (!fired_.empty() && times_.closes_at(fired_.begin()->first) <= frontier) {
      std::size_t rows = 4 * batch_rows_max;
      if (!fired_.begin()->second.snapshot_some(rows)) return false;
      panes_.erase(fired_.begin()->first);
      spare_.give(std::move(fired_.extract(fired_.begin()).mapped()));
    }
    return true;
  }

  /// Appends what a key's windows hold now, by span.
  void read(std::uint64_t hash, const Key& key, std::vector<row>& into) const {
    const auto add_row = [&](const window_span& span, const table& keys, pane_timing timing) {
      const state* held = keys.find(hash, key);
      if (held != nullptr) into.push_back({key, span, parts_.result(*held), {timing, 0}});
    };
    const auto all = [&](const windows& of, pane_timing timing) {
      for (const auto& [span, keys] : of) add_row(span, keys, timing);
    };
    all(fired_, pane_timing::on_time);
    if (!firing_.empty()) add_row(firing_.key(), firing_.mapped(), pane_timing::on_time);
    all(open_, pane_timing::early);
  }

  /// When the next window is due; `timestamp_max` where none is open.
  timestamp next_deadline() const {
    return open_.empty() ? timestamp_max : times_.fires_at(open_.begin()->first);
  }

  /// How many keys and windows are open.
  std::size_t size() const {
    std::size_t all = 0;
    for (const auto& [span, keys] : open_) all += keys.size();
    return all;
  }

  state_size held_state() {
    state_size all;
    for (const windows* each : {&open_, &fired_}) {
      for (const auto& [span, keys] : *each) all += table_meter<Key, state>::of(keys);
      if (!each->empty()) meter_.look_at(each->begin()->second);
    }
    all.bytes += meter_.owned_by(all.entries);
    for (const auto& [span, keys] : panes_) all.bytes += keys.memory_bytes();
    all.bytes += spare_.memory_bytes();
    return all;
  }

  static value_schema row_schema() { return schema_of<std::pair<state, std::uint32_t>>(); }

  void snapshot(state_writer& to) {
    begin_windows(open_, 0, to);
    begin_windows(fired_, 1, to);
    if (to.everything()) return;
    copied_open_ = copied_fired_ = std::nullopt;
    copying_ = true;
  }

  bool continue_snapshot(std::size_t& rows) {
    if (!copying_) return true;
    if (!firing_.empty() && !firing_.mapped().snapshot_some(rows)) return false;
    if (!copy_windows(open_, copied_open_, rows) || !copy_windows(fired_, copied_fired_, rows)) {
      return false;
    }
    copying_ = false;
    return true;
  }

  void restore(state_reader& from, timestamp) {
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto key = from_bytes<std::pair<Key, window_span>>(key_bytes);
      if (!key.ok()) from.fail(key.status());
      auto stored = from_bytes<std::pair<state, std::uint32_t>>(value);
      if (!stored.ok()) from.fail(stored.status());
      const window_span& span = key->second;
      auto& [of_key, panes] = *stored;
      if (panes > 1) in(panes_, span).insert_restored(hash, key->first, panes);
      // The row does not tell, because firing does not change it.
      auto& known = times_.fires_at(span) <= from.frontier_of(hash) ? fired_ : open_;
      in(known, span).insert_restored(hash, std::move(key->first), std::move(of_key));
    });
  }

 private:
  using table = keyed_table<Key, state>;
  using windows = std::map<window_span, table>;

  /// `add` where the span is not that of the record before.
  [[gnu::noinline]] bool add_elsewhere(std::uint64_t hash, const Key& key, const T& value,
                                       const order_key& order) {
    if constexpr (partitions_time<Assigner>) {
      const auto found = open_.upper_bound(window_span{order.at, order.at});
      if (found != open_.end() && found->first.begin <= order.at) {
        cache(found);
        parts_.add(*cached_->get_or_insert(hash, key).first, value, order);
        return true;
      }
    }
    assign(order.at, value);
    for (const window_span& span : spans_) {
      parts_.add(*table_of(span).get_or_insert(hash, key).first, value, order);
    }
    return !spans_.empty();
  }

  /// Fills `spans_`.
  void assign(timestamp at, const T& value) {
    spans_.clear();
    assign_record(assigner_, at, value, spans_);
  }

  /// A row of a window: its state, and how many panes are out for it, `panes` or what is known
  /// otherwise. Where it fires before it is written, that is still what it was.
  void begin_windows(windows& all, std::uint32_t panes, state_writer& to) {
    for (auto& [of_table, keys] : all) {
      begin_rows(
          keys, to,
          [this, &to, panes, span = of_table](std::uint64_t hash, const Key& key,
                                              const state& of_key) {
            const auto counted = std::as_const(panes_).find(span);
            const std::uint32_t* more =
                counted == panes_.end() ? nullptr : counted->second.find(hash, key);
            to.put(hash, bytes_.key(key, span), times_.closes_at(span),
                   bytes_.value(of_key, more == nullptr ? panes : *more));
          },
          [this, &to, span = of_table](std::uint64_t hash, const Key& key) {
            to.erase(hash, bytes_.key(key, span));
          });
    }
  }

  /// Writes rows of the snapshot from the tables behind the span `copied`, which it moves on.
  static bool copy_windows(windows& all, std::optional<window_span>& copied, std::size_t& rows) {
    for (auto each = copied ? all.upper_bound(*copied) : all.begin(); each != all.end(); ++each) {
      if (rows == 0 || !each->second.snapshot_some(rows)) return false;
      rows -= rows > 0 ? 1 : 0;
      copied = each->first;
    }
    return true;
  }

  /// Keys of a span fire at different times only where they come from instances that had come to
  /// different watermarks.
  void keep_fired(typename windows::node_type fired) {
    auto kept = fired_.insert(std::move(fired));
    if (kept.inserted) return;
    kept.node.mapped().for_each([&](std::uint64_t hash, const Key& key, state& of_key) {
      *kept.position->second.get_or_insert(hash, key).first = std::move(of_key);
    });
  }

  /// The table of a span, made when it is asked for first.
  template <class Tables>
  typename Tables::mapped_type& in(Tables& all, const window_span& span) const {
    return all.try_emplace(span, spare_.spread()).first->second;
  }

  table& table_of(const window_span& span) {
    // Neighbouring records mostly share their window.
    if (cached_ != nullptr && cached_span_ == span) return *cached_;
    auto found = open_.find(span);
    if (found == open_.end()) found = open_.emplace(span, spare_.take()).first;
    cache(found);
    return *cached_;
  }

  void cache(typename windows::iterator of) {
    cached_ = &of->second;
    cached_span_ = of->first;
  }

  Assigner assigner_;
  window_times times_;
  aggregates parts_;
  windows open_;                        ///< Not fired yet, by end.
  windows fired_;                       ///< Fired, and still open to late records.
  typename windows::node_type firing_;  ///< The one between the two, if there is one.
  std::size_t fired_until_ = 0;         ///< Where its table goes on.
  /// How many panes are out for the keys of fired windows that had a late one. For the others it is
  /// one, because they were there when their window fired.
  std::map<window_span, keyed_table<Key, std::uint32_t>> panes_;
  table* cached_ = nullptr;
  window_span cached_span_;
  std::vector<window_span> spans_;
  spare_tables<Key, state> spare_;
  table_meter<Key, state> meter_;
  row_bytes bytes_;
  bool copying_ = false;                    ///< A snapshot is under way: of each table, or
  std::optional<window_span> copied_open_;  ///< it is complete up to these.
  std::optional<window_span> copied_fired_;
};

}  // namespace freshet::detail
