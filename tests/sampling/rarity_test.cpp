// The rarity sampler's rule: probabilities against slow oracles, options, categories, log odds.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <map>
#include <numeric>

namespace fr = freshet;
using namespace sampling_streams;
using namespace std::chrono_literals;

// A sampler by member pointer takes records that have the member, and no others.
static_assert(fr::sampler_of<decltype(fr::rarity(&event::category, {.rate = 0.4})), event>);
static_assert(!fr::sampler_of<decltype(fr::rarity(&event::category, {.rate = 0.4})), int>);

namespace {

using terms = std::vector<fr::detail::rarity_term>;

double kept_of(const terms& all, double kappa, double floor) {
  double sum = 0;
  for (const auto& term : all) sum += term.load * std::clamp(kappa * term.shape, floor, 1.0);
  return sum;
}

/// Exact: between two neighbouring kinks the number kept is linear in kappa, so it interpolates.
double kappa_by_sorting(const terms& all, double floor, double target) {
  std::vector<double> kinks = {0, 1};
  for (const auto& term : all) {
    kinks.push_back(floor / term.shape);
    kinks.push_back(1 / term.shape);
  }
  std::sort(kinks.begin(), kinks.end());
  if (kept_of(all, 0, floor) >= target) return 0;
  for (std::size_t i = 1; i < kinks.size(); ++i) {
    const double left = kept_of(all, kinks[i - 1], floor);
    const double right = kept_of(all, kinks[i], floor);
    if (right < target) continue;
    return kinks[i - 1] + (kinks[i] - kinks[i - 1]) * (target - left) / (right - left);
  }
  return 1;
}

/// The epoch a stream is in, with given numbers of records in each category.
void feed(const auto& sampler, fr::rarity_state& state, std::int64_t epoch,
          const std::map<std::uint64_t, int>& records, std::uint64_t& sequence) {
  sampler.enter(state, epoch);
  for (const auto& [category, count] : records) {
    for (int i = 0; i < count; ++i) {
      sampler.decide(state, event{category, {}}, {.sequence = sequence++});
    }
  }
}

double probability_of(const auto& sampler, fr::rarity_state state, std::uint64_t category) {
  return sampler.decide(state, event{category, {}}, {}).probability;
}

double log_odds_of(const auto& sampler, fr::rarity_state state, std::uint64_t category) {
  return sampler.decide(state, event{category, {}}, {}).log_odds;
}

}  // namespace

TEST_CASE("bisection finds the kappa that sorting the kinks finds", "[sampling][rarity][oracle]") {
  std::mt19937_64 random(20);
  for (int round = 0; round < 2000; ++round) {
    terms all;
    const std::size_t count = 1 + random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back({uniform(random), std::exp(12 * uniform(random))});
    }
    const double floor = round % 3 == 0 ? 0.0 : 0.2 * uniform(random);
    const double target = uniform(random) * 0.5 * static_cast<double>(count);
    const double found = fr::detail::solve_kappa(all, floor, target);
    const double wanted = kappa_by_sorting(all, floor, target);
    INFO("round " << round << " target " << target);
    CHECK(kept_of(all, found, floor) == Approx(kept_of(all, wanted, floor)).epsilon(1e-9));
    if (wanted > 0 && wanted < 1) CHECK(found == Approx(wanted).epsilon(1e-9));
  }
}

TEST_CASE("frequencies equal the sum of all records, each halved every half-life",
          "[sampling][rarity][oracle]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.5, .half_life = 60s, .epoch = 7s});
  std::mt19937_64 random(21);
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  std::map<std::uint64_t, std::map<std::int64_t, int>> history;  // Category -> epoch -> records.
  std::int64_t epoch = -4;                                       // Before 1970 too.
  for (int step = 0; step < 60; ++step) {
    std::map<std::uint64_t, int> records;
    for (std::uint64_t category = 0; category < 5; ++category) {
      records[category] = 1 + static_cast<int>(random() % 30);
      history[category][epoch] = records[category];
    }
    feed(sampler, state, epoch, records, sequence);
    const std::int64_t last = epoch;
    epoch += random() % 5 == 0 ? 1 + static_cast<std::int64_t>(random() % 9) : 1;
    sampler.enter(state, epoch);
    REQUIRE(state.table.counted_until == last + 1);
    REQUIRE(state.table.categories.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      double wanted = 0;
      for (std::uint64_t category = 0; category < 5; ++category) {
        if (fr::stable_hash(category) != state.table.categories[i]) continue;
        for (const auto& [then, count] : history[category]) {
          wanted += count * std::exp2(-7.0 * static_cast<double>(last - then) / 60);
        }
      }
      CHECK(state.table.shares[i].frequency == Approx(wanted).epsilon(1e-9));
    }
  }
}

TEST_CASE(
    "in a steady stream the kept share of every category is its frequency to the power of "
    "one minus alpha, within floor and 1",
    "[sampling][rarity]") {
  for (const double alpha : {0.0, 0.5, 1.0, 2.0}) {
    const auto sampler =
        fr::rarity(&event::category, {.rate = 0.2, .alpha = alpha, .half_life = 20s, .epoch = 1s});
    const std::map<std::uint64_t, int> records = {{1, 1000}, {2, 200}, {3, 40}, {4, 8}};
    fr::rarity_state state = sampler.start();
    std::uint64_t sequence = 0;
    for (std::int64_t epoch = 0; epoch < 200; ++epoch) {
      feed(sampler, state, epoch, records, sequence);
    }
    sampler.enter(state, 200);
    double expected = 0;
    for (const auto& [category, count] : records) {
      const double wanted =
          std::clamp(state.table.kappa * std::pow(1000.0 / count, alpha), 0.02, 1.0);
      CHECK(probability_of(sampler, state, category) == Approx(wanted).epsilon(1e-6));
      expected += count * wanted;
    }
    CHECK(expected / 1248 == Approx(0.2).epsilon(0.05));  // Up to what is being paid back.
    sampler.enter(state, 203);  // Ratios of frequencies stay when all of them age.
    CHECK(probability_of(sampler, state, 2) ==
          Approx(std::clamp(state.table.kappa * std::pow(5.0, alpha), 0.02, 1.0)).epsilon(1e-6));
  }
}

TEST_CASE("a floor wins over the budget", "[sampling][rarity]") {
  // Eight categories of 200 take nearly the whole budget of 520 when rarity counts to the power 4.
  const auto sampler = fr::rarity(
      &event::category, {.rate = 0.2, .alpha = 4, .floor = 0.05, .half_life = 20s, .epoch = 1s});
  std::map<std::uint64_t, int> records = {{0, 1000}};
  for (std::uint64_t category = 1; category <= 8; ++category) records[category] = 200;
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) feed(sampler, state, epoch, records, sequence);
  CHECK(probability_of(sampler, state, 0) == 0.05);
  CHECK(probability_of(sampler, state, 1) > 0.2);
}

TEST_CASE("everything is kept with the rate until 64 records are known", "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.3, .half_life = 20s, .epoch = 1s});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  CHECK(probability_of(sampler, state, 1) == 0.3);
  feed(sampler, state, fr::epoch_before_all, {{1, 40}, {2, 2}}, sequence);
  sampler.enter(state, 0);
  CHECK(probability_of(sampler, state, 2) == 0.3);
  CHECK(log_odds_of(sampler, state, 2) == 0);
  feed(sampler, state, 0, {{1, 40}, {2, 2}}, sequence);
  sampler.enter(state, 1);
  CHECK(probability_of(sampler, state, 1) < 0.3);
  CHECK(probability_of(sampler, state, 2) == 1);
}

TEST_CASE("a budget per second starts with start_rate until a whole epoch was counted",
          "[sampling][rarity]") {
  const auto sampler = fr::rarity(
      &event::category, {.per_second = 50, .half_life = 20s, .epoch = 1s, .start_rate = 0.01});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  feed(sampler, state, fr::epoch_before_all, {{1, 500}}, sequence);
  CHECK(probability_of(sampler, state, 1) == 0.01);
  feed(sampler, state, 7, {{1, 100}}, sequence);  // The log begins inside this epoch.
  CHECK(probability_of(sampler, state, 1) == 0.01);
  feed(sampler, state, 8, {{1, 500}}, sequence);
  CHECK(probability_of(sampler, state, 1) == 0.01);
  sampler.enter(state, 9);
  CHECK(probability_of(sampler, state, 1) == Approx(50.0 / 500));
}

TEST_CASE("log odds of a binary category are the log ratio of the two probabilities",
          "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.1, .half_life = 20s, .epoch = 1s});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    feed(sampler, state, epoch, {{0, 990}, {1, 60}}, sequence);
  }
  const double p0 = probability_of(sampler, state, 0);
  const double p1 = probability_of(sampler, state, 1);
  REQUIRE(p1 > 5 * p0);
  CHECK(log_odds_of(sampler, state, 1) == Approx(std::log(p1 / p0)));
  CHECK(log_odds_of(sampler, state, 0) == Approx(std::log(p0 / p1)));
}

TEST_CASE("adding log odds to the logit undoes what sampling did to the odds of a category",
          "[sampling][rarity]") {
  // Of three categories: in the sample, the odds of one against the rest are off by that factor.
  const auto sampler = fr::rarity(&event::category, {.rate = 0.2, .half_life = 20s, .epoch = 1s});
  const std::map<std::uint64_t, int> records = {{0, 700}, {1, 250}, {2, 50}};
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 100; ++epoch) feed(sampler, state, epoch, records, sequence);
  for (const auto& [category, count] : records) {
    double kept_rest = 0;
    for (const auto& [other, other_count] : records) {
      if (other != category) kept_rest += other_count * probability_of(sampler, state, other);
    }
    const double odds = count / (1000.0 - count);
    const double odds_kept = count * probability_of(sampler, state, category) / kept_rest;
    CHECK(std::log(odds_kept) - log_odds_of(sampler, state, category) ==
          Approx(std::log(odds)).epsilon(1e-6));
  }
  // An unknown category is next to nothing of the stream: everything else is the rest.
  double kept = 0;
  for (const auto& [category, count] : records) {
    kept += count * probability_of(sampler, state, category);
  }
  CHECK(log_odds_of(sampler, state, 99) ==
        Approx(std::log(probability_of(sampler, state, 99) / (kept / 1000))).epsilon(1e-6));
}

TEST_CASE("categories of fewer than 3 records are kept like the rest of the pool",
          "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.1, .half_life = 60s, .epoch = 1s});
  std::map<std::uint64_t, int> records = {{0, 300}, {1, 2}, {2, 3}};
  for (std::uint64_t unique = 1000; unique < 1100; ++unique) records[unique] = 1;
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  feed(sampler, state, 0, records, sequence);
  sampler.enter(state, 1);
  CHECK(probability_of(sampler, state, 1) == probability_of(sampler, state, 999'999));
  CHECK(probability_of(sampler, state, 1) < 0.5);
  CHECK(probability_of(sampler, state, 2) == 1);
  sampler.enter(state, 3);  // By now 3 records have decayed below 3.
  CHECK(probability_of(sampler, state, 2) == probability_of(sampler, state, 999'999));
}

TEST_CASE("a rare category that repeats leaves the pool of unique keys", "[sampling][rarity]") {
  // 200 unique keys in each epoch for a table of 100, and eight categories with a record every
  // third epoch: 10 in a half-life for each, against some thousand unique ones.
  const auto sampler = fr::rarity(
      &event::category, {.rate = 0.1, .half_life = 30s, .epoch = 1s, .max_categories = 100});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  std::uint64_t unique = 1000;
  for (std::int64_t epoch = 0; epoch < 300; ++epoch) {
    std::map<std::uint64_t, int> records;
    for (int i = 0; i < 200; ++i) records[unique++] = 1;
    if (epoch % 3 == 0) {
      for (std::uint64_t rare = 0; rare < 8; ++rare) records[rare] = 1;
    }
    feed(sampler, state, epoch, records, sequence);
    CHECK(state.table.categories.size() <= 100);
  }
  for (std::uint64_t rare = 0; rare < 8; ++rare) CHECK(probability_of(sampler, state, rare) == 1);
  CHECK(probability_of(sampler, state, unique) < 0.15);
}

TEST_CASE("a unique key is not taken for a category because few of many records were picked",
          "[sampling][rarity]") {
  const auto sampler = fr::rarity(
      &event::category, {.rate = 0.1, .half_life = 30s, .epoch = 1s, .max_categories = 10});
  fr::rarity_state state = sampler.start();
  std::map<std::uint64_t, int> records = {{0, 2500}};
  for (std::uint64_t unique = 1000; unique < 8500; ++unique) records[unique] = 1;
  std::uint64_t sequence = 0;
  feed(sampler, state, 0, records, sequence);
  sampler.enter(state, 1);
  // 256 of 10,000 records were picked, so category 0 has 64 +- 7 of them: 2500 records +- 270.
  const std::uint64_t heavy = fr::stable_hash(std::uint64_t{0});
  double found = 0;
  double total = state.table.pool.frequency;
  for (std::size_t i = 0; i < state.table.categories.size(); ++i) {
    const double frequency = state.table.shares[i].frequency;
    total += frequency;
    if (state.table.categories[i] == heavy) found = frequency;
    if (state.table.categories[i] != heavy) CHECK(frequency == 1);
  }
  CHECK(found == Approx(2500).margin(4 * 270));
  CHECK(total == Approx(10'000));
}

TEST_CASE("a state stays within its bound however many categories come", "[sampling][rarity]") {
  const auto sampler = fr::rarity(
      &event::category, {.rate = 0.1, .half_life = 30s, .epoch = 1s, .max_categories = 100});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  std::mt19937_64 random(4);
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    std::map<std::uint64_t, int> records;
    for (int i = 0; i < 5000; ++i) ++records[random() % 20000];
    feed(sampler, state, epoch, records, sequence);
    CHECK(state.table.categories.size() <= 100);
    CHECK(state.counts.picks.size() <= 400);
  }
}

TEST_CASE("a long silence forgets everything and does no harm", "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.1, .half_life = 20s});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 50; ++epoch) {
    feed(sampler, state, epoch, {{1, 900}, {2, 100}}, sequence);
  }
  const std::int64_t later = std::numeric_limits<std::int64_t>::max() - 1;
  feed(sampler, state, later, {{3, 1}}, sequence);
  CHECK(sampler.valid(state));
  CHECK(probability_of(sampler, state, 2) == 0.1);
  sampler.enter(state, later + 1);
  CHECK(state.table.categories == std::vector<std::uint64_t>{fr::stable_hash(std::uint64_t{3})});
}

TEST_CASE(
    "the traffic to expect is the mean of whole epochs, each halved every epoch, with and "
    "without records",
    "[sampling][rarity][oracle]") {
  // So few records that all categories are kept alike: with the budget over the traffic.
  const auto sampler =
      fr::rarity(&event::category, {.per_second = 0.01, .half_life = 20s, .epoch = 1s});
  std::mt19937_64 random(22);
  for (int round = 0; round < 50; ++round) {
    fr::rarity_state state = sampler.start();
    std::uint64_t sequence = 0;
    std::map<std::int64_t, int> history;
    std::int64_t epoch = 100;  // The log begins inside this one, so it is not whole.
    for (int step = 0; step < 6; ++step) {
      history[epoch] = 1 + static_cast<int>(random() % 5);
      feed(sampler, state, epoch, {{1, history[epoch]}}, sequence);
      epoch += 1 + static_cast<std::int64_t>(random() % 4);
    }
    sampler.enter(state, epoch);
    double records = 0;
    double epochs = 0;
    for (std::int64_t then = 101; then < epoch; ++then) {
      const double weight = std::exp2(-static_cast<double>(epoch - then));
      epochs += weight;
      records += history.contains(then) ? weight * history[then] : 0.0;
    }
    CHECK(probability_of(sampler, state, 1) == Approx(0.01 * epochs / records).epsilon(1e-9));
  }
}

TEST_CASE("epochs of few records do not make probabilities jump", "[sampling][rarity]") {
  // 4 records in each epoch, every tenth of the rare kind: the last epochs alone say little about
  // the mix to come. Measured: a spread of 0.034 around 0.210; 0.071 without the long-term mix.
  const auto sampler = fr::rarity(&event::category, {.rate = 0.3, .half_life = 60s, .epoch = 1s});
  std::mt19937_64 random(23);
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  std::vector<double> probabilities;
  for (std::int64_t epoch = 0; epoch < 1000; ++epoch) {
    std::map<std::uint64_t, int> records;
    for (int i = 0; i < 4; ++i) ++records[random() % 10 == 0 ? 1 : 0];
    feed(sampler, state, epoch, records, sequence);
    if (epoch >= 100) probabilities.push_back(probability_of(sampler, state, 0));
  }
  const spread found = spread_of(probabilities);
  INFO("mean " << found.mean << " deviation " << found.deviation);
  CHECK(found.deviation < 0.05);
}

TEST_CASE("few records per half-life are all kept when the budget per second allows it",
          "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.per_second = 1, .half_life = 20s});
  fr::rarity_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 300; epoch += 10) {  // An epoch is a second.
    feed(sampler, state, epoch, {{1, 1}}, sequence);
  }
  CHECK(probability_of(sampler, state, 1) == 1);
}

TEST_CASE("rarity keeps the sampler contract", "[sampling][rarity][contract]") {
  const auto few = [](std::mt19937_64& random) { return event{zipf(20)(random), {}}; };
  const auto many = [](std::mt19937_64& random) { return event{random() % 600, {}}; };
  fr::check_sampler(fr::rarity(&event::category, {.rate = 0.4, .seed = 5}), few);
  fr::check_sampler(fr::rarity(&event::category, {.rate = 0.1, .alpha = 2, .max_categories = 30}),
                    many, {.records_per_epoch = 600});
  fr::check_sampler(fr::rarity(&event::category, {.per_second = 0.5, .half_life = 1h}), few);
  fr::check_sampler(fr::rarity(&event::category, {.per_second = 2, .floor = 0.05}), many);
}

TEST_CASE("a damaged state of a rarity sampler is not valid", "[sampling][rarity]") {
  const auto sampler = fr::rarity(&event::category, {.rate = 0.4, .half_life = 20s});
  fr::rarity_state good = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    feed(sampler, good, epoch, {{1, 90}, {2, 10}, {3, 50}}, sequence);
  }
  feed(sampler, good, 3, {{9, 5}}, sequence);
  REQUIRE(sampler.valid(good));
  const auto damaged = [&](auto&& damage) {
    fr::rarity_state state = good;
    damage(state);
    return !sampler.valid(state);
  };
  CHECK(damaged([](auto& state) { state.counts.seen.pop_back(); }));
  CHECK(damaged([](auto& state) { state.table.shares.pop_back(); }));
  CHECK(damaged(
      [](auto& state) { std::swap(state.table.categories[0], state.table.categories[1]); }));
  CHECK(damaged([](auto& state) { state.table.shares[0].probability = 0; }));
  CHECK(damaged([](auto& state) { state.table.pool.frequency = std::nan(""); }));
  CHECK(damaged([](auto& state) { state.counts.pooled = 0; }));
  CHECK(damaged(
      [](auto& state) { std::sort(state.counts.picks.begin(), state.counts.picks.end()); }));
}

TEST_CASE("rarity says which option is unusable and what to write", "[sampling][rarity]") {
  const auto complaint = [](const fr::rarity_options& options) {
    return fr::rarity(&event::category, options).check();
  };
  CHECK(complaint({.rate = 0.4}) == "");
  CHECK(complaint({.per_second = 100}) == "");
  CHECK(complaint({}) ==
        "neither .rate nor .per_second is given, but one must decide; give .rate a share of the "
        "records such as 0.4, or .per_second a number of records");
  CHECK(complaint({.rate = 0.4, .per_second = 1}) ==
        "both .rate and .per_second are given, but one decides; leave one of them out");
  CHECK(complaint({.rate = 1.5}) ==
        "rate 1.5 is not in (0, 1]; give .rate a share of the records such as 0.4");
  CHECK(complaint({.rate = std::nan("")}).starts_with("rate nan is not in (0, 1]"));
  CHECK(complaint({.per_second = 0}).starts_with("per_second 0 is not a positive number"));
  CHECK(complaint({.rate = 0.4, .alpha = -1}).starts_with("alpha -1 is not in [0, 4]"));
  CHECK(complaint({.rate = 0.4, .floor = 0.5}).starts_with("floor 0.5 is not in [0, 0.4]"));
  CHECK(complaint({.rate = 0.4, .half_life = 0s}).starts_with("half_life 0s is not positive"));
  CHECK(complaint({.rate = 0.4, .half_life = 1min, .epoch = 2min}) ==
        "epoch 2min is not in (0, 1min]; give .epoch a positive duration up to the half-life, or "
        "leave it out");
  CHECK(complaint({.rate = 0.4, .max_categories = 0}).starts_with("max_categories 0 is not in"));
  CHECK(complaint({.per_second = 1, .start_rate = 0}).starts_with("start_rate 0 is not in (0, 1]"));
}

TEST_CASE("the description of a rarity sampler names every parameter", "[sampling][rarity]") {
  CHECK(fr::rarity(&event::category, {.rate = 0.4}).describe() ==
        "rarity rate 0.4 alpha 1 half_life 10min epoch 30s max_categories 1000 seed 0");
  CHECK(fr::rarity(&event::category, {.per_second = 5, .floor = 0.1, .epoch = 1min}).describe() ==
        "rarity per_second 5 start_rate 0.1 alpha 1 floor 0.1 half_life 10min epoch 1min "
        "max_categories 1000 seed 0");
}
