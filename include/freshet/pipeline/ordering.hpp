// ordered: brings the records of several splits into one order, that of event time.
//
// What stands below then sees the same records in the same order in every run: process functions,
// count windows, and whatever else depends on the order of arrival.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/ordered_operator.hpp>
#include <freshet/pipeline/stream.hpp>

#include <memory>
#include <string>
#include <utility>

namespace freshet {

/// Holds each record until the watermark has passed its event time, then hands it on: by event
/// time, ties by sequence and split. A record behind its entry frontier comes after those before
/// that frontier, and stays behind. `name` identifies the waiting records across restarts. Throws
/// `std::invalid_argument` when the records have no event times, or another one has the name.
/// \cost Memory for the records between the watermark and the newest; each is written to one
///       checkpoint at most. Latency: that of the watermark.
inline auto ordered(std::string name) {
  return [name = std::move(name)]<class T>(const stream<T>& upstream) {
    static_assert(
        checkpointable<T>,
        "freshet: records that wait for their order must be checkpointable; describe them "
        "with BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    const detail::graph_handle& graph = upstream.graph();
    graph->require_timed(upstream.from(), "ordered '" + name + "'");
    detail::node fresh;
    fresh.kind = "ordered";
    fresh.name = name;
    fresh.named = true;
    fresh.timed = true;
    fresh.orders = true;
    fresh.inputs = {upstream.from()};
    fresh.takes = detail::distribution::all_to_one;
    fresh.format = "records in order";
    fresh.layout = &detail::ordered_operator<T>::layout;
    fresh.make = [] { return std::make_unique<detail::ordered_operator<T>>(); };
    const detail::node_id id = graph->add(std::move(fresh));
    return stream<T>(graph, {id, 0}, upstream.columns());
  };
}

}  // namespace freshet
