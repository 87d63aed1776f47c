// Comparing two windows: Kolmogorov-Smirnov and the population stability index.
#include <freshet/quality/windows.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace freshet {

namespace {

constexpr std::uint32_t window_max = 1'000'000;

std::string check_window(std::uint32_t window) {
  if (window >= 2 && window <= window_max) return {};
  return fmt::format("window {} is not in [2, {}]; give .window a number of values such as 500",
                     window, window_max);
}

double mean_of(std::span<const double> values) {
  detail::moments all;
  for (const double value : values) all.add(value);
  return all.mean;
}

}  // namespace

double ks_distance(std::span<const double> a, std::span<const double> b) {
  const auto size_a = static_cast<double>(a.size());
  const auto size_b = static_cast<double>(b.size());
  double largest = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  // Beyond the end of either the distance only shrinks.
  while (i < a.size() && j < b.size()) {
    const double at = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= at) ++i;
    while (j < b.size() && b[j] <= at) ++j;
    largest = std::max(largest,
                       std::abs(static_cast<double>(i) / size_a - static_cast<double>(j) / size_b));
  }
  return largest;
}

double ks_bound(double alpha, std::size_t a, std::size_t b) {
  const auto size_a = static_cast<double>(a);
  const auto size_b = static_cast<double>(b);
  return std::sqrt(-std::log(alpha / 2) / 2 * (size_a + size_b) / (size_a * size_b));
}

double population_stability_index(std::span<const std::uint64_t> expected,
                                  std::span<const std::uint64_t> actual) {
  const auto total = [](std::span<const std::uint64_t> counts) {
    return std::accumulate(counts.begin(), counts.end(), 0.0, [](double sum, std::uint64_t count) {
      return sum + static_cast<double>(count);
    });
  };
  const double of_expected = total(expected);
  const double of_actual = total(actual);
  if (of_expected == 0 || of_actual == 0) return 0;
  double index = 0;
  for (std::size_t bin = 0; bin < std::min(expected.size(), actual.size()); ++bin) {
    if (expected[bin] == 0 && actual[bin] == 0) continue;
    const double e = std::max(static_cast<double>(expected[bin]), 0.5) / of_expected;
    const double a = std::max(static_cast<double>(actual[bin]), 0.5) / of_actual;
    index += (a - e) * std::log(a / e);
  }
  return index;
}

std::optional<drift> ks_windows::add(state& seen, double value) const {
  if (!detail::is_measurable(value)) {
    ++seen.skipped;
    return std::nullopt;
  }
  if (seen.reference.size() < window) {
    seen.reference.push_back(value);
    if (seen.reference.size() == window) std::sort(seen.reference.begin(), seen.reference.end());
    return std::nullopt;
  }
  seen.current.push_back(value);
  if (seen.current.size() < window) return std::nullopt;
  std::sort(seen.current.begin(), seen.current.end());
  const double distance = ks_distance(seen.reference, seen.current);
  const double bound = ks_bound(alpha, window, window);
  std::optional<drift> found;
  if (distance > bound) {
    found = drift{mean_of(seen.reference), mean_of(seen.current), distance, bound};
    seen.reference.swap(seen.current);
  }
  seen.current.clear();
  return found;
}

std::string ks_windows::check() const {
  if (std::string wrong = check_window(window); !wrong.empty()) return wrong;
  if (!(alpha > 0 && alpha < 1)) {
    return fmt::format("alpha {} is not in (0, 1); give .alpha a chance such as 1e-4", alpha);
  }
  if (ks_bound(alpha, window, window) >= 1) {
    return fmt::format(
        "no two windows of {} values are too far apart for alpha {}; give .window more values, or "
        ".alpha a larger chance",
        window, alpha);
  }
  return {};
}

std::string ks_windows::describe() const {
  return fmt::format("ks_windows {} {}", window, alpha);
}

namespace {

std::vector<std::uint64_t> count_bins(std::span<const double> edges,
                                      std::span<const double> values) {
  std::vector<std::uint64_t> counts(edges.size() + 1);
  for (const double value : values) {
    const auto bin = std::lower_bound(edges.begin(), edges.end(), value);
    ++counts[static_cast<std::size_t>(bin - edges.begin())];
  }
  return counts;
}

/// Takes `values` as the reference.
void refer_to(psi_windows_state& seen, std::vector<double> values, std::uint32_t bins) {
  std::sort(values.begin(), values.end());
  seen.edges = {std::nextafter(values.front(), -std::numeric_limits<double>::infinity())};
  for (std::size_t bin = 1; bin <= bins; ++bin) {
    const double edge = values[std::max<std::size_t>(bin * values.size() / bins, 1) - 1];
    if (edge > seen.edges.back()) seen.edges.push_back(edge);
  }
  seen.expected = count_bins(seen.edges, values);
  seen.mean = mean_of(values);
}

}  // namespace

std::optional<drift> psi_windows::add(state& seen, double value) const {
  if (!detail::is_measurable(value)) {
    ++seen.skipped;
    return std::nullopt;
  }
  if (seen.edges.empty()) {
    seen.reference.push_back(value);
    if (seen.reference.size() >= window) refer_to(seen, std::exchange(seen.reference, {}), bins);
    return std::nullopt;
  }
  seen.current.push_back(value);
  if (seen.current.size() < window) return std::nullopt;
  std::vector<double> current = std::exchange(seen.current, {});
  const double index = population_stability_index(seen.expected, count_bins(seen.edges, current));
  std::optional<drift> found;
  if (index > threshold) {
    found = drift{seen.mean, mean_of(current), index, threshold};
    refer_to(seen, std::move(current), bins);
  }
  return found;
}

std::string psi_windows::check() const {
  if (std::string wrong = check_window(window); !wrong.empty()) return wrong;
  if (bins < 2 || bins > window) {
    return fmt::format("bins {} are not in [2, {}]; give .bins a number such as 10", bins, window);
  }
  if (!(threshold > 0 && std::isfinite(threshold))) {
    return fmt::format("threshold {} is not positive; give .threshold an index such as 0.25",
                       threshold);
  }
  return {};
}

std::string psi_windows::describe() const {
  return fmt::format("psi_windows {} {} {}", window, bins, threshold);
}

}  // namespace freshet
