#include <freshet/aggregate/quantile.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace freshet {

namespace detail {

double checked_quantile(const std::string& name, double q) {
  if (!(q >= 0 && q <= 1)) {
    throw std::invalid_argument(fmt::format(
        "aggregate '{}': quantile {} is not in [0, 1]; give 0.99 for the 99th percentile", name,
        q));
  }
  return q;
}

ddsketch empty_sketch(const std::string& name, ddsketch_options options) {
  try {
    return ddsketch(options);
  } catch (const std::invalid_argument& wrong) {
    throw std::invalid_argument(fmt::format("aggregate '{}': {}", name, wrong.what()));
  }
}

std::string kind_of(const ddsketch_options& options) {
  return fmt::format("approx_quantile({}/{})", options.accuracy, options.buckets_max);
}

std::size_t checked_values_max(const std::string& name, std::size_t values_max) {
  if (values_max == 0) {
    throw std::invalid_argument(fmt::format(
        "aggregate '{}': values_max is 0; give the number of values that may be kept", name));
  }
  return values_max;
}

}  // namespace detail

void exact_quantile_state::add(double value, std::size_t values_max) {
  if (too_many) return;
  if (values.size() < values_max) {
    values.push_back(value + 0.0);  // Turns -0.0 into 0.0: which of two zeros comes first is open.
  } else {
    *this = {{}, true};
  }
}

void exact_quantile_state::merge(const exact_quantile_state& from, std::size_t values_max) {
  if (too_many) return;
  // The second cannot overflow, as the first would have been true: both hold in memory.
  if (from.too_many || values.size() + from.values.size() > values_max) {
    *this = {{}, true};
  } else if (&from == this) {
    const std::vector<double> copy = values;
    values.insert(values.end(), copy.begin(), copy.end());
  } else {
    values.insert(values.end(), from.values.begin(), from.values.end());
  }
}

std::optional<double> exact_quantile_state::quantile(double q) const {
  if (values.empty()) return std::nullopt;
  const auto is_nan = [](double value) { return std::isnan(value); };
  if (std::any_of(values.begin(), values.end(), is_nan)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  std::vector<double> some = values;
  const double position = q * static_cast<double>(some.size() - 1);
  const double whole = std::floor(position);
  const auto lower = some.begin() + static_cast<std::ptrdiff_t>(whole);
  std::nth_element(some.begin(), lower, some.end());
  const double share = position - whole;
  if (share == 0) return *lower;
  const double upper = *std::min_element(lower + 1, some.end());
  return *lower == upper ? upper : std::lerp(*lower, upper, share);
}

}  // namespace freshet
