// Patterns: sequences of records of one key, for `match`.
//
//     begin("small", [](const payment& p) { return p.amount < 1; })
//         .followed_by("large", [](const payment& p, const so_far<payment>& before) {
//           return p.amount > 500 * before.last("small").amount;
//         })
//         .within(1min)
//
// A sequence gives each step records that satisfy its condition, later steps later records:
//
//     next             the record right after the one before, else the sequence is over
//     followed_by      the first record after the one before that satisfies the condition
//     .times(n, m)     n to m such records, each the first after the one before: a sequence for
//                      each number. With .consecutive() each right after the one before
//     not_next         the record right after the one before must not satisfy the condition
//     not_followed_by  nor any record between the one before and that of the step after it. As the
//                      last step: none until the time of `within` is over
//     within(D)        all records lie in [t, t + D), where t is that of the first
//
// A condition takes the record and, if it wants to, what the sequence has so far. Records are in
// event-time order (match.hpp). Any record may begin a sequence, so that sequences overlap;
// `after_match` says which of them are left out once one has matched.
//
// Plain values; composing throws `std::invalid_argument` for what cannot be meant.
// \source The sequences of Flink CEP, without followedByAny, greedy and optional steps, and of
// SASE+
//         (Agrawal et al., "Efficient pattern matching over event streams", SIGMOD 2008:
//         skip-till-next-match).
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/automaton.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// The records of one step.
template <class T>
struct matched_step {
  std::string name;
  std::vector<T> records;  ///< In event-time order. None where the sequence has not come so far.

  friend bool operator==(const matched_step&, const matched_step&) = default;
  BOOST_DESCRIBE_CLASS(matched_step, (), (name, records), (), ())
};

/// The records of a sequence, by step, without those that begin with `not`.
template <class T>
struct matched {
  std::vector<matched_step<T>> steps;

  /// The records of a step. Throws `std::out_of_range` when the pattern has none of that name.
  const std::vector<T>& all(std::string_view step) const {
    for (const matched_step<T>& each : steps) {
      if (each.name == step) return each.records;
    }
    throw std::out_of_range("the pattern has no step '" + std::string(step) + "'");
  }
  /// Its first record and its last. Throws `std::out_of_range` also when it has none.
  const T& first(std::string_view step) const { return all(step).at(0); }
  const T& last(std::string_view step) const {
    const std::vector<T>& records = all(step);
    return records.at(records.empty() ? 0 : records.size() - 1);
  }

  friend bool operator==(const matched&, const matched&) = default;
  BOOST_DESCRIBE_CLASS(matched, (), (steps), (), ())
};

/// What a sequence has while the next record is looked at. Valid during the call.
template <class T>
class so_far {
 public:
  using record_at = std::function<const T&(std::uint64_t index)>;

  so_far(const detail::sequence_plan& plan, const detail::sequence_run& run,
         const record_at& records)
      : plan_(plan), run_(run), records_(records) {}

  std::size_t count(std::string_view step) const {
    const std::size_t wanted = plan_.number_of(step);
    return static_cast<std::size_t>(std::count_if(
        run_.path.begin(), run_.path.end(), [&](const auto& each) { return each.step == wanted; }));
  }
  /// Record number `number` of a step, counted from 0. Throws `std::out_of_range` when there is
  /// none, or no such step.
  const T& at(std::string_view step, std::size_t number) const {
    const std::size_t wanted = plan_.number_of(step);
    for (const auto& each : run_.path) {
      if (each.step == wanted && number-- == 0) return records_(each.index);
    }
    throw std::out_of_range("step '" + std::string(step) + "' has fewer records so far");
  }
  const T& first(std::string_view step) const { return at(step, 0); }
  const T& last(std::string_view step) const {
    const std::size_t records = count(step);
    return at(step, records == 0 ? 0 : records - 1);
  }

 private:
  const detail::sequence_plan& plan_;
  const detail::sequence_run& run_;
  const record_at& records_;
};

/// Which sequences are left out once one has matched: those that begin no later than a point.
class after_match {
 public:
  /// None: every sequence is a match of its own.
  static after_match no_skip() { return {detail::skipping::none, {}}; }
  /// Those that begin with the same record, or before it.
  static after_match skip_to_next() { return {detail::skipping::to_next, {}}; }
  /// Those that begin with a record of the match, or before its last.
  static after_match skip_past_last_event() { return {detail::skipping::past_last, {}}; }
  /// Those that begin before the first record of a step.
  static after_match skip_to_first(std::string step) {
    return {detail::skipping::to_first, std::move(step)};
  }
  /// Those that begin before the last record of a step.
  static after_match skip_to_last(std::string step) {
    return {detail::skipping::to_last, std::move(step)};
  }

  detail::skipping how() const { return how_; }
  const std::string& step() const { return step_; }

 private:
  after_match(detail::skipping how, std::string step) : how_(how), step_(std::move(step)) {}

  detail::skipping how_;
  std::string step_;
};

/// What `match` looks for among records of type `T`. See the top of the file.
template <class T>
class pattern {
 public:
  using condition = std::function<bool(const T&, const so_far<T>&)>;

  template <class P>
  pattern(std::string name, P holds) {
    plan_.add_step(std::move(name), add(std::move(holds)), false);
  }

  template <class P>
  [[nodiscard]] pattern next(std::string name, P holds) const {
    return with([&](pattern& p) { p.plan_.add_step(name, p.add(holds), true); });
  }
  template <class P>
  [[nodiscard]] pattern followed_by(std::string name, P holds) const {
    return with([&](pattern& p) { p.plan_.add_step(name, p.add(holds), false); });
  }
  template <class P>
  [[nodiscard]] pattern not_next(P holds) const {
    return with([&](pattern& p) { p.plan_.add_negation(p.add(holds), true); });
  }
  template <class P>
  [[nodiscard]] pattern not_followed_by(P holds) const {
    return with([&](pattern& p) { p.plan_.add_negation(p.add(holds), false); });
  }
  /// So many records for the last step.
  [[nodiscard]] pattern times(std::uint32_t least, std::uint32_t most) const {
    return with([&](pattern& p) { p.plan_.set_times(least, most); });
  }
  [[nodiscard]] pattern times(std::uint32_t exactly) const { return times(exactly, exactly); }
  /// No other record of the key between those of the last step.
  [[nodiscard]] pattern consecutive() const {
    return with([](pattern& p) { p.plan_.set_consecutive(); });
  }
  [[nodiscard]] pattern within(duration span) const {
    return with([&](pattern& p) { p.plan_.set_within(span); });
  }

  const detail::sequence_plan& plan() const { return plan_; }
  const std::vector<condition>& conditions() const { return conditions_; }

 private:
  template <class F>
  pattern with(F&& change) const {
    pattern changed = *this;
    change(changed);
    return changed;
  }

  template <class P>
  std::size_t add(P holds) {
    constexpr bool alone = std::is_invocable_r_v<bool, const P&, const T&>;
    constexpr bool with_past = std::is_invocable_r_v<bool, const P&, const T&, const so_far<T>&>;
    static_assert(alone || with_past,
                  "freshet: a step of a pattern needs a condition: a bool member, or a function of "
                  "one record, and of const so_far<record>& if it wants, that returns bool");
    if constexpr (with_past) {
      conditions_.push_back(std::move(holds));
    } else if constexpr (alone) {
      conditions_.push_back([holds = std::move(holds)](const T& each, const so_far<T>&) {
        return static_cast<bool>(std::invoke(holds, each));
      });
    }
    return conditions_.size() - 1;
  }

  detail::sequence_plan plan_;
  std::vector<condition> conditions_;
};

namespace detail {

template <class P>
struct record_of_condition : record_of_condition<decltype(&P::operator())> {};
template <class C, class T, class... Past>
struct record_of_condition<bool (C::*)(const T&, Past...) const> {
  using type = T;
};
template <class C>
struct record_of_condition<bool C::*> {
  using type = C;
};
template <class T, class... Past>
struct record_of_condition<bool (*)(const T&, Past...)> {
  using type = T;
};

}  // namespace detail

/// A pattern whose first step is satisfied by records for which `holds(record)` is true. The type
/// of the records is that of its parameter; where that is `auto`: `begin<payment>(...)`.
template <class T, class P>
pattern<T> begin(std::string name, P holds) {
  return pattern<T>(std::move(name), std::move(holds));
}
template <class P>
auto begin(std::string name, P holds) {
  return pattern<typename detail::record_of_condition<P>::type>(std::move(name), std::move(holds));
}

}  // namespace freshet
