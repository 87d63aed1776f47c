// What the tests of functions that throw share: a log whose third record is bad, and what the job
// says of it, which must be the same in every mode.
#pragma once

#include "semantics/cases.hpp"

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace freshet::test {

constexpr std::int64_t bad = 3;  ///< Value of the record number 2.

inline void throw_if_bad(const event& each) {
  if (each.value == bad) throw std::runtime_error("boom");
}

/// `of(record)`, but the bad record throws.
template <class F>
auto throwing(F of) {
  return [of](const event& each) {
    throw_if_bad(each);
    return std::invoke(of, each);
  };
}

/// What a job says when something threw at `where`.
inline std::string thrown(const std::string& place, const std::string& where) {
  return place + ": the function given to it threw (boom) " + where +
         "; catch it there, or filter such records out before";
}
/// The same, at the bad record.
inline std::string thrown(const std::string& place) {
  return thrown(place, "at record 2 of split 0 of source 0");
}

/// How a job over the values 1 to 5 at ticks 10, 20, ... fails, whose rows are what
/// `compose(stream<event>, harness&)` makes of them. Nothing that is given after the failure, nor
/// the end, makes the test wait.
template <class Compose>
std::string failure_of(const Compose& compose) {
  return testing::in_every_mode([&](const testing::harness_options& options) {
    testing::harness h(options);
    const auto in = h.input<event>("events");
    const auto rows = h.collect(compose(in.stream(), h));
    for (std::int64_t value = 1; value <= 5; ++value) {
      in.push({"a", value, tick(10 * value)}, tick(10 * value));
    }
    in.watermark(tick(200));
    h.clock().move_to(tick(200));
    h.finish();
    REQUIRE(h.status().code() == absl::StatusCode::kUnknown);
    REQUIRE_THROWS_AS(rows.all(), std::runtime_error);
    return message_of(h.status());
  });
}

}  // namespace freshet::test
