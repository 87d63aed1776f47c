// The operator behind process. Internal.
//
// Calls the function for each record in the order of arrival, and for timers when their time has
// come. Over the log of a single split the moment of an event timer is exact: it fires before the
// first record that entered after the watermark had reached it, however the log is cut into
// batches. Threads: one task. Memory: one slot per key that holds state or timers.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/pipeline/detail/process_function.hpp>
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
  timer_set event_timers;
  timer_set processing_timers;
  // When the clean-ups in the queues are due; earlier entries were replaced by these.
  timestamp event_cleanup = timestamp_max;
  timestamp processing_cleanup = timestamp_max;
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
  }

  bool used_processing_time() const override { return core_.used_processing_time; }

  std::optional<state_size> held_state() override {
    meter_.look_at(table_, [](const slot& kept) {
      const std::size_t timers = kept.event_timers.size() + kept.processing_timers.size();
      return owned_bytes(kept.state) + timers * sizeof(timestamp);
    });
    state_size all = table_meter<key, slot>::of(table_);
    all.bytes += meter_.owned_by(all.entries) + owned_bytes(shared_) +
                 core_.event_queue.memory_bytes() + core_.processing_queue.memory_bytes();
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
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const key& of, const slot& kept) {
          to.put(hash, bytes_.key(of), timestamp_max,
                 bytes_.value(kept.state, kept.event_timers, kept.processing_timers));
        },
        [this, &to](std::uint64_t hash, const key& of) { to.erase(hash, bytes_.key(of)); });
  }
  bool continue_snapshot(std::size_t& rows) override { return table_.snapshot_some(rows); }

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
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto of = from_bytes<key>(key_bytes);
      if (!of.ok()) from.fail(of.status());
      slot kept{fresh_, {}, {}};
      byte_reader reader(value);
      if (!decode(reader, kept.state) || !decode(reader, kept.event_timers) ||
          !decode(reader, kept.processing_timers)) {
        from.fail(reader.status());
      }
      if (reader.remaining() > 0) from.fail("bytes after a key's timers");
      for (const timestamp when : kept.event_timers) {
        core_.event_queue.push({when, timer_kind::function, hash, *of});
      }
      for (const timestamp when : kept.processing_timers) {
        core_.processing_queue.push({when, timer_kind::function, hash, *of});
      }
      schedule_cleanup(hash, *of, kept);
      table_.insert_restored(hash, std::move(*of), std::move(kept));
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
    bool pauses = false;
    for (; next < rows.size(); ++next) {
      pauses = this->should_pause() ||
               !advance_to(follows_log ? rows.entry_frontiers[next] : core_.frontier);
      if (pauses) break;
      std::optional<timestamp> behind;
      if (sparse != rows.behind.end() && sparse->row == next) behind = sparse++->entry_frontier;
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
    while (core_.processing_queue.due(now)) {
      pauses = this->should_pause();
      if (pauses) break;
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
  static constexpr std::size_t slice_calls = 4 * batch_rows_max;

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
      slot& kept =
          *table_.get_or_insert(frame.hash, of, [this] { return slot{fresh_, {}, {}}; }).first;
      frame.keys_held = table_.size();
      frame.event_timers = &kept.event_timers;
      frame.processing_timers = &kept.processing_timers;
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
    slot* kept = table_.find(due.hash, due.key);
    if (kept == nullptr) return;
    const bool event = time == time_domain::event_time;
    core_.now.event_time = event ? std::max(due.when, core_.frontier) : core_.frontier;
    if (due.kind == timer_kind::cleanup) {
      timestamp& armed = event ? kept->event_cleanup : kept->processing_cleanup;
      if (armed != due.when) return;
      armed = timestamp_max;
      for_each_keyed_state(kept->state, [&](auto& each) {
        if (each.rule().time == time) each.drop_expired();
      });
    } else {
      // What was deleted since, or has fired already, is in the queue only.
      timer_set& timers = event ? kept->event_timers : kept->processing_timers;
      if (!timers.erase(due.when)) return;
      call_timer(due, time, promised, *kept);
    }
    table_.mark_dirty(kept);
    settle(due.hash, due.key, *kept);
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
    frame.keys_held = table_.size();
    frame.event_timers = &kept.event_timers;
    frame.processing_timers = &kept.processing_timers;
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
      bool nothing = kept.event_timers.empty() && kept.processing_timers.empty();
      for_each_keyed_state(kept.state, [&](auto& each) { nothing &= each.holds_nothing(); });
      if (nothing) {
        table_.erase(hash, of);
        return;
      }
    }
    schedule_cleanup(hash, of, kept);
  }

  void schedule_cleanup(std::uint64_t hash, const key& of, slot& kept) {
    for_each_keyed_state(kept.state, [&](const auto& each) {
      const timestamp when = each.next_expiry();
      const bool event = each.rule().time == time_domain::event_time;
      timestamp& armed = event ? kept.event_cleanup : kept.processing_cleanup;
      if (when >= armed) return;
      armed = when;
      auto& queue = event ? core_.event_queue : core_.processing_queue;
      queue.push({when, timer_kind::cleanup, hash, of});
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
  broadcast_inlet broadcast_;
  timestamp before_moment_ = timestamp_min;  ///< What was promised before the current moment.
  std::size_t barriers_ = 0;
};

}  // namespace freshet::detail
