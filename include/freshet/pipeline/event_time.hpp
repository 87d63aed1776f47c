// event_time: says when records happened, and how far their splits may be trusted to be complete.
//
// Stands above record-wise operators over one source and keeps one watermark generator per split,
// checkpointed together with the split's position. Rows go on with their event times; those behind
// the frontier that their own split had promised before them carry that frontier along.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/event_time_operator.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/window/watermark.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// Options of `event_time`.
struct event_time_options {
  /// A split without records for so long (processing time) no longer holds the others back. Zero:
  /// never. When it wakes, its records enter no earlier than the watermark of that moment
  /// (counted as `realigned`), so results then depend on when it slept: see docs/reference/time.md.
  duration idle_after{0};
};

/// Gives every record the event time `time(record)`: a member pointer or function returning a
/// `timestamp`, or an optional one, where an empty one makes the record a dead letter.
/// Throws `std::invalid_argument` when composed below anything but record-wise operators over one
/// source, or a second time, or with options out of range.
template <class Time, watermark_generator Generator>
auto event_time(Time time, Generator generator, event_time_options options = {}) {
  return [=]<class T>(const stream<T>& upstream) {
    static_assert(std::is_invocable_v<const Time&, const T&>,
                  "freshet: event_time needs a member pointer or a function of one record that "
                  "returns a freshet::timestamp");
    using given = std::remove_cvref_t<std::invoke_result_t<const Time&, const T&>>;
    static_assert(
        std::convertible_to<given, timestamp> ||
            std::convertible_to<given, std::optional<timestamp>>,
        "freshet: event_time needs a freshet::timestamp (microseconds since the epoch) or an "
        "optional one; convert other times with std::chrono in a map before");
    const detail::graph_handle& graph = upstream.graph();
    detail::node fresh;
    const detail::node_id source = graph->source_above(upstream.from(), "event_time");
    detail::require_usable("event_time", generator.check());
    detail::require_not_negative("event_time", "idle_after", options.idle_after);
    fresh.kind = "event_time";
    fresh.name = graph->nodes()[source].name;
    fresh.timed = true;
    fresh.format = generator.describe() + " state " + format_of<typename Generator::state>();
    fresh.inputs = {upstream.from()};
    if (options.idle_after > duration::zero()) fresh.unpromised = {"idle timeout"};
    fresh.make = [time, generator, options, name = fresh.name] {
      return std::make_unique<detail::event_time_operator<T, Time, Generator>>(
          time, generator, options.idle_after, name);
    };
    const detail::node_id id = graph->add(std::move(fresh));
    return checked_stream<T>(graph, {id, 0}, upstream.columns());
  };
}

}  // namespace freshet
