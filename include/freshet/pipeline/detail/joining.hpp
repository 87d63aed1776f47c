// What joins that know late records are composed by. Internal.
//
// Composing only: belongs to one thread and does no work.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/pipeline/either.hpp>
#include <freshet/pipeline/join_type.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/process_context.hpp>
#include <freshet/pipeline/side_output.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace freshet::detail {

/// The side outputs of joins.
template <class L>
inline constexpr side_output<"late left", L> late_left_side{};
template <class R>
inline constexpr side_output<"late right", R> late_right_side{};

/// Sends a record that is late to its side.
template <class L, class R, class Context>
void emit_late(either<L, R>& one, Context& context) {
  context.count_late();
  if (one.is_left()) {
    context.emit(late_left_side<L>, std::move(one.left()));
  } else {
    context.emit(late_right_side<R>, std::move(one.right()));
  }
}

/// Emits what the function of a join has made. \return false where it says that there is no row.
template <class Made, class Context>
bool emit_made(const row_origin& origin, Made&& made, Context& context) {
  if constexpr (is_optional<std::remove_cvref_t<Made>>) {
    if (!made) return false;
    context.emit_as(origin, *std::forward<Made>(made));
  } else {
    context.emit_as(origin, std::forward<Made>(made));
  }
  return true;
}

/// Adds `function`, which processes records of either side, emits rows of type `F::row`, and late
/// records into the side outputs above.
template <class F, class L, class KeyOfL, class R, class KeyOfR>
auto add_joining(const process_look& look, const keyed_stream<L, KeyOfL>& left,
                 const keyed_stream<R, KeyOfR>& right, F function) {
  static_assert(checkpointable<L> && checkpointable<R>,
                "freshet: records of a join must be checkpointable, because they wait for each "
                "other; describe them with BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
  using row = typename F::row;
  auto [rows, late_left,
        late_right] = [&]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& both) {
    return add_process<row, void, T, KeyOf, F, side_output<"late left", L>,
                       side_output<"late right", R>>(look, function, both, {both.records().from()});
  }(connect(left, right));
  return joined_stream<row, L, R>(
      rows, stream<L>(late_left.graph(), late_left.from(), left.records().columns()),
      stream<R>(late_right.graph(), late_right.from(), right.records().columns()));
}

}  // namespace freshet::detail
