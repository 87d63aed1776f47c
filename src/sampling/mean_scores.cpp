// Mean scores of categories: exact sums within an epoch, halved every half-life between them.
#include "sampling/mean_scores.hpp"

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

}  // namespace

std::optional<double> usable_score(double score) {
  if (!(score >= 0)) return std::nullopt;  // A NaN, too.
  return std::min(score, score_max);
}

void count_score(importance_state& state, std::size_t row, double score) {
  (row < state.scores.size() ? state.counts.scores[row] : state.counts.pooled).add(score);
}

double mean_score(const importance_state& state, std::size_t row) {
  const score_share& share = row < state.scores.size() ? state.scores[row] : state.pool;
  return (share.scores + prior_records * state.mean) / (share.records + prior_records);
}

void grow_scores(const rarity_options& options, importance_state& state, std::int64_t epoch) {
  const double decay = rarity_decay(options, state.table);
  const std::vector<std::uint64_t> before = state.table.categories;
  // As with frequencies, sums are only aged when there is something to add. Their ratios stay.
  if (grow_rarity(options, state.table, state.counts.rarity, epoch)) {
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

}  // namespace detail
}  // namespace freshet
