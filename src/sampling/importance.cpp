// The importance sampler on category hashes: mean scores beside the table of rarity.
#include <freshet/sampling/importance.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace freshet {

void score_sum::add(double score) {
  const double floor = std::floor(score);
  const auto part = static_cast<std::uint64_t>((score - floor) * 0x1p64);
  add(score_sum{static_cast<std::uint64_t>(floor), part, 1});
}

void score_sum::add(const score_sum& other) {
  const std::uint64_t before = fraction;
  fraction += other.fraction;
  whole += other.whole + (fraction < before ? 1 : 0);
  records += other.records;
}

double score_sum::value() const {
  return static_cast<double>(whole) + static_cast<double>(fraction) * 0x1p-64;
}

namespace detail {
namespace {

constexpr double score_max = 0x1p32;
constexpr double factor_min = 0.1;
constexpr double factor_max = 5;
// A category's mean is drawn towards that of all by so many records: a mean of one is none.
constexpr double prior_records = 8;

void add_to(score_share& share, const score_share& other) {
  share.scores += other.scores;
  share.records += other.records;
}

/// A share with the sum of the epoch that ends.
score_share grown(const score_share& share, double decay, const score_sum& sum) {
  return {share.scores * decay + sum.value(),
          share.records * decay + static_cast<double>(sum.records)};
}

double mean_of(const importance_state& state, std::size_t row) {
  const score_share& share = row < state.scores.size() ? state.scores[row] : state.pool;
  return (share.scores + prior_records * state.mean) / (share.records + prior_records);
}

}  // namespace

void enter_importance(const importance_options& options, importance_state& state,
                      std::int64_t epoch) {
  if (epoch <= state.table.epoch) return;
  const bool counted = state.counts.rarity.pooled > 0 ||
                       std::any_of(state.counts.rarity.seen.begin(), state.counts.rarity.seen.end(),
                                   [](std::uint64_t seen) { return seen > 0; });
  const double decay = rarity_decay(options.rarity, state.table);
  const std::vector<std::uint64_t> before = state.table.categories;
  enter_rarity(options.rarity, state.table, state.counts.rarity, epoch);
  // As with frequencies, sums are only aged when there is something to add. Their ratios stay.
  if (counted) {
    score_share pool = grown(state.pool, decay, state.counts.pooled);
    std::vector<score_share> scores(state.table.categories.size());
    score_share all = pool;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const score_share share = grown(state.scores[i], decay, state.counts.scores[i]);
      add_to(all, share);
      const std::size_t row = rarity_row(state.table, before[i]);
      add_to(row < scores.size() ? scores[row] : pool, share);
    }
    state.scores = std::move(scores);
    state.pool = pool;
    state.mean = all.records > 0 ? all.scores / all.records : 0;
  }
  state.counts.scores.assign(state.table.categories.size(), {});
  state.counts.pooled = {};
}

sample_decision decide_importance(const importance_options& options, importance_state& state,
                                  std::uint64_t category, double score, const position& where) {
  const std::uint64_t hash = record_hash(options.rarity.seed, where);
  const std::size_t row =
      count_rarity(options.rarity, state.table, state.counts.rarity, category, hash);
  double factor = 1;
  if (score >= 0) {  // Not a NaN.
    const double usable = std::min(score, score_max);
    (row < state.scores.size() ? state.counts.scores[row] : state.counts.pooled).add(usable);
    const double mean = mean_of(state, row);
    if (mean > 0) {
      factor =
          std::clamp(1 - options.lambda + options.lambda * (usable / mean), factor_min, factor_max);
    }
  }
  return decide_rarity(state.table, state.counts.rarity, row, hash, factor);
}

void merge_importance(const importance_options& options, importance_counts& into,
                      const importance_counts& from) {
  merge_rarity(options.rarity, into.rarity, from.rarity);
  for (std::size_t i = 0; i < into.scores.size(); ++i) into.scores[i].add(from.scores[i]);
  into.pooled.add(from.pooled);
}

bool valid_importance(const importance_options& options, const importance_state& state) {
  const auto share = [](const score_share& each) {
    return std::isfinite(each.scores) && each.scores >= 0 && std::isfinite(each.records) &&
           each.records >= 0;
  };
  return valid_rarity(options.rarity, state.table, state.counts.rarity) &&
         state.scores.size() == state.table.categories.size() &&
         state.counts.scores.size() == state.table.categories.size() &&
         std::all_of(state.scores.begin(), state.scores.end(), share) && share(state.pool) &&
         std::isfinite(state.mean) && state.mean >= 0;
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
