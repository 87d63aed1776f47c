// Which records are late, and what late ones that are accepted do: the cases of the project's list
// of stream processing semantics, by number, in every mode. Times are ticks of 1 us; `w(t)` is the
// list's W(t), see semantics/cases.hpp.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

template <class Assigner>
outcome show(const items& given, const Assigner& assigner, fr::window_options options = {}) {
  return everywhere(given, [&](const fr::stream<event>& events) {
    return events | fr::key_by(&event::key) | fr::window(assigner, options) |
           fr::aggregate("w", fr::count("n"));
  });
}

/// The same over records of one key that move the watermark by themselves, `disorder` behind the
/// latest of them: the stream time of Kafka Streams.
template <class Assigner>
outcome show_times(const std::vector<std::int64_t>& times, fr::duration disorder,
                   const Assigner& assigner, fr::window_options options = {}) {
  return frt::in_every_mode([&](const frt::harness_options& mode) {
    frt::harness h(mode);
    const auto in = h.untimed_input<event>("events");
    const auto windows = in.stream() | fr::event_time(&event::at, fr::bounded_disorder{disorder}) |
                         fr::key_by(&event::key) | fr::window(assigner, options) |
                         fr::aggregate("w", fr::count("n"));
    const auto rows = h.collect(windows);
    const auto late = h.collect(windows.late());
    for (const std::int64_t each : times) in.push({"a", each, tick(each)});
    outcome got;
    got.rows = rows.take_text();  // Those that only the end of the input fires do not count.
    got.late = late.take_text();
    got.late_count = h.metrics().late();
    return got;
  });
}

}  // namespace

TEST_CASE("case 36: without lateness a record is accepted until the watermark reaches the end",
          "[semantics][window]") {
  const outcome got =
      show({e(1000), w(1985), e(1980), look(), w(1999), look(), e(1998), e(2001), w(3999)},
           fr::tumbling{2000us});
  REQUIRE(got.rows == rows_of_text{"--", "a|0|2000|2@1999", "--", "a|2000|4000|1@3999"});
  REQUIRE(got.late == rows_of_text{"a|1998|1998@1998"});
}

TEST_CASE("case 37: a window closes when the watermark reaches its end plus the lateness",
          "[semantics][window]") {
  const fr::window_options options{.allowed_lateness = 500us};
  const outcome open = show({w(2498), e(1999)}, fr::tumbling{2000us}, options);
  REQUIRE(open.rows == rows_of_text{"a|0|2000|1@1999"});
  REQUIRE(open.late_count == 0);
  const outcome closed = show({w(2499), e(1999)}, fr::tumbling{2000us}, options);
  REQUIRE(closed.rows.empty());
  REQUIRE(closed.late == rows_of_text{"a|1999|1999@1999"});
}

TEST_CASE("case 38, 39: a late record that is allowed fires its window again at once, accumulating",
          "[semantics][window]") {
  const outcome got =
      show({e(500), w(1500), e(1300), w(2300), look(), e(1997), look(), w(6000), look(), e(1998)},
           fr::tumbling{2000us}, {.allowed_lateness = 500us});
  REQUIRE(got.rows == rows_of_text{"a|0|2000|2@1999", "--", "a|0|2000|3@1999", "--", "--"});
  REQUIRE(got.late == rows_of_text{"a|1998|1998@1998"});
}

TEST_CASE("case 40: lateness is judged per window, and a record is late when it is for all of them",
          "[semantics][window]") {
  const fr::sliding windows{3000us, 1000us};
  const outcome partly = show({w(2999), e(2400)}, windows);
  REQUIRE(partly.rows == rows_of_text{"a|1000|4000|1@3999", "a|2000|5000|1@4999"});
  REQUIRE(partly.late_count == 0);
  const outcome fully = show({w(6000), e(3001)}, windows);
  REQUIRE(fully.rows.empty());
  REQUIRE(fully.late == rows_of_text{"a|3001|3001@3001"});
  REQUIRE(fully.late_count == 1);  // Once, not once per window.
}

TEST_CASE("case 40: what a record adds to each of its sliding windows follows the watermark",
          "[semantics][window]") {
  // The list's whole example. The records at 2400 come when [0, 3000) has closed.
  const outcome got = show({e("key2", 1000), w(1999), look(), e("key2", 2000), w(3000), look(),
                            e("key2", 2400), e("key2", 2400), e("key1", 3001), e("key1", 3001),
                            e("key2", 3900), w(6000), look(), e("key1", 3001), w(25000)},
                           fr::sliding{3000us, 1000us});
  REQUIRE(got.rows.at(0) == "key2|-1000|2000|1@1999");
  REQUIRE(got.rows.at(2) == "key2|0|3000|2@2999");
  REQUIRE(sorted(got.rows) == sorted({"key2|-1000|2000|1@1999", "--", "key2|0|3000|2@2999", "--",
                                      "key2|1000|4000|5@3999", "key2|2000|5000|4@4999",
                                      "key2|3000|6000|1@5999", "key1|1000|4000|2@3999",
                                      "key1|2000|5000|2@4999", "key1|3000|6000|2@5999", "--"}));
  REQUIRE(got.rows.back() == "--");
  REQUIRE(got.late == rows_of_text{"key1|3001|3001@3001"});
}

TEST_CASE("case 41: end plus lateness saturates, and such a window never closes",
          "[semantics][window]") {
  const fr::window_options options{.allowed_lateness = fr::duration::max()};
  const outcome got = show({e(1), w(1'000'000'000), look(), e(2)}, fr::tumbling{10us}, options);
  REQUIRE(got.rows == rows_of_text{"a|0|10|1@9", "--", "a|0|10|2@9"});
  REQUIRE(got.late.empty());
}

TEST_CASE(
    "case 10: a record between two windows is unassigned, not late, wherever the watermark is",
    "[semantics][window]") {
  const outcome got = show({e(6), w(6), e(8), w(8), e(3), e(-4)}, fr::sliding{2us, 5us});
  REQUIRE(got.rows == rows_of_text{"a|5|7|1@6"});
  REQUIRE(got.unassigned == 2);
  REQUIRE(got.late == rows_of_text{"a|-4|-4@-4"});  // Of [-5, -3).
}

TEST_CASE("at_close fires once, with everything that was allowed", "[semantics][window]") {
  const outcome got =
      show({e(500), w(2300), e(1997), w(2498), look(), w(2499), look(), e(1998)},
           fr::tumbling{2000us}, {.allowed_lateness = 500us, .fire = fr::firing::at_close});
  REQUIRE(got.rows == rows_of_text{"--", "a|0|2000|2@1999", "--"});
  REQUIRE(got.late == rows_of_text{"a|1998|1998@1998"});
}

TEST_CASE("case 49: a grace period is a disorder, or a lateness that is waited for",
          "[semantics][window]") {
  // Kafka's final results are the rows of at_close; their time is our end - 1, not the largest of
  // a record's. [4, 6) is not complete until time goes on.
  const std::vector<std::int64_t> times{0, 1, 2, 1, 0, 5, 0};
  const rows_of_text wanted{"a|0|2|4@1", "a|2|4|1@3"};
  const outcome disorder = show_times(times, 1us, fr::tumbling{2us});
  REQUIRE(disorder.rows == wanted);
  REQUIRE(disorder.late == rows_of_text{"a|0|0@0"});
  const outcome lateness = show_times(times, 0us, fr::tumbling{2us},
                                      {.allowed_lateness = 1us, .fire = fr::firing::at_close});
  REQUIRE(lateness.rows == wanted);
  REQUIRE(lateness.late == disorder.late);
}

TEST_CASE("case 49: without waiting every record of the grace period updates the result",
          "[semantics][window]") {
  const outcome got =
      show_times({0, 1, 2, 1, 0, 5, 0}, 0us, fr::tumbling{2us}, {.allowed_lateness = 1us});
  REQUIRE(got.rows == rows_of_text{"a|0|2|2@1", "a|0|2|3@1", "a|0|2|4@1", "a|2|4|1@3"});
  REQUIRE(got.late == rows_of_text{"a|0|0@0"});
}

TEST_CASE("case 50: a window is closed once stream time less the grace period reaches its end",
          "[semantics][window]") {
  // Where Kafka counts each window that a record is too late for, a late record counts once here.
  // Its windows do not begin before 0; ours do: 0 to 4 belong to [-5, 5), too, which is closed.
  const fr::sliding windows{10us, 5us};
  const outcome before = show_times({100, 0, 1, 2, 3, 4, 5, 6}, 90us, windows);
  REQUIRE(before.rows.empty());  // 5 and 6 wait in [5, 15).
  REQUIRE(before.late_count == 5);
  REQUIRE(show_times({100, 0, 1, 2, 3, 4, 5, 6, 104}, 90us, windows).rows.empty());
  const outcome at = show_times({100, 0, 1, 2, 3, 4, 5, 6, 105}, 90us, windows);
  REQUIRE(at.rows == rows_of_text{"a|5|15|2@14"});
  REQUIRE(at.late_count == 5);
}

TEST_CASE("case 50: at close, a window takes records until its end plus the lateness is reached",
          "[semantics][window]") {
  items given{w(99)};
  for (std::int64_t at = 0; at <= 6; ++at) given.push_back(e(at));
  for (const item& each : {w(103), e(7), look(), w(104), look(), e(8)}) given.push_back(each);
  const outcome got =
      show(given, fr::sliding{10us, 5us}, {.allowed_lateness = 90us, .fire = fr::firing::at_close});
  // 0 to 4 are late for all of their windows at 100; 5 to 7 enter [5, 15), which closes at 105.
  REQUIRE(got.rows == rows_of_text{"--", "a|5|15|3@14", "--"});
  REQUIRE(got.late ==
          rows_of_text{"a|0|0@0", "a|1|1@1", "a|2|2@2", "a|3|3@3", "a|4|4@4", "a|8|8@8"});
}
