#include "generator.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>

namespace nexmark {

std::string log_options::check() const {
  constexpr std::uint64_t rate_most = 1'000'000'000;
  if (events == 0) return "--events: found 0, wanted at least 1; give how many events there are";
  if (rate_per_second == 0 || rate_per_second > rate_most) {
    return fmt::format("--rate: found {}, wanted 1 to {} events per second of event time",
                       rate_per_second, rate_most);
  }
  // Ten million years are enough, and leave room for windows behind the last event.
  constexpr std::uint64_t nanoseconds_most = std::numeric_limits<std::int64_t>::max();
  if (events > nanoseconds_most / (rate_most / rate_per_second) - 2000) {
    return fmt::format(
        "--events: {} at --rate {} reach beyond 292 years; give fewer, or a higher "
        "rate",
        events, rate_per_second);
  }
  if (group == 0) return "--ooo: found 0, wanted the size of a group; give 1 for events in order";
  if (group > 1'000'000'000) {
    return fmt::format("--ooo: found {}, wanted at most 1000000000", group);
  }
  if (std::gcd(group, group_stride) != 1) {
    return fmt::format(
        "--ooo: found {}, wanted a number that {} does not divide, because events are "
        "shuffled in steps of it; give another",
        group, group_stride);
  }
  if (events % group != 0) {
    return fmt::format(
        "--events: found {}, wanted a multiple of --ooo {}, so that the events are "
        "those of the log in order; give {}",
        events, group, std::max(group, events - events % group));
  }
  return {};
}

generator::generator(const log_options& options)
    : pools_(prepare_pools()),
      seed_(options.seed),
      group_(options.group),
      delay_ns_(1'000'000'000 / options.rate_per_second) {}

fr::duration generator::disorder() const {
  // Of the last and first event of a group, one millisecond more for where a group begins in one.
  const std::uint64_t span = (group_ - 1) * delay_ns_ / 1'000'000 + (group_ > 1 ? 1 : 0);
  return std::chrono::milliseconds(span);
}

}  // namespace nexmark
