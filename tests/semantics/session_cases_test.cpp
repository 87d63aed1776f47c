// Session windows: the cases of the project's list of stream processing semantics, by number. Times
// are ticks of 1 us, watermarks are exclusive: the list's W(t) is our t + 1.
//
// A record of the key `clock` moves the only split's watermark to its time.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>

#include <map>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

event e(std::int64_t at) {
  return {"a", at, tick(at)};
}
event frontier(std::int64_t at) {
  return {"clock", 0, tick(at)};
}

/// Sessions whose gap is the record's own value: a call of 7 ticks keeps its session open for 7.
struct dynamic_session {
  static constexpr bool merges = true;
  std::map<std::int64_t, std::int64_t> gaps;  ///< By event time, in ticks.

  void assign(fr::timestamp at, std::vector<fr::window_span>& out) const {
    const auto known = gaps.find(at.time_since_epoch().count());
    const std::int64_t gap = known == gaps.end() ? 1 : known->second;
    out.push_back({at, fr::saturating_add(at, fr::duration{gap})});
  }
  std::string describe() const { return "dynamic session"; }
  std::string check() const { return {}; }
};

struct shown {
  rows_of_text rows;
  rows_of_text late;
};

template <class Assigner>
shown show(std::vector<event> split, const Assigner& assigner, fr::window_options options = {}) {
  auto from = script_of({std::move(split)});
  from->chunk_max = 1;
  from->chunks_vary = false;
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("cases");
  const auto windows = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                       fr::key_by(&event::key) | fr::window(assigner, options) |
                       fr::aggregate("w", fr::collect("at", &event::value));
  using row = typename decltype(windows)::value_type;
  windows | fr::filter([](const row& each) { return each.key != "clock"; }) |
      fr::to("rows", keep_rows_in(rows));
  windows.late() | fr::to("late", keep_rows_in(late));
  (void)run_to_end(p);
  return {rows->rows, late->rows};
}

const fr::session gap_10{10us};
const fr::window_options lateness_20{.allowed_lateness = 20us};

}  // namespace

TEST_CASE("case 53: records less than a gap apart share a session", "[semantics][session]") {
  const shown got =
      show({e(0), e(1000), e(2500), e(5501), e(6000), e(6000), e(6050), frontier(12001)},
           fr::session{3000us});
  REQUIRE(got.rows ==
          rows_of_text{"a|0|5500|[0,1000,2500]@5499", "a|5501|9050|[5501,6000,6000,6050]@9049"});
}

TEST_CASE("case 54: records exactly a gap apart are two sessions", "[semantics][session]") {
  REQUIRE(show({e(0), e(10)}, gap_10).rows == rows_of_text{"a|0|10|[0]@9", "a|10|20|[10]@19"});
  REQUIRE(show({e(0), e(9)}, gap_10).rows == rows_of_text{"a|0|19|[0,9]@18"});
}

TEST_CASE("case 55: a late record that bridges two sessions makes them one",
          "[semantics][session]") {
  //  0         10   15        25
  //  [---------)    [---------)
  //         8 -----------)
  const shown got = show({e(0), e(15), e(8), frontier(25)}, gap_10, lateness_20);
  // The frontier 15 had closed the first one's gap, so it fired before.
  REQUIRE(got.rows == rows_of_text{"a|0|10|[0]@9", "a|0|25|[0,8,15]@24"});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 56: a span inside a session leaves its bounds alone", "[semantics][session]") {
  const shown got = show({e(0), e(5), e(5), e(3), frontier(100)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"a|0|15|[0,3,5,5]@14"});
}

TEST_CASE("case 57: a session assembled out of order equals the one assembled in order",
          "[semantics][session]") {
  std::vector<std::int64_t> times = {0, 7, 14, 21, 60, 65};
  const auto rows_for = [&] {
    std::vector<event> split;
    for (const std::int64_t at : times) split.push_back(e(at));
    auto from = script_of({split});
    const auto rows = keeper();
    fr::pipeline p("cases");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{100us}) | fr::key_by(&event::key) |
        fr::window(gap_10) | fr::aggregate("w", fr::collect("at", &event::value)) |
        fr::to("rows", keep_rows_in(rows));
    (void)run_to_end(p);
    return rows->rows;
  };
  const rows_of_text in_order = rows_for();
  REQUIRE(in_order == rows_of_text{"a|0|31|[0,7,14,21]@30", "a|60|75|[60,65]@74"});
  while (std::next_permutation(times.begin(), times.end())) REQUIRE(rows_for() == in_order);
}

TEST_CASE("case 58: a session's lateness is judged on the merged span", "[semantics][session]") {
  // On its own the record at 3 would end at 13, before the frontier; in its session it is in time.
  const shown joins = show({e(0), e(9), frontier(16), e(3), frontier(100)}, gap_10);
  REQUIRE(joins.rows == rows_of_text{"a|0|19|[0,3,9]@18"});
  const shown alone = show({frontier(16), e(3)}, gap_10);
  REQUIRE(alone.rows.empty());
  REQUIRE(alone.late == rows_of_text{"a|3|3@3"});
}

TEST_CASE("case 58: a closed session takes no record, however they overlap",
          "[semantics][session]") {
  // [0, 10) is closed at 10; the span [5, 15) is not.
  const shown got = show({e(0), frontier(12), e(5), frontier(100)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"a|0|10|[0]@9", "a|5|15|[5]@14"});
  REQUIRE(got.late.empty());
}

TEST_CASE(
    "case 59: a late record that enlarges a fired session fires it at once, if that is over too",
    "[semantics][session]") {
  const shown at_once =
      show({e(0), frontier(16), e(5), frontier(17), e(1), frontier(200)}, gap_10, lateness_20);
  REQUIRE(at_once.rows == rows_of_text{"a|0|10|[0]@9", "a|0|15|[0,5]@14", "a|0|15|[0,1,5]@14"});
  const shown later = show({e(0), frontier(12), e(5), frontier(15)}, gap_10, lateness_20);
  REQUIRE(later.rows == rows_of_text{"a|0|10|[0]@9", "a|0|15|[0,5]@14"});
}

TEST_CASE("case 60: a late record that bridges two fired sessions fires the merged one",
          "[semantics][session]") {
  const shown got = show({e(0), e(15), frontier(26), e(8), frontier(200)}, gap_10, lateness_20);
  REQUIRE(got.rows == rows_of_text{"a|0|10|[0]@9", "a|15|25|[15]@24", "a|0|25|[0,8,15]@24"});
}

TEST_CASE(
    "case 61: a merged session fires once, and not again where it has fired at this watermark",
    "[semantics][session]") {
  const shown unfired = show({e(0), e(15), e(8), frontier(26), frontier(60)}, fr::session{10us},
                             {.allowed_lateness = 20us, .fire = fr::firing::at_close});
  REQUIRE(unfired.rows == rows_of_text{"a|0|25|[0,8,15]@24"});
  const shown fired = show({e(0), frontier(26), e(8), frontier(27), frontier(28), frontier(200)},
                           gap_10, lateness_20);
  REQUIRE(fired.rows == rows_of_text{"a|0|10|[0]@9", "a|0|18|[0,8]@17"});
}

TEST_CASE("case 62: with gaps of their own, a session ends at the furthest end of its records",
          "[semantics][session]") {
  const dynamic_session windows{{{0, 100}, {20, 5}, {70, 10}}};
  const shown got = show({e(0), e(20), e(70), e(100), frontier(300)}, windows);
  REQUIRE(got.rows == rows_of_text{"a|0|100|[0,20,70]@99", "a|100|101|[100]@100"});
}

TEST_CASE("case 64: a session closes with the watermark, not with the next record of its key",
          "[semantics][session]") {
  // The record at 30 comes after other keys had closed the first session.
  const shown got = show({e(0), frontier(9), e(9), frontier(19), frontier(30), e(30)}, gap_10);
  REQUIRE(got.rows == rows_of_text{"a|0|19|[0,9]@18", "a|30|40|[30]@39"});
  const shown closes = show({e(0), frontier(30), e(9)}, gap_10);
  REQUIRE(closes.late == rows_of_text{"a|9|9@9"});
}
