// What the tests of the harness share: a harness over windows of 10 ticks.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/tumbling.hpp>

#include <cstdint>
#include <string>

namespace freshet::test {

inline event event_at(std::int64_t at) {
  return {"a", at, tick(at)};
}

/// The event times in windows of 10 ticks, the records that were late, and the records themselves.
struct driven {
  testing::harness h;
  testing::hand_input<event> in;
  testing::collected<event> records;
  decltype(in.stream() | key_by(&event::key) | window(tumbling{ticks_long(10)}) |
           aggregate("w", collect("at", &event::value))) windows;
  decltype(h.collect(windows)) rows;
  testing::collected<event> late;

  explicit driven(testing::harness_options options = {}, testing::input_options input = {})
      : h(options),
        in(h.input<event>("events", input)),
        records(h.collect(in.stream())),
        windows(in.stream() | key_by(&event::key) | window(tumbling{ticks_long(10)}) |
                aggregate("w", collect("at", &event::value))),
        rows(h.collect(windows)),
        late(h.collect(windows.late())) {}

  void push(std::int64_t at) { in.push(event_at(at), tick(at)); }
};

template <class Error, class F>
std::string thrown(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace freshet::test
