// Uniform sampling: every record is kept with the same probability.
//
// A hash of the record's position and the seed decides, so the selection is a function of the log:
// neither batches nor workers nor restarts change it. No state, no event times, no waiting. An
// immutable value, safe to share. Example: `payments | sample("tenth", uniform{.rate = 0.1})`.
#pragma once

#include <freshet/sampling/sampler.hpp>

#include <cstdint>
#include <string>

namespace freshet {

/// Keeps each record with probability `rate`, independently of all others.
/// \note   Nested: with equal seeds, what a lower rate keeps, a higher one keeps too. Samples that
///         should be independent of each other need different seeds.
/// \cost   One hash per record.
struct uniform {
  double rate = 0;  ///< The share of the records to keep, in (0, 1].
  std::uint64_t seed = 0;

  template <class T>
  sample_decision decide(const T& /*value*/, const position& where) const {
    return {.keep = unit_interval(record_hash(seed, where)) < rate, .probability = rate};
  }
  /// All records are of one category, whose text is empty.
  template <class T>
  std::string category_of(const T& /*value*/) const {
    return {};
  }
  std::string check() const { return detail::check_rate(rate); }
  std::string describe() const;
};

}  // namespace freshet
