// The ranking samplers: what is kept against slow oracles, order, division, options.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/sampling/priority.hpp>
#include <freshet/sampling/reservoir.hpp>
#include <freshet/sampling/stratified.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <limits>
#include <map>

namespace fr = freshet;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct payment {
  std::uint64_t card = 0;
  double amount = 0;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount))

static_assert(fr::ranking_sampler_of<fr::reservoir, payment>);
static_assert(!fr::sampler_of<fr::reservoir, payment>);
static_assert(!fr::memoryless_sampler_of<fr::reservoir, payment>);
static_assert(fr::ranking_sampler_of<decltype(fr::stratified(&payment::card, {})), payment>);
static_assert(!fr::ranking_sampler_of<decltype(fr::stratified(&payment::card, {})), int>);
static_assert(!fr::ranking_sampler_of<decltype(fr::priority(&payment::amount, {})), int>);

payment random_payment(std::mt19937_64& random) {
  return {random() % 12, std::exp(6 * fr::unit_interval(random()))};
}

fr::position place_of(std::size_t i) {
  return {.sequence = i, .split = static_cast<std::uint32_t>(i % 3)};
}

struct kept_row {
  payment value;
  std::uint64_t sequence = 0;
  fr::sample_decision decision;
};

/// One epoch of `records`, by one worker.
template <class Sampler>
std::vector<kept_row> sample_of(const Sampler& sampler, const std::vector<payment>& records) {
  fr::detail::ranked_epoch<payment> epoch;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const fr::sample_rank ranked = sampler.rank(records[i], place_of(i), {});
    const auto make = [&]() -> fr::detail::ranked_record<payment> {
      const fr::position where = place_of(i);
      return {ranked.rank, where.sequence, where.split, 0, {}, std::nullopt, records[i]};
    };
    epoch.add(sampler.capacity(), ranked, make);
  }
  std::vector<kept_row> rows;
  epoch.for_each([&](const auto& record, const fr::ranked_total& total) {
    rows.push_back({record.value, record.sequence, sampler.decide(record.value, {}, total)});
  });
  return rows;
}

/// The same by sorting everything: sequence -> probability. Strata beyond `strata_max` are pooled.
template <class Sampler>
std::map<std::uint64_t, double> sample_by_sorting(const Sampler& sampler,
                                                  const std::vector<payment>& records) {
  using rank_and_index = std::pair<double, std::size_t>;
  std::map<std::uint64_t, std::vector<rank_and_index>> strata;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const fr::sample_rank ranked = sampler.rank(records[i], place_of(i), {});
    strata[ranked.stratum].push_back({ranked.rank, i});
  }
  std::vector<std::vector<rank_and_index>> groups(1);  // The first is the pool.
  for (auto& [hash, members] : strata) {
    if (groups.size() <= sampler.capacity().strata_max) {
      groups.push_back(members);
    } else {
      groups[0].insert(groups[0].end(), members.begin(), members.end());
    }
  }
  std::map<std::uint64_t, double> kept;
  for (auto& members : groups) {
    std::sort(members.begin(), members.end());
    const std::size_t size = std::min(members.size(), sampler.capacity().per_stratum);
    fr::ranked_total total{.seen = members.size(), .kept = size, .others_seen = 0};
    if (size < members.size()) total.threshold = members[size].first;
    for (std::size_t i = 0; i < size; ++i) {
      kept[members[i].second] = sampler.decide(records[members[i].second], {}, total).probability;
    }
  }
  return kept;
}

template <class Sampler>
void check_against_sorting(const Sampler& sampler, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<payment> records(random() % 200);
    for (payment& each : records) each = random_payment(random);
    std::map<std::uint64_t, double> found;
    for (const kept_row& row : sample_of(sampler, records)) {
      found[row.sequence] = row.decision.probability;
    }
    INFO("seed " << seed << " round " << round);
    REQUIRE(found == sample_by_sorting(sampler, records));
  }
}

/// What can be wrong with a ranking sampler.
enum class mistake { none, biased, generator, zero };

template <mistake Mistake>
struct odd {
  std::uint64_t* draws = nullptr;
  fr::sample_rank rank(const payment&, const fr::position& where, fr::timestamp) const {
    return {.rank = Mistake == mistake::generator ? fr::unit_interval(fr::mix_bits(++*draws))
                                                  : fr::detail::random_rank(3, where)};
  }
  fr::sample_decision decide(const payment&, fr::timestamp, const fr::ranked_total& total) const {
    const auto kept = static_cast<double>(total.kept);
    const auto seen = static_cast<double>(total.seen + (Mistake == mistake::biased ? 1 : 0));
    return {.probability = Mistake == mistake::zero   ? 0
                           : total.seen == total.kept ? 1
                                                      : kept / seen};
  }
  fr::ranking_capacity capacity() const { return {.per_stratum = 5}; }
  fr::duration epoch_length() const { return 1s; }
  std::string category_of(const payment&) const { return {}; }
  std::string describe() const { return "odd"; }
  std::string check() const { return {}; }
};

template <mistake Mistake>
std::string found() {
  std::uint64_t draws = 0;
  try {
    fr::check_sampler(odd<Mistake>{&draws}, random_payment);
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
  return {};
}

}  // namespace

TEST_CASE("ranking samplers keep the sampler contract", "[sampling][ranking][contract]") {
  fr::check_sampler(fr::reservoir{.k = 7, .epoch = 1s}, random_payment);
  fr::check_sampler(fr::stratified(&payment::card, {.per_category = 3, .epoch = 1s}),
                    random_payment);
  fr::check_sampler(
      fr::stratified(&payment::card, {.per_category = 3, .epoch = 1s, .max_categories = 4}),
      random_payment);
  fr::check_sampler(fr::priority(&payment::amount, {.k = 8, .epoch = 1s}), random_payment);
}

TEST_CASE("the contract finds wrong ranking samplers", "[sampling][ranking][contract]") {
  CHECK(found<mistake::none>() == "");
  CHECK_THAT(found<mistake::biased>(), Contains("kept records do not add up"));
  CHECK_THAT(found<mistake::generator>(), Contains("is ranked differently"));
  CHECK_THAT(found<mistake::zero>(), Contains("is not in (0, 1]"));
}

TEST_CASE("ranking samplers keep what sorting all records keeps", "[sampling][ranking][oracle]") {
  check_against_sorting(fr::reservoir{.k = 1, .epoch = 1s}, 30);
  check_against_sorting(fr::reservoir{.k = 20, .epoch = 1s}, 31);
  for (const std::uint32_t categories : {1U, 5U, 11U, 100U}) {
    check_against_sorting(
        fr::stratified(&payment::card,
                       {.per_category = 4, .epoch = 1s, .max_categories = categories}),
        32 + categories);
  }
  check_against_sorting(fr::priority(&payment::amount, {.k = 15, .epoch = 1s}), 33);
}

TEST_CASE("a damaged sample is not valid", "[sampling][ranking]") {
  fr::detail::ranked_epoch<payment> good;
  const fr::reservoir sampler{.k = 5, .epoch = 1s};
  for (std::size_t i = 0; i < 40; ++i) {
    const fr::sample_rank ranked = sampler.rank(payment{}, place_of(i), {});
    good.add(sampler.capacity(), ranked, [&]() -> fr::detail::ranked_record<payment> {
      return {ranked.rank, i, 0, 0, {}, std::nullopt, {}};
    });
  }
  REQUIRE(good.valid(sampler.capacity()));
  CHECK_FALSE(good.valid({.per_stratum = 4}));
  const auto damaged = [&](auto&& damage) {
    auto epoch = good;
    damage(epoch.strata.begin()->second);
    return !epoch.valid(sampler.capacity());
  };
  CHECK(damaged([](auto& stratum) { stratum.seen = 4; }));
  CHECK(damaged([](auto& stratum) { stratum.kept.clear(); }));
  CHECK(damaged([](auto& stratum) { stratum.threshold = 0; }));
  CHECK(damaged([](auto& stratum) { stratum.threshold = std::nan(""); }));
  CHECK(damaged([](auto& stratum) { std::swap(stratum.kept.front(), stratum.kept.back()); }));
}

TEST_CASE("log odds of a stratified sample compare a category with all other records",
          "[sampling][stratified]") {
  std::vector<payment> records(100, payment{1, 0});
  for (int i = 0; i < 20; ++i) records.push_back({2, 0});
  for (int i = 0; i < 3; ++i) records.push_back({3, 0});
  const auto sampler = fr::stratified(&payment::card, {.per_category = 5, .epoch = 1s});
  for (const kept_row& row : sample_of(sampler, records)) {
    const double wanted = row.value.card == 1   ? std::log(0.05 / (8.0 / 23))
                          : row.value.card == 2 ? std::log(0.25 / (8.0 / 103))
                                                : std::log(1.0 / (10.0 / 120));
    CHECK(row.decision.log_odds == Approx(wanted));
  }
  records.assign(50, payment{1, 0});
  for (const kept_row& row : sample_of(sampler, records)) CHECK(row.decision.log_odds == 0);
}

TEST_CASE("ranking samplers describe themselves and say what is unusable", "[sampling][ranking]") {
  CHECK(fr::reservoir{.k = 5, .epoch = 1min}.describe() == "reservoir k 5 epoch 1min seed 0");
  CHECK(fr::priority(&payment::amount, {.k = 5, .epoch = 1min, .seed = 2}).describe() ==
        "priority k 5 epoch 1min seed 2");
  CHECK(fr::stratified(&payment::card, {.per_category = 5, .epoch = 1min}).describe() ==
        "stratified per_category 5 epoch 1min max_categories 1000 seed 0");
  CHECK(fr::reservoir{.k = 1, .epoch = 1us}.check() == "");
  CHECK(fr::reservoir{.epoch = 1s}.check() ==
        "k 0 is not in [1, 1000000]; give .k how many records to keep");
  CHECK(fr::reservoir{.k = 5}.check() ==
        "epoch 0s is not positive; give .epoch how long to sample before rows come");
  CHECK_THAT(fr::priority(&payment::amount, {.k = 2'000'000, .epoch = 1s}).check(),
             Contains("k 2000000 is not in"));
  const auto of_cards = [](fr::stratified_options options) {
    return fr::stratified(&payment::card, options).check();
  };
  CHECK_THAT(of_cards({.epoch = 1s}), Contains("per_category 0 is not in"));
  CHECK(of_cards({.per_category = 10'000, .epoch = 1s}) == "");
  CHECK(of_cards({.per_category = 10'001, .epoch = 1s}) ==
        "max_categories 1000 is not in [1, 999]; give .max_categories how many categories have a "
        "reservoir of their own");
  CHECK_THAT(of_cards({.per_category = 1, .epoch = 1s, .max_categories = 0}),
             Contains("max_categories 0 is not in"));
}

TEST_CASE("the beginning of an epoch is the end of the one before", "[sampling][epoch]") {
  std::mt19937_64 random(35);
  for (int round = 0; round < 10'000; ++round) {
    const fr::duration length{static_cast<std::int64_t>(1 + (random() >> (2 + random() % 61)))};
    const fr::timestamp frontier{fr::duration{static_cast<std::int64_t>(random())}};
    const fr::timestamp begin = fr::epoch_begin(fr::epoch_number(frontier, length), length);
    REQUIRE(begin <= frontier);
    if (begin == fr::timestamp_min) continue;
    REQUIRE(fr::epoch_number(begin, length) == fr::epoch_number(frontier, length));
    REQUIRE(fr::epoch_number(begin - fr::duration{1}, length) < fr::epoch_number(frontier, length));
  }
  CHECK(fr::epoch_begin(fr::epoch_before_all, 1s) == fr::timestamp_min);
}
