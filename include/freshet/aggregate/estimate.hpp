// Aggregates over a sample that estimate what all records would give: each row counts `weight`
// times.
//
//     kept | fr::key_by(...) | fr::window(fr::tumbling{1h})
//          | fr::aggregate("hourly", fr::estimated_count("payments"),
//                          fr::estimated_sum("amount", &payment::amount));
//
// Order: results are equal to 1e-12 for every order and every split of the rows. Threads: as
// aggregate.hpp. Memory: 16 bytes per sum, key and window. Projections are asked of the row, or of
// the record in it: `&payment::amount` works on `sampled<payment>`. Empty optionals are skipped.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/aggregate/detail/sums.hpp>
#include <freshet/aggregate/projection.hpp>
#include <freshet/core/weighted.hpp>

#include <boost/describe/class.hpp>

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

namespace detail {

template <class T>
concept weighted_row = is_sampled<T> && requires(const T& row) {
  { row.weight } -> std::convertible_to<double>;
};

template <class T>
consteval bool require_weighted() {
  static_assert(weighted_row<T>,
                "freshet: estimates need rows with a weight, as sample(...) gives them; use count, "
                "sum, or mean where every record is there");
  return weighted_row<T>;
}

/// Calls `f(value)` with the number that `projection` finds in a sampled row, if it finds one.
template <class P, class T, class F>
void with_sampled_value(const P& projection, const T& row, F f) {
  if constexpr (projection_of<P, T>) {
    with_value(projection, row, [&f](auto value) { f(static_cast<double>(value)); });
  } else {
    constexpr bool of_record =
        requires { requires projection_of<P, std::remove_cvref_t<decltype(row.value)>>; };
    static_assert(of_record,
                  "freshet: estimated_sum and estimated_mean cannot read this row; give a member "
                  "of the sampled record, or a function of one row or record");
    if constexpr (of_record) {
      with_value(projection, row.value, [&f](auto value) { f(static_cast<double>(value)); });
    }
  }
}

}  // namespace detail

/// How many records the rows stand for; made by `estimated_count`.
struct estimated_count_aggregate {
  struct state {
    detail::compensated_sum weights;
  };

  static constexpr std::string_view kind = "estimated_count";
  static constexpr bool honours_weight = true;
  std::string name;

  template <class T>
  void add(state& to, const T& row) const {
    if constexpr (detail::require_weighted<T>()) to.weights.add(row.weight);
  }
  template <class T>
  void subtract(state& from, const T& row) const {
    if constexpr (detail::require_weighted<T>()) from.weights.subtract(row.weight);
  }
  void merge(state& into, const state& from) const { into.weights.merge(from.weights); }
  double result(const state& of) const { return of.weights.value(); }
};
BOOST_DESCRIBE_STRUCT(estimated_count_aggregate::state, (), (weights))

/// The sum over all records; made by `estimated_sum`.
template <class P>
struct estimated_sum_aggregate {
  struct state {
    detail::compensated_sum total;
    BOOST_DESCRIBE_CLASS(state, (), (total), (), ())
  };

  static constexpr std::string_view kind = "estimated_sum";
  static constexpr bool honours_weight = true;
  std::string name;
  P projection;

  template <class T>
  void add(state& to, const T& row) const {
    if constexpr (detail::require_weighted<T>()) {
      detail::with_sampled_value(projection, row,
                                 [&](double value) { to.total.add(row.weight * value); });
    }
  }
  template <class T>
  void subtract(state& from, const T& row) const {
    if constexpr (detail::require_weighted<T>()) {
      detail::with_sampled_value(projection, row,
                                 [&](double value) { from.total.subtract(row.weight * value); });
    }
  }
  void merge(state& into, const state& from) const { into.total.merge(from.total); }
  double result(const state& of) const { return of.total.value(); }
};

/// The mean over all records; made by `estimated_mean`.
template <class P>
struct estimated_mean_aggregate {
  struct state {
    detail::compensated_sum total;
    detail::compensated_sum weights;
    BOOST_DESCRIBE_CLASS(state, (), (total, weights), (), ())
  };

  static constexpr std::string_view kind = "estimated_mean";
  static constexpr bool honours_weight = true;
  std::string name;
  P projection;

  template <class T>
  void add(state& to, const T& row) const {
    if constexpr (detail::require_weighted<T>()) {
      detail::with_sampled_value(projection, row, [&](double value) {
        to.total.add(row.weight * value);
        to.weights.add(row.weight);
      });
    }
  }
  template <class T>
  void subtract(state& from, const T& row) const {
    if constexpr (detail::require_weighted<T>()) {
      detail::with_sampled_value(projection, row, [&](double value) {
        from.total.subtract(row.weight * value);
        from.weights.subtract(row.weight);
      });
    }
  }
  void merge(state& into, const state& from) const {
    into.total.merge(from.total);
    into.weights.merge(from.weights);
  }
  double result(const state& of) const {
    const double weights = of.weights.value();
    return weights > 0 ? of.total.value() / weights : std::numeric_limits<double>::quiet_NaN();
  }
};

/// How many records the sampled rows stand for: the sum of their weights, as double. Its mean over
/// samples is the count of all records.
/// \source Horvitz and Thompson, JASA 1952.
inline estimated_count_aggregate estimated_count(std::string name) {
  return {std::move(name)};
}

/// The sum of a number over all records that the rows stand for, as double, without bias. 0 when
/// there are no rows.
template <class P>
estimated_sum_aggregate<P> estimated_sum(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

/// The mean of a number over all records that the rows stand for: the ratio of the estimated sum
/// and count of those that have it. Its bias is of the order of 1 / rows. NaN without rows.
/// \source Hajek, "Comment on a paper by D. Basu", 1971.
template <class P>
estimated_mean_aggregate<P> estimated_mean(std::string name, P projection) {
  return {std::move(name), std::move(projection)};
}

}  // namespace freshet
