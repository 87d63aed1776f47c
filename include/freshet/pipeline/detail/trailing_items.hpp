// What `trailing` keeps of a record for its aggregates. Internal.
//
// An aggregate that reads one value of a record gets that value again when spans are folded; any
// other gets the state that holds the record alone. An immutable value.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace freshet::detail {

/// The projection of a value that has been projected already.
struct itself {
  template <class V>
  const V& operator()(const V& value) const {
    return value;
  }
};

/// In general: the state of one record.
template <class A, class T>
struct item_rule {
  using item = aggregate_state<A, T>;

  explicit item_rule(const A& aggregate) : aggregate_(aggregate) {}

  item make(const T& record, const order_key& order) const {
    item one{};
    aggregate_add(aggregate_, one, record, order);
    return one;
  }
  void add(aggregate_state<A, T>& to, const item& from) const { aggregate_.merge(to, from); }

 private:
  A aggregate_;
};

template <class T>
struct item_rule<count_aggregate, T> {
  using item = std::monostate;

  explicit item_rule(const count_aggregate&) {}

  item make(const T&, const order_key&) const { return {}; }
  void add(count_aggregate::state& to, const item&) const { ++to.rows; }
};

/// Whether an aggregate adds nothing but the value that its projection reads.
template <class A>
inline constexpr bool reads_one_value = false;
template <template <class> class Aggregate, class P>
inline constexpr bool reads_one_value<Aggregate<P>> =
    std::is_same_v<Aggregate<itself>, sum_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, mean_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, min_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, max_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, variance_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, stddev_aggregate<itself>> ||
    std::is_same_v<Aggregate<itself>, distinct_aggregate<itself>>;

template <template <class> class Aggregate, class P, class T>
  requires reads_one_value<Aggregate<P>>
struct item_rule<Aggregate<P>, T> {
  using value = projected_value<P, T>;
  using item = std::conditional_t<projects_optional<P, T>, std::optional<value>, value>;
  using state = aggregate_state<Aggregate<P>, T>;
  static_assert(std::is_same_v<state, aggregate_state<Aggregate<itself>, item>>);

  explicit item_rule(const Aggregate<P>& aggregate) : projection_(aggregate.projection) {}

  item make(const T& record, const order_key&) const {
    return item(std::invoke(projection_, record));
  }
  void add(state& to, const item& from) const { of_values_.add(to, from); }

 private:
  P projection_;
  Aggregate<itself> of_values_{};
};

/// Several aggregates, and what they keep of a record: items, side by side.
template <class T, class... A>
class trailing_items {
 public:
  using state = typename aggregate_set<T, A...>::state;
  using results = typename aggregate_set<T, A...>::results;
  using item = std::tuple<typename item_rule<A, T>::item...>;

  explicit trailing_items(const A&... parts)
      : parts_(parts...), rules_(item_rule<A, T>(parts)...) {}

  item make(const T& record, const order_key& order) const {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return item(std::get<I>(rules_).make(record, order)...);
    }(indices{});
  }

  void add(state& to, const item& from) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (std::get<I>(rules_).add(std::get<I>(to), std::get<I>(from)), ...);
    }(indices{});
  }

  void merge(state& into, const state& from) const { parts_.merge(into, from); }
  results result(const state& of) const { return parts_.result(of); }
  std::vector<std::string> names() const { return parts_.names(); }

  /// Names and kinds, for the fingerprint.
  std::string format() const { return parts_.format(); }

 private:
  using indices = std::index_sequence_for<A...>;

  aggregate_set<T, A...> parts_;
  std::tuple<item_rule<A, T>...> rules_;
};

}  // namespace freshet::detail
