// interval_join: pairs of records of two keyed streams that are not far apart in event time.
//
//     auto valid = auctions | fr::key_by(&auction::id)
//                | fr::interval_join("valid bids", bids | fr::key_by(&bid::auction),
//                                    fr::between{0s, 10min},
//                                    [](const auction& a, const bid& b) { return won{...}; });
//
//     left      at                    right records match that lie in [at + lower, at + upper]
//     ----------x-----[=========]---
//
// Time: a row has the event time of the later record. A record is late where every record that it
// could match may be gone; see `joined_stream`. A record without a match, in outer joins, has its
// row when nothing can match it any more, with the event time of that moment (of the record, where
// that is later): never before. Same log, same rows, whatever comes first. Threads: one task.
// Memory: records while something can still match them, and until their key is seen again, at most
// as long again. Cost: O(log n) per record, and O(1) per pair.
// \source Flink's interval join; Kafka Streams' JoinWindows.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/joining.hpp>
#include <freshet/pipeline/detail/pairing.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// Right records from `lower` to `upper` after the left one (before it, where negative). A bound
/// belongs to the interval unless it is said to be exclusive.
/// \pre there is a moment in between, else `interval_join` throws `std::invalid_argument`.
struct between {
  duration lower{0};
  duration upper{0};
  bool lower_exclusive = false;
  bool upper_exclusive = false;
  unique_keys unique = {};
};

/// Options of `until`.
struct until_options {
  duration lower{0};  ///< As `between::lower`.
  bool lower_exclusive = false;
  bool upper_exclusive = false;
  unique_keys unique = {};
};

/// Right records from `lower` after the left one until the moment that the left one names.
template <class End>
struct until_description {
  End end;
  until_options options;
};

/// `until(&auction::expires)`: the interval of each left record ends at a timestamp of its own, a
/// member or what a function of the record returns. Right records are never late: there is no
/// telling how far back a left one reaches.
template <class End>
until_description<End> until(End end, until_options options = {}) {
  return {std::move(end), options};
}

namespace detail {

/// An interval with both ends in it, in whole microseconds. The shortest and the longest duration
/// stand for no end.
struct closed_interval {
  duration lower{0};
  duration upper{0};

  static constexpr closed_interval of_all_time() { return {duration::min(), duration::max()}; }
  friend constexpr bool operator==(const closed_interval&, const closed_interval&) = default;

  /// Throws `std::invalid_argument` when it is empty.
  static closed_interval of(const between& wanted, const std::string& place);
  static duration lower_of(duration lower, bool exclusive);
};

/// What an interval does to the fingerprint of a join's state.
std::string describe_interval(const closed_interval& interval, join_type type);
std::string describe_until(duration lower, bool upper_exclusive, join_type type);

struct within_interval {
  closed_interval interval;
  unique_keys unique;
  static constexpr bool left_is_ordered = true;

  timestamp last_of_left(timestamp at, const auto&) const {
    return interval.upper == duration::max() ? timestamp_max : saturating_add(at, interval.upper);
  }
  timestamp last_of_right(timestamp at, const auto&) const {
    return interval.lower == duration::min() ? timestamp_max
                                             : saturating_subtract(at, interval.lower);
  }
  bool is_out_of_time_for_left(timestamp at, const auto&) const {
    return interval.upper < duration{0} && at < saturating_subtract(timestamp_min, interval.upper);
  }
  bool is_out_of_time_for_right(timestamp at) const {
    return interval.lower > duration{0} && at < timestamp_min + interval.lower;
  }
  bool late_left(timestamp, timestamp from, timestamp last) const {
    return from > saturating_subtract(last, interval.lower);
  }
  bool late_right(timestamp, timestamp from, timestamp last) const {
    return from > saturating_add(last, interval.upper);
  }
};

template <class End>
struct within_own_interval {
  End end;
  duration lower{0};
  bool upper_exclusive = false;
  unique_keys unique;
  static constexpr bool left_is_ordered = false;

  timestamp last_of_left(timestamp, const auto& record) const {
    const timestamp last = std::invoke(end, record);
    return upper_exclusive ? saturating_subtract(last, duration{1}) : last;
  }
  timestamp last_of_right(timestamp at, const auto&) const {
    return saturating_subtract(at, lower);
  }
  bool is_out_of_time_for_left(timestamp, const auto& record) const {
    return upper_exclusive && std::invoke(end, record) == timestamp_min;
  }
  bool is_out_of_time_for_right(timestamp at) const {
    return lower > duration{0} && at < timestamp_min + lower;
  }
  bool late_left(timestamp at, timestamp from, timestamp last) const {
    const timestamp latest = saturating_subtract(last, lower);
    return at <= latest && from > latest;
  }
  bool late_right(timestamp, timestamp, timestamp) const { return false; }
};

template <class T>
concept names_a_timestamp = std::is_same_v<std::remove_cvref_t<T>, timestamp>;

/// Adds the operator for a rule.
template <join_type Type, class Rule, class L, class KeyOfL, class R, class KeyOfR, class Combine>
auto add_pairing(const process_look& look, const keyed_stream<L, KeyOfL>& left,
                 const keyed_stream<R, KeyOfR>& right, Rule rule, Combine combine) {
  using function = pairing<Rule, Combine, Type, L, R>;
  return add_joining(look, left, right, function(std::move(rule), std::move(combine)));
}

template <join_type Type, class Interval, class L, class KeyOfL, class R, class KeyOfR,
          class Combine>
auto add_interval_join(const std::string& name, const keyed_stream<L, KeyOfL>& left,
                       const keyed_stream<R, KeyOfR>& right, const Interval& interval,
                       Combine combine) {
  process_look look{.kind = "interval_join", .name = name};
  const std::string place = look.kind + " '" + name + "'";
  left.records().graph()->require_timed(left.records().from(), place);
  right.records().graph()->require_timed(right.records().from(), place);
  if constexpr (std::is_same_v<Interval, between>) {
    const within_interval rule{closed_interval::of(interval, place), interval.unique};
    look.options = describe_interval(rule.interval, Type);
    return add_pairing<Type>(look, left, right, rule, std::move(combine));
  } else {
    const until_options& options = interval.options;
    using end = decltype(interval.end);
    static_assert(
        requires(const end& last, const L& record) {
          { std::invoke(last, record) } -> names_a_timestamp;
        },
        "freshet: until needs a member pointer or a function of one left record that "
        "returns a freshet::timestamp");
    const within_own_interval<end> rule{
        interval.end, closed_interval::lower_of(options.lower, options.lower_exclusive),
        options.upper_exclusive, options.unique};
    look.options = describe_until(rule.lower, rule.upper_exclusive, Type);
    return add_pairing<Type>(look, left, right, rule, std::move(combine));
  }
}

}  // namespace detail

/// Joins the keyed stream that it is piped from, the left one, with `right`: records of one key
/// that match by `interval`, which is `between{...}` or `until(...)`. `name` identifies the state
/// across restarts. `combine` makes a row of two records; what `Type` says may be missing it gets
/// by pointer:
///
/// | `interval_join<join_type::...>` | `combine` |
/// |---|---|
/// | `inner` (default) | `(const L&, const R&)` |
/// | `left`  | `(const L&, const R*)` |
/// | `right` | `(const L*, const R&)` |
/// | `full`  | `(const L*, const R*)` |
///
/// It may return an optional row: an empty one says that the two do not match after all.
/// \return a `joined_stream`: the rows, with `late_left()` and `late_right()`.
/// Throws `std::invalid_argument` when an interval is empty, a stream has no event times, the
/// streams belong to different pipelines, or another one has the name.
template <join_type Type = join_type::inner, class R, class KeyOfR, class Interval, class Combine>
auto interval_join(std::string name, keyed_stream<R, KeyOfR> right, Interval interval,
                   Combine combine) {
  return [name = std::move(name), right = std::move(right), interval = std::move(interval),
          combine = std::move(combine)]<class Left>(const Left& upstream) {
    if constexpr (requires { upstream.key_of(); }) {
      using left_record = typename Left::value_type;
      if constexpr (detail::require_combine<Combine, left_record, R, Type>()) {
        return detail::add_interval_join<Type>(name, upstream, right, interval, combine);
      }
    } else {
      static_assert(!std::is_same_v<Left, Left>,
                    "freshet: interval_join needs to know which records belong together; put "
                    "key_by(&record::key) before it");
    }
  };
}

}  // namespace freshet
