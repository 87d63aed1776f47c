// Patterns: how they are written, what is refused, and how many sequences may be under way.
#include "pipeline/support.hpp"

#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/match.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

constexpr auto any = [](const event&) { return true; };
constexpr auto large = [](const event& each) { return each.value > 100; };

/// Values of the records of each step: `small 1; large 500`.
std::string text_of(const fr::matched<event>& found) {
  std::string text;
  for (const auto& step : found.steps) {
    text += (text.empty() ? "" : "; ") + step.name;
    for (const event& each : step.records) text += " " + std::to_string(each.value);
  }
  return text;
}

struct found_rows {
  rows_of_text matches;
  rows_of_text timed_out;
};

/// What a pattern finds in values of one key, one a second.
found_rows found_in(const fr::pattern<event>& wanted, std::initializer_list<std::int64_t> values,
                    const fr::match_options& options = {}) {
  frt::harness h;
  const auto in = h.input<event>("events");
  const auto found = in.stream() | fr::key_by(&event::key) | fr::match("m", wanted, options);
  const auto rows = h.collect(found);
  const auto over = h.collect(found.timed_out());
  std::int64_t second = 0;
  for (const std::int64_t each : values) {
    const fr::timestamp at = frt::at(std::chrono::seconds(++second));
    in.push({"a", each, at}, at);
    in.watermark(at);
    h.snapshot_and_restore();
  }
  h.finish();
  REQUIRE(h.status().ok());
  found_rows all;
  for (const auto& each : rows.take_values()) all.matches.push_back(text_of(each));
  for (const auto& each : over.take_values()) all.timed_out.push_back(text_of(each));
  return all;
}

std::string match_refusal(const fr::pattern<event>& wanted, const fr::match_options& options = {}) {
  return refusal_of([&] {
    fr::pipeline p("refused");
    p.from("events", scripted<event>({events_at({1})})) |
        fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key) |
        fr::match("m", wanted, options);
  });
}

}  // namespace

TEST_CASE("a condition may look at what the sequence has so far", "[match]") {
  const auto wanted = fr::begin("small", [](const event& each) { return each.value < 10; })
                          .followed_by("large",
                                       [](const event& each, const fr::so_far<event>& before) {
                                         return each.value >= 100 * before.first("small").value;
                                       })
                          .within(10s);
  const found_rows found = found_in(wanted, {9, 2, 500, 900});
  REQUIRE(found.matches == rows_of_text{"small 2; large 500", "small 9; large 900"});
  REQUIRE(found.timed_out.empty());
  REQUIRE(found_in(wanted, {5, 400}).timed_out == rows_of_text{"small 5; large"});
}

TEST_CASE("what must not come may be waited for until the time is over", "[match]") {
  const auto unanswered = fr::begin("asked", [](const event& each) {
                            return each.value == 1;
                          }).not_followed_by([](const event& each) {
                              return each.value == 2;
                            }).within(2500ms);
  REQUIRE(found_in(unanswered, {1, 2, 1, 3, 3, 2}).matches == rows_of_text{"asked 1"});
}

TEST_CASE("sequences beyond the limit are given up, those that began first before others",
          "[match]") {
  const auto wanted = fr::begin("any", any).followed_by("large", large).within(1h);
  const found_rows found = found_in(wanted, {1, 2, 3, 4, 500}, {.partial_matches_max = 2});
  REQUIRE(found.timed_out == rows_of_text{"any 1; large", "any 2; large", "any 500; large"});
  REQUIRE(found.matches == rows_of_text{"any 3; large 500", "any 4; large 500"});
}

TEST_CASE("after a match, others are left out as asked for", "[match]") {
  const auto wanted = fr::begin("any", any).times(1, 2).followed_by("large", large);
  const auto found = [&](fr::after_match after) {
    return found_in(wanted, {1, 2, 500}, {.after = std::move(after)}).matches;
  };
  REQUIRE(found(fr::after_match::no_skip()) ==
          rows_of_text{"any 1 2; large 500", "any 1; large 500", "any 2; large 500"});
  REQUIRE(found(fr::after_match::skip_to_next()) ==
          rows_of_text{"any 1 2; large 500", "any 2; large 500"});
  REQUIRE(found(fr::after_match::skip_past_last_event()) == rows_of_text{"any 1 2; large 500"});
}

TEST_CASE("patterns that cannot be meant are refused while composing", "[match]") {
  const auto begun = fr::begin("a", any);
  REQUIRE(refusal_of([&] { (void)begun.next("a", any); }) ==
          "pattern: two steps are called 'a'; give each a name of its own");
  REQUIRE(refusal_of([&] { (void)begun.next("", any); }) ==
          "pattern: a step has no name; give it one");
  REQUIRE(refusal_of([&] { (void)begun.times(0); }) ==
          "pattern: times(0, 0) of step 'a'; give at least 1, and no more than the second number");
  REQUIRE(refusal_of([&] { (void)begun.times(3, 2); }).find("times(3, 2)") != std::string::npos);
  REQUIRE(refusal_of([&] { (void)begun.within(0s); }) ==
          "pattern: within 0s is not positive; give a positive duration");
  REQUIRE(refusal_of([&] { (void)begun.not_next(any).times(2); }).find("after a negation") !=
          std::string::npos);
  REQUIRE(match_refusal(begun.not_next(any).within(1s)) ==
          "match 'm': a pattern cannot end with not_next; end it with not_followed_by and within, "
          "or with a step");
  REQUIRE(match_refusal(begun.not_followed_by(any)) ==
          "match 'm': not_followed_by at the end waits for ever; give the pattern a time, within");
  REQUIRE(match_refusal(begun, {.after = fr::after_match::skip_to_last("b")}) ==
          "match 'm': the pattern has no step 'b' to skip to; its steps are in a");
  REQUIRE(match_refusal(begun, {.partial_matches_max = 0}) ==
          "match 'm': .partial_matches_max is 0; give a positive number");
  REQUIRE(match_refusal(begun) == "nothing was thrown");
}

TEST_CASE("a step that the pattern does not have ends the job with its name", "[match]") {
  const auto wanted = fr::begin("a", any).followed_by(
      "b",
      [](const event&, const fr::so_far<event>& before) { return before.first("c").value > 0; });
  fr::pipeline p("wrong");
  p.from("events", scripted<event>({events_at({1, 2})})) |
      fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key) |
      fr::match("m", wanted) | fr::to("rows", keep_rows_in(keeper()));
  REQUIRE_THAT(
      message_of(p.run({})),
      Catch::Matchers::Contains("match 'm': the function given to it threw (the pattern has "
                                "no step 'c')"));
}
