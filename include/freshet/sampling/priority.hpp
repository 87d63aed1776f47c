// Priority sampling: a given number of records of each epoch, heavy ones first, for sums over any
// part of the stream.
//
// Epochs are spans of the records' entry frontiers; what is kept comes out when the watermark has
// passed the end of the epoch. See sampling/ranking.hpp for order, memory, and threads.
// Example: `payments | sample("amounts", priority(&payment::amount, {.k = 1000, .epoch = 1h}))`.
#pragma once

#include <freshet/sampling/ranking.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// How much `priority` keeps.
struct priority_options {
  std::uint32_t k = 0;  ///< Records of each epoch, in [1, 1,000,000].
  duration epoch{};     ///< How long an epoch is; > 0.
  std::uint64_t seed = 0;
};

namespace detail {
/// `weight` within [1e-200, 1e200]; what is no positive number counts as the smallest.
double usable_weight(double weight);
sample_decision decide_priority(double weight, const ranked_total& total);
std::string describe_priority(const priority_options& options);
}  // namespace detail

/// The description that `priority(...)` makes: a ranking sampler, see sampling/ranking.hpp.
template <class Weight>
class priority_sampler {
 public:
  priority_sampler(Weight weight, priority_options options)
      : weight_(std::move(weight)), options_(options) {}

  const priority_options& options() const { return options_; }

  template <class T>
    requires std::convertible_to<std::invoke_result_t<const Weight&, const T&>, double>
  sample_rank rank(const T& value, const position& where, timestamp /*at*/) const {
    return {.rank = detail::random_rank(options_.seed, where) / weight_of(value)};
  }
  template <class T>
    requires std::convertible_to<std::invoke_result_t<const Weight&, const T&>, double>
  sample_decision decide(const T& value, timestamp /*at*/, const ranked_total& total) const {
    return detail::decide_priority(weight_of(value), total);
  }
  ranking_capacity capacity() const { return {.per_stratum = options_.k}; }
  duration epoch_length() const { return options_.epoch; }
  /// All records are of one category, whose text is empty.
  template <class T>
  std::string category_of(const T& /*value*/) const {
    return {};
  }
  std::string check() const { return detail::check_ranking("k", options_.k, 1, options_.epoch); }
  std::string describe() const { return detail::describe_priority(options_); }

 private:
  template <class T>
  double weight_of(const T& value) const {
    return detail::usable_weight(static_cast<double>(std::invoke(weight_, value)));
  }

  Weight weight_;
  priority_options options_;
};

/// Keeps exactly `k` records of each epoch, or all if there are fewer. `weight` is a member pointer
/// or a function of the record that returns a number: the amount that sums are wanted of. A record
/// of weight w has the probability min(1, w * t), t being the smallest rank u / w' that was not
/// kept; so the sum of `sampled::weight * w` over the kept rows of any part of the stream, chosen
/// afterwards, has the sum of w over all its records as its mean.
///
/// What is no positive number (zero, negative, NaN) counts as 1e-200: such a record stays only
/// where there is room, and then rarely. Sums of amounts that may be negative need their magnitude
/// as the weight. An infinite weight counts as 1e200.
/// \source Duffield, Lund, and Thorup, "Priority sampling for estimation of arbitrary subset sums",
///         JACM 2007; Szegedy, "The DLT priority sampling is essentially optimal", STOC 2006: its
///         variance is at most that of the best scheme with k - 1 records. VarOpt (Cohen et al.,
///         SODA 2009) also gets the total exactly right, but keeps others when the records come in
///         another order.
/// \cost   One hash and one division per record; O(log k) for those that stay for a while.
template <class Weight>
auto priority(Weight weight, priority_options options) {
  return priority_sampler<Weight>(std::move(weight), options);
}

}  // namespace freshet
