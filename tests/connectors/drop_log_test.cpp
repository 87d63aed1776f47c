// The sample of what was dropped: all while few, then a uniform choice.
#include "catch.hpp"

#include <freshet/connectors/detail/drop_log.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

using log_of_numbers = freshet::detail::drop_log<std::size_t>;

namespace {

log_of_numbers after(std::size_t count, std::uint64_t seed = 0) {
  log_of_numbers log(seed);
  for (std::size_t i = 0; i < count; ++i) log.add(std::size_t{i});
  return log;
}

}  // namespace

TEST_CASE("a drop log keeps everything while that is little", "[connectors][channel]") {
  REQUIRE(after(0).sample().empty());
  const log_of_numbers log = after(64);
  REQUIRE(log.count() == 64);
  for (std::size_t i = 0; i < 64; ++i) REQUIRE(log.sample()[i] == i);
}

TEST_CASE("a drop log keeps 64 different ones of many", "[connectors][channel]") {
  const log_of_numbers log = after(100'000);
  REQUIRE(log.count() == 100'000);
  const std::set<std::size_t> kept(log.sample().begin(), log.sample().end());
  REQUIRE(kept.size() == 64);
  REQUIRE(*kept.rbegin() > 90'000);
  REQUIRE(*kept.begin() < 10'000);
  REQUIRE(after(100'000).sample() == log.sample());
}

TEST_CASE("every dropped record is in the sample with the same probability",
          "[connectors][channel][statistics]") {
  // 200 records, 20,000 seeds. The number of samples that a record is in is binomial with p = 64 /
  // 200 and deviates by more than 5.5 standard deviations with a chance of 4e-8, any of the 200
  // with 8e-6. The seeds are fixed, so that a false alarm is one for good, not now and then. For
  // pairs of neighbours p = 64 * 63 / (200 * 199).
  constexpr std::size_t records = 200;
  constexpr double runs = 20'000;
  std::vector<double> in_sample(records);
  std::vector<double> with_next(records);
  for (std::uint64_t seed = 0; seed < static_cast<std::uint64_t>(runs); ++seed) {
    std::vector<bool> kept(records + 1);
    const log_of_numbers log = after(records, seed);
    for (const std::size_t each : log.sample()) kept[each] = true;
    for (std::size_t i = 0; i < records; ++i) {
      if (kept[i]) ++in_sample[i];
      if (kept[i] && kept[i + 1]) ++with_next[i];
    }
  }
  const auto deviation = [](double seen, double p) {
    return std::abs(seen - runs * p) / std::sqrt(runs * p * (1 - p));
  };
  for (std::size_t i = 0; i < records; ++i) {
    CAPTURE(i);
    CHECK(deviation(in_sample[i], 64.0 / 200) < 5.5);
    if (i + 1 < records) CHECK(deviation(with_next[i], 64.0 * 63 / (200 * 199)) < 5.5);
  }
}
