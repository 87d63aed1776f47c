// Drift detectors: ADWIN against a definition without buckets, and what each of them promises about
// false alarms and changes, over seeds.
#include "quality/normal_values.hpp"

#include <freshet/quality/drift.hpp>
#include <freshet/quality/windows.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;
using freshet::test::normal_values;

namespace {

template <class D>
std::vector<fr::drift> drifts_in(const D& how, const std::vector<double>& values,
                                 typename D::state seen = {}) {
  std::vector<fr::drift> all;
  for (const double value : values) {
    if (const auto found = how.add(seen, value)) all.push_back(*found);
  }
  return all;
}

/// After how many values from the change on it is found; SIZE_MAX for never.
template <class D>
std::size_t delay_of(const D& how, std::uint64_t seed, double change, double unit, double offset) {
  typename D::state seen;
  for (const double value : normal_values(seed, 1000)) {
    (void)how.add(seen, offset + unit * value);
  }
  std::size_t delay = 0;
  for (const double value : normal_values(seed + 1000, 2000, change)) {
    ++delay;
    if (how.add(seen, offset + unit * value)) return delay;
  }
  return std::numeric_limits<std::size_t>::max();
}

/// ADWIN over single values: of all cuts beyond chance the furthest; what is before it goes.
struct naive_adwin {
  fr::adwin how;
  std::vector<double> window;

  std::size_t cut() const {
    const auto n = static_cast<double>(window.size());
    double sum = 0;
    for (const double value : window) sum += value;
    double variance = 0;
    for (const double value : window) variance += (value - sum / n) * (value - sum / n) / n;
    const double chances = std::log(2 * std::log(n) / how.delta);
    double older = 0;
    double furthest = 1;
    std::size_t found = 0;
    for (std::size_t at = 1; at < window.size(); ++at) {
      older += window[at - 1];
      const auto n0 = static_cast<double>(at);
      const double n1 = n - n0;
      const double m = 1 / (1 / n0 + 1 / n1);
      const double bound =
          std::sqrt(2 / m * variance * chances) + 2 / (3 * m) * chances * std::sqrt(variance);
      const double factor = std::abs(older / n0 - (sum - older) / n1) / bound;
      if (n0 < how.part_min || n1 < how.part_min || factor <= furthest) continue;
      furthest = factor;
      found = at;
    }
    return found;
  }
  bool add(double value) {
    window.push_back(value);
    bool found = false;
    while (const std::size_t older = window.size() < 3 ? 0 : cut()) {
      window.erase(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(older));
      found = true;
    }
    return found;
  }
};

}  // namespace

TEST_CASE("adwin whose buckets hold one value each is its definition", "[quality][drift]") {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    const fr::adwin how{.delta = 0.3, .part_min = 2, .check_every = 1, .buckets_per_row = 1000};
    naive_adwin naive{how, {}};
    fr::adwin::state seen;
    std::size_t found = 0;
    std::vector<double> values = normal_values(seed, 80);
    for (const double value : normal_values(seed + 100, 80, 2)) values.push_back(value);
    for (const double value : values) {
      const bool wanted = naive.add(value);
      REQUIRE(how.add(seen, value).has_value() == wanted);
      REQUIRE(fr::adwin::window(seen).count == static_cast<double>(naive.window.size()));
      if (wanted) ++found;
    }
    REQUIRE(found > 0);
  }
}

TEST_CASE("adwin knows count, mean and variance of its window exactly, in few buckets",
          "[quality][drift]") {
  // Offsets do no harm: the values vary in the tenth digit.
  const fr::adwin how{.delta = 1e-9};
  fr::adwin::state seen;
  const std::vector<double> values = normal_values(1, 20'000, 1e9, 0.5);
  for (const double value : values) REQUIRE(!how.add(seen, value));
  long double sum = 0;
  for (const double value : values) sum += value;
  const auto mean = static_cast<double>(sum / 20'000);
  double variance = 0;
  for (const double value : values) variance += (value - mean) * (value - mean) / 20'000;
  const auto window = fr::adwin::window(seen);
  CHECK(window.count == 20'000);
  CHECK(window.mean == Approx(mean).epsilon(1e-14));
  CHECK(window.variance() == Approx(variance).epsilon(1e-6));
  std::size_t buckets = 0;
  for (const auto& row : seen.rows) {
    CHECK(row.size() <= how.buckets_per_row);
    buckets += row.size();
  }
  CHECK(buckets <= 70);  // 5 * (log2(20,000 / 5) + 2).
}

// 100 streams of 10,000 values. With a rate of 0.05 a stream, 5 alarms are expected; measured are 0
// to 2, and the seeds are fixed, so that there is no chance left.
TEMPLATE_TEST_CASE("a stream that does not change raises at most 0.05 alarms in 10,000 values",
                   "[quality][drift]", fr::adwin, fr::page_hinkley, fr::ks_windows,
                   fr::psi_windows) {
  std::size_t alarms = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    alarms += drifts_in(TestType{}, normal_values(seed, 10'000, 3, 7)).size();
  }
  CHECK(alarms <= 5);
}

TEST_CASE("adwin finds a change by one deviation within 100 values, in any unit",
          "[quality][drift]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    REQUIRE(delay_of(fr::adwin{}, seed, 1, 1, 0) <= 100);
    REQUIRE(delay_of(fr::adwin{}, seed, -1, 1e-6, 1) <= 100);
    REQUIRE(delay_of(fr::adwin{}, seed, 1, 1e6, -1e9) <= 100);
  }
}

TEST_CASE("the other detectors find a change by one deviation as soon as they say",
          "[quality][drift]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    REQUIRE(delay_of(fr::page_hinkley{}, seed, 1, 1, 0) <= 150);
    REQUIRE(delay_of(fr::page_hinkley{}, seed, -1, 1e3, 5) <= 150);
    REQUIRE(delay_of(fr::ks_windows{}, seed, 1, 1, 0) <= 400);
    REQUIRE(delay_of(fr::psi_windows{}, seed, -1, 1, 0) <= 1000);
  }
}

TEST_CASE("a drift says what the mean was and what it is", "[quality][drift]") {
  std::vector<double> values = normal_values(5, 2000, 10);
  for (const double value : normal_values(6, 2000, 13)) values.push_back(value);
  const auto check = [&](const auto& how) {
    const auto found = drifts_in(how, values);
    REQUIRE(found.size() >= 1);
    CHECK(found[0].before == Approx(10).margin(0.3));
    CHECK(found[0].after == Approx(13).margin(1));
    CHECK(found.size() <= 2);
    CHECK(found[0].statistic > found[0].bound);
  };
  check(fr::adwin{});
  check(fr::page_hinkley{});
  check(fr::ks_windows{});
  check(fr::psi_windows{});
}

TEMPLATE_TEST_CASE("values that are no measurements are counted and change nothing",
                   "[quality][drift]", fr::adwin, fr::page_hinkley, fr::ks_windows,
                   fr::psi_windows) {
  const TestType how;
  typename TestType::state clean;
  typename TestType::state dirty;
  const double infinity = std::numeric_limits<double>::infinity();
  std::uint64_t bad = 0;
  for (const double value : normal_values(3, 2500)) {
    for (const double each : {std::nan(""), infinity, -infinity, 1e300, -1e151}) {
      REQUIRE(!how.add(dirty, each));
      ++bad;
    }
    REQUIRE(how.add(dirty, value).has_value() == how.add(clean, value).has_value());
  }
  CHECK(dirty.skipped == bad);
  CHECK(clean.skipped == 0);
  dirty.skipped = 0;
  CHECK(fr::to_bytes(dirty) == fr::to_bytes(clean));
}

TEMPLATE_TEST_CASE("a detector goes on from its bytes as if nothing had happened",
                   "[quality][drift]", fr::adwin, fr::page_hinkley, fr::ks_windows,
                   fr::psi_windows) {
  const TestType how;
  typename TestType::state whole;
  typename TestType::state restored;
  std::vector<double> values = normal_values(7, 1500);
  for (const double value : normal_values(8, 1500, 2)) values.push_back(value);
  std::size_t found = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 97 == 0) restored = *fr::from_bytes<typename TestType::state>(fr::to_bytes(restored));
    const auto wanted = how.add(whole, values[i]);
    const auto got = how.add(restored, values[i]);
    REQUIRE(got.has_value() == wanted.has_value());
    if (got) REQUIRE(fr::to_bytes(*got) == fr::to_bytes(*wanted));
    if (got) ++found;
  }
  CHECK(found >= 1);
  CHECK(fr::to_bytes(restored) == fr::to_bytes(whole));
}

TEMPLATE_TEST_CASE("a constant stream has no drift, and a jump in it is one", "[quality][drift]",
                   fr::adwin, fr::page_hinkley, fr::ks_windows, fr::psi_windows) {
  for (const double jump : {1.0, -1.0}) {
    CAPTURE(jump);
    CHECK(drifts_in(TestType{}, std::vector<double>(5000, 0.1)).empty());
    std::vector<double> values(1000, 0.1);
    values.insert(values.end(), 1000, 0.1 + jump);
    CHECK(!drifts_in(TestType{}, values).empty());
  }
}

TEMPLATE_TEST_CASE("damaged states do no harm", "[quality][drift]", fr::adwin, fr::page_hinkley,
                   fr::ks_windows, fr::psi_windows) {
  // Whatever the detector says then: sanitizers would see what it touches.
  const TestType how;
  typename TestType::state whole;
  for (const double value : normal_values(11, 1300)) (void)how.add(whole, value);
  std::mt19937_64 random(12);
  for (int round = 0; round < 100; ++round) {
    typename TestType::state seen = freshet::test::damaged(whole, random);
    for (const double value : normal_values(13, 600, 3)) (void)how.add(seen, value);
    REQUIRE(fr::from_bytes<typename TestType::state>(fr::to_bytes(seen)).ok());
  }
}

TEST_CASE("options that cannot be meant are named", "[quality][drift]") {
  CHECK(fr::adwin{}.check().empty());
  CHECK(fr::page_hinkley{}.check().empty());
  CHECK(fr::ks_windows{}.check().empty());
  CHECK(fr::psi_windows{}.check().empty());
  const double nan = std::nan("");
  CHECK(fr::adwin{.delta = nan}.check() ==
        "delta nan is not in (0, 1); give .delta a chance such as 0.002");
  CHECK(!fr::adwin{.part_min = 0}.check().empty());
  CHECK(!fr::adwin{.check_every = 0}.check().empty());
  CHECK(!fr::adwin{.buckets_per_row = 1}.check().empty());
  CHECK(!fr::adwin{.range = -1}.check().empty());
  CHECK(!fr::page_hinkley{.delta = -1}.check().empty());
  CHECK(!fr::page_hinkley{.lambda = 0}.check().empty());
  CHECK(!fr::page_hinkley{.values_min = 1}.check().empty());
  CHECK(!fr::page_hinkley{.scale = nan}.check().empty());
  CHECK(!fr::ks_windows{.window = 1}.check().empty());
  CHECK(!fr::ks_windows{.alpha = 0}.check().empty());
  CHECK(!fr::ks_windows{.window = 5}.check().empty());  // Could never find anything.
  CHECK(!fr::psi_windows{.bins = 1}.check().empty());
  CHECK(!fr::psi_windows{.threshold = 0}.check().empty());
}
