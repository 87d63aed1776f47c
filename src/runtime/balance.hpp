// Which task should own which key group, so that none has much more to do than others.
//
// Pure computation. Rows stand for work: those of one stage are taken to cost the same.
#pragma once

#include <freshet/pipeline/detail/key_group_load.hpp>
#include <freshet/pipeline/detail/ways.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace freshet::detail {

/// Which of `tasks` tasks owns which key group at the beginning: as evenly as it goes.
key_group_owners spread_evenly(std::size_t tasks);

/// What every task has to do.
std::vector<std::uint64_t> load_of_tasks(const key_group_owners& owners, const key_group_rows& rows,
                                         std::size_t tasks);

/// Owners with which the busiest task has at least a tenth less to do; nothing when there are none.
/// Few groups move: from the busiest task to the one with least to do, again and again, the group
/// that brings the two closest together. A group is not divided, so that one with more than its
/// share stays, and the others leave its task. Cost: about key groups squared.
std::optional<key_group_owners> better_owners(const key_group_owners& now,
                                              const key_group_rows& rows, std::size_t tasks);

}  // namespace freshet::detail
