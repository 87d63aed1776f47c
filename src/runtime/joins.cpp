// How joins check and describe their options.
#include <freshet/pipeline/interval_join.hpp>
#include <freshet/pipeline/join.hpp>
#include <freshet/pipeline/table.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace freshet::detail {

namespace {

/// `length` plus or minus 1 us, clamped.
duration moved(duration length, std::int64_t by) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(length.count(), by, &sum)) return length;
  return duration{sum};
}

}  // namespace

const char* name_of(join_type type) {
  switch (type) {
    case join_type::inner:
      return "inner";
    case join_type::left:
      return "left";
    case join_type::right:
      return "right";
    case join_type::full:
      return "full";
  }
  return "unknown";
}

duration closed_interval::lower_of(duration lower, bool exclusive) {
  return exclusive ? moved(lower, 1) : lower;
}

closed_interval closed_interval::of(const between& wanted, const std::string& place) {
  const closed_interval interval{lower_of(wanted.lower, wanted.lower_exclusive),
                                 wanted.upper_exclusive ? moved(wanted.upper, -1) : wanted.upper};
  if (interval.lower <= interval.upper) return interval;
  throw std::invalid_argument(fmt::format(
      "{}: no moment lies in the interval {}{}, {}{}; give .lower less than .upper, or the same "
      "with both bounds inclusive",
      place, wanted.lower_exclusive ? '(' : '[', to_text(wanted.lower), to_text(wanted.upper),
      wanted.upper_exclusive ? ')' : ']'));
}

std::string describe_interval(const closed_interval& interval, join_type type) {
  return fmt::format(", {} between {} and {}", name_of(type), to_text(interval.lower),
                     to_text(interval.upper));
}

closed_interval interval_of_lives(const join_options& options, const std::string& place) {
  for (const auto& [name, ttl] :
       {std::pair("left_ttl", options.left_ttl), std::pair("right_ttl", options.right_ttl)}) {
    if (ttl > duration::zero()) continue;
    throw std::invalid_argument(
        fmt::format("{}: {} {} is not positive; give .{} a positive duration", place, name,
                    to_text(ttl), name));
  }
  closed_interval lives = closed_interval::of_all_time();
  if (options.left_ttl != duration::max()) lives.upper = options.left_ttl - duration{1};
  if (options.right_ttl != duration::max()) lives.lower = duration{1} - options.right_ttl;
  return lives;
}

void require_room_in_table(const std::string& table, const table_options& options,
                           std::size_t held) {
  if (held <= options.max_keys) return;
  throw std::length_error(fmt::format(
      "table '{}' has {} keys in this task, more than the {} of .max_keys; give it more, raise "
      "parallelism, or delete rows that are not needed",
      table, held, options.max_keys));
}

std::string describe_until(duration lower, bool upper_exclusive, join_type type) {
  return fmt::format(", {} from {} until its own end{}", name_of(type), to_text(lower),
                     upper_exclusive ? ", exclusive" : "");
}

}  // namespace freshet::detail
