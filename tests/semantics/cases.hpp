// What the cases share: items given by hand to windows, in every mode, and what came out.
//
// Times are ticks of 1 us. The project's list of stream processing semantics writes W(t) for
// "nothing more at or before t"; our watermarks are exclusive, so that its W(t) is our t + 1:
// `w(t)` and `frontier(t + 1)` are the same item.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace freshet::test {

/// What a test gives to one split, or what it does in between.
struct item {
  enum class kind { record, frontier, idle, active, end, look };
  kind what = kind::record;
  event record;
  timestamp at;  ///< Of a record, or the frontier.
  std::size_t split = 0;
};
using items = std::vector<item>;

/// A record whose value is its tick.
inline item e(std::string key, std::int64_t at) {
  return {item::kind::record, {std::move(key), at, tick(at)}, tick(at)};
}
inline item e(std::int64_t at) {
  return e("a", at);
}
/// Nothing before `at` will come.
inline item frontier(std::int64_t at) {
  return {item::kind::frontier, {}, tick(at)};
}
/// The list's W(t): nothing at or before `at` will come.
inline item w(std::int64_t at) {
  return frontier(at + 1);
}
inline item idle() {
  return {item::kind::idle, {}, {}};
}
inline item active() {
  return {item::kind::active, {}, {}};
}
inline item ended() {
  return {item::kind::end, {}, {}};
}
/// Puts `--` between the rows that have come by now and the others.
inline item look() {
  return {item::kind::look, {}, {}};
}
/// The same, for another split than the first.
inline item on(std::size_t split, item what) {
  what.split = split;
  return what;
}

/// What came out, in the order in which it came.
struct outcome {
  rows_of_text rows;
  rows_of_text late;
  std::uint64_t late_count = 0;
  std::uint64_t unassigned = 0;
  std::uint64_t realigned = 0;

  friend bool operator==(const outcome&, const outcome&) = default;
};
BOOST_DESCRIBE_STRUCT(outcome, (), (rows, late, late_count, unassigned, realigned))

/// The same as multisets: where several splits or streams come together, no order is promised.
inline outcome unordered(outcome of) {
  of.rows = sorted(std::move(of.rows));
  of.late = sorted(std::move(of.late));
  return of;
}

inline void give(const testing::hand_input<event>& in, const item& each) {
  const auto split = in.split(each.split);
  switch (each.what) {
    case item::kind::record:
      return split.push(each.record, each.at);
    case item::kind::frontier:
      return split.watermark(each.at);
    case item::kind::idle:
      return split.idle();
    case item::kind::active:
      return split.active();
    case item::kind::end:
      return split.end();
    case item::kind::look:
      return;
  }
}

/// Plays the items to the windows that `compose(stream<event>)` makes, then ends the input.
template <class Compose>
outcome play(const testing::harness_options& options, const items& given, const Compose& compose,
             std::size_t splits = 1) {
  testing::harness h(options);
  const auto in = h.input<event>("events", {.splits = splits});
  const auto windows = compose(in.stream());
  const auto rows = h.collect(windows);
  const auto late = h.collect(windows.late());
  outcome got;
  const auto take = [&] {
    for (std::string& row : rows.take_text()) got.rows.push_back(std::move(row));
  };
  for (const item& each : given) {
    give(in, each);
    if (each.what != item::kind::look) continue;
    take();
    got.rows.emplace_back("--");
  }
  h.finish();
  take();
  got.late = late.take_text();
  const job_metrics metrics = h.metrics();
  got.late_count = metrics.late();
  got.unassigned = metrics.unassigned();
  got.realigned = metrics.of("event_time", "events").realigned;
  return got;
}

/// The same in every mode, which all must have one outcome: that of one split in its order.
template <class Compose>
outcome everywhere(const items& given, const Compose& compose) {
  return testing::in_every_mode(
      [&](const testing::harness_options& options) { return play(options, given, compose); });
}
/// Over several splits outcomes are compared as multisets.
template <class Compose>
outcome everywhere_unordered(const items& given, std::size_t splits, const Compose& compose) {
  return testing::in_every_mode([&](const testing::harness_options& options) {
    return unordered(play(options, given, compose, splits));
  });
}

}  // namespace freshet::test
