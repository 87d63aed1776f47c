// Panes against their definition, on seeded random streams: every mode, period, count and way to
// fire, over windows that are fixed, overlap, merge, or hold everything. Panes by count are the
// same for all batches of the one split.
#include "semantics/naive_panes.hpp"

#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

pane_outcome unordered(pane_outcome of) {
  for (auto& [key, rows] : of.rows) rows = sorted(std::move(rows));
  return of;
}

/// Compares library and definition on `rounds` cases; `make(random)` gives the assigner.
template <class Make>
void compare_with_definition(std::uint64_t seed, int rounds, Make make) {
  std::mt19937_64 random(seed);
  std::size_t rows = 0;
  for (int round = 0; round < rounds; ++round) {
    const pane_case of = random_pane_case(random);
    const auto assigner = make(random);
    INFO("round " << round << ", " << assigner.describe() << ", " << described(of));
    const pane_outcome wanted = naive_panes(of, assigner).outcome();
    const auto windows = [&](const auto& keyed) {
      return keyed | fr::window(assigner, of.options, of.when);
    };
    const pane_outcome found = computed_panes(of, windows, 1);
    for (const auto& [key, in_order] : wanted.rows) {
      CHECK(found.rows.at(key) == in_order);
      rows += in_order.size();
    }
    CHECK(found.late == wanted.late);
    REQUIRE(found == wanted);
    if (of.when.every > fr::duration::zero()) continue;
    // Without a period, panes are a function of the only split, however it is cut: but for how the
    // rows of different windows follow each other.
    for (const std::size_t chunk : {2U, 5U, 1024U}) {
      INFO("chunks of " << chunk);
      REQUIRE(unordered(computed_panes(of, windows, chunk)) == unordered(wanted));
    }
    REQUIRE(unordered(computed_panes(of, windows, 9, random())) == unordered(wanted));
  }
  REQUIRE(rows > static_cast<std::size_t>(rounds));  // Else nothing was compared.
}

}  // namespace

TEST_CASE("panes of tumbling windows are those of their definition", "[semantics][panes][oracle]") {
  compare_with_definition(61, 600, [](std::mt19937_64& random) {
    return fr::tumbling{fr::duration{one_of<std::int64_t>(random, {1, 10, 35})}};
  });
}

TEST_CASE("case 109: panes of sliding windows are those of their definition, window by window",
          "[semantics][panes][oracle]") {
  compare_with_definition(62, 600, [](std::mt19937_64& random) {
    return fr::sliding{.size = fr::duration{one_of<std::int64_t>(random, {3, 12, 30})},
                       .slide = fr::duration{one_of<std::int64_t>(random, {4, 5, 10})},
                       .offset = fr::duration{one_of<std::int64_t>(random, {-1, 0, 2})}};
  });
}

TEST_CASE("panes of sessions are those of their definition", "[semantics][panes][oracle]") {
  compare_with_definition(63, 800, [](std::mt19937_64& random) {
    return fr::session{fr::duration{one_of<std::int64_t>(random, {2, 6, 15})}};
  });
}

TEST_CASE("panes of sessions with a gap per record are those of their definition",
          "[semantics][panes][oracle]") {
  compare_with_definition(64, 600, [](std::mt19937_64&) {
    // The gaps 0 (no session at all) to 20.
    return fr::session_by([](const event& each) { return fr::duration{each.value * 7 % 21}; });
  });
}

TEST_CASE("panes of the global window are those of their definition",
          "[semantics][panes][oracle]") {
  compare_with_definition(65, 300, [](std::mt19937_64&) { return fr::global_window{}; });
}
