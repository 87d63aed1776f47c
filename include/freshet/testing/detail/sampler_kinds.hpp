// What check_sampler asks of samplers without memory and of ranking samplers. Internal.
//
// Threads: none. Memory: the records of one case.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/sampling/ranking.hpp>
#include <freshet/sampling/sampler.hpp>
#include <freshet/testing/sampler_check_options.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T>
struct placed_record {
  T value;
  position where;
  timestamp at;
};

[[noreturn]] inline void fail_sampler(std::uint64_t seed, const std::string& what) {
  throw std::runtime_error("check_sampler seed " + std::to_string(seed) + ": " + what);
}

template <class T, class Make>
std::vector<placed_record<T>> random_records(std::mt19937_64& random, Make& make_value,
                                             std::size_t count) {
  std::vector<placed_record<T>> records;
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sequence += 1 + random() % 100;
    const auto split = static_cast<std::uint32_t>(random() % 4);
    const auto fanout = static_cast<std::uint32_t>(random() % 2);
    T value = make_value(random);
    const timestamp at{std::chrono::seconds(1'700'000'000 + static_cast<std::int64_t>(i % 600))};
    records.push_back({std::move(value), {sequence, split, fanout}, at});
  }
  return records;
}

/// Fails where `error`, a sum that should be 0 on average, is more than 5 standard deviations.
inline void check_bias(double error, double variance, std::uint64_t seed) {
  if (std::abs(error) <= 5 * std::sqrt(variance)) return;
  fail_sampler(seed,
               "kept records do not add up to all records: the error of the sum of weights "
               "is " +
                   std::to_string(error) + ", its standard deviation should be " +
                   std::to_string(std::sqrt(variance)));
}

template <class T, class Sampler, class Make>
void check_memoryless_sampler(const Sampler& sampler, Make& make_value,
                              const sampler_check_options& options) {
  double error = 0;
  double variance = 0;
  // Records of one category may stand and fall together: then their deviations add up.
  std::map<std::string, double> deviations;
  for (std::size_t i = 0; i < options.cases; ++i) {
    const std::uint64_t seed = options.seed + i;
    std::mt19937_64 random(seed);
    const auto records =
        random_records<T>(random, make_value, options.epochs * options.records_per_epoch);
    std::vector<sample_decision> decisions;
    std::vector<std::size_t> order;
    for (const auto& each : records) {
      const sample_decision made = sampler.decide(each.value, each.where);
      if (!(made.probability > 0 && made.probability <= 1)) {
        fail_sampler(seed, "probability " + std::to_string(made.probability) + " is not in (0, 1]");
      }
      if (!std::isfinite(made.log_odds)) fail_sampler(seed, "log_odds is not a finite number");
      order.push_back(decisions.size());
      decisions.push_back(made);
      error += (made.keep ? made.weight() : 0.0) - 1;
      const double variance_here = (1 - made.probability) / made.probability;
      const std::string category = sampler.category_of(each.value);
      if (category.empty()) {
        variance += variance_here;
      } else {
        deviations[category] += std::sqrt(variance_here);
      }
    }
    std::shuffle(order.begin(), order.end(), random);
    const Sampler copy = sampler;
    for (const std::size_t index : order) {
      const sample_decision again = copy.decide(records[index].value, records[index].where);
      if (again.keep != decisions[index].keep ||
          again.probability != decisions[index].probability ||
          again.log_odds != decisions[index].log_odds) {
        fail_sampler(seed, "record " + std::to_string(index) +
                               " is judged differently when it is asked about again");
      }
    }
  }
  for (const auto& [category, deviation] : deviations) variance += deviation * deviation;
  check_bias(error, variance, options.seed);
}

/// One epoch of a ranking sampler.
template <class T, class Sampler>
class ranking_case {
 public:
  ranking_case(const Sampler& sampler, std::vector<placed_record<T>> records, std::uint64_t seed)
      : sampler_(sampler),
        capacity_(sampler.capacity()),
        records_(std::move(records)),
        seed_(seed),
        random_(seed + 1) {}

  /// \return the error of the sum of weights.
  double run() {
    if (sampler_.epoch_length() <= duration::zero()) {
      fail_sampler(seed_, "epoch_length is not positive");
    }
    ranked_epoch<T> whole;
    for (const auto& each : records_) add(whole, each);
    check_ranks();
    const double sum = check_kept(whole);
    check_divided(rows_of(whole));
    return sum - static_cast<double>(records_.size());
  }

 private:
  void add(ranked_epoch<T>& to, const placed_record<T>& each) const {
    const sample_rank ranked = sampler_.rank(each.value, each.where, each.at);
    to.add(capacity_, ranked, [&]() -> ranked_record<T> {
      return {ranked.rank, each.where.sequence, each.where.split, each.where.fanout,
              each.at,     std::nullopt,        each.value};
    });
  }

  void check_ranks() const {
    const Sampler copy = sampler_;
    for (auto each = records_.rbegin(); each != records_.rend(); ++each) {
      const sample_rank first = sampler_.rank(each->value, each->where, each->at);
      const sample_rank again = copy.rank(each->value, each->where, each->at);
      if (std::isnan(first.rank)) fail_sampler(seed_, "a rank is NaN");
      if (first.rank != again.rank || first.stratum != again.stratum) {
        fail_sampler(seed_, "a record is ranked differently when it is asked about again");
      }
    }
  }

  /// \return the sum of weights.
  double check_kept(ranked_epoch<T>& whole) const {
    if (!whole.valid(capacity_)) fail_sampler(seed_, "the sample of an epoch is not valid");
    double sum = 0;
    whole.for_each([&](const ranked_record<T>& record, const ranked_total& total) {
      const sample_decision made = sampler_.decide(record.value, record.at, total);
      if (!(made.probability > 0 && made.probability <= 1)) {
        fail_sampler(seed_,
                     "probability " + std::to_string(made.probability) + " is not in (0, 1]");
      }
      if (!std::isfinite(made.log_odds)) fail_sampler(seed_, "log_odds is not a finite number");
      if (total.seen == total.kept && made.probability != 1) {
        fail_sampler(seed_, "a stratum that is kept whole has probability " +
                                std::to_string(made.probability) + " instead of 1");
      }
      sum += made.weight();
    });
    return sum;
  }

  /// What an epoch keeps, and what is said of it, as bytes.
  std::string rows_of(ranked_epoch<T>& epoch) const {
    std::string all;
    epoch.for_each([&](const ranked_record<T>& record, const ranked_total& total) {
      const sample_decision made = sampler_.decide(record.value, record.at, total);
      all += to_bytes(record) + to_bytes(made.probability) + to_bytes(made.log_odds);
    });
    return all;
  }

  /// In another order, at several workers, each saved and restored; merged in any shape.
  void check_divided(const std::string& wanted) {
    std::shuffle(records_.begin(), records_.end(), random_);
    std::vector<ranked_epoch<T>> parts(1 + random_() % 8);
    for (const auto& each : records_) add(parts[random_() % parts.size()], each);
    for (ranked_epoch<T>& part : parts) {
      auto restored = from_bytes<ranked_epoch<T>>(to_bytes(part));
      if (!restored.ok() || !restored->valid(capacity_)) {
        fail_sampler(seed_, "the sample of an epoch cannot be restored");
      }
      part = *std::move(restored);
    }
    while (parts.size() > 1) {
      std::swap(parts[random_() % parts.size()], parts.back());
      ranked_epoch<T> taken = std::move(parts.back());
      parts.pop_back();
      parts[random_() % parts.size()].merge(capacity_, std::move(taken));
    }
    if (rows_of(parts.front()) != wanted) {
      fail_sampler(seed_,
                   "other records are kept when they come in another order or are divided "
                   "among workers");
    }
  }

  const Sampler& sampler_;
  ranking_capacity capacity_;
  std::vector<placed_record<T>> records_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
};

template <class T, class Sampler, class Make>
void check_ranking_sampler(const Sampler& sampler, Make& make_value,
                           const sampler_check_options& options) {
  static_assert(checkpointable<T>,
                "freshet: a ranking sampler keeps records, so that they must be "
                "checkpointable; describe them with BOOST_DESCRIBE_STRUCT");
  // The variance is that of the epochs, which are independent of each other.
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < options.cases * options.epochs; ++i) {
    const std::uint64_t seed = options.seed + i;
    std::mt19937_64 random(seed);
    const std::size_t count = 1 + random() % options.records_per_epoch;
    ranking_case<T, Sampler> one(sampler, random_records<T>(random, make_value, count), seed);
    const double error = one.run();
    // What is exact is so up to rounding, whose errors need not cancel out.
    if (std::abs(error) < 1e-9 * static_cast<double>(count)) continue;
    sum += error;
    squares += error * error;
  }
  check_bias(sum, squares, options.seed);
}

}  // namespace freshet::detail
