// temporal_join against its definition, and lookup moment by moment.
#include "join/support.hpp"

#include <freshet/pipeline/table.hpp>
#include <freshet/pipeline/temporal_join.hpp>
#include <freshet/testing/every_mode.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

constexpr auto left_join = [](const event& a, const mark* b) { return meet(&a, b); };
bool deletes(const mark& each) {
  return each.number % 4 == 0;
}

struct naive_rows {
  rows_of_text rows, late_left, late_right;
};

/// For every record that is not late the newest of the versions that are not late, before it in
/// event time, and known when it has its turn.
naive_rows naive(const join_logs& logs, fr::duration lateness) {
  naive_rows all;
  const auto late = [&](const auto& each) {
    return each.behind() && each.at + lateness < each.entry;
  };
  // The place in the log decides between versions of one time: the splits follow each other here.
  const auto versions = logged_of(logs.right, logs.disorder);
  for (const auto& r : versions) {
    if (late(r)) all.late_right.push_back(row_text(r.record, r.at));
  }
  for (const auto& l : logged_of(logs.left, logs.disorder)) {
    if (late(l)) {
      all.late_left.push_back(row_text(l.record, l.at));
      continue;
    }
    const mark* valid = nullptr;
    for (const auto& r : versions) {
      if (r.record.key != l.record.key || late(r) || r.at > l.at || r.from > l.from) continue;
      const auto place = [](const mark& of) {
        return std::pair(of.number % 1000, of.number / 1000);
      };
      if (valid == nullptr ||
          std::pair(valid->at, place(*valid)) < std::pair(r.at, place(r.record))) {
        valid = &r.record;
      }
    }
    if (valid != nullptr && deletes(*valid)) valid = nullptr;
    all.rows.push_back(row_text(meet(&l.record, valid), l.at));
  }
  return all;
}

}  // namespace

TEST_CASE("a temporal join gives each record the version that was valid at its time",
          "[join][temporal_join]") {
  std::mt19937_64 random(64);
  std::size_t late = 0;
  for (int round = 0; round < 60; ++round) {
    INFO("round " << round);
    const join_logs logs = random_logs(random);
    const fr::duration lateness =
        ticks_long(round % 3 == 0 ? 0 : static_cast<std::int64_t>(random() % 12));
    const auto found = run_every_way(
        logs, random,
        [&](const auto& left, const auto& right, const auto& sink) {
          const auto versions = right | fr::key_by(&mark::key) | fr::table("versions", deletes);
          const auto joined = left | fr::key_by(&event::key) |
                              fr::temporal_join<fr::join_type::left>(
                                  "as of", versions, {.allowed_lateness = lateness}, left_join);
          joined | sink("rows");
          joined.late_left() | sink("late left");
          joined.late_right() | sink("late right");
          window_below(joined, sink);
        },
        false);
    const naive_rows wanted = naive(logs, lateness);
    REQUIRE(found.sinks.at("rows") == sorted(wanted.rows));
    REQUIRE(found.sinks.at("late left") == sorted(wanted.late_left));
    REQUIRE(found.sinks.at("late right") == sorted(wanted.late_right));
    REQUIRE(found.late == wanted.late_left.size() + wanted.late_right.size());
    REQUIRE(found.state_left <= 3);  // A last version of each key.
    late += found.late;
  }
  CHECK(late > 100);
}

TEST_CASE("a temporal join waits for the watermark, and keeps nothing of a row that is deleted",
          "[join][temporal_join]") {
  const auto text = frt::in_every_mode([](const frt::harness_options& options) {
    frt::harness h(options);
    const auto left = h.input<event>("left");
    const auto right = h.input<mark>("right");
    const auto versions = right.stream() | fr::key_by(&mark::key) | fr::table("versions", deletes);
    const auto rows =
        h.collect(left.stream() | fr::key_by(&event::key) |
                  fr::temporal_join("as of", versions,
                                    [](const event& a, const mark& b) { return meet(&a, &b); }));
    const auto promise = [&](std::int64_t at) {
      left.watermark(tick(at));
      right.watermark(tick(at));
    };
    left.push({"a", 1, {}}, tick(15));
    right.push({"a", 11, {}}, tick(10));
    left.push({"a", 2, {}}, tick(25));
    left.push({"a", 3, {}}, tick(9));
    promise(15);
    std::string all;
    const auto look = [&] {
      for (const std::string& row : rows.take_text()) all += row + " ";
      all += "| ";
    };
    look();
    promise(16);
    look();
    right.push({"a", 12, {}}, tick(22));  // Deletes.
    right.push({"a", 13, {}}, tick(24));
    promise(26);
    look();
    right.push({"a", 12, {}}, tick(110));
    promise(200);
    h.commit();
    for (const auto& each : h.metrics().operators) {
      if (each.place == "temporal_join 'as of'") {
        REQUIRE(each.state_entries == 0);
        REQUIRE(each.unassigned == 1);
      }
    }
    h.finish();
    look();
    return all;
  });
  REQUIRE(text == "| a|1|11@15 | a|2|13@25 | | ");
}

TEST_CASE("a history keeps the versions that may be asked for, and the last one before",
          "[join][temporal_join]") {
  fr::detail::version_history<mark> history;
  const auto add = [&](std::int64_t at, bool there = true) {
    history.insert({tick(at), tick(at), 0, 0, 0, there ? std::optional(mark{}) : std::nullopt});
  };
  for (std::int64_t at = 0; at < 100; ++at) add(at);
  history.forget(tick(50), ticks_long(10));
  REQUIRE(history.size() == 60);  // 40 and those after it.
  REQUIRE(history.next_forgetting(ticks_long(10)) == tick(51));
  history.forget(tick(51), ticks_long(10));
  REQUIRE(history.size() == 59);
  add(100, false);
  history.forget(tick(110), ticks_long(10));
  REQUIRE(history.size() == 1);  // That there is none from 100 on, while records at 100 may come.
  REQUIRE(history.next_forgetting(ticks_long(10)) == tick(111));
  history.forget(tick(111), ticks_long(10));
  REQUIRE(history.empty());
  REQUIRE(history.next_forgetting(ticks_long(10)) == std::nullopt);
}

TEST_CASE("a lookup gives what the table holds when a record comes", "[join][lookup]") {
  frt::harness h;
  const auto left = h.untimed_input<event>("left");
  const auto right = h.untimed_input<mark>("right");
  const auto table =
      right.stream() | fr::key_by(&mark::key) | fr::table("marks", deletes, {.max_keys = 2});
  const auto looked = h.collect(left.stream() | fr::key_by(&event::key) |
                                fr::lookup<fr::join_type::left>("looked up", table, left_join));
  left.push({"a", 1, {}});
  right.push({"a", 11, {}});
  left.push({"a", 2, {}});
  right.push({"a", 13, {}});
  left.push({"a", 3, {}});
  h.snapshot_and_restore();
  left.push({"a", 4, {}});
  right.push({"a", 12, {}});  // Deletes.
  left.push({"a", 5, {}});
  left.push({"b", 6, {}});
  REQUIRE(looked.text() ==
          rows_of_text{"a|1|-1", "a|2|11", "a|3|13", "a|4|13", "a|5|-1", "b|6|-1"});
  REQUIRE(h.summary().unpromised == std::vector<std::string>{"unversioned lookup"});
  right.push({"a", 1, {}});
  right.push({"b", 1, {}});
  right.push({"c", 1, {}});
  const std::string why = message_of(h.status());
  CAPTURE(why);
  REQUIRE(why.find("lookup 'looked up'") == 0);
  REQUIRE(why.find("table 'marks' has 3 keys in this task, more than the 2 of .max_keys") !=
          std::string::npos);
}
