// temporal_join: records with the version of a table that was valid when they happened.
//
//     auto rates = rate_changes | fr::key_by(&rate::currency) | fr::table("rates");
//     auto converted = orders | fr::key_by(&order::currency)
//                    | fr::temporal_join("converted", rates,
//                          [](const order& o, const rate& r) { return ...; });
//
//     versions   v1 at 10 ----------- v2 at 20 --------
//     records           12    19           20    25        12, 19: v1     20, 25: v2     9: none
//
// Each change of a table is a version, valid from its event time until that of the next version of
// its key, or until one that deletes.
// Time: a record waits until the watermark has passed it, so that all versions are known, and then
// has its row, with its own event time; rows come in the order of event times. A record or version
// behind its entry frontier ef is late when at + allowed lateness < ef. One that is behind and not
// late counts from ef on: a record has its row when the watermark has passed ef, a version is seen
// by the records that come then. Same log, same rows, whatever comes first. Threads: one task.
// Memory: records until the watermark has passed them; of each key the versions since then (and the
// allowed lateness), and the last one before. Cost: O(log n) per record and version.
// \source The event-time temporal join of Flink SQL; the as-of join of kdb+.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/join_buffer.hpp>
#include <freshet/pipeline/detail/joining.hpp>
#include <freshet/pipeline/detail/version_history.hpp>
#include <freshet/pipeline/either.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/table.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// Options of `temporal_join`.
struct temporal_join_options {
  /// How far records and versions may lie behind what had been promised. Not negative. Versions are
  /// kept as much longer.
  duration allowed_lateness{0};
};

namespace detail {

/// The process function behind `temporal_join`.
template <join_type Type, class L, class R, class Deletes, class Combine>
class joining_as_of {
 public:
  using state = temporal_state<L, R>;
  using row = combined_row<Type, Combine, L, R>;
  static constexpr bool any_order = true;

  joining_as_of(std::string table, table_options bounds, duration lateness, Deletes deletes,
                Combine combine)
      : table_(std::move(table)),
        bounds_(bounds),
        lateness_(lateness),
        deletes_(std::move(deletes)),
        combine_(std::move(combine)) {}

  template <class Context>
  void process(either<L, R>&& one, state& mine, Context& context) {
    const timestamp at = *context.at();
    const timestamp from = std::max(at, context.entry_frontier());
    if (saturating_add(at, lateness_) < from) {
      emit_late(one, context);
    } else if (one.is_left()) {
      wait(std::move(one.left()), at, from, mine, context);
    } else {
      table_version<R> fresh{at, from, {}, {}, {}, std::nullopt};
      fresh.put_at(context.order().where);
      if (!std::invoke(deletes_, std::as_const(one).right())) fresh.row = std::move(one.right());
      mine.versions.insert(std::move(fresh));
      mine.versions.forget(context.watermark(), lateness_);
      // Versions go with the watermark, too, where neither records nor versions come.
      if (const auto when = mine.versions.next_forgetting(lateness_)) arm(*when, mine, context);
      require_room_in_table(table_, bounds_, context.keys_held());
    }
  }

  template <class Context>
  void on_timer(const timer& due, state& mine, Context& context) {
    mine.armed = timestamp_max;
    const auto next = mine.waiting.release(
        due.when, [&](const waiting_record<L>& each) { answer(each, mine.versions, context); });
    if (next) arm(*next, mine, context);
    mine.versions.forget(due.when, lateness_);
    const auto forgetting = mine.versions.next_forgetting(lateness_);
    if (forgetting && *forgetting > due.when) arm(*forgetting, mine, context);
  }

 private:
  template <class Context>
  void arm(timestamp when, state& mine, Context& context) {
    if (mine.armed <= when && mine.armed != timestamp_max) return;
    mine.armed = when;
    context.set_event_timer(when);
  }

  template <class Context>
  void wait(L&& record, timestamp at, timestamp from, state& mine, Context& context) {
    waiting_record<L> fresh;
    fresh.at = at;
    fresh.from = fresh.last = from;
    const position where = context.order().where;
    fresh.sequence = where.sequence;
    fresh.split = where.split;
    fresh.fanout = where.fanout;
    fresh.row = std::move(record);
    mine.waiting.insert(std::move(fresh));
    arm(end_after(from), mine, context);
  }

  template <class Context>
  void answer(const waiting_record<L>& of, const version_history<R>& versions, Context& context) {
    const R* valid = versions.as_of(of.at, of.from);
    if (valid == nullptr && Type == join_type::inner) {
      context.count_unassigned();
      return;
    }
    emit_made(row_origin{of.at, of.entry_frontier(), of.where()},
              combine_records<Type>(combine_, &of.row, valid), context);
  }

  std::string table_;
  table_options bounds_;
  duration lateness_;
  Deletes deletes_;
  Combine combine_;
};

}  // namespace detail

/// A row for each record of a keyed stream: `combine(const L&, const R&)` of it and the version of
/// the table that was valid for its key at its event time; of several versions of one time, the
/// last one in the log. A record without one has no row and is counted as
/// `operator_metrics::unassigned`; with `temporal_join<join_type::left>`, `combine(const L&, const
/// R*)` gets null. An empty optional row is no row. `name` identifies the state across restarts.
/// \return a `joined_stream`: the rows, and the late records and versions.
/// Throws `std::invalid_argument` when a stream has no event times, the lateness is negative, the
/// streams belong to different pipelines, or another one has the name.
template <join_type Type = join_type::inner, class R, class KeyOfR, class Deletes, class Combine>
auto temporal_join(std::string name, table_description<R, KeyOfR, Deletes> table,
                   temporal_join_options options, Combine combine) {
  static_assert(Type == join_type::inner || Type == join_type::left,
                "freshet: a temporal join gives rows of records; its type is inner or left");
  return [name = std::move(name), table = std::move(table), options,
          combine = std::move(combine)]<class Left>(const Left& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      using left_record = typename Left::value_type;
      if constexpr (detail::require_combine<Combine, left_record, R, Type>()) {
        const std::string place = "temporal_join '" + name + "'";
        detail::require_not_negative(place, "allowed lateness", options.allowed_lateness);
        upstream.records().graph()->require_timed(upstream.records().from(), place);
        using function = detail::joining_as_of<Type, left_record, R, Deletes, Combine>;
        return detail::add_joining(
            {.kind = "temporal_join", .name = name}, upstream, table.changes,
            function(table.name, table.options, options.allowed_lateness, table.deletes, combine));
      }
    } else {
      static_assert(!std::is_same_v<Left, Left>,
                    "freshet: temporal_join needs to know which row each record wants; put "
                    "key_by(&record::key) before it");
    }
  };
}

/// The same without allowed lateness.
template <join_type Type = join_type::inner, class R, class KeyOfR, class Deletes, class Combine>
auto temporal_join(std::string name, table_description<R, KeyOfR, Deletes> table, Combine combine) {
  return temporal_join<Type>(std::move(name), std::move(table), temporal_join_options{},
                             std::move(combine));
}

}  // namespace freshet
