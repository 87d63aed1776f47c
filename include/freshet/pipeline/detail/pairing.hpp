// The process function behind joins of pairs: interval_join and join. Internal.
//
// Two records match where each had entered before the last moment of the other:
//
//     left.from <= right.last and right.from <= left.last        from: event time or entry
//     frontier,
//                                                                whichever is later
//
// The rule is of the log alone, and symmetric, so that it does not matter which of them comes
// first. A record is kept until the watermark has passed its last moment: whatever comes afterwards
// entered later, and does not match it by the rule. Rows have time, entry frontier and place by the
// two records, whichever came last. Threads: one.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/pipeline/detail/join_buffer.hpp>
#include <freshet/pipeline/detail/joining.hpp>
#include <freshet/pipeline/either.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/process.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace freshet::detail {

/// `Rule` says of records at `at`:
///   last_of_left(at, record), last_of_right(at, record)    their last moments;
///   late_left(at, from, last), late_right(at, from, last)  whether no record whatever can match
///   one
///                                                          that entered so late, although it would
///                                                          match something had it been on time;
///   is_out_of_time_for_left(at, record), is_out_of_time_for_right(at)
///                    whether all that a record could match lies before the first moment of time,
///                    to which its last moment is clamped;
///   unique           on which sides no two records have one key;
///   left_is_ordered  whether the last moments of left records are in the order of event times, as
///                    those of right ones always are.
template <class Rule, class Combine, join_type Type, class L, class R>
class pairing {
 public:
  using state = join_state<L, R>;
  using row = combined_row<Type, Combine, L, R>;
  static constexpr bool any_order = true;

  pairing(Rule rule, Combine combine) : rule_(std::move(rule)), combine_(std::move(combine)) {}

  template <class Context>
  void process(either<L, R>&& one, state& mine, Context& context) {
    if (one.is_left()) {
      enter<true>(one, one.left(), mine.left, mine.right, context);
    } else {
      enter<false>(one, one.right(), mine.right, mine.left, context);
    }
  }

  template <class Context>
    requires(Type != join_type::inner)
  void on_timer(const timer& due, state& mine, Context& context) {
    if constexpr (keeps_left(Type)) release<true>(due.when, mine.left, context);
    if constexpr (keeps_right(Type)) release<false>(due.when, mine.right, context);
  }

 private:
  template <bool Left>
  static constexpr bool has_own_row = Left ? keeps_left(Type) : keeps_right(Type);

  /// A record enters its side, `mine`, and meets those of the other.
  template <bool Left, class T, class U, class Context>
  void enter(either<L, R>& one, T& record, join_buffer<T>& mine, join_buffer<U>& theirs,
             Context& context) {
    waiting_record<T> fresh = of_log<Left>(record, context);
    if (rule_late<Left>(fresh)) {
      emit_late(one, context);
      return;
    }
    if (is_out_of_time<Left>(fresh.at, record)) {
      if constexpr (has_own_row<Left>) emit_alone<Left>(fresh, record, context);
      return;
    }
    const timestamp watermark = context.watermark();
    theirs.drop_before(watermark);
    if (is_unique<Left>()) {
      mine.drop_before(watermark);
      if (!mine.empty()) fail_as_not_unique(Left);
    }
    const bool met_the_only_one = is_unique<!Left>() && !theirs.empty();
    constexpr bool in_order = Left || Rule::left_is_ordered;
    const auto end = theirs.end();
    for (auto each = theirs.open_at(fresh.from); each != end; ++each) {
      if (in_order && each->at > fresh.last) break;
      if (each->from > fresh.last) continue;
      if (!emit_pair<Left>(fresh, record, *each, context)) continue;
      fresh.matched = each->matched = true;
    }
    const bool open = end_after(fresh.last) > watermark || fresh.last == timestamp_max;
    if (open && !met_the_only_one) {
      keep<Left>(std::move(fresh), std::move(record), mine, watermark, context);
    } else if (has_own_row<Left> && !fresh.matched) {
      emit_alone<Left>(fresh, record, context);
    }
  }

  template <bool Left>
  bool is_unique() const {
    return Left ? rule_.unique.left : rule_.unique.right;
  }

  /// What the log says of a record; its row is not there yet.
  template <bool Left, class T, class Context>
  waiting_record<T> of_log(const T& record, Context& context) {
    waiting_record<T> fresh;
    const order_key order = context.order();
    fresh.at = context.at() ? *context.at() : timestamp{};
    fresh.from = std::max(fresh.at, context.entry_frontier());
    if constexpr (Left) {
      fresh.last = rule_.last_of_left(fresh.at, record);
    } else {
      fresh.last = rule_.last_of_right(fresh.at, record);
    }
    fresh.sequence = order.where.sequence;
    fresh.split = order.where.split;
    fresh.fanout = order.where.fanout;
    return fresh;
  }

  template <bool Left, class T>
  bool rule_late(const waiting_record<T>& fresh) const {
    if (fresh.from == fresh.at) return false;
    if constexpr (Left) {
      return rule_.late_left(fresh.at, fresh.from, fresh.last);
    } else {
      return rule_.late_right(fresh.at, fresh.from, fresh.last);
    }
  }

  template <bool Left, class T>
  bool is_out_of_time(timestamp at, const T& record) const {
    if constexpr (Left) {
      return rule_.is_out_of_time_for_left(at, record);
    } else {
      return rule_.is_out_of_time_for_right(at);
    }
  }

  template <bool Left, class T, class Context>
  void keep(waiting_record<T>&& fresh, T&& record, join_buffer<T>& mine, timestamp watermark,
            Context& context) {
    mine.drop_before(watermark);
    if constexpr (has_own_row<Left>) {
      const timestamp over = end_after(fresh.last);
      if (!fresh.matched && mine.arm(over)) context.set_event_timer(over);
    }
    fresh.row = std::move(record);
    mine.insert(std::move(fresh));
  }

  template <bool Left, class T, class U, class Context>
  bool emit_pair(const waiting_record<T>& fresh, const T& record, const waiting_record<U>& other,
                 Context& context) {
    if constexpr (Left) {
      return emit_pair(fresh, record, other, other.row, context);
    } else {
      return emit_pair(other, other.row, fresh, record, context);
    }
  }

  template <class Context>
  bool emit_pair(const waiting_record<L>& left, const L& left_row, const waiting_record<R>& right,
                 const R& right_row, Context& context) {
    auto made = combine_records<Type>(combine_, &left_row, &right_row);
    const bool by_right = right.at >= left.at;
    row_origin origin;
    origin.at = by_right ? right.at : left.at;
    origin.entry_frontier = std::max(left.entry_frontier(), right.entry_frontier());
    origin.where = by_right ? position_of_pair(right.where(), left.where())
                            : position_of_pair(left.where(), right.where());
    return emit_made(origin, std::move(made), context);
  }

  template <bool Left, class T, class Context>
  void emit_alone(const waiting_record<T>& of, const T& record, Context& context) {
    const row_origin origin{std::max(of.at, of.last), of.entry_frontier(), of.where()};
    if constexpr (Left) {
      emit_made(origin, combine_records<Type, Combine, L, R>(combine_, &record, nullptr), context);
    } else {
      emit_made(origin, combine_records<Type, Combine, L, R>(combine_, nullptr, &record), context);
    }
  }

  template <bool Left, class T, class Context>
  void release(timestamp when, join_buffer<T>& mine, Context& context) {
    const std::optional<timestamp> next = mine.release(
        when, [&](const waiting_record<T>& each) { emit_alone<Left>(each, each.row, context); });
    if (next) context.set_event_timer(*next);
  }

  Rule rule_;
  Combine combine_;
};

}  // namespace freshet::detail
