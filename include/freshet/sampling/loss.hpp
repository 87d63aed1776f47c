// Rarity with losses: rare categories first, and those that a model finds hard.
//
// Time, order, threads, and memory are those of rarity.hpp, and 40 bytes more for each category.
// Losses come in one of two ways:
//
//     fr::sampler_feedback losses;                                   // live
//     payments | fr::sample("training", fr::rarity(&payment::fraud, {.rate =
//     0.4}).with_loss(losses))
//              | fr::to("model", fr::callback([=, &model](const fr::sampled<payment>& row) {
//                  losses.loss(row.value.fraud, model.learn(row)); }));
//
//     scored | fr::sample("training", fr::rarity(&scored::fraud, {.rate = 0.4})
//                                         .with_loss(&scored::loss));   // part of the log
//
// The first needs no forward pass over what is not kept, and makes the selection depend on when
// losses arrive: it is not reproducible where sampler and model run at their own pace. The second
// is a function of the log, as every other sampler: each record brings the loss that an earlier
// step (a deployed model, a join with labels and predictions) found, or none.
#pragma once

#include <freshet/sampling/feedback.hpp>
#include <freshet/sampling/importance.hpp>
#include <freshet/sampling/rarity.hpp>

#include <boost/describe/class.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// How strongly losses count.
struct loss_options {
  double gamma = 1;  ///< In [0, 4]: 0 ignores losses, 1 makes shares proportional to them.
  double clip = 4;   ///< In [1, 100]: the factor lies between 1 / clip and clip.
};

/// The whole state of `rarity(...).with_loss(...)`: as for `importance`, with losses for scores.
struct loss_state {
  importance_state known;
  bool heard = false;  ///< Whether live feedback was taken in the current epoch.
};
BOOST_DESCRIBE_STRUCT(loss_state, (), (known, heard))

namespace detail {

/// What a function or member of the record returns; `void` when it cannot be asked of one.
template <class Loss, class T>
struct loss_rule {
  using type = void;
};
template <class Loss, class T>
  requires std::invocable<const Loss&, const T&>
struct loss_rule<Loss, T> {
  using type = std::invoke_result_t<const Loss&, const T&>;
};
template <class Loss, class T>
using loss_of = typename loss_rule<Loss, T>::type;

// The sampler on category hashes; sampling/loss.cpp explains each step.
std::string check_loss(const rarity_options& options, const loss_options& how);
std::string describe_loss(const rarity_options& options, const loss_options& how, bool live);
void enter_loss(const rarity_options& options, const loss_options& how, loss_state& state,
                std::int64_t epoch);
/// Takes what waits, once per epoch, into the counts of this one.
void hear_losses(const sampler_feedback& feedback, loss_state& state);
sample_decision decide_loss(const rarity_options& options, loss_state& state,
                            std::uint64_t category, std::optional<double> loss,
                            const position& where);

}  // namespace detail

/// The description that `rarity(...).with_loss(...)` makes: a sampler, as sampler.hpp defines it.
template <class Category, class Loss>
class loss_sampler {
 public:
  static constexpr bool live = std::is_same_v<Loss, sampler_feedback>;
  using state = loss_state;
  using counts = importance_counts;

  loss_sampler(Category category, rarity_options options, Loss loss, loss_options how)
      : category_(std::move(category)),
        options_(std::move(options)),
        loss_(std::move(loss)),
        how_(how) {}

  const rarity_options& options() const { return options_; }

  state start() const {
    state first;
    first.known.table = detail::start_rarity(options_);
    return first;
  }
  bool valid(const state& restored) const {
    return detail::valid_importance({options_}, restored.known);
  }
  std::int64_t epoch_of(timestamp entry_frontier) const {
    return epoch_number(entry_frontier, options_.epoch_length());
  }
  timestamp epoch_end(std::int64_t epoch) const {
    return freshet::epoch_end(epoch, options_.epoch_length());
  }
  /// \cost O(categories * log categories).
  void enter(state& known, std::int64_t epoch) const {
    detail::enter_loss(options_, how_, known, epoch);
  }
  /// \cost O(log categories); with live feedback once per epoch O(fed categories * log categories).
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>> &&
             (live || std::convertible_to<detail::loss_of<Loss, T>, std::optional<double>>)
  sample_decision decide(state& known, const T& value, const position& where) const {
    const std::uint64_t category = stable_hash(std::invoke(category_, value));
    if constexpr (live) {
      if (!known.heard) detail::hear_losses(loss_, known);
      return detail::decide_loss(options_, known, category, std::nullopt, where);
    } else {
      return detail::decide_loss(options_, known, category, std::invoke(loss_, value), where);
    }
  }
  counts& counts_of(state& known) const { return known.known.counts; }
  /// \pre Both were counted against equal tables.
  void merge(counts& into, const counts& from) const {
    detail::merge_importance({options_}, into, from);
  }
  template <class T>
    requires category_value<std::invoke_result_t<const Category&, const T&>>
  std::string category_of(const T& value) const {
    return category_text<std::remove_cvref_t<std::invoke_result_t<const Category&, const T&>>>(
        std::invoke(category_, value));
  }
  std::string check() const { return detail::check_loss(options_, how_); }
  std::string describe() const { return detail::describe_loss(options_, how_, live); }

 private:
  Category category_;
  rarity_options options_;
  Loss loss_;
  loss_options how_;
};

/// `rarity`, where the share of a category is multiplied by clip((l / m)^gamma, 1 / clip, clip): l
/// is the mean loss of the category, m that of all. A record is kept with
/// clip(kappa * f^-alpha * factor, floor, 1), kappa such that the budget is kept.
/// - Losses halve every half-life, as frequencies do. A mean is drawn towards that of all by 8
///   losses; the factor is 1 where there are none.
/// - Only ratios count. What is no number of 0 or more (an empty optional, NaN) is not counted.
/// - What was fed back before an epoch's first record is counted into that epoch, and so changes
///   the probabilities of the next one; a loss that a record brings counts in the record's epoch.
/// - With live feedback, the losses of `m` and `l` are those of kept records. State is
/// checkpointed;
///   what the handle holds at a crash is lost.
/// \note   A loss that says "this category is noise" cannot be told from one that says "this is
///         worth learning": labels at random have the highest loss of all. Keep `clip` small.
/// \source Katharopoulos and Fleuret, ICML 2018, sample single records by their loss, which needs a
///         forward pass for each; by category it needs none.
template <class Category>
template <class Loss>
loss_sampler<Category, Loss> rarity_sampler<Category>::with_loss(Loss loss,
                                                                 loss_options how) const {
  return {category_, options_, std::move(loss), how};
}
template <class Category>
template <class Loss>
loss_sampler<Category, Loss> rarity_sampler<Category>::with_loss(Loss loss) const {
  return {category_, options_, std::move(loss), loss_options{}};
}

}  // namespace freshet
