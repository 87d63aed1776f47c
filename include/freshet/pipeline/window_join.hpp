// window_join: pairs of records of two keyed streams that lie in one window.
//
//     auto both = views | fr::key_by(&view::page)
//               | fr::window_join("same minute", clicks | fr::key_by(&click::page),
//                                 fr::tumbling{1min},
//                                 [](const view& v, const click& c) { return ...; });
//
//     windows   [0       )[10      )
//     left        l1  l2     l3
//     right         r1                   rows (l1, r1), (l2, r1) at 10 s - 1 us; l3 has no match
//
// Windows are those of an assigner whose spans depend on event time alone, and hold every moment in
// them: tumbling, sliding, calendar, global, one's own. (A session is known when it is over, and
// which records it holds not before; there is no join of sessions.)
// Time: all rows of a window have its last moment as their event time, as those of `aggregate`. The
// row of a pair comes when the second of the two has come; one of a record without a match, in
// outer joins, when the watermark has reached the end of the window. A record is late when all of
// its windows had ended when it entered. Same log, same rows, whatever comes first. Threads: one
// task. Memory: the records of windows that have not ended. Cost: a look at every window of a pair.
// \source Flink's window join; its outer joins are those of window functions in Flink SQL.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/join_buffer.hpp>
#include <freshet/pipeline/detail/joining.hpp>
#include <freshet/pipeline/either.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/window/assigner.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// A function that makes rows, with or without a wish to know the window.
template <class Combine>
struct combine_in_window {
  Combine combine;
  window_span span;

  template <class A, class B>
    requires(std::is_invocable_v<Combine&, A, B> ||
             std::is_invocable_v<Combine&, A, B, const window_span&>)
  decltype(auto) operator()(A&& left, B&& right) {
    if constexpr (std::is_invocable_v<Combine&, A, B, const window_span&>) {
      return combine(std::forward<A>(left), std::forward<B>(right), std::as_const(span));
    } else {
      return combine(std::forward<A>(left), std::forward<B>(right));
    }
  }
};

/// The process function behind `window_join`.
template <join_type Type, class Assigner, class Combine, class L, class R>
class joining_in_windows {
 public:
  using state = join_state<L, R>;
  using row = combined_row<Type, combine_in_window<Combine>, L, R>;
  static constexpr bool any_order = true;

  joining_in_windows(Assigner assigner, Combine combine)
      : assigner_(std::move(assigner)), combine_{std::move(combine), {}} {}

  template <class Context>
  void process(either<L, R>&& one, state& mine, Context& context) {
    const timestamp at = *context.at();
    const timestamp from = std::max(at, context.entry_frontier());
    spans_of(at, spans_);
    if (spans_.empty()) {
      context.count_unassigned();
      return;
    }
    std::erase_if(spans_, [from](const window_span& each) { return each.end <= from; });
    if (spans_.empty()) {
      emit_late(one, context);
    } else if (one.is_left()) {
      enter<true>(one.left(), at, from, mine.left, mine.right, context);
    } else {
      enter<false>(one.right(), at, from, mine.right, mine.left, context);
    }
  }

  template <class Context>
    requires(Type != join_type::inner)
  void on_timer(const timer& due, state& mine, Context& context) {
    if constexpr (keeps_left(Type)) end_windows<true>(due.when, mine.left, mine.right, context);
    if constexpr (keeps_right(Type)) end_windows<false>(due.when, mine.right, mine.left, context);
  }

 private:
  template <bool Left>
  static constexpr bool has_own_row = Left ? keeps_left(Type) : keeps_right(Type);

  void spans_of(timestamp at, std::vector<window_span>& spans) const {
    spans.clear();
    assigner_.assign(at, spans);
  }

  /// Whether a record counts in a window.
  template <class T>
  static bool is_in(const waiting_record<T>& each, const window_span& span) {
    return span.begin <= each.at && each.at < span.end && each.from < span.end;
  }

  /// A record enters its side, `mine`, and meets those of the other in `spans_`, its open windows.
  template <bool Left, class T, class U, class Context>
  void enter(T& record, timestamp at, timestamp from, join_buffer<T>& mine, join_buffer<U>& theirs,
             Context& context) {
    mine.drop_before(context.watermark());
    theirs.drop_before(context.watermark());
    const position where = context.order().where;
    const auto ends_first = [](const auto& a, const auto& b) { return a.end < b.end; };
    const auto [first, last] = std::minmax_element(spans_.begin(), spans_.end(), ends_first);
    const auto end = theirs.end();
    for (auto each = theirs.open_at(last_moment(*first)); each != end; ++each) {
      for (const window_span& span : spans_) {
        if (!is_in(*each, span)) continue;
        combine_.span = span;
        if constexpr (Left) {
          emit_pair(record, where, each->row, each->where(), context);
        } else {
          emit_pair(each->row, each->where(), record, where, context);
        }
      }
    }
    if constexpr (has_own_row<Left>) {
      for (const window_span& span : spans_) context.set_event_timer(span.end);
    }
    mine.insert({at, from, last_moment(*last), where.sequence, where.split, where.fanout, false,
                 std::move(record)});
  }

  static timestamp last_moment(const window_span& span) {
    return saturating_subtract(span.end, duration{1});
  }

  template <class Context>
  void emit_pair(const L& left, const position& left_place, const R& right,
                 const position& right_place, Context& context) {
    emit_made(row_origin{last_moment(combine_.span), timestamp_min,
                         position_of_pair(right_place, left_place)},
              combine_records<Type>(combine_, &left, &right), context);
  }

  /// Rows of records in windows that end at `when`, where there is nothing of the other side.
  template <bool Left, class T, class U, class Context>
  void end_windows(timestamp when, join_buffer<T>& mine, join_buffer<U>& theirs, Context& context) {
    std::optional<window_span> known;
    bool others = false;
    const timestamp moment = saturating_subtract(when, duration{1});
    const auto end = mine.end();
    for (auto each = mine.open_at(moment); each != end; ++each) {
      spans_of(each->at, spans_);
      for (const window_span& span : spans_) {
        if (span.end != when || !is_in(*each, span)) continue;
        if (known != span) {
          known = span;
          others = std::any_of(theirs.open_at(moment), theirs.end(),
                               [&span](const auto& other) { return is_in(other, span); });
        }
        if (others) continue;
        combine_.span = span;
        const row_origin origin{moment, timestamp_min, each->where()};
        if constexpr (Left) {
          context.emit_as(origin, combine_records<Type, combine_in_window<Combine>, L, R>(
                                      combine_, &each->row, nullptr));
        } else {
          context.emit_as(origin, combine_records<Type, combine_in_window<Combine>, L, R>(
                                      combine_, nullptr, &each->row));
        }
      }
    }
  }

  Assigner assigner_;
  combine_in_window<Combine> combine_;
  std::vector<window_span> spans_;
};

}  // namespace detail

/// Joins the keyed stream that it is piped from, the left one, with `right`: records of one key
/// that lie in one window of `assigner`, in every window in which both do. `name` identifies the
/// state across restarts. `combine` as for `interval_join`; it may take a `const window_span&` as a
/// third argument. In outer joins it returns a row, not an optional one.
/// \return a `joined_stream`: the rows, with `late_left()` and `late_right()`.
/// Throws `std::invalid_argument` when the assigner's options are out of range, a stream has no
/// event times, the streams belong to different pipelines, or another one has the name.
template <join_type Type = join_type::inner, class R, class KeyOfR, class Assigner, class Combine>
auto window_join(std::string name, keyed_stream<R, KeyOfR> right, Assigner assigner,
                 Combine combine) {
  static_assert(window_assigner<Assigner>,
                "freshet: window_join needs a window assigner whose spans depend on the event time "
                "alone, such as tumbling or sliding");
  return [name = std::move(name), right = std::move(right), assigner = std::move(assigner),
          combine = std::move(combine)]<class Left>(const Left& upstream) {
    if constexpr (!requires { upstream.key_of(); }) {
      static_assert(!std::is_same_v<Left, Left>,
                    "freshet: window_join needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    } else if constexpr (Assigner::merges) {
      static_assert(!Assigner::merges,
                    "freshet: window_join knows no sessions, whose records are known only when "
                    "they are over; use tumbling or sliding windows, or interval_join");
    } else if constexpr (detail::require_combine<detail::combine_in_window<Combine>,
                                                 typename Left::value_type, R, Type>()) {
      using left_record = typename Left::value_type;
      using function = detail::joining_in_windows<Type, Assigner, Combine, left_record, R>;
      constexpr bool always_a_row = std::is_same_v<
          typename function::row,
          detail::combined<Type, detail::combine_in_window<Combine>, left_record, R>>;
      static_assert(Type == join_type::inner || always_a_row,
                    "freshet: an outer window join needs a function that returns a row, not an "
                    "optional one; filter the rows below");
      const std::string place = "window_join '" + name + "'";
      detail::require_usable(place, assigner.check());
      upstream.records().graph()->require_timed(upstream.records().from(), place);
      return detail::add_joining({.kind = "window_join",
                                  .name = name,
                                  .options = std::string(", ") + detail::name_of(Type) + " " +
                                             std::string(assigner.describe())},
                                 upstream, right, function(assigner, combine));
    }
  };
}

}  // namespace freshet
