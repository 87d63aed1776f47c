// Standardizing and clipping one feature.
#include <freshet/quality/scaling.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace freshet {

namespace {

/// After a shift the next values count as if so many had been seen.
constexpr double values_after_shift = 20;

void learn(const scaling_options& how, feature_scale& seen, double value) {
  seen.known.add(value, how.half_life);
  if (!how.follow_shifts) return;
  const std::optional<drift> shifted = page_hinkley{}.add(seen.shift, value);
  if (!shifted) return;
  seen.known.count = std::min(seen.known.count, values_after_shift);
  seen.known.mean = shifted->after;
}

}  // namespace

scaled_value scale(const scaling_options& how, feature_scale& seen, double value) {
  const double mean = seen.known.mean;
  const double deviation = std::sqrt(seen.known.variance);
  scaled_value found{0, value, false, mean, deviation};
  const bool measurable = detail::is_measurable(value);
  // From values that never varied nothing is far; and of too few values too little is known.
  const bool judges = seen.known.count >= how.warm_up && deviation > 0;
  if (std::isnan(value)) {
    found.clipped = mean;
    found.outlier = true;
  } else if (judges || !measurable) {
    const double far = deviation * how.limit;
    found.clipped = std::clamp(value, mean - far, mean + far);
    found.outlier = found.clipped != value;
  }
  if (!measurable) return found;
  if (judges) found.standard = (found.clipped - mean) / deviation;
  learn(how, seen, found.clipped);
  return found;
}

std::string scaling_options::check() const {
  if (!(half_life > 0 && std::isfinite(half_life))) {
    return fmt::format(
        "half_life {} is not positive; give .half_life a number of values such as 1000", half_life);
  }
  if (!(limit > 0 && std::isfinite(limit))) {
    return fmt::format("limit {} is not positive; give .limit a number of deviations such as 8",
                       limit);
  }
  if (warm_up < 2) {
    return fmt::format("warm_up {} is less than 2; give .warm_up a number of values such as 50",
                       warm_up);
  }
  return {};
}

std::string scaling_options::describe() const {
  return fmt::format("scaling {} {} {} {}", half_life, limit, warm_up, follow_shifts);
}

}  // namespace freshet
