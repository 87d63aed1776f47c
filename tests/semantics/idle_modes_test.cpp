// Splits that fall asleep and wake, in every mode: allowed lateness, sessions, windows over
// windows. Seeded random items and what must hold of their rows whatever the order in which splits
// slept.
#include "semantics/random_items.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

#include <map>
#include <string>
#include <tuple>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

template <class Assigner>
auto windows_of(Assigner assigner, fr::window_options options = {}) {
  return [assigner, options](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::count("n"));
  };
}

/// How many records the rows of each key and span stand for, and how many rows there are of one.
struct tally {
  std::map<std::string, int> rows;
  std::uint64_t records = 0;

  explicit tally(const rows_of_text& text) {
    for (const std::string& row : text) {
      const std::size_t count = row.rfind('|');
      ++rows[row.substr(0, count)];
      records += std::stoull(row.substr(count + 1));
    }
  }
  bool each_once() const {
    return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.second == 1; });
  }
};

/// Splits of 40 records each that sleep now and then; the first one only if `all_sleep`.
items sleepy_items(std::mt19937_64& random, std::size_t splits, bool all_sleep) {
  std::vector<items> all;
  for (std::size_t split = 0; split < splits; ++split) {
    const bool sleeps = split > 0 || all_sleep;
    all.push_back(random_items(
        random, {.records = 40, .naps_in_1000 = sleeps ? 150U : 0U, .may_end = sleeps}, split));
  }
  return interleaved(random, all);
}

/// Plays cases whose first split is awake in every mode, and those where it may sleep, too, in
/// batches. (A restart finds out again which splits are idle, one after the other. While all others
/// are catching up, the order in which they fall idle decides how far the watermark goes.)
/// `check(outcome, records)`.
template <class Compose, class Check>
void play_sleepy(std::uint64_t seed, const Compose& compose, const Check& check) {
  std::mt19937_64 random(seed);
  std::uint64_t realigned = 0;
  std::uint64_t late = 0;
  const auto note = [&](const outcome& got, std::size_t splits) {
    check(got, 40 * splits);
    realigned += got.realigned;
    late += got.late_count;
  };
  for (int round = 0; round < 10; ++round) {
    INFO("seed " << seed << ", round " << round);
    const std::size_t splits = 2 + random() % 2;
    note(everywhere_unordered(sleepy_items(random, splits, false), splits, compose), splits);
    const items all_asleep = sleepy_items(random, splits, true);
    const outcome plain = unordered(play({}, all_asleep, compose, splits));
    note(plain, splits);
    for (const std::size_t rows : {2U, 7U, 256U}) {
      INFO("in batches of up to " << rows);
      REQUIRE(unordered(play({.batch_rows = rows}, all_asleep, compose, splits)) == plain);
    }
  }
  REQUIRE(realigned > 100);  // Else nobody slept long enough for it to matter.
  REQUIRE(late > 50);
}

}  // namespace

TEST_CASE("with sleeping splits every window fires once, with every record that was not late",
          "[semantics][idle]") {
  const auto once = [](const outcome& got, std::uint64_t records) {
    const tally all(got.rows);
    REQUIRE(all.each_once());
    REQUIRE(all.records + got.late.size() == records);
    REQUIRE(got.late_count == got.late.size());
  };
  play_sleepy(191, windows_of(fr::tumbling{10us}), once);
  play_sleepy(
      192, windows_of(fr::tumbling{10us}, {.allowed_lateness = 4us, .fire = fr::firing::at_close}),
      once);
  play_sleepy(193,
              windows_of(fr::session{2us}, {.allowed_lateness = 4us, .fire = fr::firing::at_close}),
              once);
}

TEST_CASE("with sleeping splits late records fire their windows again, the same in every mode",
          "[semantics][idle]") {
  const auto counted = [](const outcome& got, std::uint64_t) {
    REQUIRE(got.late_count == got.late.size());
    REQUIRE(tally(got.rows).rows.size() > 5);
  };
  play_sleepy(194, windows_of(fr::tumbling{10us}, {.allowed_lateness = 7us}), counted);
  play_sleepy(195, windows_of(fr::session{2us}, {.allowed_lateness = 3us}), counted);
}

TEST_CASE("with sleeping splits nothing is late below windows that fire at their close",
          "[semantics][idle]") {
  play_sleepy(
      196,
      [](const fr::stream<event>& events) {
        const auto first = windows_of(
            fr::tumbling{5us}, {.allowed_lateness = 7us, .fire = fr::firing::at_close})(events);
        using row = typename std::remove_const_t<decltype(first)>::value_type;
        const auto n = [](const row& each) { return std::get<0>(each.values); };
        const auto second = first | fr::key_by([](const row& each) { return each.key == "a"; }) |
                            fr::window(fr::tumbling{15us}) |
                            fr::aggregate("second", fr::sum("n", n));
        return second;
      },
      [](const outcome& got, std::uint64_t records) {
        REQUIRE(got.late.empty());  // Of the second level; `late_count` is that of both.
        REQUIRE(tally(got.rows).each_once());
        REQUIRE(tally(got.rows).records + got.late_count == records);
      });
}
