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
#include <cstddef>
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
  /// A record whose event time is more than this ahead of the latest accepted one of its split goes
  /// to the dead letters and nowhere else, so that it cannot move the watermark. Zero: off. The
  /// first record of a split has nothing to be compared with and is accepted. A promise of a record
  /// that reaches further ahead than this is ignored, too (counted as `regressed`).
  duration jump_max{0};
  /// After so many such records of a split in a row, each within `jump_max` of the latest of them,
  /// the next one like them is believed: it is accepted, and time goes on from it. Zero: never, so
  /// that a gap in the data longer than `jump_max` refuses all that follows in its split.
  std::size_t jump_confirmations = 0;
};

namespace detail {

/// What is wrong with `jump_confirmations`, if anything is.
inline std::string wrong_confirmations(const event_time_options& options) {
  if (options.jump_confirmations == 0 || options.jump_max > duration::zero()) return {};
  return "jump_confirmations " + std::to_string(options.jump_confirmations) +
         " without jump_max, which would quarantine; give .jump_max a positive duration";
}

}  // namespace detail

/// Gives every record the event time `time(record)`: a member pointer or function returning a
/// `timestamp`, or an optional one, where an empty one makes the record a dead letter. `generator`:
/// `ascending`, `bounded_disorder`, `punctuated(...)`, or an application's own.
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
    static_assert(
        watermark_generator_of<Generator, T>,
        "freshet: this watermark generator does not fit these records; give punctuated a member "
        "pointer or function of one record that returns a freshet::timestamp or an optional one, "
        "and a generator of your own observe(state, at) or observe(state, at, record)");
    static_assert(checkpointable<typename Generator::state>,
                  "freshet: the state of a watermark generator must be checkpointable; describe it "
                  "with BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    const detail::graph_handle& graph = upstream.graph();
    detail::node fresh;
    const detail::node_id source = graph->source_above(upstream.from(), "event_time");
    detail::require_usable("event_time", generator.check());
    detail::require_not_negative("event_time", "idle_after", options.idle_after);
    detail::require_not_negative("event_time", "jump_max", options.jump_max);
    detail::require_usable("event_time", detail::wrong_confirmations(options));
    fresh.kind = "event_time";
    fresh.name = graph->nodes()[source].name;
    fresh.timed = true;
    fresh.format = generator.describe();
    fresh.layout = &detail::event_time_operator<T, Time, Generator>::layout;
    fresh.inputs = {upstream.from()};
    if (options.idle_after > duration::zero()) fresh.unpromised = {"idle timeout"};
    fresh.make = [time, generator, options, name = fresh.name] {
      return std::make_unique<detail::event_time_operator<T, Time, Generator>>(
          time, generator, options.idle_after,
          detail::jump_guard(options.jump_max, options.jump_confirmations), name);
    };
    const detail::node_id id = graph->add(std::move(fresh));
    return checked_stream<T>(graph, {id, 0}, upstream.columns());
  };
}

}  // namespace freshet
