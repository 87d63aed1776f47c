// Sampled rows: a record that a sampler kept, and with which probability it was kept.
//
// Plain values. The probability does not depend on what became of the record itself: it was fixed
// before (from records of earlier epochs only), or follows from the other records of the epoch.
// That is what makes weighted sums over kept rows unbiased. Event time and order key are those of
// the record. One row owns its value and a short text, which rarely allocates.
#pragma once

#include <freshet/core/columns.hpp>

#include <boost/describe/class.hpp>

#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// A record that `sample(...)` kept.
///
/// For statistics, count each row `weight` times: the sum of `weight * f(value)` over the kept rows
/// has the sum of `f(value)` over all records as its mean. For training a classifier whose label is
/// the category, use `log_odds` instead; weights make the loss noisy.
/// \source Horvitz and Thompson, "A generalization of sampling without replacement from a finite
///         universe", JASA 1952 (weight); King and Zeng, "Logistic regression in rare events data",
///         Political Analysis 2001, section 4.1, "prior correction" (log_odds).
template <class T>
struct sampled {
  T value{};
  double probability = 1;  ///< In (0, 1]: the chance with which this record was kept.
  double weight = 1;       ///< 1 / probability.
  std::string category;    ///< The record's category as text: `true`, `42`, `LAX`.

  /// ln(p / q): p is this row's probability, q the mean probability of the records of all other
  /// categories at that time. Keeping multiplied the odds of the category against the rest by that.
  /// Add it to the category's logit while training, and serve the bare logit; or train without
  /// it and subtract it when serving. With a binary label of categories `true` and `false`, what to
  /// add to the logit of `true` is `log_odds` for rows of `true` and `-log_odds` for rows of
  /// `false`. Exact for two categories; for more it corrects one category against the rest. Not
  /// needed when the category is a feature instead of the label.
  double log_odds = 0;

  BOOST_DESCRIBE_CLASS(sampled, (), (value, probability, weight, category, log_odds), (), ())
};

/// Whether a row type is `sampled<...>`: an aggregate over it has to honour `weight`.
template <class T>
inline constexpr bool is_sampled = false;
template <class T>
inline constexpr bool is_sampled<sampled<T>> = true;
template <class T>
inline constexpr bool is_sampled<const T> = is_sampled<T>;

/// A sampled row flattens into its value's columns, then those of `extra_names()`.
template <has_columns T>
struct columns<sampled<T>> {
  /// What sampling appends to a stream's columns, also where only the stream knows their names.
  static std::vector<std::string> extra_names() {
    return {"probability", "weight", "category", "log_odds"};
  }
  static std::vector<std::string> names() {
    std::vector<std::string> all = columns<T>::names();
    for (std::string& name : extra_names()) all.push_back(std::move(name));
    return all;
  }
  template <class F>
  static void visit(const sampled<T>& row, F&& f) {
    columns<T>::visit(row.value, f);
    f(row.probability);
    f(row.weight);
    f(row.category);
    f(row.log_odds);
  }
};

}  // namespace freshet
