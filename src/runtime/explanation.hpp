// Finds out why a window has not fired, from the graph and what every frontier was at one moment.
//
// Pure functions over plain values.
#pragma once

#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/window_explanation.hpp>
#include <freshet/window/watermark.hpp>

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// What combines frontiers at one node: the splits of an `event_time`, or the inputs of a merge.
struct combined_frontiers {
  frontier_minimum minimum;
  std::string source;               ///< Of an `event_time`.
  std::vector<std::string> splits;  ///< Their names; empty at a merge.
};

/// All frontiers of a job at one moment. Empty when the job was finished before it began.
using time_state = std::map<node_id, combined_frontiers>;

/// The window operator called `name`. Errors: NotFound with the names there are,
/// InvalidArgument for a span without time in it and for windows that do not wait for a watermark.
absl::StatusOr<node_id> find_window(const graph& in, std::string_view name,
                                    const window_span& span);

/// \pre `find_window` gave `window` for this span.
window_explanation explain_window(const graph& in, const time_state& at, node_id window,
                                  const window_span& span);

}  // namespace freshet::detail
