// Stratified sampling: a reservoir for each category, so that small categories are not drowned.
//
// Epochs are spans of the records' entry frontiers; what is kept comes out when the watermark has
// passed the end of the epoch. See sampling/ranking.hpp for order, memory, and threads.
// Example: `flights | sample("daily", stratified(&flight::carrier, {.per_category = 100,
// .epoch = 24h}))`.
#pragma once

#include <freshet/sampling/ranking.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// How much `stratified` keeps.
struct stratified_options {
  std::uint32_t per_category = 0;  ///< Records of each category and epoch, in [1, 1,000,000].
  duration epoch{};                ///< How long an epoch is; > 0.

  /// How many categories of an epoch have a reservoir of their own, >= 1; the records of all others
  /// share one more. Which those are, is decided by a hash. At most 10,000,000 records are kept.
  std::uint32_t max_categories = 1000;

  std::uint64_t seed = 0;
};

namespace detail {
sample_decision decide_stratified(const ranked_total& total);
std::string check_stratified(const stratified_options& options);
std::string describe_stratified(const stratified_options& options);
}  // namespace detail

/// The description that `stratified(...)` makes: a ranking sampler, see sampling/ranking.hpp.
template <class Category>
class stratified_sampler {
 public:
  stratified_sampler(Category category, stratified_options options)
      : category_(std::move(category)), options_(options) {}

  const stratified_options& options() const { return options_; }

  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  sample_rank rank(const T& value, const position& where, timestamp /*at*/) const {
    return {.rank = detail::random_rank(options_.seed, where),
            .stratum = stable_hash(std::invoke(category_, value))};
  }
  template <class T>
  sample_decision decide(const T& /*value*/, timestamp /*at*/, const ranked_total& total) const {
    return detail::decide_stratified(total);
  }
  ranking_capacity capacity() const {
    return {.per_stratum = options_.per_category, .strata_max = options_.max_categories};
  }
  duration epoch_length() const { return options_.epoch; }
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  std::string category_of(const T& value) const {
    return category_text<std::remove_cvref_t<std::invoke_result_t<const Category&, const T&>>>(
        std::invoke(category_, value));
  }
  std::string check() const { return detail::check_stratified(options_); }
  std::string describe() const { return detail::describe_stratified(options_); }

 private:
  Category category_;
  stratified_options options_;
};

/// Keeps up to `per_category` records of each category and epoch: k_c of n_c, each with the
/// probability k_c / n_c. `category` is a member pointer or a function of the record that returns a
/// `category_value`; it must depend on the record alone. `log_odds` compares with all other records
/// of the epoch; it is exact for a category with a reservoir of its own.
/// \source Vitter, "Random sampling with a reservoir", ACM TOMS 1985, one per stratum; the sample
///         of each is that of `reservoir`.
/// \cost   Two hashes per record, and a look-up in O(log categories).
template <class Category>
auto stratified(Category category, stratified_options options) {
  return stratified_sampler<Category>(std::move(category), options);
}

}  // namespace freshet
