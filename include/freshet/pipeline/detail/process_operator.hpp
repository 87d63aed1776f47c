// The operator behind process. Internal.
//
// Calls the function for each record in the order of arrival, and for timers when their time has
// come. Over the log of a single split the moment of an event timer is exact: it fires before the
// first record that entered after the watermark had reached it, however the log is cut into
// batches. Threads: one task. Memory: one slot per key that holds state or timers.
//
// Where memory is limited, rows of keys that are not in use are dropped, and the keys of a batch,
// and of timers that are due, are read back before their turn comes. Their timers stay in the
// queues. Rows are dropped at a few places only (`make_room`), after which the keys of the batch
// are looked for again.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/pipeline/detail/process_function.hpp>
#include <freshet/pipeline/detail/row_eviction.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/process_context.hpp>
#include <freshet/state/keyed_state.hpp>
#include <freshet/state/keyed_table.hpp>
#include <freshet/state/timers.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// What is kept of one key.
template <class State>
struct process_slot {
  State state;
  key_timers_handle timers;  ///< Null until it has set one.
};

template <class Shared>
struct process_summary {
  timestamp frontier = timestamp_min;
  bool used_processing_time = false;
  Shared shared{};
  BOOST_DESCRIBE_CLASS(process_summary, (), (frontier, used_processing_time, shared), (), ())
};

template <class T, class KeyOf, class Broadcast, class Out, class F, class... Tags>
class process_operator final : public pausable_operator<T, Out> {
 public:
  using key = key_of_t<KeyOf, T>;
  using state = state_of<F>;
  using shared = shared_of<F, Broadcast>;

  process_operator(KeyOf key_of, F f, bool timed)
      : key_of_(std::move(key_of)), calls_(std::move(f)), broadcast_(*this) {
    core_.timed = timed;
    core_.has_timer = has_timer_function<F, state, shared, context_of>;
    core_.out = &this->out();
    fresh_ = calls_.initial_state();
    for_each_keyed_state(fresh_, [this](auto& each) { each.bind(core_.now); });
  }

  inlet_base& input(std::size_t port) override {
    if (port == 0) return *this;
    return broadcast_;
  }
  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    outlet_base* found = nullptr;
    std::size_t index = 0;
    std::apply([&](auto&... each) { ((++index == port ? found = &each.out : found), ...); },
               core_.sides);
    return *found;
  }

  void open(const operator_context& context) override {
    pausable_operator<T, Out>::open(context);
    core_.context = &this->context();
    table_ = keyed_table<key, slot>(spread_over(context.groups));
    evicting_.open(this->context());
  }

  bool used_processing_time() const override { return core_.used_processing_time; }

  std::optional<state_size> held_state() override {
    look_at_rows();
    state_size all = table_meter<key, slot>::of(table_);
    all.bytes += meter_.owned_by(all.entries) + other_bytes();
    all.cold = evicting_.count_cold();
    all.entries += all.cold;
    return all;
  }

  static state_layout layout() {
    return {schema_of<process_summary<shared>>(),
            {{"", schema_of<std::tuple<state, timer_set, timer_set>>()}}};
  }

  void snapshot(state_writer& to) override {
    to.summary(
        to_bytes(process_summary<shared>{core_.frontier, core_.used_processing_time, shared_}),
        core_.frontier);
    evicting_.begin_snapshot(table_, to);
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const key& of, const slot& kept) {
          static const key_timers none;
          const key_timers& timers = kept.timers == nullptr ? none : *kept.timers;
          const std::string_view key_bytes = bytes_.key(of);
          const std::string_view value = bytes_.value(kept.state, timers.event, timers.processing);
          to.put(hash, key_bytes, timestamp_max, value);
          evicting_.note_copy(key_bytes.size() + value.size());
        },
        [this, &to](std::uint64_t hash, const key& of) { to.erase(hash, bytes_.key(of)); });
  }
  bool continue_snapshot(std::size_t& rows) override { return table_.snapshot_some(rows); }

  void note_durable() override { evicting_.note_durable(table_); }

  void restore(state_reader& from) override {
    auto summaries = read_summaries<process_summary<shared>>(from);
    std::vector<timestamp> frontiers;
    for (const auto& each : summaries) {
      frontiers.push_back(each.frontier);
      core_.used_processing_time |= each.used_processing_time;
    }
    core_.frontier = this->restore_watermark(frontiers);
    before_moment_ = core_.now.event_time = core_.frontier;
    core_.now.processing_time = this->context().task->now();
    // Every instance has received the same control records.
    shared_ = std::move(summaries.front().shared);
    const bool leaves_out = evicting_.can_leave_out(from);
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      absl::StatusOr<key> of = from_bytes<key>(key_bytes);
      if (!of.ok()) from.fail(of.status());
      slot kept{fresh_, {}};
      if (const absl::Status wrong = decode_row(value, kept); !wrong.ok()) from.fail(wrong);
      queue_timers(hash, *of, kept);
      if (leaves_out && evicting_.is_full(table_, owned_by_row(), other_bytes())) {
        evicting_.leave_out(hash);
      } else {
        table_.insert_restored(hash, std::move(*of), std::move(kept));
      }
    });
    // Rows in the newest commit only are not handed over; their timers have to be known.
    evicting_.end_restore(
        table_, leaves_out,
        [&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
          absl::StatusOr<key> of = from_bytes<key>(key_bytes);
          if (!of.ok()) from.fail(of.status());
          if (table_.contains(hash, *of)) return;
          slot kept{fresh_, {}};
          if (const absl::Status wrong = decode_row(value, kept); !wrong.ok()) from.fail(wrong);
          queue_timers(hash, *of, kept);
        });
    arm();
  }

 protected:
  bool work(const batch<T>& rows, std::size_t& next) override {
    core_.now.processing_time = this->context().task->now();
    const bool follows_log = this->context().single_split && !rows.entry_frontiers.empty();
    auto sparse =
        std::lower_bound(rows.behind.begin(), rows.behind.end(), next,
                         [](const behind_row& each, std::size_t row) { return each.row < row; });
    constexpr std::size_t ahead = 8;
    const bool far = table_.prefetch_pays();
    bool pauses = false;
    make_room();
    has_read_back_ = false;
    for (; next < rows.size(); ++next) {
      pauses = this->should_pause() ||
               !advance_to(follows_log ? rows.entry_frontiers[next] : core_.frontier);
      if (pauses) break;
      if (evicting_.on() && !has_read_back_) read_back(rows, next);
      std::optional<timestamp> behind;
      if (sparse != rows.behind.end() && sparse->row == next) behind = sparse++->entry_frontier;
      if (far && next + ahead < rows.size()) table_.prefetch(rows.hashes[next + ahead]);
      process_row(rows, next, behind);
    }
    if (!pauses) pauses = !advance_to(core_.frontier);
    flush();
    arm();
    return !pauses;
  }

  bool meet_deadline(timestamp now) override {
    core_.now.processing_time = now;
    bool pauses = false;
    std::size_t calls = 0;
    while (core_.processing_queue.due(now)) {
      pauses = this->should_pause();
      if (pauses) break;
      if (calls++ % calls_until_room == 0) make_room();
      fire(core_.processing_queue.pop(), time_domain::processing_time, core_.frontier);
    }
    flush();
    arm();
    return !pauses;
  }

  void meet(const control& what) override {
    if (what.what == control::kind::barrier && has_broadcast) {
      // The task aligns barriers before it lets them in, so no data comes between the two.
      if (++barriers_ < 2) return;
      barriers_ = 0;
    }
    if (what.what == control::kind::end) {
      core_.processing_queue.clear();
      arm();
    }
    pausable_operator<T, Out>::meet(what);
  }

  bool move_to(timestamp frontier) override {
    if (frontier > core_.frontier || core_.event_queue.due(frontier)) {
      core_.now.processing_time = this->context().task->now();
      if (!fire_event_timers(frontier)) return false;
      reach(frontier);
    }
    if constexpr (has_end) {
      if (frontier == timestamp_max && !end_keys()) return false;
    }
    arm();
    return true;
  }
  void flush() override { core_.flush(); }
  void signal_outputs(const control& what) override {
    this->out().signal(what);
    std::apply([&what](auto&... each) { (each.out.signal(what), ...); }, core_.sides);
  }

 private:
  using slot = process_slot<state>;
  using queued = typename timer_queue<key>::entry;
  using context_of = process_context<key, Out, Tags...>;
  static constexpr bool takes_over = processes_own<F, T, state, context_of>;
  static constexpr bool has_broadcast = !std::is_void_v<Broadcast>;
  static constexpr bool has_end = has_end_function<F, state, context_of>;
  static constexpr std::size_t slice_calls = 4 * batch_rows_max;
  // Where memory is limited.
  static constexpr std::size_t calls_until_room = 256;  ///< Of timers; so many are read together.

  /// The second input. Its watermark plays no part: control records apply as they arrive.
  class broadcast_inlet final : public inlet<row_of<Broadcast>> {
   public:
    explicit broadcast_inlet(process_operator& owner) : owner_(owner) {}
    void consume(batch<row_of<Broadcast>>& rows) override { share(rows); }
    void share(const batch<row_of<Broadcast>>& rows) override { owner_.apply(rows); }
    void signal(const control& what) override {
      if (what.what == control::kind::barrier) owner_.signal(what);
    }

   private:
    process_operator& owner_;
  };

  void apply(const batch<row_of<Broadcast>>& rows) {
    if constexpr (has_broadcast) {
      this->catch_up();
      this->count_in(rows);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        broadcast_context now{std::nullopt, core_.frontier, this->context().task->now()};
        if (!rows.times.empty()) now.at = rows.times[row];
        try {
          calls_.on_broadcast(rows.values[row], shared_, now);
        } catch (...) {
          fail_in_user_function(this->context().place, rows.positions[row]);
        }
      }
    }
  }

  void process_row(const batch<T>& rows, std::size_t row, std::optional<timestamp> behind) {
    const T& value = rows.values[row];
    const position& where = rows.positions[row];
    auto& frame = core_.frame;
    frame = {};
    frame.hash = rows.hashes[row];
    frame.entry_frontier = behind.value_or(core_.frontier);
    frame.promised = frame.entry_frontier;
    if (core_.timed) {
      frame.at = rows.times[row];
      frame.emit_at = rows.times[row];
      core_.now.event_time = std::max(rows.times[row], frame.entry_frontier);
    }
    frame.where = where;
    try {
      // Where the record is moved from, the key must not be part of it.
      using kept_key = std::conditional_t<takes_over, const key, const key&>;
      kept_key of = key_of_record(key_of_, value);
      frame.key = &of;
      slot& kept = *table_.get_or_insert(frame.hash, of, [this] { return slot{fresh_, {}}; }).first;
      frame.keys_held = table_.size() + evicting_.cold();
      frame.timers = &kept.timers;
      context_of context(core_);
      if constexpr (!takes_over) {
        calls_.process(value, kept.state, shared_, context);
      } else if (this->owns_rows()) {
        // The batch is this operator's own; it is const only to those who may share it.
        calls_.process_own(std::move(const_cast<T&>(value)), kept.state, context);
      } else {
        calls_.process_own(T(value), kept.state, context);
      }
      if (core_.failure) std::rethrow_exception(core_.failure);
      settle(frame.hash, of, kept);
    } catch (...) {
      fail_in_user_function(this->context().place, where);
    }
  }

  /// Fires what is due before the next record, also timers that were set for the past. False when
  /// there is more to fire, later.
  bool advance_to(timestamp frontier) {
    const timestamp reached = std::max(core_.frontier, frontier);
    if (reached == core_.frontier && !core_.event_queue.due(reached)) return true;
    if (reached == timestamp_min) return true;  // There is no watermark yet.
    if (!fire_event_timers(reached)) return false;
    reach(reached);
    return true;
  }

  /// Fires what is due at `frontier`; false when a slice is done, or has to end, and there is more.
  bool fire_event_timers(timestamp frontier) {
    for (std::size_t calls = 0; core_.event_queue.due(frontier); ++calls) {
      if (calls == slice_calls || this->should_pause()) return false;
      if (calls % calls_until_room == 0) make_room();
      auto entry = core_.event_queue.pop();
      // While a timer fires, the watermark is what it waited for. Timers of one time fire at one
      // moment, and what had been promised before it holds for each of them.
      if (entry.when > core_.frontier) {
        before_moment_ = core_.frontier;
        core_.frontier = entry.when;
      }
      const bool of_moment = entry.when == core_.frontier;
      fire(entry, time_domain::event_time, of_moment ? before_moment_ : core_.frontier);
    }
    return true;
  }

  /// All timers until `frontier` have fired, and the moment of the last one is over.
  void reach(timestamp frontier) {
    core_.frontier = std::max(core_.frontier, frontier);
    before_moment_ = core_.frontier;
  }

  /// `promised`: what had been promised before the timer.
  void fire(const queued& due, time_domain time, timestamp promised) {
    const bool event = time == time_domain::event_time;
    slot* kept = table_.find(due.hash, due.key);
    if (kept == nullptr && evicting_.holds(due.hash)) kept = read_back(due, event);
    if (kept == nullptr || kept->timers == nullptr) return;
    core_.now.event_time = event ? std::max(due.when, core_.frontier) : core_.frontier;
    if (due.kind == timer_kind::cleanup) {
      key_timers& timers = *kept->timers;
      timestamp& armed = timers.cleanup_of(time);
      bool& unknown = timers.unknown_of(time);
      if (armed != due.when && !unknown) return;
      armed = timestamp_max;
      unknown = false;
      for_each_keyed_state(kept->state, [&](auto& each) {
        if (each.rule().time == time) each.drop_expired();
      });
    } else {
      // What was deleted since, or has fired already, is in the queue only.
      if (!kept->timers->of(time).erase(due.when)) return;
      call_timer(due, time, promised, *kept);
    }
    table_.mark_dirty(kept);
    settle(due.hash, due.key, *kept);
  }

  /// The end of the input: every key is called once more, and all state goes. False when a slice is
  /// done, or has to end, and there is more.
  bool end_keys() {
    if (table_.empty()) return true;
    for (std::size_t calls = 0; calls < slice_calls; calls += batch_rows_max / 4) {
      if (this->should_pause()) return false;
      if (!table_.visit_some(next_to_end_, batch_rows_max / 4,
                             [this](std::uint64_t hash, const key& of, slot& kept) {
                               call_end(hash, of, kept);
                             })) {
        continue;
      }
      core_.event_queue.clear();
      core_.processing_queue.clear();
      table_.clear();
      next_to_end_ = 0;
      return true;
    }
    return false;
  }

  void call_end(std::uint64_t hash, const key& of, slot& kept) {
    auto& frame = core_.frame;
    frame = {};
    frame.key = &of;
    frame.hash = hash;
    frame.entry_frontier = core_.frontier;
    frame.promised = this->watermark();
    frame.emit_at = saturating_subtract(timestamp_max, duration{1});
    frame.where = {combine_hashes(hash, std::uint64_t{2}), this->context().number, 0};
    frame.timers = &kept.timers;
    core_.now.event_time = timestamp_max;
    context_of context(core_);
    try {
      calls_.on_end(kept.state, context);
      if (core_.failure) std::rethrow_exception(core_.failure);
    } catch (...) {
      fail_in_user_function(this->context().place, "at the end of the input");
    }
  }

  void call_timer(const queued& due, time_domain time, timestamp promised, slot& kept) {
    const bool event = time == time_domain::event_time;
    auto& frame = core_.frame;
    frame = {};
    frame.key = &due.key;
    frame.hash = due.hash;
    frame.entry_frontier = core_.frontier;
    frame.promised = promised;
    frame.emit_at = event ? saturating_subtract(due.when, duration{1}) : core_.frontier;
    if (event) {
      frame.at = due.when;
      frame.firing = due.when;
    }
    frame.where = {combine_hashes(due.hash + (event ? 0 : 1),
                                  static_cast<std::uint64_t>(due.when.time_since_epoch().count())),
                   this->context().number, 0};
    frame.keys_held = table_.size() + evicting_.cold();
    frame.timers = &kept.timers;
    context_of context(core_);
    try {
      calls_.on_timer(timer{due.when, time}, kept.state, shared_, context);
      if (core_.failure) std::rethrow_exception(core_.failure);
    } catch (...) {
      fail_in_user_function(this->context().place, "in its timer of " + to_iso_8601(due.when));
    }
  }

  /// After a call: expiry is scheduled, and a slot that holds nothing goes.
  void settle(std::uint64_t hash, const key& of, slot& kept) {
    if constexpr (holds_keyed_states_only<state>()) {
      bool nothing =
          kept.timers == nullptr || (kept.timers->event.empty() && kept.timers->processing.empty());
      for_each_keyed_state(kept.state, [&](auto& each) { nothing &= each.holds_nothing(); });
      if (nothing) {
        if (evicting_.on() && table_.is_known(&kept)) evicting_.note_erased(hash, bytes_.key(of));
        table_.erase(hash, of);
        return;
      }
    }
    schedule_cleanup(hash, of, kept);
  }

  void schedule_cleanup(std::uint64_t hash, const key& of, slot& kept) {
    for_each_keyed_state(kept.state, [&](const auto& each) {
      const timestamp when = each.next_expiry();
      if (when == timestamp_max) return;
      const time_domain time = each.rule().time;
      key_timers& timers = made(kept.timers);
      timestamp& armed = timers.cleanup_of(time);
      if (when >= armed) return;
      armed = when;
      timers.unknown_of(time) = false;
      auto& queue = time == time_domain::event_time ? core_.event_queue : core_.processing_queue;
      queue.push({when, timer_kind::cleanup, hash, of});
    });
  }

  absl::Status decode_row(std::string_view value, slot& into) const {
    byte_reader reader(value);
    key_timers timers;
    if (!decode(reader, into.state) || !decode(reader, timers.event) ||
        !decode(reader, timers.processing)) {
      return reader.status();
    }
    if (reader.remaining() > 0) return absl::DataLossError("bytes after a key's timers");
    if (!timers.event.empty() || !timers.processing.empty()) {
      made(into.timers) = std::move(timers);
    }
    return absl::OkStatus();
  }

  void queue_timers(std::uint64_t hash, const key& of, slot& kept) {
    if (kept.timers != nullptr) {
      for (const timestamp when : kept.timers->event) {
        core_.event_queue.push({when, timer_kind::function, hash, of});
      }
      for (const timestamp when : kept.timers->processing) {
        core_.processing_queue.push({when, timer_kind::function, hash, of});
      }
    }
    schedule_cleanup(hash, of, kept);
  }

  // Where memory is limited: which rows are there, and which are in the newest commit only.

  void look_at_rows() {
    meter_.look_at(table_, [](const slot& kept) {
      if (kept.timers == nullptr) return owned_bytes(kept.state);
      const std::size_t timers = kept.timers->event.size() + kept.timers->processing.size();
      return owned_bytes(kept.state) + sizeof(key_timers) + timers * sizeof(timestamp);
    });
  }
  /// One entry stands for all.
  static std::uint64_t bytes_of_queue(const timer_queue<key>& queue) {
    const queued* first = queue.first();
    return queue.memory_bytes() + (first == nullptr ? 0 : queue.size() * owned_bytes(first->key));
  }
  std::uint64_t other_bytes() const {
    return owned_bytes(shared_) + bytes_of_queue(core_.event_queue) +
           bytes_of_queue(core_.processing_queue);
  }
  std::uint64_t owned_by_row() const {
    constexpr std::uint64_t some = 1024;
    return meter_.owned_by(some) / some;
  }

  /// \pre nobody holds a pointer to a row.
  void make_room() {
    if (!evicting_.on()) return;
    look_at_rows();
    const bool dropped = evicting_.make_room(table_, owned_by_row(), other_bytes(),
                                             [](std::uint64_t, const key&, const slot&) {});
    if (dropped) has_read_back_ = false;
  }

  /// Reads the rows of the batch from `first` on that are not in memory.
  void read_back(const batch<T>& rows, std::size_t first) {
    has_read_back_ = true;
    for (std::size_t row = first; row < rows.size(); ++row) {
      if (!evicting_.holds(rows.hashes[row])) continue;
      try {
        const key& of = key_of_record(key_of_, rows.values[row]);
        want(rows.hashes[row], of);
      } catch (...) {
        fail_in_user_function(this->context().place, rows.positions[row]);
      }
    }
    read_wanted();
  }

  /// The row of a timer that may be in the newest commit, or null; reads those of the next timers,
  /// too.
  slot* read_back(const queued& due, bool event) {
    want(due.hash, due.key);
    read_wanted();
    slot* found = table_.find(due.hash, due.key);
    // Timers of keys that are gone stay in the queue: they say nothing about the others.
    if (found == nullptr) return nullptr;
    const timestamp now = event ? core_.frontier : core_.now.processing_time;
    (event ? core_.event_queue : core_.processing_queue)
        .look_at_due(now, calls_until_room, [this](const queued& next) {
          if (evicting_.holds(next.hash)) want(next.hash, next.key);
        });
    read_wanted();
    return table_.find(due.hash, due.key);
  }

  void want(std::uint64_t hash, const key& of) {
    if (!table_.contains(hash, of)) evicting_.want(hash, bytes_.key(of));
  }

  void read_wanted() {
    evicting_.read_wanted(
        [&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
          absl::StatusOr<key> of = from_bytes<key>(key_bytes);
          slot kept{fresh_, {}};
          evicting_.check_read(of.status());
          evicting_.check_read(decode_row(value, kept));
          for_each_keyed_state(kept.state, [&](const auto& each) {
            const timestamp when = each.next_expiry();
            if (when == timestamp_max) return;
            key_timers& timers = made(kept.timers);
            timestamp& armed = timers.cleanup_of(each.rule().time);
            armed = std::min(armed, when);
            timers.unknown_of(each.rule().time) = true;
          });
          table_.insert_stored(hash, std::move(*of), std::move(kept));
        });
  }

  void arm() { this->context().task->call_at(*this, core_.processing_queue.next()); }

  KeyOf key_of_;
  function_calls<F, state, shared> calls_;
  state fresh_;  ///< What a key begins with; bound to the operator's times.
  shared shared_{};
  process_core<key, Out, Tags...> core_;
  keyed_table<key, slot> table_;
  table_meter<key, slot> meter_;
  row_bytes bytes_;
  row_eviction<key, slot> evicting_;
  bool has_read_back_ = false;  ///< The keys of the batch at work are in memory.
  broadcast_inlet broadcast_;
  timestamp before_moment_ = timestamp_min;  ///< What was promised before the current moment.
  std::size_t barriers_ = 0;
  std::size_t next_to_end_ = 0;  ///< Where the table of keys goes on at the end of the input.
};

}  // namespace freshet::detail
