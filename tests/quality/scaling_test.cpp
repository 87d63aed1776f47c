// Standardizing and clipping: what is known before a value scales it, shifts are followed, and
// clipping costs no record of a rare class that is far from the others.
#include "quality/normal_values.hpp"

#include <freshet/quality/scaling.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

namespace fr = freshet;
using freshet::test::normal_values;

TEST_CASE("standard values are those of the mean and the deviation before", "[quality][scaling]") {
  const fr::scaling_options how{.half_life = 30, .limit = 4, .warm_up = 20, .follow_shifts = false};
  fr::feature_scale seen;
  fr::decayed_moments naive;
  for (const double value : normal_values(1, 2000, 100, 3)) {
    const fr::scaled_value found = fr::scale(how, seen, value);
    if (naive.count < 20) {
      REQUIRE(found.standard == 0);
      REQUIRE(found.clipped == value);
    } else {
      const double standard = (value - naive.mean) / std::sqrt(naive.variance);
      REQUIRE(found.standard == Approx(std::clamp(standard, -4.0, 4.0)).margin(1e-9));
      REQUIRE(found.outlier == (std::abs(standard) > 4));
    }
    naive.add(found.clipped, 30);
  }
}

TEST_CASE("over seeds, standard values have mean 0 and deviation 1", "[quality][scaling]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    fr::feature_scale seen;
    fr::detail::moments all;
    for (const double value : normal_values(seed, 20'000, -1e6, 0.1)) {
      const fr::scaled_value found = fr::scale({}, seen, value);
      if (seen.known.count > 1000) all.add(found.standard);
    }
    REQUIRE(std::abs(all.mean) < 0.05);
    REQUIRE(all.deviation() == Approx(1).margin(0.05));
  }
}

TEST_CASE("a shift of the mean is followed as soon as it is found", "[quality][scaling]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    const auto last_after = [&](bool follow) {
      const fr::scaling_options how{.half_life = 5000, .follow_shifts = follow};
      fr::feature_scale seen;
      for (const double value : normal_values(seed, 3000, 0, 1)) fr::scale(how, seen, value);
      fr::detail::moments after;
      std::size_t count = 0;
      for (const double value : normal_values(seed + 50, 400, 3, 1)) {
        const fr::scaled_value found = fr::scale(how, seen, value);
        if (++count > 100) after.add(found.standard);
      }
      return after.mean;
    };
    REQUIRE(std::abs(last_after(true)) < 0.5);
    REQUIRE(last_after(false) > 2);
  }
}

TEST_CASE("clipping keeps a rare class apart, and leaves none of it out", "[quality][scaling]") {
  // 2 % corrupted (a thousand times too large), 1 % of a rare class eight deviations out. Leaving
  // out whatever is six deviations away would cost most of it.
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  fr::feature_scale seen;
  std::size_t rare = 0;
  std::size_t would_be_excluded = 0;
  std::size_t told_apart = 0;
  for (int i = 0; i < 50'000; ++i) {
    const bool is_rare = random() % 100 == 0;
    const bool is_corrupt = random() % 50 == 0;
    double value = normal(random) + (is_rare ? 8 : 0);
    if (is_corrupt) value *= 1000;
    const fr::scaled_value found = fr::scale({}, seen, value);
    REQUIRE(std::isfinite(found.clipped));
    REQUIRE(std::abs(found.clipped - found.expected) <=
            (found.deviation > 0 && i >= 50 ? 8.0001 * found.deviation : 1e9));
    if (i < 1000 || !is_rare || is_corrupt) continue;
    ++rare;
    // As an exclusion by |z| > 6 of the undisturbed values would have it.
    if (std::abs(value) > 6) ++would_be_excluded;
    if (found.clipped > 4) ++told_apart;
  }
  CHECK(rare > 300);
  CHECK(static_cast<double>(would_be_excluded) > 0.6 * static_cast<double>(rare));
  CHECK(static_cast<double>(told_apart) > 0.99 * static_cast<double>(rare));
}

TEST_CASE("values that are no measurements are clipped and never learned", "[quality][scaling]") {
  fr::feature_scale dirty;
  fr::feature_scale clean;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : normal_values(3, 500, 5, 1)) {
    const fr::scaled_value none = fr::scale({}, dirty, std::nan(""));
    REQUIRE(none.clipped == dirty.known.mean);
    REQUIRE(none.standard == 0);
    REQUIRE(none.outlier);
    REQUIRE(std::isfinite(fr::scale({}, dirty, infinity).clipped));
    REQUIRE(std::isfinite(fr::scale({}, dirty, -1e300).clipped));
    REQUIRE(fr::scale({}, dirty, value).standard == fr::scale({}, clean, value).standard);
  }
  CHECK(fr::to_bytes(dirty.known) == fr::to_bytes(clean.known));
}

TEST_CASE("scaling options that cannot be meant are named", "[quality][scaling]") {
  CHECK(fr::scaling_options{}.check().empty());
  CHECK(!fr::scaling_options{.half_life = 0}.check().empty());
  CHECK(!fr::scaling_options{.limit = std::nan("")}.check().empty());
  CHECK(!fr::scaling_options{.warm_up = 1}.check().empty());
}
