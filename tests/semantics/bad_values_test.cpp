// Values and keys that are no good, in every mode: numbers that are none, infinite ones, absent
// ones, empty keys, and promises of records that go back.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/watermark.hpp>

#include <cmath>
#include <limits>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

struct reading {
  double value = 0;
  std::optional<double> maybe;
};
BOOST_DESCRIBE_STRUCT(reading, (), (value, maybe))

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

/// The aggregates of one session that holds values[i] at tick i, from `count` to `last`. `order`:
/// which of them comes when; even and odd ones come through different splits.
std::string folded(const std::vector<double>& values, const std::vector<std::size_t>& order) {
  const rows_of_text rows = frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<reading>("readings", {.splits = 2});
    const auto row = h.collect(
        in.stream() | fr::key_by([](const reading&) { return 0; }) | fr::window(fr::session{2us}) |
        fr::aggregate("w", fr::count("n"), fr::sum("sum", &reading::value),
                      fr::mean("mean", &reading::value), fr::min("min", &reading::value),
                      fr::max("max", &reading::value), fr::variance("variance", &reading::value),
                      fr::distinct("distinct", &reading::value),
                      fr::first("first", &reading::value), fr::last("last", &reading::value)));
    for (const std::size_t each : order) {
      const auto at = tick(static_cast<std::int64_t>(each));
      in.split(each % 2).push({values[each], std::nullopt}, at);
    }
    h.finish();
    return row.take_text();
  });
  REQUIRE(rows.size() == 1);
  const std::size_t begin = rows[0].find('|', rows[0].find('|', 2) + 1) + 1;
  return rows[0].substr(begin, rows[0].find('@') - begin);
}

/// The same for every order in which the values may come.
std::string folded(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::string wanted = folded(values, order);
  while (std::next_permutation(order.begin(), order.end())) {
    const std::string found = folded(values, order);
    if (found != wanted) return wanted + ", and in another order " + found;
  }
  return wanted;
}

}  // namespace

TEST_CASE("a NaN shows in sum, mean, extrema and moments, whatever its sign and its place",
          "[semantics][values]") {
  // count, sum, mean, min, max, variance, distinct, first, last
  REQUIRE(folded({1, no_number, 3}) == "3|nan|nan|nan|nan|nan|3|1|3");
  REQUIRE(folded({1, -no_number, 3}) == "3|nan|nan|nan|nan|nan|3|1|3");
  REQUIRE(folded({no_number, 2, -no_number, 2}) == "4|nan|nan|nan|nan|nan|2|nan|2");
  // What is handed on as it came keeps its sign.
  REQUIRE(folded({-no_number}) == "1|nan|nan|nan|nan|nan|1|-nan|-nan");
}

TEST_CASE("infinite values are summed as floating point does, and have no variance",
          "[semantics][values]") {
  REQUIRE(folded({1, infinite, 3}) == "3|inf|inf|1|inf|nan|3|1|3");
  REQUIRE(folded({-infinite, 2, -infinite}) == "3|-inf|-inf|-inf|2|nan|2|-inf|-inf");
  REQUIRE(folded({infinite, 2, -infinite}) == "3|nan|nan|-inf|inf|nan|3|inf|-inf");
}

TEST_CASE("zeros of both signs are one value, and have an order", "[semantics][values]") {
  REQUIRE(folded({0.0, -0.0}) == "2|0|0|-0|0|0|1|0|-0");
  REQUIRE(folded({5e-324, -5e-324}) == "2|0|0|-5e-324|5e-324|0|2|5e-324|-5e-324");
}
TEST_CASE("absent values are left out, and of none at all there is no mean",
          "[semantics][values]") {
  const auto of = [](const std::vector<std::optional<double>>& values) {
    return frt::in_every_mode([&](const frt::harness_options& options) {
      frt::harness h(options);
      const auto in = h.input<reading>("readings");
      const auto rows = h.collect(
          in.stream() | fr::key_by([](const reading&) { return 0; }) |
          fr::window(fr::session{2us}) |
          fr::aggregate("w", fr::count("n"), fr::count("there", &reading::maybe),
                        fr::sum("sum", &reading::maybe), fr::mean("mean", &reading::maybe),
                        fr::min("min", &reading::maybe), fr::variance("variance", &reading::maybe),
                        fr::distinct("distinct", &reading::maybe),
                        fr::first("first", &reading::maybe), fr::collect("all", &reading::maybe)));
      std::int64_t at = 0;
      for (const std::optional<double>& each : values) in.push({0, each}, tick(at++));
      h.finish();
      return rows.take_text();
    });
  };
  REQUIRE(of({std::nullopt, 4, std::nullopt, 2}) == rows_of_text{"0|0|5|4|2|6|3|2|2|2|4|[4,2]@4"});
  REQUIRE(of({std::nullopt}) == rows_of_text{"0|0|2|1|0|0|none|none|none|0|none|[]@1"});
}

TEST_CASE("an empty text is a key like any other, and so is one of a zero byte",
          "[semantics][keys]") {
  using namespace std::string_literals;
  const outcome got =
      everywhere({e("", 1), e("\0"s, 2), e("", 3), e("a", 4), frontier(20), e("", 5)},
                 [](const fr::stream<event>& events) {
                   return events | fr::key_by(&event::key) | fr::window(fr::session{10us}) |
                          fr::aggregate("w", fr::count("n"));
                 });
  REQUIRE(sorted(got.rows) == sorted({"|1|13|2@12", "\0|2|12|1@11"s, "a|4|14|1@13"}));
  REQUIRE(got.late == rows_of_text{"|5|5@5"});
}

TEST_CASE("case 107: a record without a key is counted, and goes to the dead letters alone",
          "[semantics][keys]") {
  const auto key_of = [](const event& each) {
    return each.key.empty() ? std::nullopt : std::optional(each.key);
  };
  frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.input<event>("events");
    const auto keyed = in.stream() | fr::key_by(key_of);
    const auto windows = keyed | fr::window(fr::session{10us}) | fr::aggregate("w", fr::count("n"));
    const auto rows = h.collect(windows);
    const auto late = h.collect(windows.late());
    const auto dead = h.collect(keyed.dead());
    for (const item& each : {e("", 1), e("a", 2), frontier(50), e("", 3), e("a", 4)})
      give(in, each);
    h.finish();
    REQUIRE(rows.take_text() == rows_of_text{"a|2|12|1@11"});
    REQUIRE(late.take_text() == rows_of_text{"a|4|4@4"});  // Not the one that nobody can place.
    const rows_of_text letters = dead.take_text();
    REQUIRE(letters.size() == 2);
    for (const std::string& letter : letters) {
      REQUIRE_THAT(letter, Catch::Matchers::Contains("the record has no key"));
    }
    REQUIRE(h.metrics().dead() == 2);
    REQUIRE(h.metrics().late() == 1);
  });
}

TEST_CASE("a record without an event time goes to the dead letters and moves no watermark",
          "[semantics][values]") {
  const auto time_of = [](const event& each) {
    return each.key.empty() ? std::nullopt : std::optional(each.at);
  };
  frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto timed = in.stream() | fr::event_time(time_of, fr::ascending{});
    const auto dead = h.collect(timed.dead());
    const auto rows = h.collect(timed);
    for (const std::int64_t at : {1, 900, 5}) in.push({at == 900 ? "" : "a", at, tick(at)});
    h.finish();
    REQUIRE(rows.take_text() == rows_of_text{"a|1|1@1", "a|5|5@5"});
    REQUIRE(rows.all().back().entry_frontier == std::nullopt);
    REQUIRE(dead.size() == 1);
    REQUIRE(h.metrics().dead() == 1);
  });
}

TEST_CASE("promises of records that go back are ignored and counted, the same in every mode",
          "[semantics][watermark]") {
  // The record of the key `says` promises its value.
  const auto promise = [](const event& each) {
    return each.key == "says" ? std::optional(tick(each.value)) : std::nullopt;
  };
  frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto in = h.untimed_input<event>("events");
    const auto windows = in.stream() | fr::event_time(&event::at, fr::punctuated(promise)) |
                         fr::key_by([](const event&) { return 0; }) |
                         fr::window(fr::session{10us}) | fr::aggregate("w", fr::count("n"));
    const auto rows = h.collect(windows);
    const auto late = h.collect(windows.late());
    const std::int64_t first = fr::timestamp_min.time_since_epoch().count();
    const std::int64_t last = fr::timestamp_max.time_since_epoch().count();
    in.push({"a", 0, tick(5)});
    in.push({"says", 15, tick(6)});
    in.push({"says", 14, tick(30)});
    in.push({"says", first, tick(31)});
    REQUIRE(rows.empty());  // [5, 16) is open at 15.
    in.push({"says", 16, tick(32)});
    REQUIRE(rows.take_text() == rows_of_text{"0|5|16|2@15"});
    in.push({"a", 0, tick(3)});
    in.push({"says", last, tick(33)});  // Not the end of time: that is the input's to say.
    in.push({"says", last, tick(34)});
    in.push({"a", 0, tick(last)});
    h.finish();
    REQUIRE(late.take_text() == rows_of_text{"a|0|3@3", "says|" + std::to_string(last) + "|34@34"});
    REQUIRE(h.metrics().regressed() == 2);
  });
}
