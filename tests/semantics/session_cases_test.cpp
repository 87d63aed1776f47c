// Session windows: the cases of the project's list of stream processing semantics, by number, in
// every mode, so that sessions are also restored and killed between any two records. Times are
// ticks of 1 us, see semantics/cases.hpp; rows list the event times that a session holds.
#include "semantics/cases.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/watermark.hpp>

#include <algorithm>
#include <map>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

template <class Assigner>
auto sessions(Assigner assigner, fr::window_options options = {}) {
  return [assigner, options](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::collect("at", &event::value));
  };
}

template <class Assigner>
outcome show(const items& given, const Assigner& assigner, fr::window_options options = {}) {
  return everywhere(given, sessions(assigner, options));
}

/// Sessions of records with gaps of their own, by their tick.
auto gaps(std::map<std::int64_t, std::int64_t> by_tick) {
  return fr::session_by([by_tick = std::move(by_tick)](const event& each) {
    return fr::duration{by_tick.at(each.value)};
  });
}

const fr::session gap_10{10us};
const fr::window_options lateness_20{.allowed_lateness = 20us};

}  // namespace

TEST_CASE("case 51: time goes on with the records of any key, and sessions close with it",
          "[semantics][session]") {
  // The list's records, with a gap of 6: Kafka's bounds are inclusive.
  const rows_of_text got = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto windows = in.stream() | fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                         fr::key_by(&event::key) | fr::window(fr::session{6us}) |
                         fr::aggregate("w", fr::collect("at", &event::value));
    const auto rows = h.collect(windows);
    const auto late = h.collect(windows.late());
    for (const item& each : {e("k1", 0), e("k1", 5), e("k1", 1), e("k2", 11), e("k1", 5)}) {
      in.push(each.record);
    }
    REQUIRE(late.take_text() == rows_of_text{"k1|5|5@5"});
    return rows.take_text();
  });
  REQUIRE(got == rows_of_text{"k1|0|11|[0,1,5]@10"});
}

TEST_CASE("case 53: records less than a gap apart share a session", "[semantics][session]") {
  const outcome got = show({e(0), e(1000), e(2500), e(5501), e(6000), e(6000), e(6050), w(5498),
                            look(), w(5499), look(), w(12000)},
                           fr::session{3000us});
  REQUIRE(got.rows == rows_of_text{"--", "a|0|5500|[0,1000,2500]@5499", "--",
                                   "a|5501|9050|[5501,6000,6000,6050]@9049"});
}

TEST_CASE("case 54: records exactly a gap apart are two sessions", "[semantics][session]") {
  REQUIRE(show({e(0), e(10)}, gap_10).rows == rows_of_text{"a|0|10|[0]@9", "a|10|20|[10]@19"});
  REQUIRE(show({e(10), e(0)}, gap_10).rows == rows_of_text{"a|0|10|[0]@9", "a|10|20|[10]@19"});
  REQUIRE(show({e(0), e(9)}, gap_10).rows == rows_of_text{"a|0|19|[0,9]@18"});
  // One after the other they touch on both sides of what is between them.
  REQUIRE(show({e(0), e(20), e(10)}, gap_10).rows ==
          rows_of_text{"a|0|10|[0]@9", "a|10|20|[10]@19", "a|20|30|[20]@29"});
}

TEST_CASE("case 55: a late record that bridges two sessions makes them one",
          "[semantics][session]") {
  //  0         10   15        25
  //  [---------)    [---------)
  //         8 -----------)
  const outcome got =
      show({e(0), e(15), frontier(15), look(), e(8), frontier(24), look(), frontier(25), look()},
           gap_10, lateness_20);
  REQUIRE(got.rows ==
          rows_of_text{"a|0|10|[0]@9", "--", "--", "a|0|25|[0,8,15]@24", "--"});  // One timer.
  REQUIRE(got.late.empty());
}

TEST_CASE("case 55: a record that bridges sessions before any has fired leaves one",
          "[semantics][session]") {
  const outcome got = show({e(0), e(15), e(30), frontier(5), e(8), e(23), frontier(100)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"a|0|40|[0,8,15,23,30]@39"});
}

TEST_CASE("case 56: a span inside a session leaves its bounds alone", "[semantics][session]") {
  const outcome got = show({e(0), e(5), e(5), e(3), frontier(14), look(), frontier(15)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"--", "a|0|15|[0,3,5,5]@14"});
}

TEST_CASE("case 57: a session assembled out of order equals the one assembled in order",
          "[semantics][session]") {
  std::vector<std::int64_t> times = {0, 7, 14, 60, 65};
  const auto rows_for = [&] {
    items given;
    for (const std::int64_t at : times) given.push_back(e(at));
    return show(given, gap_10).rows;
  };
  const rows_of_text in_order = rows_for();
  REQUIRE(in_order == rows_of_text{"a|0|24|[0,7,14]@23", "a|60|75|[60,65]@74"});
  while (std::next_permutation(times.begin(), times.end())) REQUIRE(rows_for() == in_order);
}

TEST_CASE("case 58: a session's lateness is judged on the merged span", "[semantics][session]") {
  // On its own the record at 3 would end at 13, before the frontier; in its session it is in time.
  const outcome joins = show({e(0), e(9), frontier(16), e(3), frontier(100)}, gap_10);
  REQUIRE(joins.rows == rows_of_text{"a|0|19|[0,3,9]@18"});
  const outcome alone = show({frontier(16), e(3)}, gap_10);
  REQUIRE(alone.rows.empty());
  REQUIRE(alone.late == rows_of_text{"a|3|3@3"});
}

TEST_CASE("case 58: the merged span is judged with the allowed lateness", "[semantics][session]") {
  // [0, 10) closes at 30. What would be closed alone, [-5, 5), is open as long as it merges.
  const outcome joins = show({e(0), frontier(29), look(), e(-5), look()}, gap_10, lateness_20);
  REQUIRE(joins.rows == rows_of_text{"a|0|10|[0]@9", "--", "a|-5|10|[-5,0]@9", "--"});
  const outcome closed = show({e(0), frontier(30), e(-5)}, gap_10, lateness_20);
  REQUIRE(closed.rows == rows_of_text{"a|0|10|[0]@9"});
  REQUIRE(closed.late == rows_of_text{"a|-5|-5@-5"});
}

TEST_CASE("case 58: over several splits each record meets the sessions of its own frontier",
          "[semantics][session]") {
  // Split 1 is ahead, yet its records judge nothing of split 0.
  const items given{e(0),  e(9),         on(1, frontier(16)), on(1, e(3)),         frontier(2),
                    e(-4), on(1, e(16)), frontier(100),       on(1, frontier(100))};
  const outcome got = everywhere_unordered(given, 2, sessions(gap_10));
  // 3 entered at 16 of its split, and 16 is inside [0, 19); -4 entered at 2.
  REQUIRE(got.rows == rows_of_text{"a|-4|26|[-4,0,3,9,16]@25"});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 58: a closed session takes no record, however they overlap",
          "[semantics][session]") {
  // [0, 10) is closed at 10; the span [5, 15) is not.
  const outcome got = show({e(0), frontier(12), e(5), frontier(100)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"a|0|10|[0]@9", "a|5|15|[5]@14"});
  REQUIRE(got.late.empty());
}

TEST_CASE(
    "case 59: a late record that enlarges a fired session fires it at once, if that is over too",
    "[semantics][session]") {
  const outcome at_once =
      show({e(0), frontier(16), e(5), look(), frontier(17), e(1), look()}, gap_10, lateness_20);
  REQUIRE(at_once.rows ==
          rows_of_text{"a|0|10|[0]@9", "a|0|15|[0,5]@14", "--", "a|0|15|[0,1,5]@14", "--"});
  const outcome later = show({e(0), frontier(12), e(5), look(), frontier(15)}, gap_10, lateness_20);
  REQUIRE(later.rows == rows_of_text{"a|0|10|[0]@9", "--", "a|0|15|[0,5]@14"});
}

TEST_CASE("case 60: a late record that bridges two fired sessions fires the merged one",
          "[semantics][session]") {
  const outcome got =
      show({e(0), e(15), frontier(26), look(), e(8), look(), frontier(200)}, gap_10, lateness_20);
  REQUIRE(got.rows ==
          rows_of_text{"a|0|10|[0]@9", "a|15|25|[15]@24", "--", "a|0|25|[0,8,15]@24", "--"});
}

TEST_CASE(
    "case 61: a merged session fires once, and not again where it has fired at this watermark",
    "[semantics][session]") {
  const outcome unfired =
      show({e(0), e(15), frontier(15), e(8), frontier(26), frontier(44), look(), frontier(45)},
           gap_10, {.allowed_lateness = 20us, .fire = fr::firing::at_close});
  REQUIRE(unfired.rows == rows_of_text{"--", "a|0|25|[0,8,15]@24"});
  const outcome fired =
      show({e(0), frontier(26), e(8), look(), frontier(27), frontier(28), frontier(200)}, gap_10,
           lateness_20);
  REQUIRE(fired.rows == rows_of_text{"a|0|10|[0]@9", "a|0|18|[0,8]@17", "--"});
}

TEST_CASE("case 62: with gaps of their own, a session ends at the furthest end of its records",
          "[semantics][session]") {
  const auto windows = gaps({{0, 100}, {20, 5}, {70, 10}, {100, 1}});
  const outcome got =
      show({e(0), e(20), e(70), e(100), frontier(99), look(), frontier(100), look()}, windows);
  REQUIRE(got.rows == rows_of_text{"--", "a|0|100|[0,20,70]@99", "--", "a|100|101|[100]@100"});
}

TEST_CASE("case 62: with gaps of their own, the order of records makes no difference",
          "[semantics][session]") {
  const auto windows = gaps({{0, 100}, {20, 5}, {70, 10}, {100, 1}});
  std::vector<std::int64_t> times = {0, 20, 70, 100};
  do {
    items given;
    for (const std::int64_t at : times) given.push_back(e(at));
    REQUIRE(show(given, windows).rows ==
            rows_of_text{"a|0|100|[0,20,70]@99", "a|100|101|[100]@100"});
  } while (std::next_permutation(times.begin(), times.end()));
}

TEST_CASE("case 64: a session closes with the watermark, not with the next record of its key",
          "[semantics][session]") {
  const outcome got = show(
      {e(0), frontier(9), e(9), frontier(18), look(), frontier(19), look(), frontier(30), e(30)},
      gap_10);
  REQUIRE(got.rows == rows_of_text{"--", "a|0|19|[0,9]@18", "--", "a|30|40|[30]@39"});
  const outcome other_keys = show({e(0), e("b", 30), frontier(30), look(), e(9)}, gap_10);
  REQUIRE(other_keys.rows == rows_of_text{"a|0|10|[0]@9", "--", "b|30|40|[30]@39"});
  REQUIRE(other_keys.late == rows_of_text{"a|9|9@9"});
}

TEST_CASE("case 64: with allowed lateness a session that has fired stays open until it is over",
          "[semantics][session]") {
  const items given{e(0), frontier(29), e(9), look(), frontier(30), e(-1), look()};
  REQUIRE(show(given, gap_10, lateness_20).rows ==
          rows_of_text{"a|0|10|[0]@9", "a|0|19|[0,9]@18", "--", "a|-1|19|[-1,0,9]@18", "--"});
}
