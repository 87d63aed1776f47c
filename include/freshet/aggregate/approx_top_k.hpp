// approx_top_k: the most frequent values, with bounds on how often each came.
//
// Order: while there are no more different values than counters, counts are exact and results
// bit-equal for every order and every split of the records. Beyond, the bounds of each value always
// hold, but which of several possible ones are found depends on the order in which records came:
// such results are outside of "same log in, same rows out". Threads: as aggregate.hpp. Memory per
// key and window: 56 to 152 bytes and the value for each counter in use, all written at each
// checkpoint that saw a change.
//
//     window(...) | aggregate("trends", approx_top_k("pages", &visit::page, {.k = 3}))
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/boxed.hpp>
#include <freshet/aggregate/detail/weight.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/sketch/space_saving.hpp>

#include <absl/container/flat_hash_map.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// Options of `approx_top_k`; 1 <= k <= capacity <= 2^20.
struct top_k_options {
  std::size_t k = 10;  ///< How many values a result has at most.
  /// Counters. Every value that makes up more than 1 / capacity of the rows is counted, and no
  /// count is more than that too large.
  std::size_t capacity = 1000;
};

/// A value and how often it came: at most `count` times, and at least `at_least()` times.
template <class V>
struct frequent_value {
  V value{};
  std::uint64_t count = 0;
  std::uint64_t error = 0;  ///< By how much `count` may be too large; 0 where it is exact.

  std::uint64_t at_least() const { return count - error; }
  friend bool operator==(const frequent_value&, const frequent_value&) = default;
  BOOST_DESCRIBE_CLASS(frequent_value, (), (value, count, error), (), ())
};

namespace detail {

/// Counters of hashes, and beside them the values. Of `Units` counts make up one row.
template <class V, std::uint64_t Units>
struct counted_values {
  space_saving counters;
  std::vector<V> values;  ///< By the numbers of the counters.

  void add(const auto& value, std::uint64_t units) {
    const std::size_t fresh = counters.add(stable_hash(value), units);
    if (fresh == space_saving::no_counter) return;
    // One more, unless bytes that were damaged have more counters than values.
    if (fresh >= values.size()) values.resize(fresh + 1);
    values[fresh] = canonical<V>(value);
  }

  void merge(const counted_values& from) {
    absl::flat_hash_map<std::uint64_t, V> of_hash;
    for (const counted_values* part : {static_cast<const counted_values*>(this), &from}) {
      const auto hashes = part->counters.hashes();
      for (std::size_t i = 0; i < std::min(hashes.size(), part->values.size()); ++i) {
        of_hash.try_emplace(hashes[i], part->values[i]);
      }
    }
    counters.merge(from.counters);
    values.clear();
    for (const std::uint64_t hash : counters.hashes()) values.push_back(std::move(of_hash[hash]));
  }

  std::vector<frequent_value<V>> top(std::size_t k) const {
    std::vector<frequent_value<V>> first;
    for (const std::uint32_t counter : counters.heaviest(k)) {
      if (counter >= values.size()) continue;
      const counted_hash found = counters.at(counter);
      // Outwards to whole rows.
      const std::uint64_t count = found.count / Units + (found.count % Units > 0 ? 1 : 0);
      first.push_back({values[counter], count, count - found.at_least() / Units});
    }
    return first;
  }

  BOOST_DESCRIBE_CLASS(counted_values, (), (counters, values), (), ())
};

/// Throws `std::invalid_argument`, naming the aggregate, when an option is out of range.
top_k_options checked(const std::string& name, top_k_options options);

}  // namespace detail

/// What `approx_top_k` keeps.
template <class V, std::uint64_t Units>
struct top_k_state {
  detail::boxed<detail::counted_values<V, Units>> counted;
  BOOST_DESCRIBE_CLASS(top_k_state, (), (counted), (), ())
};

namespace detail {

template <class P, class T>
struct top_k_rule {
  static_assert(projection_of<P, T>,
                "freshet: approx_top_k cannot read this row type; give &row::member, or a function "
                "of one row (const row&) that can be called on a const object");
  static constexpr bool usable = stable_hashable<projected_value<P, T>> &&
                                 keepable_state<projected_value<P, T>> &&
                                 std::equality_comparable<projected_value<P, T>>;
  static_assert(
      !projection_of<P, T> || usable,
      "freshet: approx_top_k needs values with a stable hash, ==, and a place in checkpoints; give "
      "a member or function whose value is a number, a string, a time, a tuple of those, or "
      "described with BOOST_DESCRIBE_STRUCT");
  static constexpr auto units =
      is_sampled<T> ? static_cast<std::uint64_t>(units_per_row) : std::uint64_t{1};
  using state = top_k_state<std::conditional_t<usable, projected_value<P, T>, double>, units>;
};

}  // namespace detail

/// The most frequent values; made by `approx_top_k`.
template <class P>
struct top_k_aggregate {
  template <class T>
  using state_for = typename detail::top_k_rule<P, T>::state;

  static constexpr bool honours_weight = true;
  std::string kind;
  std::string name;
  P projection;
  top_k_options options;

  template <class T>
  void add(state_for<T>& to, const T& row) const {
    detail::with_value(projection, row, [&](const auto& value) {
      if (!to.counted) to.counted.emplace().counters = space_saving(options.capacity);
      to.counted->add(value, detail::units_of(row));
    });
  }
  template <class State>
  void merge(State& into, const State& from) const {
    into.counted.merge(from.counted);
  }
  template <class V, std::uint64_t Units>
  std::vector<frequent_value<V>> result(const top_k_state<V, Units>& of) const {
    return of.counted ? of.counted->top(options.k) : std::vector<frequent_value<V>>{};
  }
};

/// The k most frequent values, as a vector of `frequent_value` with the largest count first, then
/// the smallest error, then in the order of their stable hashes. Absent values are not counted; all
/// NaNs are one value, and so are 0.0 and -0.0.
///
/// With n values and `capacity` counters: each of the k most frequent that came more than
/// n / capacity times has a counter, and count - error <= how often it came <= count, with
/// error <= n / capacity. As long as no more than `capacity` different values came, all is exact.
/// \throw  `std::invalid_argument` when an option is out of range.
/// \note   A sampled row counts `weight` times; the bounds are those of the sum of the weights.
/// \cost   A stable hash and 3 to 10 ns per row; O(capacity log k) per result, O(capacity
///         log capacity) per merge.
/// \source As space_saving.hpp: Space-Saving, 2005, with merging as in "Mergeable summaries", 2012.
template <class P>
top_k_aggregate<P> approx_top_k(std::string name, P projection, top_k_options options = {}) {
  options = detail::checked(name, options);
  return {"approx_top_k(" + std::to_string(options.capacity) + ")", std::move(name),
          std::move(projection), options};
}

}  // namespace freshet
