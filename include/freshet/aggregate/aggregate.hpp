// Aggregates: what is computed over the records of a window, as values an application can add to.
//
// An aggregate is an immutable description: a column name and four operations on a small state of
// its own. Order: partial states of any split of the records, merged in any order, give an equal
// result; what depends on the order of records, such as `first`, takes it from the order key and
// never from arrival. Threads: descriptions are copied per task and never called concurrently; a
// state belongs to one thread. Memory: one state per key and window.
//
// An application's own aggregate is as good as ours:
//
//     struct longest_name {                                  // "the longest name of the window"
//       struct state { std::string longest; };
//       std::string name;                                    // the column's name
//       void add(state& to, const person& row) const {
//         if (beats(row.name, to.longest)) to.longest = row.name;
//       }
//       void merge(state& into, const state& from) const {
//         if (beats(from.longest, into.longest)) into.longest = from.longest;
//       }
//       std::string result(const state& of) const { return of.longest; }
//
//       static bool beats(const std::string& a, const std::string& b) {   // ties: smaller text
//         return a.size() != b.size() ? a.size() > b.size() : a < b;
//       }
//     };
//     BOOST_DESCRIBE_STRUCT(longest_name::state, (), (longest))
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

template <class A, class T>
concept has_state_for = requires { typename A::template state_for<T>; };

template <class A, class T>
concept has_state = has_state_for<A, T> || requires { typename A::state; };

template <class A, class T>
struct aggregate_state_rule {
  static_assert(has_state<A, T>,
                "freshet: an aggregate needs a state; give it a member `struct state`, or "
                "`template <class T> using state_for = ...` where it depends on the row type");
  using type = void;
};
template <class A, class T>
  requires has_state_for<A, T>
struct aggregate_state_rule<A, T> {
  using type = typename A::template state_for<T>;
};
template <class A, class T>
  requires(!has_state_for<A, T>) && has_state<A, T>
struct aggregate_state_rule<A, T> {
  using type = typename A::state;
};

}  // namespace detail

/// The state that aggregate `A` keeps over rows of type `T`: `A::state_for<T>`, else `A::state`.
template <class A, class T>
using aggregate_state = typename detail::aggregate_state_rule<A, T>::type;

namespace detail {

template <class A, class T>
concept adds_with_order = requires(const A& aggregate, aggregate_state<A, T>& to, const T& row,
                                   const order_key& key) { aggregate.add(to, row, key); };

template <class A, class T>
concept adds_without_order = requires(const A& aggregate, aggregate_state<A, T>& to, const T& row) {
  aggregate.add(to, row);
};

template <class A, class T>
concept merges_states =
    requires(const A& aggregate, aggregate_state<A, T>& into, const aggregate_state<A, T>& from) {
      aggregate.merge(into, from);
    };

template <class A, class T>
concept gives_result = requires(const A& aggregate, const aggregate_state<A, T>& of) {
  requires !std::is_void_v<decltype(aggregate.result(of))>;
};

template <class A>
concept named = requires(const A& aggregate) {
  { aggregate.name } -> std::convertible_to<std::string>;
};

template <class State>
concept keepable_state =
    std::default_initializable<State> && std::copyable<State> && checkpointable<State>;

}  // namespace detail

/// What a type must offer to be used in `aggregate(...)` over rows of type `T`:
/// - `name`: the name of its column.
/// - a state, default-constructible, copyable, checkpointable; a default one stands for no rows.
/// - `add(state&, const T&, const order_key&)`, or the shorter `add(state&, const T&)`.
/// - `merge(state& into, const state& from)`: associative and commutative, a default state changes
///   nothing, and merging partial states equals adding their rows to one.
/// - `result(const state&)`: the value in the row. May be asked several times, and of a state
///   without rows.
/// All are called on a const object. `testing/contracts.hpp` has `check_aggregate` for the rules
/// that a type cannot express.
/// \note Our own aggregates stop the compiler with a sentence when they cannot read a `T` at all.
template <class A, class T>
concept aggregate_of = std::copy_constructible<A> && detail::named<A> && detail::has_state<A, T> &&
                       detail::keepable_state<aggregate_state<A, T>> &&
                       (detail::adds_with_order<A, T> || detail::adds_without_order<A, T>) &&
                       detail::merges_states<A, T> && detail::gives_result<A, T>;

/// An aggregate that can take rows back, for updated results over changes:
/// - `subtract(state&, const T&)`: undoes an `add` of an equal row; one such row is in the state. A
///   state from which all rows were taken back is not used any more.
/// Integers are exact. Floating sums and means lose what rounding took, 1e-12 of the largest sum on
/// the way, and once they have met NaN or an infinity they stay NaN or infinite.
template <class A, class T>
concept retractable_aggregate =
    aggregate_of<A, T> && requires(const A& aggregate, aggregate_state<A, T>& from, const T& row) {
      aggregate.subtract(from, row);
    };

/// An aggregate whose `merge` can be undone:
/// - `unmerge(state& from, const state& part)`: takes back a `part` that was merged, exactly: what
///   remains is as if it had never been there. A state from which all parts were taken back is not
///   used any more.
/// Windows that overlap then keep one total per key. Only what does not round may offer it.
template <class A, class T>
concept invertible_aggregate =
    aggregate_of<A, T> &&
    requires(const A& aggregate, aggregate_state<A, T>& from, const aggregate_state<A, T>& part) {
      aggregate.unmerge(from, part);
    };

/// The type of the value that `A` puts into a row.
template <class A, class T>
using aggregate_result = std::remove_cvref_t<decltype(std::declval<const A&>().result(
    std::declval<const aggregate_state<A, T>&>()))>;

/// Whether `A` is an aggregate over rows of type `T`; stops the compiler otherwise, with a sentence
/// about the first part that is missing.
template <class A, class T>
consteval bool require_aggregate() {
  if constexpr (!std::copy_constructible<A> || !detail::named<A>) {
    static_assert(
        std::copy_constructible<A>,
        "freshet: an aggregate must be copy-constructible, because every task gets a copy");
    static_assert(!std::copy_constructible<A> || detail::named<A>,
                  "freshet: an aggregate needs a member `std::string name`, its column's name");
  } else if constexpr (!detail::keepable_state<aggregate_state<A, T>>) {
    static_assert(detail::keepable_state<aggregate_state<A, T>> || !detail::has_state<A, T>,
                  "freshet: an aggregate's state must be default-constructible, copyable, and "
                  "checkpointable; describe it with BOOST_DESCRIBE_STRUCT");
  } else {
    static_assert(detail::adds_with_order<A, T> || detail::adds_without_order<A, T>,
                  "freshet: this aggregate cannot add rows of this type; write `void add(state&, "
                  "const row&) const`, with a third parameter `const order_key&` if order matters");
    static_assert(detail::merges_states<A, T>,
                  "freshet: an aggregate needs `void merge(state& into, const state& from) const`");
    static_assert(
        detail::gives_result<A, T>,
        "freshet: an aggregate needs `result(const state&) const` that returns the value");
  }
  return aggregate_of<A, T>;
}

/// Adds `row`, which stands at `key`, to the state `to` of `aggregate`.
template <class A, class T>
void aggregate_add(const A& aggregate, aggregate_state<A, T>& to, const T& row,
                   const order_key& key) {
  if constexpr (detail::adds_with_order<A, T>) {
    aggregate.add(to, row, key);
  } else {
    aggregate.add(to, row);
  }
}

}  // namespace freshet
