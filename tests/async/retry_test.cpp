// When to try again: pauses that grow, with jitter, whatever the numbers.
#include "catch.hpp"

#include <freshet/pipeline/retry.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

namespace fr = freshet;
using namespace std::chrono_literals;

TEST_CASE("pauses double up to their limit, less at most half", "[async][retry]") {
  const fr::retry_policy policy{.delay = 100ms, .delay_max = 5s};
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    fr::duration whole = policy.delay;
    for (std::uint32_t next = 2; next < 20; ++next) {
      const fr::duration pause = fr::delay_before(policy, next, seed);
      REQUIRE(pause <= whole);
      REQUIRE(pause >= whole / 2);
      REQUIRE(pause == fr::delay_before(policy, next, seed));
      whole = std::min(2 * whole, policy.delay_max);
    }
  }
}

TEST_CASE("those that failed together come back apart", "[async][retry]") {
  std::set<fr::duration> pauses;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    pauses.insert(fr::delay_before({.delay = 1s, .delay_max = 1s}, 2, seed));
  }
  CHECK(pauses.size() > 95);
}

TEST_CASE("pauses of any length do not overflow", "[async][retry]") {
  const fr::retry_policy longest{.delay = fr::duration::max(), .delay_max = fr::duration::max()};
  const fr::retry_policy growing{.delay = 1us, .delay_max = fr::duration::max()};
  const fr::retry_policy none{.delay = 0us, .delay_max = 1s};
  for (const std::uint32_t next : {2U, 3U, 64U, std::numeric_limits<std::uint32_t>::max()}) {
    CHECK(fr::delay_before(longest, next, next) >= fr::duration::max() / 2);
    CHECK(fr::delay_before(growing, next, next) >= 0us);
    CHECK(fr::delay_before(none, next, next) == 0us);
  }
  CHECK(fr::wrong_in(longest).empty());
  CHECK(!fr::wrong_in({.delay = 2s, .delay_max = 1s}).empty());
  CHECK(!fr::wrong_in({.delay = -1us, .delay_max = 1s}).empty());
}
