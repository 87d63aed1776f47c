// interval_join, moment by moment: bounds, when rows without a match come, what is late, and that
// nothing stays behind.
#include "join/support.hpp"

#include <freshet/pipeline/interval_join.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

using texts = std::vector<std::string>;

/// One thing that happens: a record of a side, or a promise of both.
struct happening {
  char what;  // l, r or w
  std::int64_t at;
  std::string key = "a";
};
happening l(std::int64_t at, std::string key = "a") {
  return {'l', at, std::move(key)};
}
happening r(std::int64_t at, std::string key = "a") {
  return {'r', at, std::move(key)};
}
happening w(std::int64_t at) {
  return {'w', at};
}

/// What has come out after each promise, by `|`, and after the end of both inputs; late records
/// are in round brackets. Values are event times.
std::string story(const fr::between& interval, const std::vector<happening>& all) {
  return frt::in_every_mode([&](const frt::harness_options& options) {
    frt::harness h(options);
    const auto left = h.input<event>("left");
    const auto right = h.input<mark>("right");
    const auto joined = left.stream() | fr::key_by(&event::key) |
                        fr::interval_join<fr::join_type::full>(
                            "near", right.stream() | fr::key_by(&mark::key), interval, meet);
    const auto rows = h.collect(joined);
    const auto late_left = h.collect(joined.late_left());
    const auto late_right = h.collect(joined.late_right());
    std::string text;
    const auto look = [&](const char* after) {
      for (const std::string& row : sorted(rows.take_text())) text += row + " ";
      for (const std::string& row : late_left.take_text()) text += "(" + row + ") ";
      for (const std::string& row : late_right.take_text()) text += "(" + row + ") ";
      text += after;
    };
    for (const happening& each : all) {
      if (each.what == 'l') left.push({each.key, each.at, tick(each.at)}, tick(each.at));
      if (each.what == 'r') right.push({each.key, each.at, tick(each.at)}, tick(each.at));
      if (each.what == 'w') {
        left.watermark(tick(each.at));
        right.watermark(tick(each.at));
        look("| ");
      }
    }
    h.finish();
    look(".");
    REQUIRE(h.status().ok());
    return text;
  });
}

template <fr::join_type Type, class Combine>
texts rows_of_type(Combine combine) {
  frt::harness h;
  const auto left = h.input<event>("left");
  const auto right = h.input<mark>("right");
  const auto rows =
      h.collect(left.stream() | fr::key_by(&event::key) |
                fr::interval_join<Type>("near", right.stream() | fr::key_by(&mark::key),
                                        fr::between{ticks_long(0), ticks_long(5)}, combine));
  left.push({"a", 1, tick(10)}, tick(10));
  left.push({"b", 2, tick(10)}, tick(10));
  right.push({"a", 3, tick(12)}, tick(12));
  right.push({"c", 4, tick(12)}, tick(12));
  h.finish();
  return sorted(rows.text());
}

}  // namespace

TEST_CASE("both bounds of an interval belong to it, unless they are exclusive",
          "[join][interval_join]") {
  //  left       10
  //  interval        [13     17]
  //  right        12  13  15  17  18
  const std::vector<happening> all = {l(10), r(12), r(13), r(15), r(17), r(18)};
  const auto pairs = [&](bool lower_exclusive, bool upper_exclusive) {
    const std::string text =
        story({ticks_long(3), ticks_long(7), lower_exclusive, upper_exclusive}, all);
    std::string matched;
    for (const int at : {12, 13, 15, 17, 18}) {
      if (text.find("a|10|" + std::to_string(at)) != std::string::npos) {
        matched += std::to_string(at) + " ";
      }
    }
    return matched;
  };
  REQUIRE(pairs(false, false) == "13 15 17 ");
  REQUIRE(pairs(true, false) == "15 17 ");
  REQUIRE(pairs(false, true) == "13 15 ");
  REQUIRE(pairs(true, true) == "15 ");
}

TEST_CASE("a record without a match has its row when its interval is over, and not before",
          "[join][interval_join]") {
  //  left 10: right ones until 15.     right 20: left ones from 15 to 20, so over with 20.
  REQUIRE(story({ticks_long(0), ticks_long(5)}, {l(10), w(15), w(16), r(20), w(20), w(21)}) ==
          "| a|10|-1@15 | | a|-1|20@20 | .");
  //  An interval before the record: over when the record comes. Its row has the record's time.
  REQUIRE(story({ticks_long(-5), ticks_long(-2)}, {w(9), l(10), w(10)}) == "| a|10|-1@10 | .");
}

TEST_CASE("records meet whichever comes first, and once for every pair", "[join][interval_join]") {
  const std::string wanted = "a|10|12@12 a|10|9@10 a|11|12@12 a|11|9@11 b|10|-1@13 | .";
  const fr::between interval{ticks_long(-3), ticks_long(3)};
  REQUIRE(story(interval, {l(10), l(11), l(10, "b"), r(9), r(12), w(20)}) == wanted);
  REQUIRE(story(interval, {r(12), r(9), l(11), l(10, "b"), l(10), w(20)}) == wanted);
  REQUIRE(story(interval, {r(12), l(10), r(9), l(10, "b"), l(11), w(20)}) == wanted);
}

TEST_CASE("a record is late when every record that it could match may be gone",
          "[join][interval_join]") {
  const fr::between interval{ticks_long(0), ticks_long(5)};
  //  Left ones at 15 and after wait for a right one until 20: right 15 may come with 20 promised.
  REQUIRE(story(interval, {l(15), w(20), r(15), w(30)}) == "| a|15|15@15 | .");
  REQUIRE(story(interval, {w(20), r(15), w(30)}) == "| a|-1|15@15 | .");
  //  With 21 promised it could match left ones until 15 only, which are gone.
  REQUIRE(story(interval, {w(21), r(15), w(30)}) == "| (a|15|15@15) | .");
  REQUIRE(story(interval, {w(21), l(15), w(30)}) == "| (a|15|15@15) | .");
}

TEST_CASE("what a join keeps goes with the watermark, without further records",
          "[join][interval_join]") {
  frt::harness h;
  const auto left = h.input<event>("left");
  const auto right = h.input<mark>("right");
  const auto joined = left.stream() | fr::key_by(&event::key) |
                      fr::interval_join("near", right.stream() | fr::key_by(&mark::key),
                                        fr::between{ticks_long(0), ticks_long(50)},
                                        [](const event& a, const mark& b) { return meet(&a, &b); });
  const auto rows = h.collect(joined);
  const auto held = [&h] {
    std::uint64_t entries = 0;
    for (const auto& each : h.metrics().operators) {
      if (each.place == "interval_join 'near'") entries += each.state_entries;
    }
    return entries;
  };
  for (std::int64_t i = 0; i < 100; ++i) {
    left.push({"k" + std::to_string(i % 10), i, tick(i)}, tick(i));
  }
  h.commit();
  REQUIRE(held() == 10);
  left.watermark(tick(149));
  right.watermark(tick(149));
  h.commit();
  REQUIRE(held() == 1);  // The record at 99.
  left.watermark(tick(150));
  right.watermark(tick(150));
  h.commit();
  REQUIRE(held() == 0);
  REQUIRE(rows.empty());
}

TEST_CASE("the type of a join says which records without a match have rows",
          "[join][interval_join]") {
  using enum fr::join_type;
  const std::string pair = "a|1|3@";
  const auto both = rows_of_type<inner>([](const event& a, const mark& b) { return meet(&a, &b); });
  REQUIRE(both == texts{"a|1|3@12"});
  REQUIRE(rows_of_type<left>([](const event& a, const mark* b) { return meet(&a, b); }) ==
          texts{"a|1|3@12", "b|2|-1@15"});
  REQUIRE(rows_of_type<right>([](const event* a, const mark& b) { return meet(a, &b); }) ==
          texts{"a|1|3@12", "c|-1|4@12"});
  // An empty optional row: the two do not match after all.
  REQUIRE(rows_of_type<full>([](const event* a, const mark* b) {
            return a && b ? std::optional<met>() : std::optional(meet(a, b));
          }) == texts{"a|-1|3@12", "a|1|-1@15", "b|2|-1@15", "c|-1|4@12"});
}

TEST_CASE("an interval join that cannot be meant is refused", "[join][interval_join]") {
  const auto refusal = [](const fr::between& interval) {
    return refusal_of([&] {
      frt::harness h;
      const auto left = h.input<event>("left");
      const auto right = h.input<mark>("right");
      (void)(left.stream() | fr::key_by(&event::key) |
             fr::interval_join<fr::join_type::full>("near", right.stream() | fr::key_by(&mark::key),
                                                    interval, meet));
    });
  };
  REQUIRE(refusal({ticks_long(0), ticks_long(-5)}) ==
          "interval_join 'near': no moment lies in the interval [0s, -5us]; give .lower less than "
          ".upper, or the same with both bounds inclusive");
  REQUIRE(refusal({ticks_long(7), ticks_long(7), true}) ==
          "interval_join 'near': no moment lies in the interval (7us, 7us]; give .lower less than "
          ".upper, or the same with both bounds inclusive");
  REQUIRE(refusal({ticks_long(7), ticks_long(7)}) == "nothing was thrown");
  const std::string untimed = refusal_of([] {
    frt::harness h;
    const auto left = h.input<event>("left");
    const auto right = h.untimed_input<mark>("right");
    (void)(left.stream() | fr::key_by(&event::key) |
           fr::interval_join<fr::join_type::full>("near", right.stream() | fr::key_by(&mark::key),
                                                  fr::between{}, meet));
  });
  REQUIRE(untimed.find("interval_join 'near'") == 0);
}
