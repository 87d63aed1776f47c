// What joins have in common: which records without a match have rows, and what rows are made by.
//
// Plain values and concepts.
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/stream.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Which records have a row although nothing matches them.
enum class join_type : std::uint8_t { inner, left, right, full };

/// The rows of a join, and on each side the records that came too late to be matched with anything.
/// Those have no row, of whatever type the join is. Counted in any case.
template <class Row, class L, class R>
class joined_stream : public stream<Row> {
 public:
  joined_stream(const stream<Row>& rows, stream<L> late_left, stream<R> late_right)
      : stream<Row>(rows), late_left_(std::move(late_left)), late_right_(std::move(late_right)) {}

  stream<L> late_left() const { return late_left_; }
  stream<R> late_right() const { return late_right_; }

 private:
  stream<L> late_left_;
  stream<R> late_right_;
};

namespace detail {

constexpr bool keeps_left(join_type type) {
  return type == join_type::left || type == join_type::full;
}
constexpr bool keeps_right(join_type type) {
  return type == join_type::right || type == join_type::full;
}

/// How a function that makes rows is given a record: by pointer where there may be none.
template <class T, bool MayBeMissing>
using given_as = std::conditional_t<MayBeMissing, const T*, const T&>;

template <class Combine, class L, class R, join_type Type>
concept combines =
    std::is_invocable_v<Combine&, given_as<L, keeps_right(Type)>, given_as<R, keeps_left(Type)>> &&
    !std::is_void_v<std::invoke_result_t<Combine&, given_as<L, keeps_right(Type)>,
                                         given_as<R, keeps_left(Type)>>>;

/// What says what is wrong with `Combine`, in words.
template <class Combine, class L, class R, join_type Type>
consteval bool require_combine() {
  constexpr bool fits = combines<Combine, L, R, Type>;
  static_assert(fits || Type != join_type::inner,
                "freshet: this join needs a function (const left&, const right&) that returns a "
                "row, or an optional row that is empty where the two do not match");
  static_assert(fits || Type != join_type::left,
                "freshet: a left join needs a function (const left&, const right*) that returns a "
                "row; the pointer is null where nothing matches");
  static_assert(fits || Type != join_type::right,
                "freshet: a right join needs a function (const left*, const right&) that returns a "
                "row; the pointer is null where nothing matches");
  static_assert(fits || Type != join_type::full,
                "freshet: a full join needs a function (const left*, const right*) that returns a "
                "row; one of the pointers is null where nothing matches");
  return fits;
}

/// Calls `combine` for a pair, or for one record where the other is null.
template <join_type Type, class Combine, class L, class R>
decltype(auto) combine_records(Combine& combine, const L* left, const R* right) {
  if constexpr (Type == join_type::inner) {
    return combine(*left, *right);
  } else if constexpr (Type == join_type::left) {
    return combine(*left, right);
  } else if constexpr (Type == join_type::right) {
    return combine(left, *right);
  } else {
    return combine(left, right);
  }
}

template <join_type Type, class Combine, class L, class R>
using combined = std::remove_cvref_t<decltype(combine_records<Type>(
    std::declval<Combine&>(), std::declval<const L*>(), std::declval<const R*>()))>;
/// The rows of a join: what its function returns, without an optional around it.
template <join_type Type, class Combine, class L, class R>
using combined_row = typename without_optional<combined<Type, Combine, L, R>>::type;

const char* name_of(join_type type);

}  // namespace detail

}  // namespace freshet
