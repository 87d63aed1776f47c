// Record-wise operators: flat_map, map, filter; and merge, which brings streams of one type
// together.
//
// Functions given here must be copy-constructible, are copied for every task, never called
// concurrently, and must not block. An exception that leaves them ends the job with a status that
// names the operator and the record. Event times pass through unchanged. No state.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/transform_operators.hpp>
#include <freshet/pipeline/stream.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// Adds a record-wise node below `upstream`.
template <class Out, class Make, class T>
stream<Out> add_record_wise(const stream<T>& upstream, const char* kind, Make make,
                            std::vector<std::string> columns) {
  node fresh;
  fresh.kind = kind;
  fresh.record_wise = true;
  fresh.timed = upstream.graph()->timed(upstream.from());
  fresh.inputs = {upstream.from()};
  fresh.make = std::move(make);
  const node_id id = upstream.graph()->add(std::move(fresh));
  return {upstream.graph(), {id, 0}, std::move(columns)};
}

}  // namespace detail

/// Turns each record into any number of rows: `f(record, emit)` calls `emit(row)` for each.
/// Rows keep the order in which they are emitted and the event time of their record.
/// \note Between two records it waits for room below, so that the rows of one record at most are in
///       memory beyond what channels hold. What a single call emits cannot be held back: split what
///       would make millions of rows of one record.
/// Example: `lines | flat_map<std::string>([](const std::string& line, auto& emit) { ... })`.
template <class Out, class F>
auto flat_map(F f) {
  return [f = std::move(f)]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<F&, const T&, detail::emitter<Out>&>,
                  "freshet: flat_map<Out> needs a function (const record&, auto& emit) that calls "
                  "emit(row) for every row");
    return detail::add_record_wise<Out>(
        upstream, "flat_map",
        [f] { return std::make_unique<detail::flat_map_operator<T, Out, F>>(f); },
        column_names<Out>());
  };
}

/// Turns each record into one row: `f(record)`.
template <class F>
auto map(F f) {
  return [f = std::move(f)]<class T>(const stream<T>& upstream) {
    static_assert(
        std::is_invocable_v<F&, const T&>,
        "freshet: map needs a function of one record (const record&) or a member pointer");
    using out = std::remove_cvref_t<std::invoke_result_t<F&, const T&>>;
    static_assert(!std::is_void_v<out>,
                  "freshet: the function given to map returns nothing; use to(callback(...)) for "
                  "side effects");
    return detail::add_record_wise<out>(
        upstream, "map", [f] { return std::make_unique<detail::map_operator<T, out, F>>(f); },
        column_names<out>());
  };
}

/// Keeps the records for which `f(record)` is true.
template <class F>
auto filter(F f) {
  return [f = std::move(f)]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_r_v<bool, F&, const T&>,
                  "freshet: filter needs a function of one record that returns bool");
    return detail::add_record_wise<T>(
        upstream, "filter", [f] { return std::make_unique<detail::filter_operator<T, F>>(f); },
        upstream.columns());
  };
}

/// Spreads the records evenly over as many tasks as `run_options::parallelism` says, so that costly
/// functions below work on several cores although their source has few splits:
/// `payments | rebalance() | map(costly)`. Records of one key may overtake each other on the way,
/// and results stay the same where they depend on event time alone. With parallelism 1 it does
/// nothing. It stands below `event_time`, where there is one.
/// \cost One move per record.
inline auto rebalance() {
  return []<class T>(const stream<T>& upstream) {
    detail::node fresh;
    fresh.kind = "rebalance";
    fresh.timed = upstream.graph()->timed(upstream.from());
    fresh.reorders = true;
    fresh.inputs = {upstream.from()};
    fresh.takes = detail::distribution::in_turn;
    fresh.make = [] { return std::make_unique<detail::pass_operator<T>>(); };
    const detail::node_id id = upstream.graph()->add(std::move(fresh));
    return stream<T>(upstream.graph(), {id, 0}, upstream.columns());
  };
}

/// All records of several streams of one type, as they arrive. The watermark is the minimum over
/// the inputs that are neither idle nor finished; it is part of checkpoints, under the names of
/// what is merged. Throws `std::invalid_argument` when only some of them have event times.
template <class T, std::same_as<stream<T>>... More>
stream<T> merge_streams(const stream<T>& first, const More&... more) {
  detail::node fresh;
  fresh.kind = "merge";
  fresh.timed = first.graph()->timed(first.from());
  fresh.inputs = {first.from(), more.from()...};
  for (const detail::port_of& input : fresh.inputs) {
    if (first.graph()->timed(input) != fresh.timed) {
      throw std::invalid_argument(
          "merge: some inputs have event times and some have not; give every source its event_time "
          "above the merge");
    }
  }
  if (((more.graph() != first.graph()) || ...)) {
    throw std::invalid_argument(
        "merge: the streams belong to different pipelines; merge streams "
        "of one pipeline");
  }
  const std::size_t ports = fresh.inputs.size();
  if (fresh.timed) {
    fresh.state_name = first.graph()->merged_name(fresh.inputs);
    fresh.format = "merge";
    fresh.layout = &detail::merge_operator<T>::layout;
  }
  fresh.make = [ports] { return std::make_unique<detail::merge_operator<T>>(ports); };
  const detail::node_id id = first.graph()->add(std::move(fresh));
  return {first.graph(), {id, 0}, first.columns()};
}

/// Brings `first` and `more` together: `merge(a, b, c)`. See `merge_streams`.
template <stream_handle First, stream_handle... More>
  requires(sizeof...(More) > 0)
auto merge(const First& first, const More&... more) {
  using row = typename First::value_type;
  static_assert((std::is_same_v<row, typename More::value_type> && ...),
                "freshet: merge needs streams of one type; map them to a common type first");
  return merge_streams<row>(static_cast<const stream<row>&>(first),
                            static_cast<const stream<row>&>(more)...);
}

}  // namespace freshet
