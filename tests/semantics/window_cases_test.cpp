// When windows fire, what they hold, and what becomes of late records: the cases of the project's
// list of stream processing semantics, by number. Times are ticks of 1 us, watermarks are
// exclusive: the list's W(t) is our t + 1.
//
// A record of the key `clock` moves the only split's watermark to its time, as the cases' W does.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// An element of `key` at a tick.
event e(std::string key, std::int64_t at) {
  return {std::move(key), 1, tick(at)};
}
/// The list's W(t).
event w(std::int64_t at) {
  return {"clock", 0, tick(at + 1)};
}

/// What one split gives, `rows` in the order in which they came, those of the clock left out.
struct shown {
  rows_of_text rows;
  rows_of_text late;
  fr::job_metrics metrics;
};

template <class Assigner>
shown show(std::vector<event> split, const Assigner& assigner, fr::window_options options = {},
           std::size_t chunk = 1) {
  auto from = script_of({std::move(split)});
  from->chunk_max = chunk;
  from->chunks_vary = false;
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("cases");
  const auto windows = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                       fr::key_by(&event::key) | fr::window(assigner, options) |
                       fr::aggregate("w", fr::count("n"));
  using row = typename decltype(windows)::value_type;
  windows | fr::filter([](const row& each) { return each.key != "clock"; }) |
      fr::to("rows", keep_rows_in(rows));
  windows.late() | fr::to("late", keep_rows_in(late));
  shown result{{}, {}, run_to_end(p).metrics};
  result.rows = rows->rows;
  result.late = late->rows;
  return result;
}

}  // namespace

TEST_CASE(
    "case 35: a window fires once, when the watermark reaches its end, and its row stands at "
    "end - 1",
    "[semantics][window]") {
  const fr::tumbling windows{3000us};
  // The later element shows how much the watermark had let out before it.
  const shown before = show({e("a", 0), w(999), w(1999), w(2998), e("a", 2999)}, windows);
  REQUIRE(before.rows == rows_of_text{"a|0|3000|2@2999"});
  const shown after = show({e("a", 0), w(2999), e("a", 2999), w(3999)}, windows);
  REQUIRE(after.rows == rows_of_text{"a|0|3000|1@2999"});
  REQUIRE(after.late == rows_of_text{"a|1|2999@2999"});
}

TEST_CASE("case 36: without lateness a record is accepted until the watermark reaches the end",
          "[semantics][window]") {
  const shown got =
      show({e("a", 1000), w(1985), e("a", 1980), w(1999), e("a", 1998), e("a", 2001), w(3999)},
           fr::tumbling{2000us});
  REQUIRE(got.rows == rows_of_text{"a|0|2000|2@1999", "a|2000|4000|1@3999"});
  REQUIRE(got.late == rows_of_text{"a|1|1998@1998"});
}

TEST_CASE("case 37: a window closes when the watermark reaches its end plus the lateness",
          "[semantics][window]") {
  const fr::window_options options{.allowed_lateness = 500us};
  const shown open = show({w(2498), e("a", 1999)}, fr::tumbling{2000us}, options);
  REQUIRE(open.rows == rows_of_text{"a|0|2000|1@1999"});
  const shown closed = show({w(2499), e("a", 1999)}, fr::tumbling{2000us}, options);
  REQUIRE(closed.rows.empty());
  REQUIRE(closed.late.size() == 1);
}

TEST_CASE("case 38, 39: a late record that is allowed fires its window again at once, accumulating",
          "[semantics][window]") {
  const shown got =
      show({e("a", 500), w(1500), e("a", 1300), w(2300), e("a", 1997), w(6000), e("a", 1998)},
           fr::tumbling{2000us}, {.allowed_lateness = 500us});
  REQUIRE(got.rows == rows_of_text{"a|0|2000|2@1999", "a|0|2000|3@1999"});
  REQUIRE(got.late == rows_of_text{"a|1|1998@1998"});
}

TEST_CASE("case 40: lateness is judged per window, and a record is late when it is for all of them",
          "[semantics][window]") {
  const fr::sliding windows{3000us, 1000us};
  const shown partly = show({w(2999), e("a", 2400)}, windows);
  REQUIRE(partly.rows == rows_of_text{"a|1000|4000|1@3999", "a|2000|5000|1@4999"});
  REQUIRE(partly.late.empty());
  const shown fully = show({w(6000), e("a", 3001)}, windows);
  REQUIRE(fully.rows.empty());
  REQUIRE(fully.late == rows_of_text{"a|1|3001@3001"});
  REQUIRE(fully.metrics.late() == 1);  // Once, not once per window.
}

TEST_CASE("case 41: end plus lateness saturates, and such a window never closes",
          "[semantics][window]") {
  const fr::window_options options{.allowed_lateness = fr::duration::max()};
  const shown got = show({e("a", 1), w(1'000'000'000), e("a", 2)}, fr::tumbling{10us}, options);
  REQUIRE(got.rows == rows_of_text{"a|0|10|1@9", "a|0|10|2@9"});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 41: a window that ends with time itself fires at the end of the input",
          "[semantics][window]") {
  const std::int64_t last = fr::timestamp_max.time_since_epoch().count();
  const shown got = show({e("a", last), e("a", last), e("a", last - 1)}, fr::session{100us});
  REQUIRE(got.rows.size() == 1);
  REQUIRE_THAT(got.rows.front(), Catch::Matchers::Contains("|3@"));
  REQUIRE(got.metrics.late() == 0);
}

TEST_CASE("case 42: firing and closing at one watermark is one emission", "[semantics][window]") {
  const shown none = show({e("a", 1), w(1999), w(2000), w(5000)}, fr::tumbling{2000us});
  REQUIRE(none.rows == rows_of_text{"a|0|2000|1@1999"});
  const shown one =
      show({e("a", 1), w(1999), w(2000), w(5000)}, fr::tumbling{2000us}, {.allowed_lateness = 1us});
  REQUIRE(one.rows == rows_of_text{"a|0|2000|1@1999"});
}

TEST_CASE("case 44: the global window is never late, and fires when the input ends",
          "[semantics][window]") {
  const shown got =
      show({e("a", 5), w(1000), e("b", 7), e("a", 1), e("a", 2000)}, fr::global_window{});
  const std::string all = "-9223372036854775808|9223372036854775807|";
  REQUIRE(sorted(got.rows) ==
          rows_of_text{"a|" + all + "3@9223372036854775806", "b|" + all + "1@9223372036854775806"});
  REQUIRE(got.late.empty());
}

TEST_CASE("case 43: windows without records emit nothing", "[semantics][window]") {
  const shown got = show({e("a", 5), w(100), e("a", 95)}, fr::tumbling{10us});
  REQUIRE(got.rows == rows_of_text{"a|0|10|1@9"});
  REQUIRE(show({}, fr::tumbling{10us}).rows.empty());
}

TEST_CASE(
    "case 10: a record between two windows is unassigned, not late, wherever the watermark is",
    "[semantics][window]") {
  const shown got = show({e("a", 6), e("a", 8), e("a", 3)}, fr::sliding{2us, 5us});
  REQUIRE(got.rows == rows_of_text{"a|5|7|1@6"});
  REQUIRE(got.metrics.unassigned() == 2);
  REQUIRE(got.metrics.late() == 0);
}

TEST_CASE("case 50: at close, a window takes records until its end plus the lateness is reached",
          "[semantics][window]") {
  const fr::window_options options{.allowed_lateness = 90us, .fire = fr::firing::at_close};
  std::vector<event> split = {w(99)};
  for (std::int64_t at = 0; at <= 6; ++at) split.push_back(e("a", at));
  for (const event& each : {w(103), e("a", 7), w(104), e("a", 8)}) split.push_back(each);
  const shown got = show(split, fr::sliding{10us, 5us}, options);
  // 0 to 4 are late for all of their windows at 100; 5 to 7 enter [5, 15), which closes at 105.
  REQUIRE(got.rows == rows_of_text{"a|5|15|3@14"});
  REQUIRE(got.late ==
          rows_of_text{"a|1|0@0", "a|1|1@1", "a|1|2@2", "a|1|3@3", "a|1|4@4", "a|1|8@8"});
}

TEST_CASE("at_close fires once, with everything that was allowed", "[semantics][window]") {
  const shown got =
      show({e("a", 500), w(2300), e("a", 1997), w(2499), e("a", 1998)}, fr::tumbling{2000us},
           {.allowed_lateness = 500us, .fire = fr::firing::at_close});
  REQUIRE(got.rows == rows_of_text{"a|0|2000|2@1999"});
  REQUIRE(got.late == rows_of_text{"a|1|1998@1998"});
}

TEST_CASE("case 110: rows, late records and their order per key do not depend on the batch size",
          "[semantics][window]") {
  std::mt19937_64 random(110);
  std::vector<event> split;
  for (std::int64_t i = 0; i < 3000; ++i) {
    const std::string key(1, static_cast<char>('a' + random() % 3));
    split.push_back({key, i, tick(i / 3 - static_cast<std::int64_t>(random() % 50))});
  }
  const fr::window_options options{.allowed_lateness = 20us};
  const shown one = show(split, fr::sliding{30us, 10us}, options, 1);
  REQUIRE(one.metrics.late() > 50);
  for (const std::size_t chunk : {2U, 7U, 256U, 1024U}) {
    const shown many = show(split, fr::sliding{30us, 10us}, options, chunk);
    REQUIRE(many.rows == one.rows);
    REQUIRE(many.late == one.late);
  }
}

TEST_CASE("case 31: windows over windows of one size fire at the same watermark",
          "[semantics][window]") {
  auto from = script_of({{e("a", 1), e("b", 2), e("a", 4999), e("a", 5000), e("a", 12000)}});
  const auto rows = keeper();
  fr::pipeline p("cases");
  const auto first = p.from("events", scripted<event>(from)) |
                     fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                     fr::key_by(&event::key) | fr::window(fr::tumbling{5000us}) |
                     fr::aggregate("first", fr::count("n"));
  using row = typename decltype(first)::value_type;
  first | fr::key_by([](const row&) { return 0; }) | fr::window(fr::tumbling{5000us}) |
      fr::aggregate("second", fr::count("keys"),
                    fr::sum("n", [](const row& each) { return std::get<0>(each.values); })) |
      fr::to("rows", keep_rows_in(rows));
  (void)run_to_end(p);
  REQUIRE(rows->rows ==
          rows_of_text{"0|0|5000|2|3@4999", "0|5000|10000|1|1@9999", "0|10000|15000|1|1@14999"});
}

namespace {

/// Windows over windows whose first level fires again for late records, read in chunks.
rows_of_text nested(const event_splits& splits, fr::firing fire, std::size_t chunk) {
  auto from = script_of(splits);
  from->chunk_max = chunk;
  from->seed = chunk;
  const auto rows = keeper();
  fr::pipeline p("nested");
  const auto first = p.from("events", scripted<event>(from)) |
                     fr::event_time(&event::at, fr::bounded_disorder{5us}) |
                     fr::key_by(&event::key) |
                     fr::window(fr::tumbling{7us}, {.allowed_lateness = 15us, .fire = fire}) |
                     fr::aggregate("first", fr::count("n"), fr::collect("all", &event::value));
  using row = typename decltype(first)::value_type;
  const auto n = [](const row& each) { return std::get<0>(each.values); };
  first | fr::key_by([](const row& each) { return each.key == "a"; }) |
      fr::window(fr::tumbling{21us}, {.allowed_lateness = 10us}) |
      fr::aggregate("second", fr::count("panes"), fr::sum("sum", n), fr::max("most", n),
                    fr::last("last", n), fr::collect("each", n)) |
      fr::to("rows", keep_rows_in(rows));
  (void)run_to_end(p);
  return sorted(rows->visible());
}

event_splits nested_splits(std::mt19937_64& random) {
  event_splits splits(1 + random() % 3);
  for (auto& split : splits) {
    for (std::int64_t i = 0; i < 150; ++i) {
      const std::string key(1, static_cast<char>('a' + random() % 3));
      split.push_back({key, i, tick(i / 2 - static_cast<std::int64_t>(random() % 25))});
    }
  }
  return splits;
}

}  // namespace

TEST_CASE("windows over windows that fire again give the same rows for every chunking",
          "[semantics][window]") {
  std::mt19937_64 random(31);
  for (int round = 0; round < 30; ++round) {
    const event_splits splits = nested_splits(random);
    for (const fr::firing fire : {fr::firing::on_time, fr::firing::at_close}) {
      INFO("round " << round << (fire == fr::firing::on_time ? ", on time" : ", at close"));
      const rows_of_text wanted = nested(splits, fire, 1024);
      for (const std::size_t chunk : {1U, 3U, 20U, 200U}) {
        REQUIRE(nested(splits, fire, chunk) == wanted);
      }
    }
  }
}

TEST_CASE("case 28: records that a filter drops below event_time move the watermark all the same",
          "[semantics][watermark]") {
  const auto rows = keeper();
  auto from = script_of({{e("a", 1), e("b", 50), e("a", 2)}});
  from->chunk_max = 1;
  from->chunks_vary = false;
  fr::pipeline p("cases");
  const auto windows = p.from("events", scripted<event>(from)) |
                       fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                       fr::filter([](const event& each) { return each.key == "a"; }) |
                       fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                       fr::aggregate("w", fr::count("n"));
  windows | fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.late() == 1);
  REQUIRE(rows->rows == rows_of_text{"a|0|10|1@9"});
}

TEST_CASE("case 30: a watermark follows all rows that it caused", "[semantics][watermark]") {
  // The second window would lose the first one's rows if the watermark overtook them.
  auto from = script_of({{e("a", 1), e("b", 2), e("c", 3), w(2000)}});
  const auto rows = keeper();
  fr::pipeline p("cases");
  const auto first = p.from("events", scripted<event>(from)) |
                     fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                     fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                     fr::aggregate("first", fr::count("n"));
  using row = typename decltype(first)::value_type;
  const auto second = first | fr::key_by([](const row&) { return 0; }) |
                      fr::window(fr::tumbling{10us}) | fr::aggregate("second", fr::count("keys"));
  second | fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.late() == 0);
  REQUIRE(rows->rows.front() == "0|0|10|3@9");
}

TEST_CASE("case 52: after a record from far ahead the others are late, as their split promised",
          "[semantics][watermark]") {
  const shown got = show({e("a", 1), e("a", 1'000'000), e("a", 2), e("a", 3)}, fr::tumbling{10us});
  REQUIRE(got.rows == rows_of_text{"a|0|10|1@9", "a|1000000|1000010|1@1000009"});
  REQUIRE(got.late.size() == 2);
}

TEST_CASE("case 25: an exhausted split leaves the minimum, and the last one ends time",
          "[semantics][watermark]") {
  const auto rows = keeper();
  // The short split would hold the windows of the long one back for ever.
  auto from = script_of({events_at({1}), events_at({1, 11, 21, 31})});
  from->chunk_max = 1;
  from->chunks_vary = false;
  fr::pipeline p("cases");
  p.from("events", scripted<event>(from)) | fr::event_time(&event::at, fr::bounded_disorder{0us}) |
      fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
      fr::aggregate("w", fr::count("n")) | fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.late() == 0);
  REQUIRE(rows->rows == rows_of_text{"a|0|10|2@9", "a|10|20|1@19", "a|20|30|1@29", "a|30|40|1@39"});
}

TEST_CASE("case 29: lateness after a restart is judged by the promises made before it",
          "[semantics][watermark]") {
  const auto rows = keeper();
  const auto late = keeper();
  auto from = script_of({{e("a", 5), e("a", 40), e("a", 6), e("a", 41)}});
  from->chunk_max = 1;
  from->chunks_vary = false;
  from->crash_after = 2;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  const auto compose = [&] {
    fr::pipeline p("cases");
    const auto windows = p.from("events", scripted<event>(from)) |
                         fr::event_time(&event::at, fr::bounded_disorder{0us}) |
                         fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                         fr::aggregate("w", fr::count("n"));
    windows | fr::to("rows", keep_rows_in(rows));
    windows.late() | fr::to("late", keep_rows_in(late));
    return p;
  };
  fr::pipeline first = compose();
  REQUIRE_FALSE(first.run(committing_to(commits)).ok());
  REQUIRE(rows->published == 1);
  from->crash_after = std::numeric_limits<std::size_t>::max();
  fr::pipeline second = compose();
  REQUIRE(run_to_end(second, committing_to(commits)).resumed);
  REQUIRE(rows->rows == rows_of_text{"a|0|10|1@9", "a|40|50|2@49"});
  REQUIRE(late->rows == rows_of_text{"a|1|6@6"});
}
