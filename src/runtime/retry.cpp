#include <freshet/core/hash.hpp>
#include <freshet/pipeline/retry.hpp>

namespace freshet {

duration delay_before(const retry_policy& policy, std::uint32_t next, std::uint64_t seed) {
  duration whole = policy.delay;
  for (std::uint32_t i = 2; i < next && whole > duration::zero() && whole < policy.delay_max; ++i) {
    whole = whole > policy.delay_max / 2 ? policy.delay_max : 2 * whole;
  }
  const auto half = static_cast<std::uint64_t>(whole.count() / 2);
  const std::uint64_t drawn = mix_bits(seed + next) % (half + 1);
  return whole - duration(static_cast<duration::rep>(drawn));
}

std::string wrong_in(const retry_policy& policy) {
  if (policy.delay < duration::zero() || policy.delay_max < policy.delay) {
    return "retry.delay is negative or beyond retry.delay_max; give one in between";
  }
  return {};
}

}  // namespace freshet
