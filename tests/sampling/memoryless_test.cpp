// The samplers without memory: uniform and consistent.
//
// Streams and seeds are fixed, so every run gives the same figures.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/sampling/consistent.hpp>
#include <freshet/sampling/uniform.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <map>

namespace fr = freshet;
using namespace sampling_streams;
using Catch::Matchers::Contains;

static_assert(fr::memoryless_sampler_of<fr::uniform, event>);
static_assert(!fr::sampler_of<fr::uniform, event>);
static_assert(fr::memoryless_sampler_of<decltype(fr::consistent(&event::category, {})), event>);
static_assert(!fr::memoryless_sampler_of<decltype(fr::consistent(&event::category, {})), int>);

namespace {

constexpr std::size_t record_count = 200'000;

/// Zipf keys among 5,000: the largest has about a tenth of the records.
std::vector<event> zipf_keys() {
  static const std::vector<event> events = [] {
    std::vector<double> cumulative;
    double sum = 0;
    for (int rank = 1; rank <= 5000; ++rank) cumulative.push_back(sum += 1.0 / rank);
    std::mt19937_64 random(90);
    std::vector<event> made(record_count);
    for (std::size_t i = 0; i < made.size(); ++i) {
      const auto found =
          std::upper_bound(cumulative.begin(), cumulative.end(), uniform(random) * sum);
      made[i] = {static_cast<std::uint64_t>(found - cumulative.begin()), frontier_of(i, 1000)};
    }
    return made;
  }();
  return events;
}

/// What can be wrong with a sampler without memory.
enum class mistake { none, biased, above_one, generator };

template <mistake Mistake>
struct odd {
  std::uint64_t* draws = nullptr;
  fr::sample_decision decide(const event&, const fr::position& where) const {
    const std::uint64_t hash =
        Mistake == mistake::generator ? fr::mix_bits(++*draws) : fr::record_hash(4, where);
    return {.keep = fr::unit_interval(hash) < (Mistake == mistake::biased ? 0.28 : 0.3),
            .probability = Mistake == mistake::above_one ? 1.3 : 0.3};
  }
  std::string category_of(const event&) const { return {}; }
  std::string describe() const { return "odd"; }
  std::string check() const { return {}; }
};

template <mistake Mistake>
std::string found() {
  std::uint64_t draws = 0;
  try {
    fr::check_sampler(odd<Mistake>{&draws},
                      [](std::mt19937_64& random) { return event{random() % 3, {}}; });
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
  return {};
}

}  // namespace

TEST_CASE("samplers without memory keep the sampler contract", "[sampling][contract]") {
  const auto make = [](std::mt19937_64& random) { return event{random() % 5000, {}}; };
  fr::check_sampler(fr::uniform{.rate = 0.3, .seed = 5}, make);
  fr::check_sampler(fr::uniform{.rate = 1}, make);
  fr::check_sampler(fr::uniform{.rate = 1e-9}, make);
  fr::check_sampler(fr::consistent(&event::category, {.rate = 0.2, .seed = 6}), make);
}

TEST_CASE("the contract finds wrong samplers without memory", "[sampling][contract]") {
  CHECK(found<mistake::none>() == "");
  CHECK_THAT(found<mistake::biased>(), Contains("kept records do not add up"));
  CHECK_THAT(found<mistake::above_one>(), Contains("is not in (0, 1]"));
  CHECK_THAT(found<mistake::generator>(), Contains("when it is asked about again"));
}

TEST_CASE("uniform keeps its rate, and weighted counts are without bias",
          "[sampling][uniform][statistics]") {
  // |mean| <= 0.5 and 0.7 <= sd <= 1.3 over 40 seeds: for a correct sampler a chance of 1 in 100 of
  // failing, were the seeds drawn afresh. 2 % of the rate are at least 4 standard deviations.
  const std::vector<event> events = zipf_keys();
  for (const double rate : {0.5, 0.1}) {
    std::vector<double> totals;
    std::vector<double> heavy;  // Records of the most frequent key.
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const fr::uniform sampler{.rate = rate, .seed = seed};
      double kept = 0;
      double kept_heavy = 0;
      double count_heavy = 0;
      for (std::size_t i = 0; i < events.size(); ++i) {
        const bool keep = sampler.decide(events[i], position_of(i)).keep;
        kept += keep ? 1 : 0;
        if (events[i].category != 0) continue;
        ++count_heavy;
        kept_heavy += keep ? 1 : 0;
      }
      CHECK(kept / record_count == Approx(rate).epsilon(0.02));
      const auto z = [rate](double found, double count) {
        return (found / rate - count) / std::sqrt(count * (1 - rate) / rate);
      };
      totals.push_back(z(kept, record_count));
      heavy.push_back(z(kept_heavy, count_heavy));
    }
    for (const spread& each : {spread_of(totals), spread_of(heavy)}) {
      INFO("rate " << rate << ": mean " << each.mean << " sd " << each.deviation);
      CHECK(std::abs(each.mean) <= 0.5);
      CHECK(each.deviation >= 0.7);
      CHECK(each.deviation <= 1.3);
    }
  }
}

TEST_CASE("what a lower rate keeps, a higher one keeps too, and rate 1 keeps all",
          "[sampling][uniform]") {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < 10'000; ++i) {
    const auto keeps = [i](double rate) {
      return fr::uniform{.rate = rate, .seed = 3}.decide(0, position_of(i)).keep;
    };
    kept += keeps(0.1) ? 1U : 0U;
    CHECK((!keeps(0.1) || keeps(0.2)));
    CHECK(keeps(1));
  }
  CHECK(kept > 850);
  CHECK(kept < 1150);
}

TEST_CASE("consistent keeps all records of a key or none, wherever they come",
          "[sampling][consistent]") {
  const std::vector<event> events = zipf_keys();
  const auto sampler = fr::consistent(&event::category, {.rate = 0.2, .seed = 1});
  std::map<std::uint64_t, bool> kept_keys;
  std::mt19937_64 random(91);
  for (const event& each : events) {
    const bool keep = sampler.decide(each, {random(), 1, 2}).keep;
    const auto [known, fresh] = kept_keys.try_emplace(each.category, keep);
    REQUIRE(known->second == keep);
  }
  double kept = 0;
  for (const auto& [key, keep] : kept_keys) kept += keep ? 1 : 0;
  // Nearly 5,000 keys: a standard deviation of 28.
  CHECK(kept == Approx(0.2 * static_cast<double>(kept_keys.size())).margin(120));
}

TEST_CASE("consistent keeps the same keys of streams of different records",
          "[sampling][consistent]") {
  struct order {
    std::int32_t customer = 0;
  };
  const auto of_orders = fr::consistent(&order::customer, {.rate = 0.1, .seed = 8});
  const auto of_events = fr::consistent(&event::category, {.rate = 0.1, .seed = 8});
  const auto larger = fr::consistent(&event::category, {.rate = 0.3, .seed = 8});
  const auto other = fr::consistent(&event::category, {.rate = 0.1, .seed = 9});
  std::size_t both_seeds = 0;
  for (std::int32_t key = 0; key < 10'000; ++key) {
    const event same{static_cast<std::uint64_t>(key), {}};
    const bool keep = of_orders.decide(order{key}, {}).keep;
    REQUIRE(keep == of_events.decide(same, {}).keep);
    REQUIRE((!keep || larger.decide(same, {}).keep));
    both_seeds += keep && other.decide(same, {}).keep ? 1U : 0U;
  }
  CHECK(both_seeds > 60);  // 1 in 100, as independent samples have; standard deviation 10.
  CHECK(both_seeds < 140);
}

TEST_CASE("weighted counts of a consistent sample are without bias, with the variance of keys",
          "[sampling][consistent][statistics]") {
  const double rate = 0.2;
  std::map<std::uint64_t, double> records;
  for (const event& each : zipf_keys()) ++records[each.category];
  double variance = 0;
  for (const auto& [key, count] : records) variance += count * count * (1 - rate) / rate;
  // The largest keys make the estimates skew, so 400 seeds: |mean| 0.2 is 4 standard errors.
  std::vector<double> errors;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto sampler = fr::consistent(&event::category, {.rate = rate, .seed = seed});
    double error = -static_cast<double>(record_count);
    for (const auto& [key, count] : records) {
      const fr::sample_decision made = sampler.decide(event{key, {}}, {});
      error += made.keep ? count * made.weight() : 0;
    }
    errors.push_back(error / std::sqrt(variance));
  }
  const spread found = spread_of(errors);
  INFO("mean " << found.mean << " sd " << found.deviation);
  CHECK(std::abs(found.mean) <= 0.2);
  CHECK(found.deviation >= 0.85);
  CHECK(found.deviation <= 1.15);
}

TEST_CASE("the category of a consistent sample is its key, of a uniform one nothing",
          "[sampling][category]") {
  const event record{42, {}};
  CHECK(fr::consistent(&event::category, {.rate = 0.2}).category_of(record) == "42");
  const fr::sampled<event> row =
      fr::make_sampled(fr::uniform{.rate = 0.25}, record, {.probability = 0.25});
  CHECK(row.category == "");
  CHECK(row.weight == 4);
  CHECK(row.log_odds == 0);
}

TEST_CASE("samplers without memory describe themselves and say what is unusable", "[sampling]") {
  CHECK(fr::uniform{.rate = 0.25, .seed = 7}.describe() == "uniform rate 0.25 seed 7");
  CHECK(fr::consistent(&event::category, {.rate = 0.5}).describe() == "consistent rate 0.5 seed 0");
  CHECK(fr::uniform{.rate = 1}.check() == "");
  CHECK(fr::uniform{}.check() ==
        "rate 0 is not in (0, 1]; give .rate a share of the records such as 0.4");
  CHECK_THAT(fr::uniform{.rate = std::nan("")}.check(), Contains("rate nan is not in (0, 1]"));
  CHECK_THAT(fr::consistent(&event::category, {.rate = 1.5}).check(),
             Contains("rate 1.5 is not in (0, 1]"));
}
