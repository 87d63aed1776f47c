// What every backend asks of a commit's changes. Pure functions.
#pragma once

#include <freshet/state/backend.hpp>

#include <absl/status/status.h>

#include <vector>

namespace freshet::detail {

/// Sorts `changes` by key. An error, kInvalidArgument, if a key is too short to number its state or
/// appears twice; it names the first such key.
absl::Status sort_changes(std::vector<state_change>& changes);

/// Views of `changes`, which must outlive them.
std::vector<state_change_view> views_of(const std::vector<state_change>& changes);

}  // namespace freshet::detail
