// Seeded streams of categories for the samplers' tests, and what a sampler did with them.
//
// Times are event times: record i of a stream enters at the frontier i / records_per_second. A
// stream is a function of its seed alone, with generators of the standard whose output is fixed.
#pragma once

#include <freshet/sampling/rarity.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace sampling_streams {

namespace fr = freshet;

/// A record as the samplers of these tests see it: its category, and when it entered.
struct event {
  std::uint64_t category = 0;
  fr::timestamp entry_frontier;
};

inline double uniform(std::mt19937_64& random) {
  return fr::unit_interval(random());
}

/// Draws 0 .. count-1 with probabilities proportional to 1, 1/2, 1/3, ...
class zipf {
 public:
  explicit zipf(std::size_t count) {
    double sum = 0;
    for (std::size_t rank = 1; rank <= count; ++rank) {
      sum += 1.0 / static_cast<double>(rank);
      cumulative_.push_back(sum);
    }
  }
  std::uint64_t operator()(std::mt19937_64& random) const {
    const double point = uniform(random) * cumulative_.back();
    std::size_t rank = 0;
    while (rank + 1 < cumulative_.size() && cumulative_[rank] <= point) ++rank;
    return rank;
  }

 private:
  std::vector<double> cumulative_;
};

/// The frontier of record `i` when `per_second` records come each second.
inline fr::timestamp frontier_of(std::size_t i, double per_second) {
  const double begin = 1'700'000'000.25;  // Not on an epoch's boundary, as no real log is.
  return fr::timestamp{
      fr::duration{static_cast<std::int64_t>((begin + static_cast<double>(i) / per_second) * 1e6)}};
}

/// `count` records of 20 Zipf categories, whose popularity is reversed after `reversed_at` records.
inline std::vector<event> reversed_zipf(std::size_t count, std::size_t reversed_at,
                                        double per_second, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const zipf draw(20);
  std::vector<event> events(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t rank = draw(random);
    events[i] = {i < reversed_at ? rank : 19 - rank, frontier_of(i, per_second)};
  }
  return events;
}

inline fr::position position_of(std::size_t i) {
  return {.sequence = 37 * i, .split = static_cast<std::uint32_t>(i % 3), .fanout = 0};
}

/// Feeds `events` to one worker; `see(i, decision)` hears what became of each.
template <class Sampler>
void sample_events(const Sampler& sampler, const std::vector<event>& events,
                   const std::function<void(std::size_t, const fr::sample_decision&)>& see) {
  auto state = sampler.start();
  for (std::size_t i = 0; i < events.size(); ++i) {
    sampler.enter(state, sampler.epoch_of(events[i].entry_frontier));
    see(i, sampler.decide(state, events[i], position_of(i)));
  }
}

/// Mean and standard deviation (n - 1) of a few numbers.
struct spread {
  double mean = 0;
  double deviation = 0;
};
inline spread spread_of(const std::vector<double>& numbers) {
  spread result;
  for (const double number : numbers) result.mean += number;
  result.mean /= static_cast<double>(numbers.size());
  for (const double number : numbers) result.deviation += std::pow(number - result.mean, 2);
  result.deviation = std::sqrt(result.deviation / static_cast<double>(numbers.size() - 1));
  return result;
}

}  // namespace sampling_streams
