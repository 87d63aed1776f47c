// When windows fire: the cases of the project's list of stream processing semantics, by number, in
// every mode. Times are ticks of 1 us; `w(t)` is the list's W(t), see semantics/cases.hpp.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/window/global.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

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

/// Windows of the rows of windows, both of one size: how many keys there were, and records.
outcome show_twice(const items& given, fr::tumbling windows) {
  return everywhere(given, [&](const fr::stream<event>& events) {
    const auto first = events | fr::key_by(&event::key) | fr::window(windows) |
                       fr::aggregate("first", fr::count("n"));
    using row = typename decltype(first)::value_type;
    return first | fr::key_by([](const row&) { return 0; }) | fr::window(windows) |
           fr::aggregate("second", fr::count("keys"),
                         fr::sum("n", [](const row& each) { return std::get<0>(each.values); }));
  });
}

constexpr std::int64_t last_tick = fr::timestamp_max.time_since_epoch().count();

}  // namespace

TEST_CASE(
    "case 35: a window fires once, when the watermark reaches its end, and its row stands at "
    "end - 1",
    "[semantics][window]") {
  const outcome got = show({e(0), w(999), w(1999), w(2998), look(), w(2999), look(), w(3999)},
                           fr::tumbling{3000us});
  REQUIRE(got.rows == rows_of_text{"--", "a|0|3000|1@2999", "--"});
}

TEST_CASE("case 35: a record that comes before the watermark reaches the end counts",
          "[semantics][window]") {
  const fr::tumbling windows{3000us};
  REQUIRE(show({e(0), w(2998), e(2999)}, windows).rows == rows_of_text{"a|0|3000|2@2999"});
  const outcome after = show({e(0), w(2999), e(2999), w(3999)}, windows);
  REQUIRE(after.rows == rows_of_text{"a|0|3000|1@2999"});
  REQUIRE(after.late == rows_of_text{"a|2999|2999@2999"});
}

TEST_CASE("case 42: firing and closing at one watermark is one emission", "[semantics][window]") {
  const items given{e(1), w(1999), look(), w(2000), w(5000)};
  const rows_of_text once{"a|0|2000|1@1999", "--"};
  REQUIRE(show(given, fr::tumbling{2000us}).rows == once);
  REQUIRE(show(given, fr::tumbling{2000us}, {.allowed_lateness = 1us}).rows == once);
  REQUIRE(show(given, fr::tumbling{2000us}, {.fire = fr::firing::at_close}).rows == once);
}

TEST_CASE("case 43: windows without records emit nothing", "[semantics][window]") {
  REQUIRE(show({e(5), w(100), e(101)}, fr::tumbling{10us}).rows ==
          rows_of_text{"a|0|10|1@9", "a|100|110|1@109"});
  REQUIRE(show({w(100)}, fr::tumbling{10us}).rows.empty());
  REQUIRE(show({}, fr::tumbling{10us}).rows.empty());
}

TEST_CASE("windows that one watermark completes fire in the order of their ends",
          "[semantics][window]") {
  REQUIRE(show({e(25), e(4), e(17), look(), w(40)}, fr::tumbling{10us}).rows ==
          rows_of_text{"--", "a|0|10|1@9", "a|10|20|1@19", "a|20|30|1@29"});
}

TEST_CASE("case 31: windows over windows of one size fire at the same watermark",
          "[semantics][window]") {
  const outcome got = show_twice(
      {e("a", 1), e("b", 2), e("a", 4999), e("a", 5000), w(4999), look(), e("a", 12000), w(12000)},
      fr::tumbling{5000us});
  REQUIRE(got.rows == rows_of_text{"0|0|5000|2|3@4999", "--", "0|5000|10000|1|1@9999",
                                   "0|10000|15000|1|1@14999"});
}

TEST_CASE("case 30: a watermark follows all rows that it caused", "[semantics][watermark]") {
  // The second window would find the first one's rows late if the watermark overtook them.
  const outcome got =
      show_twice({e("a", 1), e("b", 2), e("c", 3), w(2000), look()}, fr::tumbling{10us});
  REQUIRE(got.rows == rows_of_text{"0|0|10|3|3@9", "--"});
  REQUIRE(got.late_count == 0);
}

TEST_CASE("case 32: the end of the input is the end of time, and every open window fires once",
          "[semantics][window]") {
  const items given{e("a", 1), e("b", 25), frontier(30), look()};
  REQUIRE(show(given, fr::tumbling{20us}).rows ==
          rows_of_text{"a|0|20|1@19", "--", "b|20|40|1@39"});
  REQUIRE(show(given, fr::session{10us}).rows == rows_of_text{"a|1|11|1@10", "--", "b|25|35|1@34"});
}

TEST_CASE("case 32, 44: the global window fires at the end of the input alone, and nothing is late",
          "[semantics][window]") {
  const outcome got =
      show({e(5), frontier(last_tick), e(-3), look(), e(7), look()}, fr::global_window{});
  const std::string first = std::to_string(std::numeric_limits<std::int64_t>::min());
  const std::string end = std::to_string(last_tick);
  REQUIRE(
      got.rows ==
      rows_of_text{"--", "--", "a|" + first + "|" + end + "|3@" + std::to_string(last_tick - 1)});
  REQUIRE(got.late_count == 0);
}

TEST_CASE("case 41: a window that ends with time itself fires at the end of the input",
          "[semantics][window]") {
  const outcome got = show({e(last_tick), e(last_tick), frontier(last_tick), look(), e(last_tick)},
                           fr::session{100us});
  REQUIRE(got.rows ==
          rows_of_text{"--", "a|" + std::to_string(last_tick) + "|" + std::to_string(last_tick) +
                                 "|3@" + std::to_string(last_tick - 1)});
  REQUIRE(got.late_count == 0);
}

TEST_CASE("case 33: stopping keeps open windows, draining closes them, and nothing is left to do",
          "[semantics][window]") {
  const auto played = [](auto end) {
    return frt::in_every_mode([end](const frt::harness_options& options) {
      frt::harness h(options);
      const auto in = h.input<event>("events");
      const auto rows =
          h.collect(in.stream() | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                    fr::aggregate("w", fr::count("n")));
      in.push({"a", 1, tick(1)}, tick(1));
      in.watermark(tick(5));
      end(h, in);
      return rows.take_text();
    });
  };
  const auto push_more = [](const auto& in) { in.push({"a", 6, tick(6)}, tick(6)); };
  REQUIRE(played([](auto& h, const auto&) {
            h.stop();
            REQUIRE_FALSE(h.summary().finished);
          }).empty());
  REQUIRE(played([&](auto& h, const auto& in) {
            h.stop();
            h.resume();
            push_more(in);
            h.drain();
            REQUIRE(h.summary().finished);
          }) == rows_of_text{"a|0|10|2@9"});
  REQUIRE(played([](auto& h, const auto&) {
            h.drain();
            frt::harness again({.checkpoint = h.checkpoint()});
            const auto in = again.input<event>("events");
            const auto none =
                again.collect(in.stream() | fr::key_by(&event::key) |
                              fr::window(fr::tumbling{10us}) | fr::aggregate("w", fr::count("n")));
            REQUIRE(none.empty());
            REQUIRE(again.summary().nothing_to_do);
          }) == rows_of_text{"a|0|10|1@9"});
}

TEST_CASE("case 105: windows are aligned by their options, not by when a job starts or resumes",
          "[semantics][window]") {
  const rows_of_text wanted{"a|-3|7|1@6", "a|7|17|2@16"};
  for (const std::int64_t start : {0, 4, 1'000'003}) {
    for (const std::int64_t first : {-3, 6}) {
      const rows_of_text got = frt::in_every_mode([&](const frt::harness_options& options) {
        frt::harness_options at_start = options;
        at_start.clock_start = tick(start);
        frt::harness h(at_start);
        const auto in = h.input<event>("events");
        const auto rows = h.collect(in.stream() | fr::key_by(&event::key) |
                                    fr::window(fr::tumbling{.size = 10us, .offset = 7us}) |
                                    fr::aggregate("w", fr::count("n")));
        in.push({"a", 0, {}}, tick(first));
        h.stop();
        h.resume();
        for (const std::int64_t at : {7, 16}) in.push({"a", 0, {}}, tick(at));
        h.finish();
        return rows.take_text();
      });
      REQUIRE(got == wanted);
    }
  }
}
