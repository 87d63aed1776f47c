// Importance sampling: rare categories first, as rarity does it, and within each category the
// records of a high score.
//
// A score is what the record says of how much it teaches: the loss of an earlier model, a distance
// to its decision boundary, an amount. Time, order, threads, and memory are those of rarity.hpp,
// and 16 bytes more for each category.
// Example: `payments | sample("training", importance(&payment::fraud, &payment::loss,
// {.rarity = {.rate = 0.2}}))`.
#pragma once

#include <freshet/sampling/rarity.hpp>
#include <freshet/sampling/score_sum.hpp>

#include <boost/describe/class.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// How much `importance` keeps, and how strongly the score counts.
struct importance_options {
  rarity_options rarity;  ///< The budget, categories, and times.

  /// In [0, 1]: 0 ignores the score, 1 makes probabilities proportional to it.
  double lambda = 0.7;
};

/// The scores of a category, or of the pooled bucket: sums that halve every half-life.
struct score_share {
  double scores = 0;
  double records = 0;
};
BOOST_DESCRIBE_STRUCT(score_share, (), (scores, records))

/// What one worker counted in the current epoch.
struct importance_counts {
  rarity_counts rarity;
  std::vector<score_sum> scores;  ///< Of each category of the table, in its order.
  score_sum pooled;
};
BOOST_DESCRIBE_STRUCT(importance_counts, (), (rarity, scores, pooled))

/// The whole state of an importance sampler.
struct importance_state {
  rarity_table table;
  std::vector<score_share> scores;  ///< Of the table's categories, in its order.
  score_share pool;
  double mean = 0;  ///< Of all scores; 0 while there are none.
  importance_counts counts;
};
BOOST_DESCRIBE_STRUCT(importance_state, (), (table, scores, pool, mean, counts))

namespace detail {

// The sampler on category hashes; sampling/importance.cpp explains each step.
std::string check_importance(const importance_options& options);
std::string describe_importance(const importance_options& options);
bool valid_importance(const importance_options& options, const importance_state& state);
void enter_importance(const importance_options& options, importance_state& state,
                      std::int64_t epoch);
sample_decision decide_importance(const importance_options& options, importance_state& state,
                                  std::uint64_t category, double score, const position& where);
void merge_importance(const importance_options& options, importance_counts& into,
                      const importance_counts& from);

}  // namespace detail

/// The description that `importance(...)` makes: a sampler, as sampler.hpp defines it.
template <class Category, class Score>
class importance_sampler {
 public:
  using state = importance_state;
  using counts = importance_counts;

  importance_sampler(Category category, Score score, importance_options options)
      : category_(std::move(category)), score_(std::move(score)), options_(std::move(options)) {}

  const importance_options& options() const { return options_; }

  state start() const {
    state first;
    first.table = detail::start_rarity(options_.rarity);
    return first;
  }
  bool valid(const state& restored) const { return detail::valid_importance(options_, restored); }
  std::int64_t epoch_of(timestamp entry_frontier) const {
    return epoch_number(entry_frontier, options_.rarity.epoch_length());
  }
  timestamp epoch_end(std::int64_t epoch) const {
    return freshet::epoch_end(epoch, options_.rarity.epoch_length());
  }
  /// \cost O(categories * log categories).
  void enter(state& known, std::int64_t epoch) const {
    detail::enter_importance(options_, known, epoch);
  }
  /// \cost O(log categories).
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>> &&
             std::convertible_to<std::invoke_result_t<const Score&, const T&>, double>
  sample_decision decide(state& known, const T& value, const position& where) const {
    return detail::decide_importance(options_, known, stable_hash(std::invoke(category_, value)),
                                     static_cast<double>(std::invoke(score_, value)), where);
  }
  counts& counts_of(state& known) const { return known.counts; }
  /// \pre Both were counted against equal tables.
  void merge(counts& into, const counts& from) const {
    detail::merge_importance(options_, into, from);
  }
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  std::string category_of(const T& value) const {
    return category_text<std::remove_cvref_t<std::invoke_result_t<const Category&, const T&>>>(
        std::invoke(category_, value));
  }
  std::string check() const { return detail::check_importance(options_); }
  std::string describe() const { return detail::describe_importance(options_); }

 private:
  Category category_;
  Score score_;
  importance_options options_;
};

/// Keeps a record with the probability min(1, p * clip(1 - lambda + lambda * score / mean, 0.1,
/// 5)): p is what `rarity` gives its category c, and mean the mean score of c in earlier epochs,
/// drawn towards that of all categories by 8 records. `category` and `score` are member pointers or
/// functions of the record and must depend on the record alone; a `category` that returns a
/// constant leaves the choice to the score.
/// - Only ratios of scores count. What is no number of 0 or more is taken for the mean, and is not
///   counted; above 2^32 it counts as 2^32, and differences below 2^-64 are not seen.
/// - Where there is no mean yet, or it is 0, scores are ignored.
/// - No record is kept with less than a tenth of the floor, so no weight exceeds 10 / floor.
/// - The budget holds as far as clipping lets it: what clipping at 1 or 5 takes away is made up for
///   as `rarity` does it, by at most 15 %.
/// - `log_odds` corrects for categories only. Weights correct for both.
/// \source Katharopoulos and Fleuret, "Not all samples are created equal: deep learning with
///         importance sampling", ICML 2018, whose upper bound on the gradient is one such score.
template <class Category, class Score>
auto importance(Category category, Score score, importance_options options) {
  return importance_sampler<Category, Score>(std::move(category), std::move(score),
                                             std::move(options));
}

}  // namespace freshet
