// Rarity with losses: the shares it gives against an oracle, its two ways to hear of losses, and
// the feedback handle.
//
// Streams and seeds are fixed, so every run gives the same figures.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/sampling/loss.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <thread>

namespace fr = freshet;
using namespace sampling_streams;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct lossy {
  std::uint64_t category = 0;
  std::optional<double> loss;
};

auto recorded(fr::rarity_options options, fr::loss_options how = {}) {
  return fr::rarity(&lossy::category, std::move(options)).with_loss(&lossy::loss, how);
}
static_assert(fr::sampler_of<decltype(recorded({})), lossy>);
static_assert(!fr::sampler_of<decltype(recorded({})), event>);

/// The share of `category` in the probabilities of the current epoch.
fr::rarity_share share_of(const fr::loss_state& state, std::uint64_t category) {
  const std::size_t row = fr::detail::rarity_row(state.known.table, fr::stable_hash(category));
  REQUIRE(row < state.known.table.shares.size());
  return state.known.table.shares[row];
}

/// Two categories in turn for `epochs` epochs of 1 s, with these losses.
template <class Sampler, class Feed>
fr::loss_state after(const Sampler& sampler, std::int64_t epochs, Feed feed,
                     std::optional<double> loss_0, std::optional<double> loss_1) {
  fr::loss_state state = sampler.start();
  std::size_t record = 0;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    sampler.enter(state, epoch);
    for (std::uint64_t i = 0; i < 1000; ++i, ++record) {
      const lossy row{i % 2, i % 2 == 0 ? loss_0 : loss_1};
      if (sampler.decide(state, row, position_of(record)).keep) feed(row);
    }
  }
  sampler.enter(state, epochs);
  return state;
}

const auto deaf = [](const lossy&) {};

}  // namespace

TEST_CASE("rarity with recorded losses keeps the sampler contract", "[sampling][loss][contract]") {
  const auto few = [](std::mt19937_64& random) {
    const std::uint64_t category = zipf(20)(random);
    return lossy{category, uniform(random) * static_cast<double>(1 + category)};
  };
  const auto many = [](std::mt19937_64& random) {
    const std::uint64_t kind = random() % 5;
    return lossy{random() % 600, kind == 0   ? std::optional<double>{}
                                 : kind == 1 ? std::nan("")
                                             : 1000 * uniform(random)};
  };
  fr::check_sampler(recorded({.rate = 0.4, .seed = 5}), few, {.cases = 10});
  fr::check_sampler(recorded({.rate = 0.2, .max_categories = 30}, {.gamma = 2, .clip = 50}), many,
                    {.cases = 10, .records_per_epoch = 600});
  const fr::sampler_feedback losses;
  fr::check_sampler(fr::rarity(&lossy::category, {.rate = 0.4}).with_loss(losses), few,
                    {.cases = 10});
}

TEST_CASE("shares are proportional to (loss / mean)^gamma within the clip, and the budget is kept",
          "[sampling][loss][oracle]") {
  // Equal frequencies, losses l and 1: the factors are those of the formula, the probabilities in
  // the ratio of the factors, and their mean is the rate.
  for (const double l : {1.0, 2.0, 3.0, 30.0, 0.0}) {
    for (const double gamma : {0.0, 0.5, 1.0, 2.0}) {
      const double clip = 4;
      const auto sampler =
          recorded({.rate = 0.1, .floor = 0.0, .half_life = 20s, .epoch = 1s, .seed = 3},
                   {.gamma = gamma, .clip = clip});
      const fr::loss_state state = after(sampler, 200, deaf, l, 1.0);
      const auto factor = [&](double loss) {
        return std::clamp(std::pow(loss / ((l + 1) / 2), gamma), 1 / clip, clip);
      };
      const double p0 = share_of(state, 0).probability;
      const double p1 = share_of(state, 1).probability;
      INFO("loss " << l << " gamma " << gamma << ": " << p0 << " and " << p1);
      CHECK(p0 / p1 == Approx(factor(l) / factor(1)).epsilon(0.01));
      CHECK((p0 + p1) / 2 == Approx(0.1).epsilon(0.03));
      CHECK(share_of(state, 0).log_odds == Approx(std::log(p0 / p1)).margin(1e-6));
    }
  }
}

TEST_CASE("live losses give the shares that the same losses give when they are recorded",
          "[sampling][loss]") {
  const fr::rarity_options options{.rate = 0.2, .half_life = 20s, .epoch = 1s, .seed = 4};
  const fr::sampler_feedback losses;
  const auto live = fr::rarity(&lossy::category, options).with_loss(losses);
  const auto feed = [&losses](const lossy& row) {
    REQUIRE(losses.loss(row.category, row.category == 0 ? 3.0 : 1.0));
  };
  const fr::loss_state fed = after(live, 100, feed, std::nullopt, std::nullopt);
  const fr::loss_state read = after(recorded(options), 100, deaf, 3.0, 1.0);
  for (const std::uint64_t category : {0U, 1U}) {
    // Live losses come from kept records, so that their mean is over another mix: the factors
    // differ, and their ratio does not.
    CHECK(share_of(fed, 0).probability / share_of(fed, 1).probability ==
          Approx(share_of(read, 0).probability / share_of(read, 1).probability).epsilon(0.02));
    CHECK(share_of(fed, category).probability ==
          Approx(share_of(read, category).probability).epsilon(0.05));
  }
  CHECK(losses.dropped() == 0);
}

TEST_CASE("losses that are fed during an epoch change nothing before the epoch after the next",
          "[sampling][loss]") {
  const fr::sampler_feedback losses;
  const auto sampler =
      fr::rarity(&lossy::category, {.rate = 0.2, .half_life = 20s, .epoch = 1s}).with_loss(losses);
  fr::loss_state state = after(sampler, 10, deaf, std::nullopt, std::nullopt);
  const double before = share_of(state, 0).probability;
  CHECK(sampler.decide(state, lossy{0, {}}, {1, 0, 0}).probability == before);
  for (int i = 0; i < 100; ++i) losses.loss(std::uint64_t{0}, 5.0);
  for (int i = 0; i < 100; ++i) losses.loss(std::uint64_t{1}, 1.0);
  CHECK(sampler.decide(state, lossy{0, {}}, {2, 0, 0}).probability == before);
  sampler.enter(state, 11);
  CHECK(state.known.mean == 0);
  sampler.decide(state, lossy{0, {}}, {3, 0, 0});  // Takes them.
  CHECK(losses.take().empty());
  sampler.enter(state, 12);
  CHECK(state.known.mean == Approx(3));
  CHECK(share_of(state, 0).probability > 2 * share_of(state, 1).probability);
}

TEST_CASE("a restored state goes on with the losses that were heard", "[sampling][loss]") {
  const auto sampler = recorded({.rate = 0.1, .half_life = 20s, .epoch = 1s});
  const fr::loss_state state = after(sampler, 30, deaf, 9.0, 1.0);
  const auto restored = fr::from_bytes<fr::loss_state>(fr::to_bytes(state));
  REQUIRE(restored.ok());
  CHECK(sampler.valid(*restored));
  CHECK(share_of(*restored, 0).probability == share_of(state, 0).probability);
  fr::loss_state damaged = *restored;
  damaged.known.scores.pop_back();
  CHECK_FALSE(sampler.valid(damaged));
  damaged = *restored;
  damaged.known.mean = std::nan("");
  CHECK_FALSE(sampler.valid(damaged));
}

TEST_CASE("feedback is exact, bounded, and counts what it drops", "[sampling][feedback]") {
  const fr::sampler_feedback losses(2);
  const fr::sampler_feedback copy = losses;
  CHECK(losses.loss(std::string("a"), 0.25));
  CHECK(copy.loss(std::string("b"), 1e300));  // Counts as 2^32.
  CHECK(losses.loss(std::string("a"), 0.5));
  CHECK_FALSE(losses.loss(std::string("c"), 1.0));
  for (const double bad : {-1.0, std::nan(""), -std::numeric_limits<double>::infinity()}) {
    CHECK_FALSE(losses.loss(std::string("a"), bad));
  }
  CHECK(losses.dropped() == 4);
  std::map<std::uint64_t, fr::score_sum> taken;
  for (const fr::category_loss& each : copy.take()) taken[each.category] = each.losses;
  REQUIRE(taken.size() == 2);
  CHECK(taken[fr::stable_hash(std::string("a"))].value() == 0.75);
  CHECK(taken[fr::stable_hash(std::string("a"))].records == 2);
  CHECK(taken[fr::stable_hash(std::string("b"))].value() == 0x1p32);
  CHECK(losses.take().empty());
  CHECK(losses.loss(std::string("c"), 1.0));
  CHECK_THROWS_WITH(fr::sampler_feedback(0), Contains("categories_max is 0"));
}

TEST_CASE("threads that feed at once lose nothing that was accepted", "[sampling][feedback]") {
  const fr::sampler_feedback losses(8);
  fr::score_sum heard;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([losses, thread] {
        for (std::uint64_t i = 0; i < 5000; ++i) losses.loss((thread + i) % 8, 1.0);
      });
    }
    for (int i = 0; i < 50; ++i) {
      for (const auto& each : losses.take()) heard.add(each.losses);
    }
  }
  for (const auto& each : losses.take()) heard.add(each.losses);
  CHECK(heard.records == 20'000);
  CHECK(heard.value() == 20'000);
}

TEST_CASE("unusable loss options are refused with what to do", "[sampling][loss]") {
  CHECK(recorded({.rate = 0.1}).check().empty());
  CHECK_THAT(recorded({.rate = 0.1}, {.gamma = std::nan("")}).check(), Contains("give .gamma"));
  CHECK_THAT(recorded({.rate = 0.1}, {.gamma = 5}).check(), Contains("give .gamma"));
  CHECK_THAT(recorded({.rate = 0.1}, {.clip = 0.5}).check(), Contains("give .clip"));
  CHECK_THAT(recorded({}).check(), Contains("neither .rate nor .per_second"));
  CHECK(recorded({.rate = 0.1}).describe() != recorded({.rate = 0.1}, {.gamma = 2}).describe());
}
