// What the ranking samplers promise about probabilities: all sets alike, sums without bias, and the
// variance of priority sampling.
//
// Seeds are fixed, so every run gives the same figures. A stated chance of a false alarm is that of
// a correct sampler failing if the seeds were drawn afresh.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/sampling/priority.hpp>
#include <freshet/sampling/reservoir.hpp>
#include <freshet/sampling/stratified.hpp>

#include <algorithm>
#include <map>

namespace fr = freshet;
using namespace std::chrono_literals;
using sampling_streams::spread;
using sampling_streams::spread_of;

namespace {

struct payment {
  std::uint64_t card = 0;
  double amount = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))

/// Feeds one epoch and calls `see(index, decision)` for what it keeps; \return how many.
template <class Sampler, class See>
std::size_t sample_epoch(const Sampler& sampler, const std::vector<payment>& records, See see) {
  fr::detail::ranked_epoch<payment> epoch;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const fr::position where{.sequence = i};
    const fr::sample_rank ranked = sampler.rank(records[i], where, {});
    epoch.add(sampler.capacity(), ranked, [&]() -> fr::detail::ranked_record<payment> {
      return {ranked.rank, i, 0, 0, {}, std::nullopt, records[i]};
    });
  }
  std::size_t kept = 0;
  epoch.for_each([&](const auto& record, const fr::ranked_total& total) {
    ++kept;
    see(record.sequence, sampler.decide(record.value, {}, total));
  });
  return kept;
}

/// Li's Algorithm L, step by step: the sequential reservoir that `reservoir` must be distributed
/// like. \return the indices of the k kept of n records, as a bit set.
unsigned algorithm_l(std::size_t k, std::size_t n, std::mt19937_64& random) {
  const auto draw = [&random] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
  std::vector<std::size_t> kept(k);
  for (std::size_t i = 0; i < k; ++i) kept[i] = i;
  double largest = std::exp(std::log(draw()) / static_cast<double>(k));
  double next = static_cast<double>(k) - 1;
  for (;;) {
    next += std::floor(std::log(draw()) / std::log1p(-largest)) + 1;
    if (next >= static_cast<double>(n)) break;
    kept[random() % k] = static_cast<std::size_t>(next);
    largest *= std::exp(std::log(draw()) / static_cast<double>(k));
  }
  unsigned bits = 0;
  for (const std::size_t index : kept) bits |= 1U << index;
  return bits;
}

/// Chi-square of counts against equal shares of `total` among `cells`.
double chi_square(const std::map<unsigned, double>& counts, double total, std::size_t cells) {
  const double wanted = total / static_cast<double>(cells);
  double sum = wanted * static_cast<double>(cells - counts.size());
  for (const auto& [cell, count] : counts) sum += (count - wanted) * (count - wanted) / wanted;
  return sum;
}

/// Heavy-tailed amounts: a Pareto distribution with exponent 1.2.
std::vector<payment> heavy_tailed(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<payment> records(count);
  for (payment& each : records) {
    each = {random() % 5, std::pow(1 - fr::unit_interval(random()), -1 / 1.2)};
  }
  return records;
}

}  // namespace

TEST_CASE("every set of k records is kept with the same chance, as by Algorithm L",
          "[sampling][reservoir][statistics][oracle]") {
  // 3 of 6: 20 sets, so 19 degrees of freedom; 50.8 is exceeded with a chance of 1 in 10,000.
  constexpr int rounds = 40'000;
  std::map<unsigned, double> ours;
  std::map<unsigned, double> sequential;
  std::mt19937_64 random(40);
  for (int round = 0; round < rounds; ++round) {
    const fr::reservoir sampler{.k = 3, .epoch = 1s, .seed = static_cast<std::uint64_t>(round)};
    unsigned bits = 0;
    sample_epoch(sampler, std::vector<payment>(6), [&](std::size_t i, const auto& decision) {
      bits |= 1U << i;
      REQUIRE(decision.probability == 0.5);
    });
    ++ours[bits];
    ++sequential[algorithm_l(3, 6, random)];
  }
  INFO("chi-square " << chi_square(ours, rounds, 20) << ", Algorithm L "
                     << chi_square(sequential, rounds, 20));
  CHECK(ours.size() == 20);
  CHECK(chi_square(ours, rounds, 20) < 50.8);
  CHECK(chi_square(sequential, rounds, 20) < 50.8);
}

TEST_CASE("a reservoir keeps exactly k, and each record as often as any other",
          "[sampling][reservoir][statistics]") {
  // 100 records, 20 kept, 5,000 seeds. The chi-square of inclusion has a mean of 99 * 0.8 and a
  // standard deviation of 11.3, because what is kept is drawn without replacement: 5 of them.
  std::map<unsigned, double> counts;
  const std::vector<payment> records(100);
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    const fr::reservoir sampler{.k = 20, .epoch = 1s, .seed = seed};
    REQUIRE(sample_epoch(sampler, records, [&](std::size_t i, const auto&) {
              ++counts[static_cast<unsigned>(i)];
            }) == 20);
  }
  const double found = chi_square(counts, 5000 * 20, 100);
  INFO("chi-square " << found);
  CHECK(found < 99 * 0.8 + 5 * 11.3);
  CHECK(found > 99 * 0.8 - 5 * 11.3);
  const fr::reservoir larger{.k = 200, .epoch = 1s};
  CHECK(sample_epoch(larger, records, [](std::size_t, const auto& decision) {
          CHECK(decision.probability == 1);
        }) == 100);
}

TEST_CASE("sums over the categories of a stratified sample are without bias, counts exact",
          "[sampling][stratified][statistics]") {
  // Amounts in [1, 2), and k of n drawn without replacement: the variance of the estimated sum is
  // n^2 (1 - k/n) s^2 / k.
  std::mt19937_64 random(41);
  const sampling_streams::zipf draw(8);
  std::vector<payment> records(3000);
  for (payment& each : records) each = {draw(random), 1 + fr::unit_interval(random())};
  std::map<std::uint64_t, std::vector<double>> amounts;
  for (const payment& each : records) amounts[each.card].push_back(each.amount);
  std::vector<double> errors;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::map<std::uint64_t, double> sums;
    std::map<std::uint64_t, double> counts;
    sample_epoch(fr::stratified(&payment::card, {.per_category = 30, .epoch = 1s, .seed = seed}),
                 records, [&](std::size_t i, const fr::sample_decision& decision) {
                   sums[records[i].card] += decision.weight() * records[i].amount;
                   counts[records[i].card] += decision.weight();
                 });
    for (const auto& [card, all] : amounts) {
      const auto n = static_cast<double>(all.size());
      const spread truth = spread_of(all);
      REQUIRE(counts[card] == Approx(n));
      const double deviation = n * truth.deviation * std::sqrt((1 - 30 / n) / 30);
      errors.push_back((sums[card] - n * truth.mean) / deviation);
    }
  }
  const spread found = spread_of(errors);
  INFO("mean " << found.mean << " sd " << found.deviation << " of " << errors.size());
  CHECK(std::abs(found.mean) <= 0.125);  // 5 standard errors of 1,600.
  CHECK(found.deviation >= 0.91);
  CHECK(found.deviation <= 1.09);
}

TEST_CASE(
    "sums over any part of a priority sample are without bias, with the variance that "
    "the theorem allows",
    "[sampling][priority][statistics]") {
  const std::vector<payment> records = heavy_tailed(1000, 42);
  constexpr std::uint64_t seeds = 2000;
  std::map<std::uint64_t, std::vector<double>> estimates;  // By card.
  std::vector<double> squares(records.size());             // Of each record's estimate.
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    std::map<std::uint64_t, double> sums;
    const auto sampler = fr::priority(&payment::amount, {.k = 50, .epoch = 1s, .seed = seed});
    REQUIRE(sample_epoch(sampler, records, [&](std::size_t i, const auto& decision) {
              const double estimate = decision.weight() * records[i].amount;
              sums[records[i].card] += estimate;
              squares[i] += estimate * estimate / seeds;
            }) == 50);
    for (std::uint64_t card = 0; card < 5; ++card) estimates[card].push_back(sums[card]);
  }
  for (std::uint64_t card = 0; card < 5; ++card) {
    double truth = 0;
    for (const payment& each : records) truth += each.card == card ? each.amount : 0;
    const spread found = spread_of(estimates[card]);
    INFO("card " << card << " truth " << truth << " mean " << found.mean);
    CHECK(std::abs(found.mean - truth) <= 4 * found.deviation / std::sqrt(1.0 * seeds));
  }
  // Szegedy 2006: the sum of the records' variances is at most that of the best sampling of k - 1,
  // which keeps i with min(1, w / tau): sum of w * max(0, tau - w), tau such that k - 1 are kept.
  double low = 0;
  double high = 1e9;
  for (int step = 0; step < 200; ++step) {
    const double tau = (low + high) / 2;
    double kept = 0;
    for (const payment& each : records) kept += std::min(1.0, each.amount / tau);
    (kept > 49 ? low : high) = tau;
  }
  double bound = 0;
  double variance = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    bound += records[i].amount * std::max(0.0, high - records[i].amount);
    variance += squares[i] - records[i].amount * records[i].amount;
  }
  INFO("variance " << variance << " bound " << bound);
  CHECK(variance <= 1.05 * bound);  // The measured variance has a relative error of about 1 %.
  CHECK(variance >= 0.9 * bound);   // No sampling of k is that much better than the best of k - 1.
}

TEST_CASE("a priority sample estimates heavy-tailed sums far better than a reservoir",
          "[sampling][priority][statistics]") {
  const std::vector<payment> records = heavy_tailed(1000, 43);
  const auto deviation_of = [&](auto sampler_of_seed) {
    std::vector<double> sums;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      double sum = 0;
      sample_epoch(sampler_of_seed(seed), records, [&](std::size_t i, const auto& decision) {
        sum += decision.weight() * records[i].amount;
      });
      sums.push_back(sum);
    }
    return spread_of(sums).deviation;
  };
  const double weighted = deviation_of([](std::uint64_t seed) {
    return fr::priority(&payment::amount, {.k = 50, .epoch = 1s, .seed = seed});
  });
  const double unweighted = deviation_of(
      [](std::uint64_t seed) { return fr::reservoir{.k = 50, .epoch = 1s, .seed = seed}; });
  INFO("priority " << weighted << " reservoir " << unweighted);
  CHECK(weighted < unweighted / 3);
}

TEST_CASE("what is no weight is kept only where there is room, and breaks nothing",
          "[sampling][priority]") {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<payment> records = {{0, 0}, {0, -5}, {0, std::nan("")}, {0, -infinity}, {0, 1e-320}};
  const auto sampler = fr::priority(&payment::amount, {.k = 4, .epoch = 1s});
  const auto check = [&](std::size_t wanted_good) {
    std::size_t good = 0;
    CHECK(sample_epoch(sampler, records, [&](std::size_t i, const auto& decision) {
            good += records[i].amount > 1 ? 1U : 0U;
            CHECK(decision.probability > 0);
            CHECK(decision.probability <= 1);
          }) == 4);
    CHECK(good == wanted_good);
  };
  check(0);
  records.insert(records.end(), {{0, 2}, {0, infinity}, {0, 1e300}});
  check(3);
  records.push_back({0, 3});
  check(4);
}
