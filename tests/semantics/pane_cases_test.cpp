// Triggers, accumulation and panes: the cases of the project's list of stream processing semantics,
// by number, and what the list leaves open. Times are ticks of 1 us, watermarks are exclusive: the
// list's W(t) is our t + 1.
//
// A record of the key `clock` moves the only split's watermark to its time. Rows end in timing,
// number, whether they take a row back, and their event time.
#include "semantics/naive_panes.hpp"

#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/session_by.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

event e(std::string key, std::int64_t at) {
  return {std::move(key), at, tick(at)};
}
event e(std::int64_t at) {
  return e("a", at);
}
/// The list's W(t).
event w(std::int64_t at) {
  return {"clock", at + 1, tick(at + 1)};
}

struct shown {
  rows_of_text rows;
  rows_of_text late;
};

/// The rows of all keys but the clock's, those of `a` before those of `b`.
template <class Assigner>
shown show(std::vector<event> split, const Assigner& assigner, fr::window_options options,
           fr::panes when, std::size_t chunk = 1) {
  const pane_case of{{std::move(split)}, fr::duration{0}, options, when};
  const auto windows = [&](const auto& keyed) {
    return keyed | fr::window(assigner, options, when);
  };
  pane_outcome found = computed_panes(of, windows, chunk);
  shown result{{}, std::move(found.late)};
  found.rows.erase("clock");
  for (const auto& [key, rows] : found.rows) {
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
  }
  return result;
}

const std::string all_of_time = "|-9223372036854775808|9223372036854775807|";
const std::string last_time = "@9223372036854775806";
const fr::session gap_10{10us};
const fr::window_options lateness_20{.allowed_lateness = 20us};
const fr::window_options never{.fire = fr::firing::never};
const fr::panes discarding{.mode = fr::accumulation::discard};
const fr::panes retracting{.mode = fr::accumulation::retract};

}  // namespace

TEST_CASE("case 38, 39: a discarding late pane holds the late record alone", "[semantics][panes]") {
  const shown got = show({e(500), w(1500), e(1300), w(2300), e(1997), w(6000), e(1998)},
                         fr::tumbling{2000us}, {.allowed_lateness = 500us}, discarding);
  REQUIRE(got.rows == rows_of_text{"a|0|2000|2|[500,1300]|on_time|0|false@1999",
                                   "a|0|2000|1|[1997]|late|1|false@1999"});
  REQUIRE(got.late == rows_of_text{"a|1998|1998@1998"});
}

TEST_CASE("case 44: a count on the global window fires with every 4th record of a key, never late",
          "[semantics][panes]") {
  const shown got =
      show({e("b", 3999), e("a", 10), w(5000), e("a", 20), e("a", 999), e("b", 2998), e("b", 1),
            e("b", 1000), e("b", 7)},
           fr::global_window{}, never, {.every_count = 4, .mode = fr::accumulation::discard});
  REQUIRE(got.rows ==
          rows_of_text{"b" + all_of_time + "4|[1,1000,2998,3999]|early|0|false" + last_time});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 44: the global window fires at the end of the input, unless it is told otherwise",
          "[semantics][panes]") {
  const std::vector<event> split = {e(5), w(1000), e(1)};
  REQUIRE(show(split, fr::global_window{}, {}, {}).rows ==
          rows_of_text{"a" + all_of_time + "2|[1,5]|on_time|0|false" + last_time});
  REQUIRE(show(split, fr::global_window{}, never, {.every_count = 9}).rows.empty());
}

TEST_CASE("case 45: a window that only counts never fires on the watermark", "[semantics][panes]") {
  const shown got = show({e(1), w(20), e(21), e(22), e(23), w(50)}, fr::tumbling{10us}, never,
                         {.every_count = 2});
  // Neither [0, 10) nor the third record of [20, 30) ever shows.
  REQUIRE(got.rows == rows_of_text{"a|20|30|2|[21,22]|early|0|false@29"});
}

TEST_CASE("case 46: a period on the global window fires keys at its multiples if they have news",
          "[semantics][panes]") {
  const shown got = show({e("a", 100), e("b", 500), w(998), e("b", 1000), e("a", 1200), w(1998),
                          w(2998), e("b", 3200), w(3999)},
                         fr::global_window{}, never, {.every = 1000us});
  //  a      b|      ba       |        |  b      |
  //  0      1000             2000     3000      4000
  REQUIRE(got.rows ==
          rows_of_text{"a" + all_of_time + "1|[100]|early|0|false" + last_time,
                       "a" + all_of_time + "2|[100,1200]|early|1|false" + last_time,
                       "b" + all_of_time + "2|[500,1000]|early|0|false" + last_time,
                       "b" + all_of_time + "3|[500,1000,3200]|early|1|false" + last_time});
}

TEST_CASE("a watermark that jumps over several multiples makes one early pane per window",
          "[semantics][panes]") {
  const shown got =
      show({e(1), e(2), w(57), e(3), w(98)}, fr::tumbling{100us}, {}, {.every = 10us});
  REQUIRE(got.rows == rows_of_text{"a|0|100|2|[1,2]|early|0|false@99",
                                   "a|0|100|3|[1,2,3]|early|1|false@99",
                                   "a|0|100|3|[1,2,3]|on_time|2|false@99"});
}

TEST_CASE("the first watermark passes the multiples after the records that came before it",
          "[semantics][panes]") {
  // All in one batch, so that the first watermark is 58.
  const shown got = show({e(1), e(2), w(57)}, fr::tumbling{100us}, {}, {.every = 50us}, 1024);
  REQUIRE(got.rows ==
          rows_of_text{"a|0|100|2|[1,2]|early|0|false@99", "a|0|100|2|[1,2]|on_time|1|false@99"});
  const shown none = show({e(51), e(52), w(57)}, fr::tumbling{100us}, {}, {.every = 50us}, 1024);
  REQUIRE(none.rows == rows_of_text{"a|0|100|2|[51,52]|on_time|0|false@99"});
}

TEST_CASE("case 43: without news there is no early pane, and no empty discarding one",
          "[semantics][panes]") {
  const std::vector<event> split = {e(1), w(12), w(22), w(32), w(99)};
  const fr::panes when{.every = 10us};
  REQUIRE(show(split, fr::tumbling{100us}, {}, when).rows ==
          rows_of_text{"a|0|100|1|[1]|early|0|false@99", "a|0|100|1|[1]|on_time|1|false@99"});
  fr::panes new_ones = when;
  new_ones.mode = fr::accumulation::discard;
  REQUIRE(show(split, fr::tumbling{100us}, {}, new_ones).rows ==
          rows_of_text{"a|0|100|1|[1]|early|0|false@99"});
}

TEST_CASE("a retracting on-time pane takes back the early one, also when it says the same",
          "[semantics][panes]") {
  const shown got = show({e(1), w(12), w(99)}, fr::tumbling{100us}, {},
                         {.every = 10us, .mode = fr::accumulation::retract});
  REQUIRE(got.rows == rows_of_text{"a|0|100|1|[1]|early|0|false@99",
                                   "a|0|100|1|[1]|early|0|true@99",
                                   "a|0|100|1|[1]|on_time|1|false@99"});
}

TEST_CASE("late panes may wait for the close, and hold everything or what came late",
          "[semantics][panes]") {
  const std::vector<event> split = {e(1), w(12), e(2), e(3), w(19), w(20), e("b", 4), w(29)};
  fr::panes when{.late = fr::late_firing::at_close};
  REQUIRE(show(split, fr::tumbling{10us}, lateness_20, when).rows ==
          rows_of_text{"a|0|10|1|[1]|on_time|0|false@9", "a|0|10|3|[1,2,3]|late|1|false@9",
                       "b|0|10|1|[4]|late|0|false@9"});
  when.mode = fr::accumulation::discard;
  REQUIRE(show(split, fr::tumbling{10us}, lateness_20, when).rows ==
          rows_of_text{"a|0|10|1|[1]|on_time|0|false@9", "a|0|10|2|[2,3]|late|1|false@9",
                       "b|0|10|1|[4]|late|0|false@9"});
}

TEST_CASE("case 49: grace is an allowed lateness: updates for each record, or one final row",
          "[semantics][panes]") {
  const std::vector<event> split = {e(0), e(1), e(2), e(1), e(0), e(5), e(0)};
  const fr::window_options grace{.allowed_lateness = 1us};
  const shown updates = show(split, fr::tumbling{2us}, grace, {.every_count = 1});
  // Beside Kafka's updates the window's end shows what holds then.
  REQUIRE(updates.rows ==
          rows_of_text{"a|0|2|1|[0]|early|0|false@1", "a|0|2|2|[0,1]|early|1|false@1",
                       "a|2|4|1|[2]|early|0|false@3", "a|0|2|2|[0,1]|on_time|2|false@1",
                       "a|0|2|3|[0,1,1]|late|3|false@1", "a|0|2|4|[0,0,1,1]|late|4|false@1",
                       "a|4|6|1|[5]|early|0|false@5", "a|2|4|1|[2]|on_time|1|false@3",
                       "a|4|6|1|[5]|on_time|1|false@5"});
  REQUIRE(updates.late == rows_of_text{"a|0|0@0"});
  const shown final =
      show(split, fr::tumbling{2us}, {.allowed_lateness = 1us, .fire = fr::firing::at_close}, {});
  REQUIRE(final.rows == rows_of_text{"a|0|2|4|[0,0,1,1]|on_time|0|false@1",
                                     "a|2|4|1|[2]|on_time|0|false@3",
                                     "a|4|6|1|[5]|on_time|0|false@5"});
}

TEST_CASE("case 59: a late record that enlarges a fired session: all, the new part, or instead",
          "[semantics][panes]") {
  const std::vector<event> split = {e(0), w(15), e(5), w(99)};
  REQUIRE(show(split, gap_10, lateness_20, {}).rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|0|15|2|[0,5]|late|1|false@14"});
  REQUIRE(show(split, gap_10, lateness_20, discarding).rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|0|15|1|[5]|late|1|false@14"});
  REQUIRE(show(split, gap_10, lateness_20, retracting).rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|0|10|1|[0]|on_time|0|true@9",
                       "a|0|15|2|[0,5]|late|1|false@14"});
}

TEST_CASE("case 59: an enlarged session that is not over takes its parts back when it fires",
          "[semantics][panes]") {
  const shown got = show({e(0), w(11), e(5), w(13), e(6), w(99)}, gap_10, lateness_20, retracting);
  REQUIRE(got.rows == rows_of_text{"a|0|10|1|[0]|on_time|0|false@9",
                                   "a|0|10|1|[0]|on_time|0|true@9",
                                   "a|0|16|3|[0,5,6]|on_time|1|false@15"});
}

TEST_CASE("case 60: a late record that bridges two fired sessions takes back the rows of both",
          "[semantics][panes]") {
  const std::vector<event> split = {e(0), e(15), w(25), e(8), w(99)};
  REQUIRE(show(split, gap_10, lateness_20, retracting).rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|15|25|1|[15]|on_time|0|false@24",
                       "a|0|10|1|[0]|on_time|0|true@9", "a|15|25|1|[15]|on_time|0|true@24",
                       "a|0|25|3|[0,8,15]|late|2|false@24"});
  REQUIRE(show(split, gap_10, lateness_20, discarding).rows.back() ==
          "a|0|25|1|[8]|late|2|false@24");
  // The second one has not fired: nothing of it is out, and nothing is taken back at once.
  REQUIRE(show({e(0), e(15), w(20), e(8), w(99)}, gap_10, lateness_20, retracting).rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|0|10|1|[0]|on_time|0|true@9",
                       "a|0|25|3|[0,8,15]|on_time|1|false@24"});
}

TEST_CASE("case 61: what has been taken back once is not taken back again", "[semantics][panes]") {
  const shown got = show({e(0), w(15), e(5), e(4), w(40), e(3)}, gap_10, lateness_20, retracting);
  REQUIRE(got.rows ==
          rows_of_text{"a|0|10|1|[0]|on_time|0|false@9", "a|0|10|1|[0]|on_time|0|true@9",
                       "a|0|15|2|[0,5]|late|1|false@14", "a|0|15|2|[0,5]|late|1|true@14",
                       "a|0|15|3|[0,4,5]|late|2|false@14"});
  REQUIRE(got.late == rows_of_text{"a|3|3@3"});
}

TEST_CASE("case 62: sessions with gaps of their own end at the furthest end of their records",
          "[semantics][panes]") {
  const std::map<std::int64_t, std::int64_t> gaps = {{0, 100}, {20, 5}, {70, 10}, {90, 0}};
  const auto windows = fr::session_by([gaps](const event& each) {
    return fr::duration{gaps.count(each.value) > 0 ? gaps.at(each.value) : 1};
  });
  const shown got = show({e(0), e(20), e(70), e(90), e(100), w(299)}, windows, {}, {});
  REQUIRE(got.rows == rows_of_text{"a|0|100|3|[0,20,70]|on_time|0|false@99",
                                   "a|100|101|1|[100]|on_time|0|false@100"});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 63: merging sessions that have shown themselves takes their rows back first",
          "[semantics][panes]") {
  const shown got =
      show({e(0), e(5)}, gap_10, {}, {.every_count = 1, .mode = fr::accumulation::retract});
  REQUIRE(got.rows == rows_of_text{"a|0|10|1|[0]|early|0|false@9", "a|0|10|1|[0]|early|0|true@9",
                                   "a|0|15|2|[0,5]|early|1|false@14",
                                   "a|0|15|2|[0,5]|early|1|true@14",
                                   "a|0|15|2|[0,5]|on_time|2|false@14"});
}

TEST_CASE("case 89: counts, panes and emitted rows are kept by key and window",
          "[semantics][panes]") {
  const fr::panes when{.every_count = 2, .mode = fr::accumulation::retract};
  const std::vector<event> both = {e("a", 1), e("b", 2), e("a", 11), e("b", 12),
                                   e("b", 3), e("a", 4), e("b", 5),  w(19)};
  std::vector<event> one;
  std::copy_if(both.begin(), both.end(), std::back_inserter(one),
               [](const event& each) { return each.key != "b"; });
  const fr::window_options options{.allowed_lateness = 5us};
  const rows_of_text alone = show(one, fr::tumbling{10us}, options, when).rows;
  rows_of_text beside = show(both, fr::tumbling{10us}, options, when).rows;
  REQUIRE(alone == rows_of_text{"a|0|10|1|[1]|on_time|0|false@9", "a|0|10|1|[1]|on_time|0|true@9",
                                "a|0|10|2|[1,4]|late|1|false@9",
                                "a|10|20|1|[11]|on_time|0|false@19"});
  std::erase_if(beside, [](const std::string& row) { return row.front() == 'b'; });
  REQUIRE(beside == alone);
}

TEST_CASE("early panes fill the time between the end of a window and its close, before it fires",
          "[semantics][panes]") {
  const fr::window_options at_close{.allowed_lateness = 20us, .fire = fr::firing::at_close};
  const shown got = show({e(1), w(11), e(2), w(16), e(3), w(29), e(4)}, fr::tumbling{10us},
                         at_close, {.every_count = 2});
  REQUIRE(got.rows ==
          rows_of_text{"a|0|10|2|[1,2]|early|0|false@9", "a|0|10|3|[1,2,3]|on_time|1|false@9"});
  REQUIRE(got.late == rows_of_text{"a|4|4@4"});
}

TEST_CASE("without an end, counts go on after it and are then late", "[semantics][panes]") {
  const fr::window_options options{.allowed_lateness = 20us, .fire = fr::firing::never};
  const shown got = show({e(1), e(2), w(11), e(3), e(4), w(29), e(5)}, fr::tumbling{10us}, options,
                         {.every_count = 2});
  REQUIRE(got.rows ==
          rows_of_text{"a|0|10|2|[1,2]|early|0|false@9", "a|0|10|4|[1,2,3,4]|late|1|false@9"});
  REQUIRE(got.late == rows_of_text{"a|5|5@5"});
}
