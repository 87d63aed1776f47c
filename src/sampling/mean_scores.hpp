// Mean scores of categories beside the table of rarity: what importance and with_loss share.
// Internal.
//
// Plain values; the sums are exact, so that merging is.
#pragma once

#include <freshet/sampling/importance.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace freshet::detail {

/// A score as it is counted: nothing for what is no number of 0 or more, and at most 2^32.
std::optional<double> usable_score(double score);

/// Counts a usable score of the category in this row of the table, or of the pool.
void count_score(importance_state& state, std::size_t row, double score);

/// The mean score of the category in this row, or of the pool, drawn towards that of all
/// categories by 8 records; 0 while nothing is known.
double mean_score(const importance_state& state, std::size_t row);

/// The first half of entering an epoch: as `grow_rarity`, for the scores too.
/// \pre `epoch` is later than the table's.
void grow_scores(const rarity_options& options, importance_state& state, std::int64_t epoch);

}  // namespace freshet::detail
