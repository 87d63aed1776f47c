// Rarity with losses on category hashes: mean losses beside the table, and what they change.
#include <freshet/sampling/loss.hpp>

#include "sampling/mean_scores.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace freshet::detail {
namespace {

/// clip((loss / mean)^gamma, 1 / clip, clip), times clip: at least 1, as shares have to be. A
/// factor that all have in common changes nothing.
double factor_of(const loss_options& how, const importance_state& state, std::size_t row) {
  if (!(state.mean > 0)) return 1;
  const double factor = std::pow(mean_score(state, row) / state.mean, how.gamma);
  return std::max(1.0, std::clamp(factor, 1 / how.clip, how.clip) * how.clip);
}

}  // namespace

void enter_loss(const rarity_options& options, const loss_options& how, loss_state& state,
                std::int64_t epoch) {
  importance_state& known = state.known;
  if (epoch <= known.table.epoch) return;
  grow_scores(options, known, epoch);
  rarity_emphasis emphasis;
  emphasis.factors.reserve(known.scores.size());
  for (std::size_t row = 0; row < known.scores.size(); ++row) {
    emphasis.factors.push_back(factor_of(how, known, row));
  }
  emphasis.pool = factor_of(how, known, known.scores.size());
  set_rarity(options, known.table, known.counts.rarity, emphasis);
  state.heard = false;
}

void hear_losses(const sampler_feedback& feedback, loss_state& state) {
  importance_state& known = state.known;
  for (const category_loss& each : feedback.take()) {
    const std::size_t row = rarity_row(known.table, each.category);
    (row < known.scores.size() ? known.counts.scores[row] : known.counts.pooled).add(each.losses);
  }
  state.heard = true;
}

sample_decision decide_loss(const rarity_options& options, loss_state& state,
                            std::uint64_t category, std::optional<double> loss,
                            const position& where) {
  importance_state& known = state.known;
  const std::uint64_t hash = record_hash(options.seed, where);
  const std::size_t row = count_rarity(options, known.table, known.counts.rarity, category, hash);
  if (loss) {
    if (const std::optional<double> usable = usable_score(*loss)) count_score(known, row, *usable);
  }
  return decide_rarity(known.table, known.counts.rarity, row, hash, 1);
}

std::string check_loss(const rarity_options& options, const loss_options& how) {
  if (!(how.gamma >= 0 && how.gamma <= 4)) {
    return fmt::format(
        "gamma {} is not in [0, 4]; give .gamma 1 to go by the losses as they are, 0 to ignore "
        "them",
        how.gamma);
  }
  if (!(how.clip >= 1 && how.clip <= 100)) {
    return fmt::format("clip {} is not in [1, 100]; give .clip the largest factor, such as 4",
                       how.clip);
  }
  return check_rarity(options);
}

std::string describe_loss(const rarity_options& options, const loss_options& how, bool live) {
  return fmt::format("{} with {} loss gamma {} clip {}", describe_rarity(options),
                     live ? "live" : "recorded", how.gamma, how.clip);
}

}  // namespace freshet::detail
