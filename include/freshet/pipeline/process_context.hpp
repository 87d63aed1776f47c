// What a process function knows and can do while it is called.
//
// A context is valid during the call it was given to. Times: see each member. Order: rows are sent
// on in the order in which they are emitted. Threads: the operator's.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/row_position.hpp>
#include <freshet/pipeline/side_output.hpp>
#include <freshet/state/timers.hpp>
#include <freshet/state/ttl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet {

/// A timer that fires.
struct timer {
  timestamp when;    ///< As it was set. An event timer fires when the watermark reaches it.
  time_domain time;  ///< Of which of the two times.
};

/// When and where a row that follows from several records has its place.
struct row_origin {
  timestamp at = timestamp_min;  ///< Its event time.
  /// The latest of the entry frontiers of those records that were behind theirs; `timestamp_min`
  /// where none was. The row is behind it, where it has an earlier event time.
  timestamp entry_frontier = timestamp_min;
  position where;  ///< Its place in the log: ties go by it. Rows of equal time should differ in it.
};

namespace detail {

/// What a key waits for; most keys of most functions wait for nothing.
struct key_timers {
  timer_set event;
  timer_set processing;
  // When the clean-ups in the queues are due; earlier entries were replaced by these.
  timestamp event_cleanup = timestamp_max;
  timestamp processing_cleanup = timestamp_max;
  // A row that was read back does not know what is in the queues: something not later than the
  // times above.
  bool event_cleanup_unknown = false;
  bool processing_cleanup_unknown = false;

  timer_set& of(time_domain time) { return time == time_domain::event_time ? event : processing; }
  timestamp& cleanup_of(time_domain time) {
    return time == time_domain::event_time ? event_cleanup : processing_cleanup;
  }
  bool& unknown_of(time_domain time) {
    return time == time_domain::event_time ? event_cleanup_unknown : processing_cleanup_unknown;
  }
};

using key_timers_handle = std::unique_ptr<key_timers>;

inline key_timers& made(key_timers_handle& timers) {
  if (timers == nullptr) timers = std::make_unique<key_timers>();
  return *timers;
}

/// What is known during one call of a function.
template <class Key>
struct call_frame {
  const Key* key = nullptr;
  std::uint64_t hash = 0;
  std::optional<timestamp> at;        ///< Event time of the record, or of the event timer.
  timestamp emit_at = timestamp_min;  ///< Event time of rows that are emitted.
  timestamp entry_frontier = timestamp_min;
  timestamp promised = timestamp_min;  ///< Rows before it are behind it.
  position where;                      ///< Of the record; in a timer, of no record.
  std::uint32_t index = 0;             ///< Of the next row among those of this call.
  std::size_t keys_held = 0;
  key_timers_handle* timers = nullptr;
  std::optional<timestamp> firing;  ///< The event timer that fires.
};

/// One output on its way out.
template <class U>
struct output_rows {
  batch<U> rows;
  outlet<U> out;
};

/// The part of a process operator that does not depend on its records or its function.
template <class Key, class Out, class... Tags>
struct process_core {
  bool timed = true;       ///< The records have event times.
  bool has_timer = false;  ///< The function has something to be called with.
  bool used_processing_time = false;
  state_times now;
  timestamp frontier = timestamp_min;  ///< Up to which event timers have fired.
  call_frame<Key> frame;
  timer_queue<Key> event_queue;
  timer_queue<Key> processing_queue;
  batch<Out> rows;
  outlet<Out>* out = nullptr;
  std::tuple<output_rows<typename Tags::value_type>...> sides;
  const operator_context* context = nullptr;
  /// Of an operator below, on its way through the user's function, which may catch it.
  std::exception_ptr failure;

  template <class U>
  void put(batch<U>& to, outlet<U>& way, U&& row, timestamp at) {
    put(to, way, std::move(row),
        row_origin{at, frame.promised, position_of_row(frame.where, frame.index++)});
  }
  /// \pre nothing before the origin's entry frontier, if it is behind that, was promised below.
  template <class U>
  void put(batch<U>& to, outlet<U>& way, U&& row, const row_origin& from) {
    if (failure) std::rethrow_exception(failure);
    if (timed) {
      if (from.at < from.entry_frontier) {
        to.behind.push_back({static_cast<std::uint32_t>(to.size()), from.entry_frontier});
      }
      to.times.push_back(from.at);
    }
    to.positions.push_back(from.where);
    to.values.push_back(std::move(row));
    if (to.size() < batch_rows_max) return;
    try {
      send(to, way);
    } catch (...) {
      failure = std::current_exception();
      throw;
    }
  }

  template <class U>
  void send(batch<U>& rows_of, outlet<U>& way) {
    context->counters->give(rows_of.size(), bytes_of(rows_of));
    way.emit(rows_of);
  }
  void flush() {
    send(rows, *out);
    std::apply([this](auto&... each) { (this->send(each.rows, each.out), ...); }, sides);
  }
};

template <class Tag, class... Tags>
consteval std::size_t index_of_tag() {
  const bool same[] = {std::is_same_v<Tag, Tags>..., false};
  std::size_t index = 0;
  while (index < sizeof...(Tags) && !same[index]) ++index;
  return index;
}

}  // namespace detail

/// Given to a process function with every call. `Out`: rows of the main output; `Tags`: the side
/// outputs named where `process` was composed.
template <class Key, class Out, class... Tags>
class process_context {
 public:
  explicit process_context(detail::process_core<Key, Out, Tags...>& core) : core_(core) {}

  /// The key of the record or timer.
  const Key& key() const { return *core_.frame.key; }

  /// The event time of the record, or what an event timer was set for. Nothing in timers of
  /// processing time, and where there are no event times.
  std::optional<timestamp> at() const { return core_.frame.at; }

  /// The order key of the record, for aggregates that depend on order. In timers: of no record.
  order_key order() const { return {at().value_or(timestamp_min), core_.frame.where}; }

  /// What had been promised when the record entered: no record before it was expected any more. A
  /// record with an earlier event time is behind, and late for whatever ended by then. Exact for
  /// records that are behind; for others it may be earlier, but never later than their event time.
  /// In timers: the watermark.
  timestamp entry_frontier() const { return core_.frame.entry_frontier; }

  /// Up to where event timers have fired.
  timestamp watermark() const { return core_.frontier; }

  /// Processing time, asked for once per batch and timer.
  timestamp processing_time() const {
    core_.used_processing_time = true;
    return core_.now.processing_time;
  }

  /// Emits a row. Its event time is that of the record; of an event timer, the last moment before
  /// the time it was set for, as that of a window's row; of a timer of processing time, the
  /// watermark.
  void emit(Out row) { emit_at(core_.frame.emit_at, std::move(row)); }
  /// Emits a row with an event time of its own. What lies before the entry frontier, or before what
  /// the watermark was until a timer fired, is behind it downstream.
  void emit_at(timestamp at, Out row) { core_.put(core_.rows, *core_.out, std::move(row), at); }

  /// Emits a row that follows from several records, whichever of them came last: where the function
  /// makes its time, entry frontier and place of those records alone, they are the same in every
  /// run. (`emit` takes them from the record or timer of this call.)
  void emit_as(row_origin from, Out row) {
    from.entry_frontier = std::max(from.entry_frontier, core_.frame.promised);
    core_.put(core_.rows, *core_.out, std::move(row), from);
  }
  /// Emits a row that is behind `entry_frontier`, where that is later than `at`: in place of a
  /// record that was. It has its place among the rows of this call.
  void emit_behind(timestamp at, timestamp entry_frontier, Out row) {
    emit_as({at, entry_frontier, detail::position_of_row(core_.frame.where, core_.frame.index++)},
            std::move(row));
  }

  /// For how many keys, with that of this call, the task keeps state of the function. Where memory
  /// is limited, those that are not in memory count as of the last batch.
  std::size_t keys_held() const { return core_.frame.keys_held; }

  /// Counts the record as one of which nothing comes: `operator_metrics::unassigned`.
  void count_unassigned() {
    detail::operator_counters::add(core_.context->counters->unassigned, 1);
  }
  /// Counts the record as late: `operator_metrics::late`.
  void count_late() { detail::operator_counters::add(core_.context->counters->late, 1); }

  /// Emits a row into a side output.
  template <class Tag>
  void emit(const Tag& tag, typename Tag::value_type row) {
    emit_at(tag, core_.frame.emit_at, std::move(row));
  }
  template <class Tag>
  void emit_at(const Tag&, timestamp at, typename Tag::value_type row) {
    constexpr std::size_t index = detail::index_of_tag<Tag, Tags...>();
    static_assert(index < sizeof...(Tags),
                  "freshet: this side output is not among those of the operator; name it in "
                  "process(name, function, tags...)");
    if constexpr (index < sizeof...(Tags)) {
      auto& side = std::get<index>(core_.sides);
      core_.put(side.rows, side.out, std::move(row), at);
    }
  }

  /// Asks for `on_timer` when the watermark reaches `when`; at once, if it has: before the next
  /// record or at the next watermark. One timer per key and time, however often it is set.
  /// Throws `std::logic_error` without event times, without an `on_timer`, and in the event timer
  /// of that very time, which would fire for ever.
  void set_event_timer(timestamp when) {
    require_timer_function();
    if (!core_.timed) {
      throw std::logic_error(
          "an event timer needs event times; put event_time above, or set a "
          "timer of processing time");
    }
    if (core_.frame.firing == when) {
      throw std::logic_error(
          "an event timer set itself for its own time, and would fire for ever; "
          "set it for a later one");
    }
    if (!detail::made(*core_.frame.timers).event.insert(when)) return;
    core_.event_queue.push({when, timer_kind::function, core_.frame.hash, key()});
  }
  /// Forgets the timer. Does nothing when there is none.
  void delete_event_timer(timestamp when) {
    if (*core_.frame.timers != nullptr) (*core_.frame.timers)->event.erase(when);
  }

  /// Asks for `on_timer` when processing time reaches `when`. Pending ones are kept in checkpoints,
  /// fire at once after a restart when they are overdue, and are dropped at the end of the input.
  void set_processing_timer(timestamp when) {
    require_timer_function();
    core_.used_processing_time = true;
    if (!detail::made(*core_.frame.timers).processing.insert(when)) return;
    core_.processing_queue.push({when, timer_kind::function, core_.frame.hash, key()});
  }
  void delete_processing_timer(timestamp when) {
    if (*core_.frame.timers != nullptr) (*core_.frame.timers)->processing.erase(when);
  }

 private:
  void require_timer_function() const {
    if (core_.has_timer) return;
    throw std::logic_error("a timer was set, and the function has no on_timer; give it one");
  }

  detail::process_core<Key, Out, Tags...>& core_;
};

/// Given to `on_broadcast` with every record of a broadcast stream.
struct broadcast_context {
  std::optional<timestamp> at;  ///< Event time of the record, if it has one.
  timestamp watermark;          ///< Of the keyed stream.
  timestamp processing_time;
};

}  // namespace freshet
