// Count windows: case 111 of the project's list of stream processing semantics, with numbers of our
// own, and case 44 as far as it is about counting. Times are ticks of 1 us.
#include "pipeline/support.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct shown {
  rows_of_text rows;
  fr::job_metrics metrics;
};

/// Rows of one split, in the order in which they came: `key|begin|end|values`.
shown show(std::vector<event> split, fr::count_window windows) {
  const auto rows = keeper();
  fr::pipeline p("cases");
  p.from("events", scripted<event>({std::move(split)})) |
      fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) | fr::window(windows) |
      fr::aggregate("w", fr::collect("values", &event::value)) | fr::to("rows", keep_rows_in(rows));
  const fr::run_summary summary = run_to_end(p);
  return {rows->rows, summary.metrics};
}

/// Values 1, 2, 3, ... of the key `a` at the ticks 10, 20, 30, ...
std::vector<event> in_tens(std::int64_t count) {
  std::vector<event> all;
  for (std::int64_t i = 1; i <= count; ++i) all.push_back({"a", i, tick(10 * i)});
  return all;
}

}  // namespace

TEST_CASE("case 111: a tumbling count window fires when it is full, and the rest does not",
          "[semantics][window][count]") {
  const shown got = show(in_tens(7), {.size = 3});
  REQUIRE(got.rows == rows_of_text{"a|10|31|[1,2,3]@30", "a|40|61|[4,5,6]@60"});
  REQUIRE(got.metrics.late() == 0);
  REQUIRE(got.metrics.unassigned() == 0);
}

TEST_CASE("case 44, 111: keys are counted apart, in the order in which records arrive",
          "[semantics][window][count]") {
  // Five of key 2 and three of key 1; with four wanted, only key 2 fires, on its fourth.
  const std::vector<event> split = {{"2", 1, tick(30)}, {"1", 9, tick(31)}, {"2", 2, tick(32)},
                                    {"2", 3, tick(5)},  {"1", 9, tick(33)}, {"2", 4, tick(34)},
                                    {"1", 9, tick(35)}, {"2", 5, tick(36)}};
  // The record of tick 5 is long behind the watermark, and counts like any other.
  REQUIRE(show(split, {.size = 4}).rows == rows_of_text{"2|5|35|[3,1,2,4]@34"});
}

TEST_CASE("case 111: a sliding count window fires every slide with the last size, first at size",
          "[semantics][window][count]") {
  REQUIRE(show(in_tens(9), {.size = 4, .slide = 2}).rows ==
          rows_of_text{"a|10|41|[1,2,3,4]@40", "a|30|61|[3,4,5,6]@60", "a|50|81|[5,6,7,8]@80"});
  REQUIRE(show(in_tens(5), {.size = 3, .slide = 1}).rows ==
          rows_of_text{"a|10|31|[1,2,3]@30", "a|20|41|[2,3,4]@40", "a|30|51|[3,4,5]@50"});
  // A slide that does not divide the size: at 5, 7, 9.
  REQUIRE(show(in_tens(9), {.size = 5, .slide = 2}).rows == rows_of_text{"a|10|51|[1,2,3,4,5]@50",
                                                                         "a|30|71|[3,4,5,6,7]@70",
                                                                         "a|50|91|[5,6,7,8,9]@90"});
}

TEST_CASE("case 111: partial windows fire only where they are asked for",
          "[semantics][window][count]") {
  REQUIRE(show(in_tens(7), {.size = 3, .partial = true}).rows ==
          rows_of_text{"a|10|31|[1,2,3]@30", "a|40|61|[4,5,6]@60", "a|70|71|[7]@70"});
  REQUIRE(show(in_tens(7), {.size = 4, .slide = 2, .partial = true}).rows ==
          rows_of_text{"a|10|21|[1,2]@20", "a|10|41|[1,2,3,4]@40", "a|30|61|[3,4,5,6]@60",
                       "a|50|71|[5,6,7]@70"});
  // Nothing came after the last window, so there is no rest.
  REQUIRE(show(in_tens(6), {.size = 3, .partial = true}).rows.size() == 2);
}

TEST_CASE("case 10, 111: where the slide exceeds the size, records between are unassigned",
          "[semantics][window][count]") {
  const shown got = show(in_tens(11), {.size = 2, .slide = 5});
  REQUIRE(got.rows == rows_of_text{"a|10|21|[1,2]@20", "a|60|71|[6,7]@70"});
  REQUIRE(got.metrics.of("window", "w").unassigned == 6);
  REQUIRE(got.metrics.late() == 0);
  const shown partial = show(in_tens(11), {.size = 2, .slide = 5, .partial = true});
  REQUIRE(partial.rows.back() == "a|110|111|[11]@110");
}

TEST_CASE("case 35, 111: a row spans its records and stands at the last of them, ends of time, too",
          "[semantics][window][count]") {
  const std::int64_t first = fr::timestamp_min.time_since_epoch().count();
  const std::int64_t last = fr::timestamp_max.time_since_epoch().count();
  const shown got = show({{"a", 1, tick(first)}, {"a", 2, tick(last)}}, {.size = 2});
  REQUIRE(got.rows == rows_of_text{"a|" + std::to_string(first) + "|" + std::to_string(last) +
                                   "|[1,2]@" + std::to_string(last - 1)});
}
