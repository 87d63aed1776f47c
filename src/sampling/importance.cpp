// The importance sampler on category hashes: mean scores beside the table of rarity.
#include <freshet/sampling/importance.hpp>

#include "sampling/mean_scores.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace freshet {

namespace detail {
namespace {

constexpr double factor_min = 0.1;
constexpr double factor_max = 5;

}  // namespace

void enter_importance(const importance_options& options, importance_state& state,
                      std::int64_t epoch) {
  if (epoch <= state.table.epoch) return;
  grow_scores(options.rarity, state, epoch);
  set_rarity(options.rarity, state.table, state.counts.rarity, {});
}

sample_decision decide_importance(const importance_options& options, importance_state& state,
                                  std::uint64_t category, double score, const position& where) {
  const std::uint64_t hash = record_hash(options.rarity.seed, where);
  const std::size_t row =
      count_rarity(options.rarity, state.table, state.counts.rarity, category, hash);
  double factor = 1;
  if (const std::optional<double> usable = usable_score(score)) {
    count_score(state, row, *usable);
    const double mean = mean_score(state, row);
    if (mean > 0) {
      factor = std::clamp(1 - options.lambda + options.lambda * (*usable / mean), factor_min,
                          factor_max);
    }
  }
  return decide_rarity(state.table, state.counts.rarity, row, hash, factor);
}

std::string check_importance(const importance_options& options) {
  if (!(options.lambda >= 0 && options.lambda <= 1)) {
    return fmt::format(
        "lambda {} is not in [0, 1]; give .lambda 0 to ignore the score, 1 to go by "
        "it alone",
        options.lambda);
  }
  return check_rarity(options.rarity);
}

std::string describe_importance(const importance_options& options) {
  return fmt::format("importance lambda {} over {}", options.lambda,
                     describe_rarity(options.rarity));
}

}  // namespace detail
}  // namespace freshet
