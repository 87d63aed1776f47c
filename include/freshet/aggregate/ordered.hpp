// Ordered aggregates: first, last, collect.
//
// Time and order: "first" means the smallest order key (event time, then position in the log),
// never first to arrive, so results are bit-equal for every order of arrival and every split.
// Threads: as aggregate.hpp. Memory: `first` and `last` keep one value and its 24-byte order key;
// `collect` keeps every value and its order key, writes all of it at each checkpoint that saw a
// change, and is meant for windows of few rows.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// A value and the order key of its row, in the members of which a checkpoint consists.
template <class V>
struct ordered_value {
  timestamp at = timestamp_min;
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  V value{};

  static ordered_value of(const order_key& key, const auto& value) {
    return {key.at, key.where.sequence, key.where.split, key.where.fanout, V(value)};
  }
  order_key key() const { return {at, {sequence, split, fanout}}; }

  BOOST_DESCRIBE_CLASS(ordered_value, (), (at, sequence, split, fanout, value), (), ())
};

/// The value with the smallest order key so far.
template <class V, bool MayBeEmpty>
struct first_state {
  std::optional<ordered_value<V>> earliest;

  void add(const order_key& key, const auto& value) {
    if (!earliest || key < earliest->key()) earliest = ordered_value<V>::of(key, value);
  }
  void merge(const first_state& from) {
    if (from.earliest && (!earliest || from.earliest->key() < earliest->key())) {
      earliest = from.earliest;
    }
  }
  detail::maybe<V, MayBeEmpty> result() const {
    if (earliest) return earliest->value;
    return {};
  }
  BOOST_DESCRIBE_CLASS(first_state, (), (earliest), (), ())
};

/// The value with the largest order key so far.
template <class V, bool MayBeEmpty>
struct last_state {
  std::optional<ordered_value<V>> latest;

  void add(const order_key& key, const auto& value) {
    if (!latest || latest->key() < key) latest = ordered_value<V>::of(key, value);
  }
  void merge(const last_state& from) {
    if (from.latest && (!latest || latest->key() < from.latest->key())) latest = from.latest;
  }
  detail::maybe<V, MayBeEmpty> result() const {
    if (latest) return latest->value;
    return {};
  }
  BOOST_DESCRIBE_CLASS(last_state, (), (latest), (), ())
};

/// All values so far, as they came.
template <class V>
struct collect_state {
  std::vector<ordered_value<V>> collected;

  void add(const order_key& key, const auto& value) {
    collected.push_back(ordered_value<V>::of(key, value));
  }
  void merge(const collect_state& from) {
    collected.insert(collected.end(), from.collected.begin(), from.collected.end());
  }
  std::vector<V> result() const;

  BOOST_DESCRIBE_CLASS(collect_state, (), (collected), (), ())
};

template <class V>
std::vector<V> collect_state<V>::result() const {
  // Pointers are sorted, so that values are copied once and the state stays as it is.
  std::vector<const ordered_value<V>*> in_order;
  in_order.reserve(collected.size());
  for (const ordered_value<V>& each : collected) in_order.push_back(&each);
  const auto before = [](const auto* a, const auto* b) { return a->key() < b->key(); };
  // Records mostly come in order, and finding that out is cheaper than sorting.
  if (!std::is_sorted(in_order.begin(), in_order.end(), before)) {
    std::sort(in_order.begin(), in_order.end(), before);
  }
  std::vector<V> values;
  values.reserve(in_order.size());
  for (const ordered_value<V>* each : in_order) values.push_back(each->value);
  return values;
}

namespace detail {

template <class P, class T>
struct ordered_rule {
  static_assert(
      projection_of<P, T>,
      "freshet: first, last, and collect cannot read this row type; give &row::member, or "
      "a function of one row (const row&) that can be called on a const object");
  static_assert(
      !projection_of<P, T> || keepable_state<projected_value<P, T>>,
      "freshet: first, last, and collect keep the value in a checkpoint; give a member or "
      "function whose value is a number, a string, a time, a container of those, or "
      "described with BOOST_DESCRIBE_STRUCT");
  using value =
      std::conditional_t<keepable_state<projected_value<P, T>>, projected_value<P, T>, double>;
  using first = first_state<value, projects_optional<P, T>>;
  using last = last_state<value, projects_optional<P, T>>;
  using collect = collect_state<value>;
};

// What first, last, and collect have in common: values are added with their order key.
template <class P>
struct ordered_aggregate {
  std::string name;
  P projection;

  template <class State, class T>
  void add(State& to, const T& row, const order_key& key) const {
    with_value(projection, row, [&](const auto& value) { to.add(key, value); });
  }
  template <class State>
  void merge(State& into, const State& from) const {
    into.merge(from);
  }
  template <class State>
  auto result(const State& of) const {
    return of.result();
  }
};

}  // namespace detail

/// The value of the earliest row; made by `first`.
template <class P>
struct first_aggregate : detail::ordered_aggregate<P> {
  static constexpr std::string_view kind = "first";
  template <class T>
  using state_for = typename detail::ordered_rule<P, T>::first;
};

/// The value of the latest row; made by `last`.
template <class P>
struct last_aggregate : detail::ordered_aggregate<P> {
  static constexpr std::string_view kind = "last";
  template <class T>
  using state_for = typename detail::ordered_rule<P, T>::last;
};

/// The values of all rows; made by `collect`.
template <class P>
struct collect_aggregate : detail::ordered_aggregate<P> {
  static constexpr std::string_view kind = "collect";
  template <class T>
  using state_for = typename detail::ordered_rule<P, T>::collect;
};

/// What `projection` reads from the row with the smallest order key, rows without a value left out.
/// \return the type of the values, empty for none when the projection returns an optional; else a
///         default value for none.
template <class P>
first_aggregate<P> first(std::string name, P projection) {
  return {{std::move(name), std::move(projection)}};
}

/// What `projection` reads from the row with the largest order key; otherwise as `first`.
template <class P>
last_aggregate<P> last(std::string name, P projection) {
  return {{std::move(name), std::move(projection)}};
}

/// What `projection` reads from every row, as a vector in the order of the rows' order keys. Rows
/// without a value are left out.
/// \cost   O(1) per row; O(n) per result, O(n log n) when rows came out of order.
template <class P>
collect_aggregate<P> collect(std::string name, P projection) {
  return {{std::move(name), std::move(projection)}};
}

}  // namespace freshet
