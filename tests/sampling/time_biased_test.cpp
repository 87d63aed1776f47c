// The time-biased sampler: what it keeps against sorting, sums without bias, the bias by age.
//
// Streams and seeds are fixed, so every run gives the same figures. A stated chance of a false
// alarm is that of a correct sampler failing if the seeds were drawn afresh.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/sampling/time_biased.hpp>
#include <freshet/testing/sampler_contract.hpp>

#include <algorithm>
#include <map>

namespace fr = freshet;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using sampling_streams::spread;
using sampling_streams::spread_of;

namespace {

struct reading {
  double value = 0;
};
BOOST_DESCRIBE_STRUCT(reading, (), (value))

fr::timestamp second(double at) {
  return fr::timestamp{fr::duration{static_cast<std::int64_t>(at * 1e6)}};
}

using sample = fr::detail::ranked_epoch<reading>;

void add(sample& to, const fr::time_biased& sampler, std::uint64_t i, fr::timestamp at) {
  const fr::sample_rank ranked = sampler.rank(reading{}, {.sequence = i}, at);
  to.add(sampler.capacity(), ranked, [&]() -> fr::detail::ranked_record<reading> {
    return {ranked.rank, i, 0, 0, at, std::nullopt, {}};
  });
}

/// The probability of each record that is kept, by its number.
std::map<std::uint64_t, double> rows_of(sample& of, const fr::time_biased& sampler) {
  std::map<std::uint64_t, double> rows;
  of.for_each([&](const auto& record, const fr::ranked_total& total) {
    rows[record.sequence] = sampler.decide(record.value, record.at, total).probability;
  });
  return rows;
}

/// The k smallest u / w of all records so far, in plain numbers.
std::map<std::uint64_t, double> by_sorting(const fr::time_biased& sampler,
                                           const std::vector<double>& seconds) {
  std::vector<std::pair<double, std::uint64_t>> ranks;
  const auto weight = [&](std::uint64_t i) {
    return std::exp2(seconds[i] / (static_cast<double>(sampler.half_life.count()) / 1e6));
  };
  for (std::uint64_t i = 0; i < seconds.size(); ++i) {
    ranks.push_back({fr::detail::random_rank(sampler.seed, {.sequence = i}) / weight(i), i});
  }
  std::sort(ranks.begin(), ranks.end());
  std::map<std::uint64_t, double> rows;
  for (std::size_t i = 0; i < std::min<std::size_t>(sampler.k, ranks.size()); ++i) {
    const std::uint64_t record = ranks[i].second;
    rows[record] =
        ranks.size() > sampler.k ? std::min(1.0, weight(record) * ranks[sampler.k].first) : 1.0;
  }
  return rows;
}

}  // namespace

TEST_CASE("time_biased keeps the sampler contract", "[sampling][time_biased][contract]") {
  const auto any = [](std::mt19937_64& random) {
    return reading{sampling_streams::uniform(random)};
  };
  fr::check_sampler(fr::time_biased{.k = 8, .half_life = 10min, .epoch = 1s}, any);
  fr::check_sampler(fr::time_biased{.k = 30, .half_life = 5min, .seed = 4}, any);
}

TEST_CASE("a carried sample is what sorting all records so far by u / 2^(t / half_life) keeps",
          "[sampling][time_biased][oracle]") {
  std::mt19937_64 random(70);
  for (int round = 0; round < 100; ++round) {
    const fr::time_biased sampler{.k = static_cast<std::uint32_t>(1 + random() % 40),
                                  .half_life = 1s * (1 + random() % 100),
                                  .seed = random()};
    sample carried;
    std::vector<double> seconds;
    for (int epoch = 0; epoch < 5; ++epoch) {
      sample ended;
      for (std::size_t i = random() % 60; i > 0; --i) {
        seconds.push_back(20.0 * epoch + 20 * sampling_streams::uniform(random));
        add(ended, sampler, seconds.size() - 1, second(seconds.back()));
      }
      carried.merge(sampler.capacity(), std::move(ended));
      const auto found = rows_of(carried, sampler);
      const auto wanted = by_sorting(sampler, seconds);
      REQUIRE(found.size() == wanted.size());
      for (const auto& [record, probability] : wanted) {
        REQUIRE(found.count(record) == 1);
        // Times are rounded to microseconds, 1e-6 of a half-life at most.
        REQUIRE(found.at(record) == Approx(probability).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("weighted counts, all and decayed, are without bias, and the decayed ones are close",
          "[sampling][time_biased][statistics]") {
  // 4,000 records over 200 s, half-life 20 s, k 300. The mean over 200 seeds has a standard error
  // of sd / 14: four of those are exceeded with a chance of 1 in 16,000.
  std::vector<double> all, decayed;
  double decayed_wanted = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    decayed_wanted += std::exp2(-(200 - static_cast<double>(i) / 20) / 20);
  }
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const fr::time_biased sampler{.k = 300, .half_life = 20s, .seed = seed};
    sample kept;
    for (std::uint64_t i = 0; i < 4000; ++i) {
      add(kept, sampler, i, second(static_cast<double>(i) / 20));
    }
    double sum = 0;
    double decayed_sum = 0;
    for (const auto& [record, probability] : rows_of(kept, sampler)) {
      sum += 1 / probability;
      decayed_sum += std::exp2(-(200 - static_cast<double>(record) / 20) / 20) / probability;
    }
    all.push_back(sum / 4000);
    decayed.push_back(decayed_sum / decayed_wanted);
  }
  const spread of_all = spread_of(all);
  const spread of_decayed = spread_of(decayed);
  UNSCOPED_INFO("all " << of_all.mean << " sd " << of_all.deviation << ", decayed "
                       << of_decayed.mean << " sd " << of_decayed.deviation);
  CHECK(std::abs(of_all.mean - 1) <= 4 * of_all.deviation / std::sqrt(200.0));
  CHECK(std::abs(of_decayed.mean - 1) <= 4 * of_decayed.deviation / std::sqrt(200.0));
  // Priority sampling of k - 1 equal shares: at most 1 / sqrt(299 - 1).
  CHECK(of_decayed.deviation <= 0.06);
}

TEST_CASE("a record that is a half-life older is in the sample half as often",
          "[sampling][time_biased][statistics]") {
  // Two ages, far from certain to be kept, 400 seeds of 50 records each: each count has a standard
  // deviation below 5 %.
  std::array<double, 4> kept{};
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const fr::time_biased sampler{.k = 20, .half_life = 10s, .seed = 1000 + seed};
    sample of;
    for (std::uint64_t i = 0; i < 200; ++i) {
      add(of, sampler, i, second(10.0 * static_cast<double>(i / 50)));
    }
    for (const auto& [record, probability] : rows_of(of, sampler)) kept[record / 50] += 1;
  }
  for (std::size_t age = 0; age + 1 < kept.size(); ++age) {
    CHECK(kept[age + 1] / kept[age] == Approx(2).epsilon(0.25));
  }
}

TEST_CASE("times at both ends of what can be said give probabilities in (0, 1]",
          "[sampling][time_biased]") {
  for (const fr::duration half_life : {fr::duration{1}, fr::duration::max()}) {
    const fr::time_biased sampler{.k = 2, .half_life = half_life};
    REQUIRE(sampler.check().empty());
    sample of;
    std::uint64_t i = 0;
    for (const fr::timestamp at : {fr::timestamp_min, fr::timestamp_max, fr::timestamp{},
                                   fr::timestamp_max, fr::timestamp_min}) {
      add(of, sampler, i++, at);
    }
    const auto rows = rows_of(of, sampler);
    CHECK(rows.size() == 2);
    for (const auto& [record, probability] : rows) {
      CHECK(probability > 0);
      CHECK(probability <= 1);
    }
    CHECK(of.valid(sampler.capacity()));
  }
}

TEST_CASE("unusable options of time_biased are refused with what to do",
          "[sampling][time_biased]") {
  CHECK(fr::time_biased{.k = 5, .half_life = 1min}.check().empty());
  CHECK(fr::time_biased{.k = 5, .half_life = 1min}.epoch_length() == 1min);
  CHECK_THAT((fr::time_biased{.k = 0, .half_life = 1min}.check()), Contains("give .k how many"));
  CHECK_THAT((fr::time_biased{.k = 5}.check()), Contains("give .half_life"));
  CHECK_THAT((fr::time_biased{.k = 5, .half_life = 1min, .epoch = 0s}.check()),
             Contains("give .epoch"));
  CHECK((fr::time_biased{.k = 5, .half_life = 1min}.describe()) !=
        (fr::time_biased{.k = 5, .half_life = 2min}.describe()));
}
