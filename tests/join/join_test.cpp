// join: every pair of one key, with and without event times, and lives that end.
#include "join/support.hpp"

#include <freshet/pipeline/join.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

constexpr auto inner = [](const event& a, const mark& b) { return meet(&a, &b); };

/// All pairs of one key of which each came within the other's life.
rows_of_text naive(const join_logs& logs, const fr::join_options& options) {
  rows_of_text rows;
  for (const auto& l : logged_of(logs.left, logs.disorder)) {
    for (const auto& r : logged_of(logs.right, logs.disorder)) {
      if (l.record.key != r.record.key) continue;
      if (r.from >= fr::saturating_add(l.at, options.left_ttl)) continue;
      if (l.from >= fr::saturating_add(r.at, options.right_ttl)) continue;
      rows.push_back(row_text(meet(&l.record, &r.record), std::max(l.at, r.at)));
    }
  }
  return sorted(rows);
}

}  // namespace

TEST_CASE("a join gives every pair of one key, in whatever order records come", "[join]") {
  const auto rows = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto left = h.untimed_input<event>("left");
    const auto right = h.untimed_input<mark>("right");
    const auto joined =
        h.collect(left.stream() | fr::key_by(&event::key) |
                  fr::join("pairs", right.stream() | fr::key_by(&mark::key), inner));
    left.push({"a", 1, {}});
    right.push({"a", 10, {}});
    right.push({"b", 20, {}});
    left.push({"a", 2, {}});
    left.push({"b", 3, {}});
    right.push({"a", 11, {}});
    h.finish();
    REQUIRE(h.status().ok());
    REQUIRE(h.summary().unpromised.empty());
    return joined.text();
  });
  REQUIRE(rows == rows_of_text{"a|1|10", "a|2|10", "b|3|20", "a|1|11", "a|2|11"});
}

TEST_CASE("a join with times to live gives what two loops over both logs give", "[join]") {
  std::mt19937_64 random(63);
  for (int round = 0; round < 40; ++round) {
    INFO("round " << round);
    const join_logs logs = random_logs(random);
    fr::join_options options;
    if (round % 4 != 0) options.left_ttl = ticks_long(1 + static_cast<std::int64_t>(random() % 12));
    if (round % 3 != 0)
      options.right_ttl = ticks_long(1 + static_cast<std::int64_t>(random() % 12));
    const bool all_end = round % 4 != 0 && round % 3 != 0;
    const auto found = run_every_way(
        logs, random,
        [&](const auto& left, const auto& right, const auto& sink) {
          const auto joined = left | fr::key_by(&event::key) |
                              fr::join("pairs", right | fr::key_by(&mark::key), options, inner);
          joined | sink("rows");
          window_below(joined, sink);
        },
        all_end);
    REQUIRE(found.sinks.at("rows") == naive(logs, options));
  }
}

TEST_CASE("a join whose lives cannot be meant is refused", "[join]") {
  const auto refusal = [](const fr::join_options& options) {
    return refusal_of([&] {
      frt::harness h;
      const auto right = h.untimed_input<mark>("right").stream();
      const auto left = h.untimed_input<event>("left").stream();
      (void)(left | fr::key_by(&event::key) |
             fr::join("pairs", right | fr::key_by(&mark::key), options, inner));
    });
  };
  REQUIRE(refusal({.left_ttl = ticks_long(0)}) ==
          "join 'pairs': left_ttl 0s is not positive; give .left_ttl a positive duration");
  REQUIRE(refusal({.right_ttl = ticks_long(-1)}) ==
          "join 'pairs': right_ttl -1us is not positive; give .right_ttl a positive duration");
  REQUIRE(refusal({.right_ttl = ticks_long(1)}).find("join 'pairs'") == 0);
}
