// window_join against its definition: for every window two loops over both logs.
#include "join/support.hpp"

#include <freshet/pipeline/window_join.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>
#include <freshet/window/sliding.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

struct naive_rows {
  rows_of_text rows, late_left, late_right;
  std::size_t unassigned = 0;
};

/// The windows that had not ended when a record entered.
template <class T>
std::vector<fr::window_span> open_windows(const fr::sliding& of, const logged<T>& each) {
  std::vector<fr::window_span> spans;
  of.assign(each.at, spans);
  std::erase_if(spans, [&](const fr::window_span& span) { return span.end <= each.from; });
  return spans;
}

template <class T, class U, class Row>
void naive_side(const fr::sliding& of, const std::vector<logged<T>>& mine,
                const std::vector<logged<U>>& others, bool pairs, const Row& row,
                rows_of_text& late, std::size_t& unassigned) {
  for (const auto& each : mine) {
    const auto spans = open_windows(of, each);
    std::vector<fr::window_span> all;
    of.assign(each.at, all);
    if (all.empty()) ++unassigned;
    if (spans.empty() && !all.empty()) late.push_back(row_text(each.record, each.at));
    for (const fr::window_span& span : spans) {
      bool matched = false;
      for (const auto& other : others) {
        const auto theirs = open_windows(of, other);
        if (other.record.key != each.record.key) continue;
        if (std::find(theirs.begin(), theirs.end(), span) == theirs.end()) continue;
        matched = true;
        if (pairs) row(&each.record, &other.record, span.end - fr::duration{1});
      }
      if (!matched) row(&each.record, nullptr, span.end - fr::duration{1});
    }
  }
}

naive_rows naive(const join_logs& logs, const fr::sliding& of) {
  naive_rows all;
  const auto left = logged_of(logs.left, logs.disorder);
  const auto right = logged_of(logs.right, logs.disorder);
  naive_side(
      of, left, right, true,
      [&](const event* l, const mark* r, auto at) { all.rows.push_back(row_text(meet(l, r), at)); },
      all.late_left, all.unassigned);
  naive_side(
      of, right, left, false,
      [&](const mark* r, const event* l, auto at) { all.rows.push_back(row_text(meet(l, r), at)); },
      all.late_right, all.unassigned);
  return all;
}

}  // namespace

TEST_CASE("a full window join gives what loops over windows and logs give, however it runs",
          "[join][window_join]") {
  std::mt19937_64 random(65);
  std::size_t late = 0;
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const join_logs logs = random_logs(random);
    fr::sliding windows{.size = ticks_long(1 + static_cast<std::int64_t>(random() % 10))};
    windows.slide = round % 2 == 0 ? windows.size  // They are tumbling.
                                   : ticks_long(1 + static_cast<std::int64_t>(random() % 6));
    const auto found =
        run_every_way(logs, random, [&](const auto& left, const auto& right, const auto& sink) {
          const auto joined = left | fr::key_by(&event::key) |
                              fr::window_join<fr::join_type::full>(
                                  "same", right | fr::key_by(&mark::key), windows, meet);
          joined | sink("rows");
          joined.late_left() | sink("late left");
          joined.late_right() | sink("late right");
          window_below(joined, sink);
        });
    const naive_rows wanted = naive(logs, windows);
    REQUIRE(found.sinks.at("rows") == sorted(wanted.rows));
    REQUIRE(found.sinks.at("late left") == sorted(wanted.late_left));
    REQUIRE(found.sinks.at("late right") == sorted(wanted.late_right));
    REQUIRE(found.late == wanted.late_left.size() + wanted.late_right.size());
    late += found.late;
  }
  CHECK(late > 100);
}

TEST_CASE("an inner window join tells the window and counts what no window wants",
          "[join][window_join]") {
  //  sliding(2, 5): [0, 2) [5, 7); nothing for 3.
  const auto text = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto left = h.input<event>("left");
    const auto right = h.input<mark>("right");
    const auto rows = h.collect(
        left.stream() | fr::key_by(&event::key) |
        fr::window_join("same", right.stream() | fr::key_by(&mark::key),
                        fr::sliding{ticks_long(2), ticks_long(5)},
                        [](const event& a, const mark& b, const fr::window_span& span) {
                          return met{std::to_string(span.begin.time_since_epoch().count()), a.value,
                                     b.number};
                        }));
    for (const std::int64_t at : {0, 1, 3, 5}) left.push({"a", at, {}}, tick(at));
    for (const std::int64_t at : {1, 2, 6}) right.push({"a", at, {}}, tick(at));
    h.finish();
    REQUIRE(h.status().ok());
    for (const auto& each : h.metrics().operators) {
      if (each.place == "window_join 'same'") REQUIRE(each.unassigned == 2);
    }
    return sorted(rows.text());
  });
  REQUIRE(text == rows_of_text{"0|0|1@1", "0|1|1@1", "5|5|6@6"});
  const std::string refusal = refusal_of([] {
    frt::harness h;
    const auto right = h.input<mark>("right").stream();
    (void)(h.input<event>("left").stream() | fr::key_by(&event::key) |
           fr::window_join<fr::join_type::full>("same", right | fr::key_by(&mark::key),
                                                fr::sliding{ticks_long(2), ticks_long(0)}, meet));
  });
  REQUIRE(refusal.find("window_join 'same': slide 0s is not positive") == 0);
}
