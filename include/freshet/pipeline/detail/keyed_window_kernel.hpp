// Windows kept key by key: those that grow together (sessions), and all that have panes. Internal.
//
// One slot per key with its open windows, and one lazily kept deadline per key: a session that
// grows moves nothing until its old deadline comes. Early panes have deadlines of their own, one
// per key. Threads: one task. Where memory is limited, keys that are not in use are dropped, and
// read back before they are worked with; their deadlines stay. Cost: one table update per record,
// plus O(log windows) per span and O(log keys) per window; a key's windows are written together
// when one of them has changed.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pane_emitter.hpp>
#include <freshet/pipeline/detail/row_collector.hpp>
#include <freshet/pipeline/detail/row_eviction.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/detail/window_list.hpp>
#include <freshet/pipeline/detail/window_times.hpp>
#include <freshet/pipeline/pane.hpp>
#include <freshet/state/keyed_table.hpp>
#include <freshet/state/timers.hpp>
#include <freshet/window/assigner.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Key, class Assigner, class Aggregates, bool WithPanes>
class keyed_window_kernel;

template <class T, class Key, class Assigner, class... A, bool WithPanes>
class keyed_window_kernel<T, Key, Assigner, aggregate_set<T, A...>, WithPanes> {
 public:
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = window_row<Key, aggregate_result<A, T>...>;

  /// `when` counts only `WithPanes`.
  keyed_window_kernel(Assigner assigner, const window_options& options, aggregates parts,
                      const panes& when = {})
      : assigner_(std::move(assigner)),
        times_(options),
        when_(when),
        emitter_(std::move(parts), when.mode) {}

  const window_times& times() const { return times_; }

  /// Says whose keys will come, before any does.
  void own(const key_group_set& groups) { table_ = keyed_table<Key, windows>(spread_over(groups)); }

  // Where memory is limited: what `window_operator` does before it applies records, and when a
  // commit is durable.

  void limit(const operator_context& context) { evicting_.open(context); }
  bool is_limited() const { return evicting_.on(); }
  /// Drops rows where there are too many. \pre no record is being applied.
  void make_room() {
    // At the first frontier all keys are looked at.
    if (!evicting_.on() || keeps_all_rows()) return;
    look_at_rows();
    evicting_.make_room(
        table_, owned_by_row(), other_bytes(),
        [this](std::uint64_t, const Key&, const windows& of_key) { size_ -= of_key.size(); });
  }
  /// `read_wanted` reads the key's windows, unless they are in memory.
  void want(std::uint64_t hash, const Key& key) {
    if (!evicting_.holds(hash) || table_.contains(hash, key)) return;
    evicting_.want(hash, bytes_.key(key));
  }
  /// \return how many were there.
  std::size_t read_wanted() {
    const std::size_t before = table_.size();
    evicting_.read_wanted(
        [this](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
          absl::StatusOr<Key> key = from_bytes<Key>(key_bytes);
          evicting_.check_read(key.status());
          windows of_key =
              stored_row(value, [this](const absl::Status& wrong) { evicting_.check_read(wrong); });
          size_ += of_key.size();
          of_key.armed = {next_deadline(of_key), true, true};
          table_.insert_stored(hash, std::move(*key), std::move(of_key));
        });
    return table_.size() - before;
  }
  void note_durable() { evicting_.note_durable(table_); }

  /// Whether `add` may emit rows.
  static constexpr bool emits_early = WithPanes;

  /// Whether the order of records shows in the rows: which of them is the n-th.
  bool wants_log_order() const { return WithPanes && when_.every_count != 0; }

  /// Applies a record that is on time; false when no window wants it.
  bool add(std::uint64_t hash, const Key& key, const T& value, const order_key& order,
           row_collector<row>& to) {
    return apply(hash, key, value, order, std::nullopt, to) != late_outcome::unassigned;
  }

  /// Whether memory is that far away that it should be asked for ahead: by `prefetch`, some rows
  /// before they are added.
  bool prefetch_pays() const { return table_.prefetch_pays(); }
  [[gnu::always_inline]] void prefetch(std::uint64_t hash) const { table_.prefetch(hash); }

  /// Applies a record at the moment when the log had reached `entry_frontier`.
  late_outcome add_behind(std::uint64_t hash, const Key& key, const T& value,
                          const order_key& order, timestamp entry_frontier,
                          row_collector<row>& to) {
    return apply(hash, key, value, order, entry_frontier, to);
  }

  /// Goes through every moment up to `frontier` at which a window fires, has a pane, or closes.
  /// \return false when a slice was emitted and there is more to fire.
  bool fire_until(timestamp frontier, row_collector<row>& to) {
    if constexpr (WithPanes) {
      if (frontier_ == timestamp_min) meet_first_frontier(frontier);
    }
    make_room_sometimes();
    while (deadlines_.due(frontier)) {
      make_room_sometimes();
      const deadline due = deadlines_.pop();
      windows* of_key = find(due, deadlines_, frontier);
      // Only the deadlines that the key waits for count; an earlier one replaced the others.
      if (of_key == nullptr || !waits_for(*of_key, due.when)) continue;
      fire_key(due, *of_key, to);
      if (to.slice_is_full()) return false;
    }
    frontier_ = std::max(frontier_, frontier);
    return true;
  }

  /// Says what processing time it is, before records are applied at that time.
  void set_clock(timestamp now) { now_ = now; }

  /// Whether `set_clock` and `fire_by_clock` have anything to say.
  bool wants_clock() const { return WithPanes && when_.every_processing_time != duration::zero(); }

  /// When panes of processing time are due next; `timestamp_max` for never.
  timestamp next_by_clock() const { return clock_deadlines_.next(); }

  /// Emits the panes of processing time that are due at `now`, one for each window, however many
  /// periods have passed.
  /// \return false when a slice was emitted and there is more to emit.
  bool fire_by_clock(timestamp now, row_collector<row>& to) {
    while (clock_deadlines_.due(now)) {
      make_room_sometimes();
      const deadline due = clock_deadlines_.pop();
      windows* of_key = find(due, clock_deadlines_, now);
      if constexpr (WithPanes) {
        if (of_key == nullptr || of_key->early.by_clock != due.when) continue;
        of_key->early.by_clock = timestamp_max;
        emit_early(due, *of_key, times_.promised(frontier_), to);
        table_.mark_dirty(of_key);
      }
      if (to.slice_is_full()) return false;
    }
    return true;
  }

  /// Appends what a key's windows hold now, by span.
  void read(std::uint64_t hash, const Key& key, std::vector<row>& into) const {
    const auto append = [&](const windows& of_key) {
      for (const auto& each : of_key) {
        const pane_timing timing = each.fired ? pane_timing::on_time : pane_timing::early;
        into.push_back({key, each.span, emitter_.parts().result(each.state), {timing, each.panes}});
      }
    };
    if (const windows* of_key = table_.find(hash, key); of_key != nullptr) return append(*of_key);
    if (!evicting_.holds(hash)) return;
    row_bytes bytes;
    evicting_.look_at(
        hash, bytes.key(key), [&](std::uint64_t, std::string_view, std::string_view value) {
          append(stored_row(value,
                            [this](const absl::Status& wrong) { evicting_.check_read(wrong); }));
        });
  }

  /// When the next key is to be looked at; `timestamp_max` where no window is open.
  timestamp next_deadline() const { return deadlines_.next(); }

  /// How many keys and windows are open.
  std::size_t size() const { return size_; }

  state_size held_state() {
    look_at_rows();
    state_size all{size_, table_.memory_bytes() + meter_.owned_by(table_.size()) + other_bytes()};
    all.cold = evicting_.count_cold();
    all.entries += all.cold;
    return all;
  }

  static value_schema row_schema() { return schema_of<stored_windows<state, WithPanes>>(); }

  void snapshot(state_writer& to) {
    evicting_.begin_snapshot(table_, to);
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const Key& key, const windows& of_key) {
          const std::string_view key_bytes = bytes_.key(key);
          const std::string_view value = bytes_.value(of_key.stored());
          to.put(hash, key_bytes, times_.closes_at(of_key.last().span), value);
          evicting_.note_copy(key_bytes.size() + value.size());
        },
        [this, &to](std::uint64_t hash, const Key& key) { to.erase(hash, bytes_.key(key)); });
  }

  bool continue_snapshot(std::size_t& rows) { return table_.snapshot_some(rows); }

  /// `done`: up to there everything has fired, for all keys.
  void restore(state_reader& from, timestamp done) {
    frontier_ = done;
    const auto damaged = [&from](const absl::Status& wrong) { from.fail(wrong); };
    const bool leaves_out = evicting_.can_leave_out(from) && !keeps_all_rows();
    const auto take = [&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto key = from_bytes<Key>(key_bytes);
      if (!key.ok()) from.fail(key.status());
      windows of_key = stored_row(value, damaged);
      of_key.armed.set(next_deadline(of_key));
      queue_deadlines(hash, *key, of_key);
      if (leaves_out && evicting_.is_full(table_, owned_by_row(), other_bytes())) {
        evicting_.leave_out(hash);
        return;
      }
      size_ += of_key.size();
      table_.insert_restored(hash, std::move(*key), std::move(of_key));
    };
    from.rows(take);
    // Rows in the newest commit only are not handed over; their deadlines have to be known.
    evicting_.end_restore(
        table_, leaves_out,
        [&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
          auto key = from_bytes<Key>(key_bytes);
          if (!key.ok()) from.fail(key.status());
          if (table_.contains(hash, *key)) return;
          windows of_key = stored_row(value, damaged);
          of_key.armed.set(next_deadline(of_key));
          queue_deadlines(hash, *key, of_key);
        });
  }

 private:
  using windows = window_list<state, WithPanes>;
  using window = typename windows::window;
  using iterator = typename windows::iterator;
  using deadline = typename timer_queue<Key>::entry;

  /// Of deadlines, between two looks at the memory; so many keys are read together.
  static constexpr std::size_t calls_until_room = 256;

  template <class Damaged>
  static windows stored_row(std::string_view value, Damaged damaged) {
    auto stored = from_bytes<stored_windows<state, WithPanes>>(value);
    if (!stored.ok()) damaged(stored.status());
    if (stored->windows.empty()) damaged(absl::DataLossError("a key without windows"));
    windows of_key;
    of_key.restore(*std::move(stored));
    return of_key;
  }

  void queue_deadlines(std::uint64_t hash, const Key& key, const windows& of_key) {
    deadlines_.push({of_key.armed.at, timer_kind::function, hash, key});
    if constexpr (WithPanes) {
      const auto [by_watermark, by_clock] = of_key.early;
      if (by_watermark < timestamp_max)
        deadlines_.push({by_watermark, timer_kind::function, hash, key});
      if (by_clock < timestamp_max)
        clock_deadlines_.push({by_clock, timer_kind::function, hash, key});
    }
  }

  // Where memory is limited.

  bool keeps_all_rows() const {
    return WithPanes && when_.every != duration::zero() && frontier_ == timestamp_min;
  }
  void make_room_sometimes() {
    if (evicting_.on() && ++calls_ % calls_until_room == 0) make_room();
  }
  void look_at_rows() {
    meter_.look_at(table_, [](const windows& of_key) { return of_key.memory_bytes(); });
  }
  std::uint64_t owned_by_row() const {
    constexpr std::uint64_t some = 1024;
    return meter_.owned_by(some) / some;
  }
  std::uint64_t other_bytes() const {
    const auto bytes_of = [](const timer_queue<Key>& queue) {
      // One entry stands for all.
      const deadline* first = queue.first();
      return queue.memory_bytes() + (first == nullptr ? 0 : queue.size() * owned_bytes(first->key));
    };
    return bytes_of(deadlines_) + bytes_of(clock_deadlines_);
  }
  /// The windows of a key that is due, or null; those of the next keys in `queue` are read with it.
  windows* find(const deadline& due, const timer_queue<Key>& queue, timestamp until) {
    windows* known = table_.find(due.hash, due.key);
    if (known != nullptr || !evicting_.holds(due.hash)) return known;
    want(due.hash, due.key);
    // Deadlines of keys that are gone say nothing about the others.
    if (read_wanted() == 0) return nullptr;
    queue.look_at_due(until, calls_until_room,
                      [this](const deadline& next) { want(next.hash, next.key); });
    read_wanted();
    return table_.find(due.hash, due.key);
  }

  late_outcome apply(std::uint64_t hash, const Key& key, const T& value, const order_key& order,
                     std::optional<timestamp> entry_frontier, row_collector<row>& to) {
    spans_.clear();
    assign_record(assigner_, order.at, value, spans_);
    if (spans_.empty()) return late_outcome::unassigned;
    if (entry_frontier) {
      std::erase_if(spans_, [&](const window_span& span) {
        return times_.closes_at(span) <= *entry_frontier && !joins(hash, key, span);
      });
      if (spans_.empty()) return late_outcome::late;
    }
    std::optional<timestamp> promised;
    if (entry_frontier) promised = times_.promised(*entry_frontier);
    windows& of_key = *table_.get_or_insert(hash, key).first;
    for (const window_span& span : spans_) {
      window& each = window_of(of_key, span);
      emitter_.parts().add(each.state, value, order);
      // A record that is on time has no window whose end is behind.
      each.fired =
          entry_frontier && times_.fires() && times_.fires_at(each.span) <= *entry_frontier;
      arm(hash, key, of_key, each.fired ? times_.closes_at(each.span) : times_.fires_at(each.span));
      if constexpr (WithPanes) {
        note_record(hash, key, of_key, each, order.at, promised, to);
      } else if (each.fired) {
        emitter_.emit(hash, key, each, pane_timing::late, promised, to);
      }
    }
    return late_outcome::accepted;
  }

  /// Whether a session takes the span in. Those that are closed are gone already: whatever the
  /// record still touches is open and keeps it; on its own it is judged by its own span.
  bool joins(std::uint64_t hash, const Key& key, const window_span& span) {
    if constexpr (Assigner::merges) {
      windows* known = table_.find(hash, key);
      return known != nullptr && known->first_overlapping(span) != known->end();
    } else {
      return false;
    }
  }

  window& window_of(windows& of_key, const window_span& span) {
    if constexpr (Assigner::merges) {
      const auto absorb = [this](window& into, window& from) { emitter_.absorb(into, from); };
      return of_key.grow(span, absorb, size_);
    } else {
      return of_key.at(span, size_);
    }
  }

  /// What a record that was applied to `each` means for its panes.
  void note_record(std::uint64_t hash, const Key& key, windows& of_key, window& each, timestamp at,
                   std::optional<timestamp> promised, row_collector<row>& to) {
    ++each.since;
    if (each.fired) {
      if (when_.late == late_firing::each_record) {
        emitter_.emit(hash, key, each, pane_timing::late, promised, to);
      }
      return;
    }
    if (when_.every_count != 0 && each.since >= when_.every_count) {
      emitter_.emit_unasked(hash, key, each, promised, to);
      return;
    }
    if (when_.every != duration::zero()) {
      // Before there is a frontier, it passes no multiple but those after the record itself.
      const timestamp from = frontier_ == timestamp_min ? at : frontier_;
      arm_by_watermark(hash, key, of_key, each.span, from);
    }
    if (when_.every_processing_time != duration::zero()) arm_by_clock(hash, key, of_key);
  }

  /// A pane for each window of a key that has not fired and got records since its last one.
  void emit_early(const deadline& due, windows& of_key, timestamp promised,
                  row_collector<row>& to) {
    for (iterator each = of_key.first_not_fired(); each != of_key.end(); ++each) {
      if (each->since == 0) continue;
      emitter_.emit_unasked(due.hash, due.key, *each, promised, to);
    }
  }

  // --- deadlines

  /// The first multiple of `period` after `at`, or the end of time.
  static timestamp next_multiple(timestamp at, duration period) {
    return saturating_add(at, period - distance_past_multiple(at, period, duration{0}));
  }

  /// Makes sure that the windows of a key that have news get a pane at the first multiple after
  /// `from`, unless `span` fires before.
  void arm_by_watermark(std::uint64_t hash, const Key& key, windows& of_key,
                        const window_span& span, timestamp from) {
    const timestamp due = next_multiple(from, when_.every);
    const timestamp last = times_.fires() ? saturating_subtract(times_.fires_at(span), duration{1})
                                          : times_.closes_at(span);
    if (due > last || due >= of_key.early.by_watermark) return;
    of_key.early.by_watermark = due;
    deadlines_.push({due, timer_kind::function, hash, key});
  }

  /// What came before the first frontier counted from its own time on; a first frontier that lies
  /// before that has multiples to pass in between.
  void meet_first_frontier(timestamp frontier) {
    if (when_.every == duration::zero() || frontier == timestamp_min) return;
    table_.for_each([&](std::uint64_t hash, const Key& key, windows& of_key) {
      for (const window& each : of_key) {
        if (each.since > 0) arm_by_watermark(hash, key, of_key, each.span, frontier);
      }
      table_.mark_dirty(&of_key);
    });
    // It is there now, although nothing has been fired until it yet.
    frontier_ = saturating_add(timestamp_min, duration{1});
  }

  void arm_by_clock(std::uint64_t hash, const Key& key, windows& of_key) {
    const timestamp due = next_multiple(now_, when_.every_processing_time);
    if (due >= of_key.early.by_clock) return;
    of_key.early.by_clock = due;
    // Keys that have come and gone within one period have left their deadlines behind.
    if (clock_deadlines_.size() > 2 * (table_.size() + evicting_.cold()) + 1024 &&
        evicting_.count_cold() == 0) {
      clock_deadlines_ = {};
      std::as_const(table_).for_each(
          [&](std::uint64_t other, const Key& of, const windows& pending) {
            const timestamp by_clock = pending.early.by_clock;
            if (by_clock < timestamp_max)
              clock_deadlines_.push({by_clock, timer_kind::function, other, of});
          });
    } else {
      clock_deadlines_.push({due, timer_kind::function, hash, key});
    }
  }

  /// Makes sure that the key is looked at when the frontier reaches `at`.
  void arm(std::uint64_t hash, const Key& key, windows& of_key, timestamp at) {
    if (of_key.armed.is_set && of_key.armed.at <= at) return;
    of_key.armed.set(at);
    deadlines_.push({at, timer_kind::function, hash, key});
  }

  /// When the next of the key's windows fires or closes. \pre there is one.
  timestamp next_deadline(windows& of_key) const {
    const timestamp closes = times_.closes_at(of_key.begin()->span);
    const iterator not_fired = of_key.first_not_fired();
    return not_fired == of_key.end() ? closes : std::min(closes, times_.fires_at(not_fired->span));
  }

  static bool waits_for(const windows& of_key, timestamp at) {
    if constexpr (WithPanes) {
      if (of_key.early.by_watermark == at && at < timestamp_max) return true;
    }
    return of_key.armed.is_set && (of_key.armed.at == at || of_key.armed.or_before);
  }

  /// Does what is due for one key at one moment: first windows fire, then come early panes, then
  /// windows close. Arms the key for what remains.
  void fire_key(const deadline& due, windows& of_key, row_collector<row>& to) {
    const timestamp promised = times_.promised_before(due.when);
    iterator each = of_key.first_not_fired();
    for (; times_.fires() && each != of_key.end() && times_.fires_at(each->span) <= due.when;
         ++each) {
      if (emitter_.has_news(*each))
        emitter_.emit(due.hash, due.key, *each, pane_timing::on_time, promised, to);
      each->fired = true;
    }
    if constexpr (WithPanes) {
      if (of_key.early.by_watermark <= due.when && of_key.early.by_watermark < timestamp_max) {
        of_key.early.by_watermark = timestamp_max;
        emit_early(due, of_key, promised, to);
      }
    }
    close_windows(due, of_key, promised, to);
    if (of_key.empty()) {
      if (evicting_.on() && table_.is_known(&of_key)) {
        evicting_.note_erased(due.hash, bytes_.key(due.key));
      }
      table_.erase(due.hash, due.key);
      return;
    }
    table_.mark_dirty(&of_key);
    if (of_key.armed.at > due.when && !of_key.armed.or_before) return;
    of_key.armed.set(next_deadline(of_key));
    deadlines_.push({of_key.armed.at, timer_kind::function, due.hash, due.key});
  }

  void close_windows(const deadline& due, windows& of_key, timestamp promised,
                     row_collector<row>& to) {
    iterator open = of_key.begin();
    for (; open != of_key.end() && times_.closes_at(open->span) <= due.when; ++open) {
      if constexpr (WithPanes) {
        if (open->fired && open->since > 0) {
          emitter_.emit(due.hash, due.key, *open, pane_timing::late, promised, to);
        }
      }
    }
    if (open != of_key.begin()) of_key.close_before(open, size_);
  }

  Assigner assigner_;
  window_times times_;
  panes when_;
  pane_emitter<row, Key, aggregates, WithPanes> emitter_;
  keyed_table<Key, windows> table_;
  std::size_t size_ = 0;  ///< Windows of all keys.
  table_meter<Key, windows> meter_;
  row_bytes bytes_;
  row_eviction<Key, windows> evicting_;
  std::size_t calls_ = 0;               ///< To `make_room_sometimes`.
  timer_queue<Key> deadlines_;          ///< Of all that the frontier causes.
  timer_queue<Key> clock_deadlines_;    ///< Of early panes by processing time.
  timestamp frontier_ = timestamp_min;  ///< What has been fired until.
  timestamp now_ = timestamp_min;       ///< Processing time, where it matters.
  std::vector<window_span> spans_;
};

}  // namespace freshet::detail
