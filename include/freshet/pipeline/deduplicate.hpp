// deduplicate: one record per key, the first or the last.
//
//     payments | key_by(&payment::id) | deduplicate("ids", keep_first{}, emit_final{})
//     bids | key_by(&bid::auction)    | deduplicate("newest", keep_last{}, emit_changes{})
//
//                      emit_final                              emit_changes, emit_every
//     keep_first       when the watermark has passed it        the first so far; an earlier one
//     that
//                                                              arrives later takes its place
//     keep_first,      at once                                 the same, as an insert or upsert
//       by arrival
//     keep_last        at the end of the input, or of the key  the last so far
//
// Of equal event times the order key decides: sequence, split, fan-out. A record behind its entry
// frontier never is first before those that the frontier had passed, and last only by its event
// time.
//
// Time, order: emission.hpp says what is a function of the log; by arrival nothing is over several
// splits. State per key: keep_first without changes a time stamp and, while it waits, the record;
// else the record and its order key; and 17 bytes and the key, with a time to forget it 60 more.
#pragma once

#include <freshet/aggregate/ordered.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/detail/add_updating.hpp>
#include <freshet/pipeline/detail/ordered_buffer.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// What decides which record of a key is first or last.
enum class keep_by : std::uint8_t { event_time, arrival };

/// `event time`, `arrival`.
std::string to_text(keep_by by);

/// Keeps the first record of a key. With `emit_complete{D}` a record that is later by more than D
/// than the one that was kept is first again, and so on: the horizon of duplicates is D. With
/// `forget_after` of the other emissions D counts from the newest record of the key.
struct keep_first {
  keep_by by = keep_by::event_time;
};

/// Keeps the last record of a key.
struct keep_last {
  keep_by by = keep_by::event_time;
};

namespace detail {

/// The fold of deduplicate; see updating.hpp.
template <class T, class Key>
class last_fold {
 public:
  struct state {
    std::optional<ordered_value<T>> last;
    bool empty() const { return !last; }
    BOOST_DESCRIBE_CLASS(state, (), (last), (), ())
  };
  using row = T;

  explicit last_fold(keep_last how) : how_(how) {}

  void add(state& to, const T& each, const placed& where) const {
    if (replaces(to, where)) put(to.last, each, where);
  }
  void merge(state& into, const state& from) const {
    if (!into.last || (from.last && into.last->key() < from.last->key())) into = from;
  }
  template <class Of, class Emit>
  void rows(const Key&, Of&& of, Emit&& emit) const {
    emit(part_of<Of>(of.last->value));
  }
  template <class Changes>
  void change(const Key&, state& to, const T& each, const placed& where, Changes& changes) const {
    if (!to.last) {
      changes.insert(each);
    } else if (replaces(to, where)) {
      changes.update([&] { return to.last->value; }, each);
    } else {
      return;
    }
    put(to.last, each, where);
  }

 private:
  bool replaces(const state& of, const placed& where) const {
    return !of.last || how_.by == keep_by::arrival || of.last->key() < where.order;
  }
  static void put(std::optional<ordered_value<T>>& to, const T& each, const placed& where) {
    if (!to) to.emplace();
    const position& at = where.order.where;
    to->at = where.order.at;
    to->sequence = at.sequence;
    to->split = at.split;
    to->fanout = at.fanout;
    to->value = each;  // Into the memory that is there.
  }

  keep_last how_;
};

template <class T>
waiting_row<T> waiting(const T& each, const placed& where) {
  const position& at = where.order.where;
  waiting_row<T> row{where.order.at, std::nullopt, at.sequence, at.split, at.fanout, each};
  if (where.behind()) row.entry_frontier = where.turn;
  return row;
}

template <class T>
timestamp turn_of(const waiting_row<T>& row) {
  return row.entry_frontier.value_or(row.at);
}

/// The order of turns, as `ordered` has it.
template <class T>
bool is_earlier(const waiting_row<T>& a, const waiting_row<T>& b) {
  const auto order = [](const waiting_row<T>& of) {
    return std::tuple(turn_of(of), !of.entry_frontier.has_value(),
                      position{of.sequence, of.split, of.fanout});
  };
  return order(a) < order(b);
}

/// The first record so far, for changes.
template <class T, class Key>
class first_fold {
 public:
  struct state {
    std::optional<waiting_row<T>> first;
    bool empty() const { return !first; }
    BOOST_DESCRIBE_CLASS(state, (), (first), (), ())
  };
  using row = T;

  explicit first_fold(keep_first how) : how_(how) {}

  void add(state& to, const T& each, const placed& where) const {
    if (replaces(to, each, where)) to.first = waiting(each, where);
  }
  template <class Of, class Emit>
  void rows(const Key&, Of&& of, Emit&& emit) const {
    emit(part_of<Of>(of.first->value));
  }
  template <class Changes>
  void change(const Key&, state& to, const T& each, const placed& where, Changes& changes) const {
    if (!replaces(to, each, where)) return;
    if (to.first) {
      changes.update([&] { return to.first->value; }, each);
    } else {
      changes.insert(each);
    }
    to.first = waiting(each, where);
  }

 private:
  bool replaces(const state& of, const T& each, const placed& where) const {
    if (!of.first) return true;
    if (how_.by == keep_by::arrival || where.turn > turn_of(*of.first)) return false;
    return is_earlier(waiting(each, where), *of.first);
  }

  keep_first how_;
};

/// `keep_first` with `emit_final` or `emit_complete`.
template <class T>
class first_function {
 public:
  using row = T;

  struct content {
    std::optional<timestamp> kept;        ///< The turn of the record that was kept last.
    std::vector<waiting_row<T>> waiting;  ///< By turn. All that may still be first.
    bool empty() const { return !kept && waiting.empty(); }
    BOOST_DESCRIBE_CLASS(content, (), (kept, waiting), (), ())
  };
  using state = kept_state<content>;

  /// `forget_after`: perhaps never.
  first_function(keep_first how, duration forget_after) : how_(how), forget_after_(forget_after) {}

  void process(const T& record, state& mine, auto& context) {
    const placed where = place_of(context);
    content& all = mine.content;
    if (repeats(all, where.turn)) return;
    if (how_.by == keep_by::arrival) {
      context.emit(record);
      all.kept = where.turn;
      ask_to_forget(all, context);
      return;
    }
    if (!forgets() && !all.waiting.empty()) {
      // Nothing but the earliest can be first any more.
      if (turn_of(all.waiting.front()) < where.turn) return;
      waiting_row<T> candidate = waiting(record, where);
      if (!is_earlier(candidate, all.waiting.front())) return;
      all.waiting.front() = std::move(candidate);
    } else {
      waiting_row<T> candidate = waiting(record, where);
      const auto place =
          std::upper_bound(all.waiting.begin(), all.waiting.end(), candidate, is_earlier<T>);
      all.waiting.insert(place, std::move(candidate));
    }
    context.set_event_timer(saturating_add(where.turn, duration{1}));
  }

  void on_timer(const timer& due, state& mine, auto& context) {
    content& all = mine.content;
    std::size_t decided = 0;
    for (waiting_row<T>& each : all.waiting) {
      const timestamp turn = turn_of(each);
      if (saturating_add(turn, duration{1}) > due.when) break;
      ++decided;
      if (repeats(all, turn)) continue;
      context.emit_behind(each.at, turn, std::move(each.value));
      all.kept = turn;
    }
    all.waiting.erase(all.waiting.begin(),
                      all.waiting.begin() + static_cast<std::ptrdiff_t>(decided));
    if (all.waiting.empty()) all.waiting.shrink_to_fit();
    if (!all.kept || !forgets()) return;
    if (forgotten_at(*all.kept, forget_after_) <= due.when) {
      all.kept.reset();
    } else {
      ask_to_forget(all, context);
    }
  }

 private:
  bool forgets() const { return forget_after_ != never_forgotten; }
  bool repeats(const content& all, timestamp turn) const {
    return all.kept && (!forgets() || turn <= saturating_add(*all.kept, forget_after_));
  }
  void ask_to_forget(const content& all, auto& context) const {
    if (!forgets()) return;
    const timestamp when = forgotten_at(*all.kept, forget_after_);
    // At the very end of time there is nothing to forget for.
    if (when != timestamp_max) context.set_event_timer(when);
  }

  keep_first how_;
  duration forget_after_;
};

template <class T>
consteval void require_records() {
  static_assert(!is_change<T>,
                "freshet: these records are changes; deduplicate and top_n cannot take rows back; "
                "put them before the operator that makes changes, or use emit_final there");
  static_assert(checkpointable<T>,
                "freshet: records that are kept must be checkpointable; describe them with "
                "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
}

template <class T>
consteval void require_extensible() {
  static_assert(extensible_row<T>,
                "freshet: these rows extend the record, and this type cannot be extended; map it "
                "to a struct that is not final first");
}

template <class T, class KeyOf, emission When>
auto add_keep_first(const std::string& name, keep_first how, const When& when,
                    const keyed_stream<T, KeyOf>& keyed) {
  const std::string format = "first by " + to_text(how.by);
  const stream<T>& records = keyed.records();
  if constexpr (!gives_changes<When>) {
    duration forget_after = never_forgotten;
    if constexpr (std::is_same_v<When, emit_complete>) forget_after = when.after;
    const std::string place = "deduplicate '" + name + "'";
    require_usable(place, when.check());
    records.graph()->require_timed(records.from(), place);
    const bool arrival = how.by == keep_by::arrival;
    const process_look look{
        "deduplicate", name, " | " + format + " | " + when.describe(),
        arrival ? std::string("deduplicate in the order of arrival") : std::string()};
    const stream<T> rows =
        add_process<T, void>(look, first_function<T>(how, forget_after), keyed, {records.from()});
    return fired_stream<T>(rows.graph(), rows.from(), records.columns());
  } else {
    require_extensible<T>();
    using fold = first_fold<T, key_of_t<KeyOf, T>>;
    return add_updating("deduplicate", name, keyed, fold(how), when, format, records.columns());
  }
}

template <class T, class KeyOf, emission When>
auto add_keep_last(const std::string& name, keep_last how, const When& when,
                   const keyed_stream<T, KeyOf>& keyed) {
  if constexpr (gives_changes<When>) require_extensible<T>();
  using fold = last_fold<T, key_of_t<KeyOf, T>>;
  return add_updating("deduplicate", name, keyed, fold(how), when, "last by " + to_text(how.by),
                      keyed.records().columns(), how.by == keep_by::arrival);
}

}  // namespace detail

/// Keeps the first record of each key, emitted as `when` says. `name` identifies the state across
/// restarts.
/// \return the records; for `emit_changes` and `emit_every` changes of them. With `emit_final` a
/// row
///         has its record's event time and, where the record was behind, its entry frontier.
/// Throws `std::invalid_argument` when the records have no event times, when an option is out of
/// range, or another one has the name.
template <emission When>
auto deduplicate(std::string name, keep_first how, When when) {
  return detail::keyed_only([name = std::move(name), how,
                             when]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
    detail::require_records<T>();
    return detail::add_keep_first(name, how, when, keyed);
  });
}

/// Keeps the last record of each key. The same otherwise, but for the event time of rows of
/// `emit_final`: see there.
template <emission When>
auto deduplicate(std::string name, keep_last how, When when) {
  return detail::keyed_only([name = std::move(name), how,
                             when]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
    detail::require_records<T>();
    return detail::add_keep_last(name, how, when, keyed);
  });
}

}  // namespace freshet
