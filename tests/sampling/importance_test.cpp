// The importance sampler: its rule against an oracle, what it promises about whole streams,
// options.
//
// Streams and seeds are fixed, so every run gives the same figures.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/sampling/importance.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>

namespace fr = freshet;
using namespace sampling_streams;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct scored {
  std::uint64_t category = 0;
  double score = 0;
  fr::timestamp entry_frontier;
};

auto sampler_of(fr::importance_options options) {
  return fr::importance(&scored::category, &scored::score, std::move(options));
}
static_assert(fr::sampler_of<decltype(sampler_of({})), scored>);
static_assert(!fr::sampler_of<decltype(sampler_of({})), event>);
static_assert(
    !fr::sampler_of<decltype(fr::importance(&scored::score, &scored::category, {})), event>);

/// Zipf categories, popularity reversed midway, and exponential scores with a mean of 1 / (1 + c).
const std::vector<scored>& stream() {
  static const std::vector<scored> made = [] {
    std::mt19937_64 random(60);
    std::vector<scored> all;
    for (const event& each : reversed_zipf(200'000, 100'000, 1000, 61)) {
      const double score =
          -std::log(1 - uniform(random)) / (1.0 + static_cast<double>(each.category));
      all.push_back({each.category, score, each.entry_frontier});
    }
    return all;
  }();
  return made;
}

template <class See>
void sample_stream(const auto& sampler, const std::vector<scored>& records, See see) {
  auto state = sampler.start();
  for (std::size_t i = 0; i < records.size(); ++i) {
    sampler.enter(state, sampler.epoch_of(records[i].entry_frontier));
    see(i, sampler.decide(state, records[i], position_of(i)), state);
  }
}

}  // namespace

TEST_CASE("importance keeps the sampler contract", "[sampling][importance][contract]") {
  const auto few = [](std::mt19937_64& random) {
    return scored{zipf(20)(random), -std::log(1 - uniform(random)), {}};
  };
  const auto many = [](std::mt19937_64& random) {
    const double score = random() % 9 == 0 ? std::nan("") : 1000 * uniform(random);
    return scored{random() % 600, score, {}};
  };
  fr::check_sampler(sampler_of({.rarity = {.rate = 0.4, .seed = 5}}), few);
  fr::check_sampler(sampler_of({.rarity = {.rate = 0.2, .max_categories = 30}, .lambda = 1}), many,
                    {.records_per_epoch = 600});
  fr::check_sampler(sampler_of({.rarity = {.per_second = 0.5, .half_life = 1h}}), few);
}

TEST_CASE("the mean score of a category is that of its records, each halved every half-life",
          "[sampling][importance][oracle]") {
  const auto sampler = sampler_of({.rarity = {.rate = 0.5, .half_life = 30s, .epoch = 7s}});
  std::mt19937_64 random(62);
  fr::importance_state state = sampler.start();
  std::map<std::uint64_t, std::vector<std::pair<std::int64_t, double>>> history;
  std::int64_t epoch = -3;
  std::int64_t last = 0;
  std::uint64_t sequence = 0;
  for (int step = 0; step < 50; ++step) {
    sampler.enter(state, epoch);
    for (int i = 0; i < 60; ++i) {
      const scored record{random() % 4, 5 * uniform(random), {}};
      history[record.category].push_back({epoch, record.score});
      sampler.decide(state, record, {.sequence = sequence++});
    }
    last = epoch;
    epoch += 1 + static_cast<std::int64_t>(random() % 3);
  }
  sampler.enter(state, epoch);
  std::array<double, 2> all{};
  std::map<std::uint64_t, std::array<double, 2>> wanted;  // By hash: scores, records.
  for (const auto& [category, records] : history) {
    for (const auto& [then, score] : records) {
      const double weight = std::exp2(-7.0 * static_cast<double>(last - then) / 30);
      std::array<double, 2>& sums = wanted[fr::stable_hash(category)];
      for (std::array<double, 2>* each : {&sums, &all}) {
        (*each)[0] += weight * score;
        (*each)[1] += weight;
      }
    }
  }
  // All categories are pooled in the first epoch: what they scored then stays in the pool.
  double scores = state.pool.scores;
  double records = state.pool.records;
  REQUIRE(state.table.categories.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& sums = wanted[state.table.categories[i]];
    scores += state.scores[i].scores;
    records += state.scores[i].records;
    CHECK(state.scores[i].scores / state.scores[i].records ==
          Approx(sums[0] / sums[1]).epsilon(1e-4));
  }
  CHECK(scores == Approx(all[0]).epsilon(1e-9));
  CHECK(records == Approx(all[1]).epsilon(1e-9));
  CHECK(state.mean == Approx(all[0] / all[1]).epsilon(1e-9));
}

TEST_CASE("a score of the mean keeps the category's probability, and others are clipped",
          "[sampling][importance]") {
  const fr::rarity_options rarity{.rate = 0.1, .half_life = 20s, .epoch = 1s};
  const auto sampler = sampler_of({.rarity = rarity, .lambda = 0.7});
  fr::importance_state state = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 200; ++epoch) {
    sampler.enter(state, epoch);
    for (int i = 0; i < 200; ++i) {
      const double score = i % 2 == 0 ? 1 : 3;
      sampler.decide(state, scored{i < 180 ? 0U : 1U, score, {}}, {.sequence = sequence++});
    }
  }
  sampler.enter(state, 200);
  const auto probability = [&](std::uint64_t category, double score) {
    fr::importance_state copy = state;
    return sampler.decide(copy, scored{category, score, {}}, {}).probability;
  };
  for (const std::uint64_t category : {0U, 1U}) {
    const double p = probability(category, 2);
    CHECK(p ==
          Approx(state.table.shares[fr::detail::rarity_row(state.table, fr::stable_hash(category))]
                     .probability));
    CHECK(probability(category, 0) == Approx(0.3 * p).epsilon(1e-3));
    CHECK(probability(category, 4) == Approx(std::min(1.0, 1.7 * p)).epsilon(1e-3));
    CHECK(probability(category, 1e300) == Approx(std::min(1.0, 5 * p)));
    CHECK(probability(category, std::numeric_limits<double>::infinity()) ==
          Approx(std::min(1.0, 5 * p)));
    CHECK(probability(category, std::nan("")) == Approx(p));
    CHECK(probability(category, -1) == Approx(p));
  }
}

TEST_CASE("lambda 0, and scores of 0 alone, keep what rarity keeps", "[sampling][importance]") {
  const fr::rarity_options rarity{.rate = 0.2, .half_life = 20s, .seed = 3};
  const auto plain = fr::rarity(&scored::category, rarity);
  const auto ignoring = sampler_of({.rarity = rarity, .lambda = 0});
  const auto without =
      fr::importance(&scored::category, [](const scored&) { return 0; }, {.rarity = rarity});
  auto plain_state = plain.start();
  auto ignoring_state = ignoring.start();
  auto without_state = without.start();
  for (std::size_t i = 0; i < 50'000; ++i) {
    const scored& record = stream()[i];
    const auto decide = [&](const auto& sampler, auto& state) {
      sampler.enter(state, sampler.epoch_of(record.entry_frontier));
      return sampler.decide(state, record, position_of(i));
    };
    const fr::sample_decision wanted = decide(plain, plain_state);
    for (const fr::sample_decision& found :
         {decide(ignoring, ignoring_state), decide(without, without_state)}) {
      REQUIRE(found.keep == wanted.keep);
      REQUIRE(found.probability == wanted.probability);
      REQUIRE(found.log_odds == wanted.log_odds);
    }
  }
}

TEST_CASE("weighted counts and sums of scores are without bias, and the rate is within 2 %",
          "[sampling][importance][statistics]") {
  // |mean| <= 0.5 and 0.7 <= sd <= 1.3 over 40 seeds: for a correct sampler a chance of 1 in 100 of
  // failing, were the seeds drawn afresh; twice.
  std::vector<double> counts;
  std::vector<double> sums;
  double smallest = 1;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto sampler = sampler_of({.rarity = {.rate = 0.1, .half_life = 20s, .seed = seed}});
    std::array<double, 2> error{};
    std::array<double, 2> variance{};
    double kept = 0;
    sample_stream(sampler, stream(), [&](std::size_t i, const auto& made, const auto&) {
      const std::array<double, 2> values = {1, stream()[i].score};
      for (std::size_t v = 0; v < 2; ++v) {
        error[v] += values[v] * ((made.keep ? made.weight() : 0.0) - 1);
        variance[v] += values[v] * values[v] * (1 - made.probability) / made.probability;
      }
      kept += made.keep ? 1 : 0;
      smallest = std::min(smallest, made.probability);
    });
    counts.push_back(error[0] / std::sqrt(variance[0]));
    sums.push_back(error[1] / std::sqrt(variance[1]));
    CHECK(kept / static_cast<double>(stream().size()) == Approx(0.1).epsilon(0.02));
  }
  for (const spread& each : {spread_of(counts), spread_of(sums)}) {
    INFO("mean " << each.mean << " sd " << each.deviation);
    CHECK(std::abs(each.mean) <= 0.5);
    CHECK(each.deviation >= 0.7);
    CHECK(each.deviation <= 1.3);
  }
  CHECK(smallest >= 0.1 * 0.01);
}

TEST_CASE("the records kept have higher scores than rarity alone would keep",
          "[sampling][importance][statistics]") {
  const fr::rarity_options rarity{.rate = 0.1, .half_life = 20s};
  const auto mean_score = [](const auto& sampler) {
    double scores = 0;
    double kept = 0;
    sample_stream(sampler, stream(), [&](std::size_t i, const auto& made, const auto&) {
      if (!made.keep) return;
      scores += stream()[i].score * (1.0 + static_cast<double>(stream()[i].category));
      ++kept;
    });
    return scores / kept;  // In means of the categories.
  };
  // Exponential scores: E[s (0.3 + 0.7 s)] = 1.7 where nothing is clipped.
  CHECK(mean_score(fr::rarity(&scored::category, rarity)) == Approx(1).epsilon(0.05));
  CHECK(mean_score(sampler_of({.rarity = rarity})) == Approx(1.65).epsilon(0.1));
}

TEST_CASE("sums of scores are exact in any order", "[sampling][importance]") {
  std::mt19937_64 random(63);
  std::vector<double> scores;
  for (int i = 0; i < 1000; ++i) {
    scores.push_back(std::ldexp(uniform(random), static_cast<int>(random() % 50) - 17));
  }
  fr::score_sum forward;
  for (const double score : scores) forward.add(score);
  std::array<fr::score_sum, 3> parts;
  std::shuffle(scores.begin(), scores.end(), random);
  double plain = 0;
  for (const double score : scores) {
    parts[random() % 3].add(score);
    plain += score;
  }
  parts[1].add(parts[2]);
  parts[1].add(parts[0]);
  CHECK(fr::to_bytes(parts[1]) == fr::to_bytes(forward));
  CHECK(forward.value() == Approx(plain).epsilon(1e-12));
  CHECK(forward.records == 1000);
}

TEST_CASE("a damaged state of an importance sampler is not valid", "[sampling][importance]") {
  const auto sampler = sampler_of({.rarity = {.rate = 0.4, .half_life = 20s, .epoch = 1s}});
  fr::importance_state good = sampler.start();
  std::uint64_t sequence = 0;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    sampler.enter(good, epoch);
    for (std::uint64_t i = 0; i < 100; ++i) {
      sampler.decide(good, scored{i % 3, 2, {}}, {.sequence = sequence++});
    }
  }
  REQUIRE(sampler.valid(good));
  const auto damaged = [&](auto&& damage) {
    fr::importance_state state = good;
    damage(state);
    return !sampler.valid(state);
  };
  CHECK(damaged([](auto& state) { state.scores.pop_back(); }));
  CHECK(damaged([](auto& state) { state.counts.scores.pop_back(); }));
  CHECK(damaged([](auto& state) { state.scores[0].records = -1; }));
  CHECK(damaged([](auto& state) { state.pool.scores = std::nan(""); }));
  CHECK(damaged([](auto& state) { state.mean = -1; }));
  CHECK(damaged([](auto& state) { state.table.shares.pop_back(); }));
}

TEST_CASE("importance describes itself and says what is unusable", "[sampling][importance]") {
  CHECK(sampler_of({.rarity = {.rate = 0.4}}).describe() ==
        "importance lambda 0.7 over rarity rate 0.4 alpha 1 half_life 10min epoch 30s "
        "max_categories 1000 seed 0");
  CHECK(sampler_of({.rarity = {.rate = 0.4}}).check() == "");
  CHECK(sampler_of({.rarity = {.rate = 0.4}, .lambda = 1.5}).check() ==
        "lambda 1.5 is not in [0, 1]; give .lambda 0 to ignore the score, 1 to go by it alone");
  CHECK_THAT(sampler_of({.rarity = {.rate = 0.4}, .lambda = std::nan("")}).check(),
             Contains("lambda nan is not in"));
  CHECK_THAT(sampler_of({}).check(), Contains("neither .rate nor .per_second is given"));
}
