// When to try again what has failed: growing pauses with jitter. Plain values.
//
// The one policy of everything that talks to a service: `async_map`, and each connector that has a
// connection. Time: processing time. Threads: immutable values, safe to share.
#pragma once

#include <freshet/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace freshet {

struct retry_policy {
  /// Before the second attempt; doubled for each further one, up to `delay_max`. What is waited is
  /// drawn from the upper half of that, so that those that failed together do not come back
  /// together.
  duration delay = std::chrono::milliseconds(100);
  duration delay_max = std::chrono::seconds(10);
};

/// How long to wait before attempt `next` (from 2 on) of what `seed` identifies: a function of the
/// three. Never longer than `delay_max`.
duration delay_before(const retry_policy& policy, std::uint32_t next, std::uint64_t seed);

/// What is wrong with `policy`; empty when nothing is.
std::string wrong_in(const retry_policy& policy);

}  // namespace freshet
