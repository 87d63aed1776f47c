// What a rarity sampler promises about whole streams: no bias, the rate, the floor, recovery.
//
// Streams and seeds are fixed, so every run gives the same figures. A stated chance of a false
// alarm is that of a correct sampler failing if the seeds were drawn afresh.
#include "catch.hpp"

#include "sampling_streams.hpp"

#include <freshet/core/codec.hpp>

#include <algorithm>

namespace fr = freshet;
using namespace sampling_streams;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t category_count = 20;
constexpr double per_second = 1000;

fr::rarity_options options_of(double rate, std::uint64_t seed) {
  return {.rate = rate, .half_life = 20s, .seed = seed};
}

/// The errors of the Horvitz-Thompson estimates of one run, in standard deviations.
struct run_errors {
  double total = 0;
  std::vector<double> categories;  // Those with at least 30 kept records.
  double rate = 0;
};

run_errors errors_of(const std::vector<event>& events, double rate, std::uint64_t seed) {
  std::vector<double> error(category_count), variance(category_count), kept(category_count);
  const auto sampler = fr::rarity(&event::category, options_of(rate, seed));
  sample_events(sampler, events, [&](std::size_t i, const fr::sample_decision& decision) {
    const std::uint64_t category = events[i].category;
    error[category] += (decision.keep ? decision.weight() : 0.0) - 1;
    variance[category] += (1 - decision.probability) / decision.probability;
    kept[category] += decision.keep ? 1 : 0;
  });
  run_errors result;
  double error_total = 0;
  double variance_total = 0;
  for (std::size_t category = 0; category < category_count; ++category) {
    error_total += error[category];
    variance_total += variance[category];
    result.rate += kept[category] / static_cast<double>(events.size());
    if (kept[category] < 30 || variance[category] <= 0) continue;
    result.categories.push_back(error[category] / std::sqrt(variance[category]));
  }
  result.total = error_total / std::sqrt(variance_total);
  return result;
}

/// Runs every seed and holds the bars. |mean| <= 0.5 and 0.7 <= sd <= 1.3 over 40 seeds are 3.2 and
/// 2.7 standard deviations of what a correct sampler shows: a chance of 1 in 100 for both together.
void check_estimates(double rate, std::size_t records, std::uint64_t seeds) {
  const std::vector<event> events = reversed_zipf(records, records / 2, per_second, 77);
  std::vector<double> totals;
  std::vector<double> categories;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const run_errors run = errors_of(events, rate, seed);
    totals.push_back(run.total);
    categories.insert(categories.end(), run.categories.begin(), run.categories.end());
    CHECK(run.rate == Approx(rate).epsilon(0.02));
  }
  const spread total = spread_of(totals);
  const spread category = spread_of(categories);
  UNSCOPED_INFO("rate " << rate << ": total mean " << total.mean << " sd " << total.deviation
                        << "; categories mean " << category.mean << " sd " << category.deviation
                        << " of " << categories.size());
  CHECK(std::abs(total.mean) <= 0.5);
  CHECK(total.deviation >= 0.7);
  CHECK(total.deviation <= 1.3);
  CHECK(categories.size() > 15 * seeds);
  CHECK(category.deviation >= 0.85);
  CHECK(category.deviation <= 1.15);
}

}  // namespace

TEST_CASE(
    "weighted counts of the kept records are unbiased and as precise as their probabilities "
    "say, and the rate is within 2 %",
    "[sampling][rarity][statistics]") {
  check_estimates(0.1, 400'000, 40);
}

TEST_CASE("estimates and rate hold at other rates too", "[sampling][rarity][statistics][slow]") {
  for (const double rate : {0.4, 0.2, 0.05}) check_estimates(rate, 400'000, 40);
}

TEST_CASE(
    "after a reversal of popularity the rate is back within 20 % in 3 half-lives and no "
    "probability is below the floor",
    "[sampling][rarity][statistics]") {
  // 400 s of records, half-life 20 s, reversed at 200 s. The means over a half-life have a standard
  // deviation below 2.5 %, so 20 % is no accident.
  const std::vector<event> events = reversed_zipf(400'000, 200'000, per_second, 78);
  for (const double rate : {0.4, 0.1}) {
    std::vector<double> kept(20);  // In each half-life of 20,000 records.
    double kept_soon = 0;          // From the third to the tenth epoch of 1 s after the reversal.
    double smallest = 1;
    sample_events(fr::rarity(&event::category, options_of(rate, 6)), events,
                  [&](std::size_t i, const fr::sample_decision& decision) {
                    kept[i / 20'000] += decision.keep ? 1.0 / 20'000 : 0.0;
                    if (i / 1000 >= 202 && i / 1000 < 210) kept_soon += decision.keep ? 1 : 0;
                    smallest = std::min(smallest, decision.probability);
                  });
    CHECK(smallest >= rate / 10);
    // From the end of the third half-life on; in fact the first one is not far off.
    for (std::size_t i = 13; i < kept.size(); ++i) {
      CHECK(kept[i] == Approx(rate).epsilon(0.2));
    }
    CHECK(kept_soon / 8000 == Approx(rate).epsilon(0.2));
  }
}

TEST_CASE("the rate is within 2 % when popularity is reversed again in every half-life",
          "[sampling][rarity][statistics]") {
  // Each reversal keeps too much for an epoch or two; only what is saved afterwards evens that out.
  std::vector<event> events = reversed_zipf(400'000, 400'000, per_second, 83);
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i / 20'000 % 2 == 1) events[i].category = 19 - events[i].category;
  }
  double kept = 0;
  sample_events(fr::rarity(&event::category, options_of(0.1, 9)), events,
                [&](std::size_t, const auto& made) { kept += made.keep ? 1 : 0; });
  CHECK(kept / 400'000 == Approx(0.1).epsilon(0.02));
}

TEST_CASE("what cannot be met is not made up for longer than half-lives",
          "[sampling][rarity][statistics]") {
  // 200 s of traffic whose floor alone keeps 5 times the budget, then 100 s that can meet it.
  std::mt19937_64 random(84);
  std::vector<event> events;
  for (double at = 0; at < 300;) {
    at += at < 200 ? 1.0 / 5000 : 1.0 / 500;
    events.push_back({random() % 4, frontier_of(static_cast<std::size_t>(at * 1e6), 1e6)});
  }
  const fr::timestamp begin = frontier_of(0, 1);
  double kept = 0;  // From 270 s to 300 s.
  const auto sampler =
      fr::rarity(&event::category, {.per_second = 100, .floor = 0.1, .half_life = 10s, .seed = 3});
  sample_events(sampler, events, [&](std::size_t i, const auto& made) {
    if (made.keep && events[i].entry_frontier - begin >= 270s) ++kept;
  });
  // A half-life's budget is repaid within 70 s; the whole debt would take 5,000 s at 85 per second.
  CHECK(kept / 30 >= 92);
  CHECK(kept / 30 <= 103);
}

TEST_CASE("a stream of half unique keys stays within 1.1 times the budget",
          "[sampling][rarity][statistics]") {
  for (const double share : {0.5, 0.9}) {
    std::mt19937_64 random(79);
    const zipf draw(20);
    std::vector<event> events(200'000);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const bool unique = uniform(random) < share;
      events[i] = {unique ? 1'000'000 + i : draw(random), frontier_of(i, per_second)};
    }
    const auto sampler = fr::rarity(
        &event::category, {.rate = 0.1, .half_life = 20s, .max_categories = 100, .seed = 1});
    std::vector<double> kept(10);
    sample_events(sampler, events, [&](std::size_t i, const fr::sample_decision& decision) {
      kept[i / 20'000] += decision.keep ? 1.0 / 20'000 : 0.0;
    });
    for (const double rate : kept) CHECK(rate <= 1.1 * 0.1);
    CHECK(spread_of(kept).mean >= 0.98 * 0.1);
  }
}

TEST_CASE(
    "a budget per second holds within 2 %, is back in 3 half-lives after the traffic has jumped by "
    "a factor of 8, and never exceeds 1.8 times over a half-life",
    "[sampling][rarity][statistics]") {
  // 1,000 records per second, 8,000 between 200 s and 300 s; budget 100 per second.
  std::mt19937_64 random(80);
  const zipf draw(20);
  std::vector<event> events;
  for (double at = 0; at < 500;) {
    at += -std::log(1 - uniform(random)) / (at >= 200 && at < 300 ? 8000 : 1000);
    events.push_back({draw(random), frontier_of(static_cast<std::size_t>(at * 1e6), 1e6)});
  }
  std::vector<double> kept(501);
  const auto sampler =
      fr::rarity(&event::category, {.per_second = 100, .half_life = 20s, .seed = 2});
  const fr::timestamp begin = frontier_of(0, 1);
  sample_events(sampler, events, [&](std::size_t i, const fr::sample_decision& decision) {
    const auto second = (events[i].entry_frontier - begin) / 1s;
    kept[static_cast<std::size_t>(second)] += decision.keep ? 1 : 0;
  });
  const auto mean = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += kept[i];
    return sum / static_cast<double>(to - from);
  };
  CHECK(mean(40, 200) == Approx(100).epsilon(0.02));
  CHECK(mean(440, 500) == Approx(100).epsilon(0.02));
  for (std::size_t from = 0; from + 20 <= 500; ++from) CHECK(mean(from, from + 20) <= 180);
  // Back within 20 % three half-lives after the traffic rose, and after it fell; 20 s of it have a
  // standard deviation of 2 %.
  for (std::size_t from = 260; from + 20 <= 300; ++from) {
    CHECK(mean(from, from + 20) == Approx(100).epsilon(0.2));
  }
  for (std::size_t from = 360; from + 20 <= 500; ++from) {
    CHECK(mean(from, from + 20) == Approx(100).epsilon(0.2));
  }
}

TEST_CASE("all records are kept while there are fewer than the budget per second",
          "[sampling][rarity][statistics]") {
  std::vector<event> events(2'000);
  for (std::size_t i = 0; i < events.size(); ++i) events[i] = {i % 7, frontier_of(i, 50)};
  const auto sampler = fr::rarity(&event::category, {.per_second = 100, .half_life = 20s});
  std::size_t dropped_late = 0;
  sample_events(sampler, events, [&](std::size_t i, const fr::sample_decision& decision) {
    if (i >= 150 && !decision.keep) ++dropped_late;  // Two epochs of 1 s start with start_rate.
  });
  CHECK(dropped_late == 0);
}

TEST_CASE("a restore in mid-stream keeps the same records with the same weights",
          "[sampling][rarity][statistics]") {
  const std::vector<event> events = reversed_zipf(100'000, 50'000, per_second, 81);
  const auto sampler = fr::rarity(&event::category, options_of(0.1, 7));
  std::vector<fr::sample_decision> wanted;
  sample_events(sampler, events, [&](std::size_t, const auto& made) { wanted.push_back(made); });
  fr::rarity_state state = sampler.start();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i % 7'919 == 0) {
      auto restored = fr::from_bytes<fr::rarity_state>(fr::to_bytes(state));
      REQUIRE(restored.ok());
      REQUIRE(sampler.valid(*restored));
      state = *std::move(restored);
    }
    sampler.enter(state, sampler.epoch_of(events[i].entry_frontier));
    const fr::sample_decision made = sampler.decide(state, events[i], position_of(i));
    REQUIRE(made.keep == wanted[i].keep);
    REQUIRE(made.probability == wanted[i].probability);
    REQUIRE(made.log_odds == wanted[i].log_odds);
  }
}

TEST_CASE("1, 2, 4, and 8 workers keep the same records with the same weights",
          "[sampling][rarity][statistics]") {
  // Half of the keys are unique, so that the pool overflows its sample in every epoch.
  std::mt19937_64 random(82);
  std::vector<event> events = reversed_zipf(100'000, 50'000, per_second, 82);
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (random() % 2 == 0) events[i].category = 1'000'000 + i;
  }
  const auto sampler = fr::rarity(&event::category,
                                  {.rate = 0.1, .half_life = 20s, .max_categories = 50, .seed = 8});
  std::vector<fr::sample_decision> wanted;
  sample_events(sampler, events, [&](std::size_t, const auto& made) { wanted.push_back(made); });
  for (const std::size_t count : {2U, 4U, 8U}) {
    std::vector<fr::rarity_state> workers(count, sampler.start());
    for (std::size_t i = 0; i < events.size(); ++i) {
      const std::int64_t epoch = sampler.epoch_of(events[i].entry_frontier);
      if (epoch != workers[0].table.epoch) {
        fr::rarity_counts all = workers[0].counts;
        for (std::size_t w = 1; w < count; ++w) sampler.merge(all, workers[w].counts);
        for (fr::rarity_state& worker : workers) {
          worker.counts = all;
          sampler.enter(worker, epoch);
        }
      }
      const fr::sample_decision made =
          sampler.decide(workers[random() % count], events[i], position_of(i));
      REQUIRE(made.keep == wanted[i].keep);
      REQUIRE(made.probability == wanted[i].probability);
      REQUIRE(made.log_odds == wanted[i].log_odds);
    }
  }
}
