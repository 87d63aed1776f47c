// Consistent sampling: all records of a key are kept, or none.
//
// A hash of the key and the seed decides, so the selection does not depend on the order of the
// records, their positions, the source that they came from, batches, or workers. No state, no event
// times, no waiting. An immutable value, safe to share.
// Example: `clicks | sample("sessions", consistent(&click::session, {.rate = 0.01}))`.
#pragma once

#include <freshet/sampling/sampler.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace freshet {

/// How many keys `consistent` keeps.
struct consistent_options {
  double rate = 0;  ///< The share of the keys to keep, in (0, 1].
  std::uint64_t seed = 0;
};

namespace detail {
std::string describe_consistent(const consistent_options& options);
}

/// The description that `consistent(...)` makes: a memoryless sampler, as sampler.hpp defines it.
template <class Key>
class consistent_sampler {
 public:
  consistent_sampler(Key key, consistent_options options)
      : key_(std::move(key)), options_(options) {}

  const consistent_options& options() const { return options_; }

  template <class T>
    requires category_value<std::invoke_result_t<const Key&, const T&>>
  sample_decision decide(const T& value, const position& /*where*/) const {
    // The seed is hashed first, so that neighbouring seeds keep unrelated keys; and the key a
    // second time, because what shares a stable hash with partitions or tables must not share their
    // bits.
    const std::uint64_t hash =
        combine_hashes(mix_bits(options_.seed), stable_hash(std::invoke(key_, value)));
    return {.keep = unit_interval(hash) < options_.rate, .probability = options_.rate};
  }
  /// The key as text: what variances of estimates have to be computed over, see `consistent`.
  template <class T>
    requires category_value<std::invoke_result_t<const Key&, const T&>>
  std::string category_of(const T& value) const {
    return category_text<std::remove_cvref_t<std::invoke_result_t<const Key&, const T&>>>(
        std::invoke(key_, value));
  }
  std::string check() const { return detail::check_rate(options_.rate); }
  std::string describe() const { return detail::describe_consistent(options_); }

 private:
  Key key_;
  consistent_options options_;
};

/// Keeps whole keys: sessions, customers, traces. `key` is a member pointer or a function of the
/// record that returns a `category_value`; it must depend on the record alone.
///
/// Streams of different records that are sampled by keys of equal value, with equal seed and rate,
/// keep the same keys: a join of the samples is the sample of the join. With different rates the
/// smaller sample lies within the larger.
/// \note   The share of the *records* that is kept comes close to `rate` only where no few keys
///         have most of them. Weighted sums are without bias, but their variance is that of the
///         keys: sum of (1 - p) / p * (records of the key)^2.
/// \source OpenTelemetry, "TraceState: Probability Sampling" (consistent probability sampling),
///         where the randomness of the trace id is compared with a threshold.
/// \cost   One hash of the key per record.
template <class Key>
auto consistent(Key key, consistent_options options) {
  return consistent_sampler<Key>(std::move(key), options);
}

}  // namespace freshet
