// Short names for event times and spans, shared by the tests of window assigners.
#pragma once

#include "catch.hpp"

#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace freshet::test {

using spans = std::vector<window_span>;

/// The event time `after` the epoch.
constexpr timestamp at(duration after) {
  return timestamp{after};
}

constexpr window_span span(duration begin, duration end) {
  return {at(begin), at(end)};
}

/// In ticks of 1 us, the unit of most semantic cases.
constexpr window_span ticks(std::int64_t begin, std::int64_t end) {
  return span(duration{begin}, duration{end});
}

template <window_assigner A>
spans spans_of(const A& assigner, timestamp when) {
  spans out;
  assigner.assign(when, out);
  return out;
}

template <window_assigner A>
spans spans_of(const A& assigner, std::int64_t tick) {
  return spans_of(assigner, at(duration{tick}));
}

/// Where the spans of an assigner begin, in ticks.
template <window_assigner A>
std::vector<std::int64_t> begins_of(const A& assigner, std::int64_t tick) {
  std::vector<std::int64_t> begins;
  for (const window_span& each : spans_of(assigner, tick)) {
    begins.push_back(each.begin.time_since_epoch().count());
  }
  return begins;
}

}  // namespace freshet::test

template <>
struct Catch::StringMaker<freshet::window_span> {
  static std::string convert(const freshet::window_span& span) {
    return "[" + std::to_string(span.begin.time_since_epoch().count()) + ", " +
           std::to_string(span.end.time_since_epoch().count()) + ") us";
  }
};
