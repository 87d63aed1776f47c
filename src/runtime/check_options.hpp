// What is wrong with the options of a run, found before anything is opened.
#pragma once

#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/run_options.hpp>

#include <absl/status/status.h>

namespace freshet::detail {

/// InvalidArgument for the first option that is out of range, or a pipeline without a source.
absl::Status check_options(const run_options& options, const graph& of);

}  // namespace freshet::detail
