// A plan as a pipeline of the library. Each kind of operator is instantiated in one file.
#pragma once

#include "simulation/outputs.hpp"
#include "simulation/plan.hpp"
#include "simulation/replayed_source.hpp"

#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/stream.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet::simulated {

using events = stream<event>;

/// The outputs of one operator, by port.
events records_of(pipeline& in, const plan_node& of, const std::string& name, const source_log& log,
                  std::shared_ptr<replay> how);
std::vector<events> count_windows(const events& in, const plan_node& of, const std::string& name);
std::vector<events> tumbling_windows(const events& in, const plan_node& of,
                                     const std::string& name);
std::vector<events> sliding_windows(const events& in, const plan_node& of, const std::string& name);
std::vector<events> session_windows(const events& in, const plan_node& of, const std::string& name);
std::vector<events> trailing_aggregates(const events& in, const plan_node& of,
                                        const std::string& name);
std::vector<events> process_calls(const events& in, const plan_node& of, const std::string& name);

/// What each sink took, by node and port.
using outputs = std::map<std::pair<std::size_t, std::size_t>, std::shared_ptr<kept_rows>>;

/// \pre `input` outlives every job of the pipeline. Sinks are added to `to`, or found there.
void compose(pipeline& in, const plan& all, const input_log& input, std::shared_ptr<replay> how,
             outputs& to);

}  // namespace freshet::simulated
