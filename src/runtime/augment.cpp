// Which records are synthesized, and from which ones.
#include <freshet/pipeline/augment.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace freshet {

namespace {

std::string check_count(const char* option, std::uint32_t given, std::uint32_t least,
                        std::uint32_t most) {
  if (given >= least && given <= most) return {};
  return fmt::format("{} {} is not in [{}, {}]; give .{} a number in there", option, given, least,
                     most, option);
}

}  // namespace

std::string interpolate_options::check() const {
  if (!(share > 0 && share <= 0.5)) {
    return fmt::format(
        "share {} is not in (0, 0.5]; give .share a share of the records such as 0.1", share);
  }
  if (!(half_life > 0 && std::isfinite(half_life))) {
    return fmt::format("half_life {} is not positive; give .half_life a number of records",
                       half_life);
  }
  for (const std::string& wrong : {check_count("copies_max", copies_max, 1, 100),
                                   check_count("neighbours", neighbours, 1, 1000),
                                   check_count("remembered", remembered, 2, 1000),
                                   check_count("classes_max", classes_max, 1, 1000)}) {
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string interpolate_options::describe() const {
  return fmt::format("interpolate {} {} {} {} {} {} {}", share, copies_max, neighbours, remembered,
                     classes_max, half_life, seed);
}

namespace detail {

std::uint32_t copies_wanted(const interpolate_options& how, const fading_count& of_class,
                            const fading_count& of_all, std::uint64_t now, double draw) {
  const double all = of_all.at(now, how.half_life);
  const double mine = of_class.at(now, how.half_life);
  if (!(mine > 0) || mine >= how.share * all) return 0;
  // Rows of the class are to be `share` of the real records. The part of a row is drawn.
  const double wanted = how.share * all / mine - 1;
  return static_cast<std::uint32_t>(
      std::min(std::floor(wanted + draw), static_cast<double>(how.copies_max)));
}

std::size_t choose_neighbour(const interpolate_options& how,
                             const std::vector<std::vector<double>>& remembered,
                             const std::vector<double>& features, double draw) {
  std::vector<double> distances;
  for (const std::vector<double>& each : remembered) {
    double square = 0;
    for (std::size_t i = 0; i < features.size(); ++i) {
      square += (each[i] - features[i]) * (each[i] - features[i]);
    }
    distances.push_back(square);
  }
  std::vector<std::size_t> nearest(remembered.size());
  std::iota(nearest.begin(), nearest.end(), std::size_t{0});
  const std::size_t among = std::min<std::size_t>(how.neighbours, nearest.size());
  // Equal distances go by place, so that the choice is one.
  std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(among),
                    nearest.end(), [&](std::size_t a, std::size_t b) {
                      return distances[a] != distances[b] ? distances[a] < distances[b] : a < b;
                    });
  return nearest[static_cast<std::size_t>(draw * static_cast<double>(among))];
}

}  // namespace detail

}  // namespace freshet
