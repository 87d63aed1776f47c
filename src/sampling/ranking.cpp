// The ranking samplers' options, probabilities, and descriptions.
#include <freshet/core/time.hpp>
#include <freshet/sampling/priority.hpp>
#include <freshet/sampling/reservoir.hpp>
#include <freshet/sampling/stratified.hpp>
#include <freshet/sampling/time_biased.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace freshet {
namespace {

constexpr std::uint64_t per_stratum_max = 1'000'000;
constexpr std::uint64_t records_max = 10'000'000;
constexpr double weight_min = 1e-200;
constexpr double weight_max = 1e200;

}  // namespace

std::string reservoir::describe() const {
  return fmt::format("reservoir k {} epoch {} seed {}", k, to_text(epoch), seed);
}

sample_rank time_biased::rank_at(const position& where, timestamp at) const {
  return {.rank = std::log2(detail::random_rank(seed, where)) - half_lives(at)};
}

sample_decision time_biased::decide_at(timestamp at, const ranked_total& total) const {
  // A kept rank is below the threshold, so the sum is about -53 or more, but for rounding.
  return {.probability = std::exp2(std::clamp(half_lives(at) + total.threshold, -60.0, 0.0))};
}

double time_biased::half_lives(timestamp at) const {
  return static_cast<double>(at.time_since_epoch().count()) /
         static_cast<double>(half_life.count());
}

std::string time_biased::check() const {
  if (half_life <= duration::zero()) {
    return fmt::format(
        "half_life {} is not positive; give .half_life how long it takes until a record is half as "
        "likely to be in the sample",
        to_text(half_life));
  }
  return detail::check_ranking("k", k, 1, epoch_length());
}

std::string time_biased::describe() const {
  return fmt::format("time_biased k {} half_life {} epoch {} seed {}", k, to_text(half_life),
                     to_text(epoch_length()), seed);
}

namespace detail {

std::string check_ranking(const char* name, std::uint64_t size, std::uint64_t strata,
                          duration epoch) {
  if (size < 1 || size > per_stratum_max) {
    return fmt::format("{} {} is not in [1, {}]; give .{} how many records to keep", name, size,
                       per_stratum_max, name);
  }
  if (strata < 1 || size * strata > records_max) {
    return fmt::format(
        "max_categories {} is not in [1, {}]; give .max_categories how many categories have a "
        "reservoir of their own",
        strata, records_max / size);
  }
  if (epoch <= duration::zero()) {
    return fmt::format("epoch {} is not positive; give .epoch how long to sample before rows come",
                       to_text(epoch));
  }
  return {};
}

sample_decision decide_stratified(const ranked_total& total) {
  const auto kept = static_cast<double>(total.kept);
  const auto seen = static_cast<double>(total.seen);
  sample_decision decision{.probability = kept / seen};
  if (total.others_seen > 0) {
    const auto others_kept = static_cast<double>(total.others_kept);
    const auto others_seen = static_cast<double>(total.others_seen);
    decision.log_odds = std::log(decision.probability * others_seen / others_kept);
  }
  return decision;
}

std::string check_stratified(const stratified_options& options) {
  return check_ranking("per_category", options.per_category, options.max_categories, options.epoch);
}

std::string describe_stratified(const stratified_options& options) {
  return fmt::format("stratified per_category {} epoch {} max_categories {} seed {}",
                     options.per_category, to_text(options.epoch), options.max_categories,
                     options.seed);
}

double usable_weight(double weight) {
  // A NaN fails the comparison.
  return weight > weight_min ? std::min(weight, weight_max) : weight_min;
}

sample_decision decide_priority(double weight, const ranked_total& total) {
  // A kept rank u / w is below the threshold, so w * threshold is at least about u, which is
  // 2^-53 or more: no probability is 0.
  return {.probability = std::min(1.0, weight * total.threshold)};
}

std::string describe_priority(const priority_options& options) {
  return fmt::format("priority k {} epoch {} seed {}", options.k, to_text(options.epoch),
                     options.seed);
}

}  // namespace detail
}  // namespace freshet
