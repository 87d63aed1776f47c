// The worked examples of docs/reference/time.md, by the number of their rule.
#include "catch.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/freshet.hpp>

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::string key;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, at))

constexpr fr::timestamp second(std::int64_t s) {
  return fr::timestamp{std::chrono::seconds(s)};
}

/// Readings of the key `k` at the given seconds.
std::vector<reading> at_seconds(const std::vector<std::int64_t>& seconds) {
  std::vector<reading> rows;
  for (const std::int64_t s : seconds) rows.push_back({"k", second(s)});
  return rows;
}

/// Splits that hand out one record per read, so that the frontier moves after every record.
struct scripted {
  using value_type = reading;
  std::vector<std::vector<reading>> splits;

  class reader final : public fr::split_reader<reading> {
   public:
    explicit reader(std::vector<reading> rows) : rows_(std::move(rows)) {}
    absl::StatusOr<fr::read_state> read(std::size_t, fr::batch<reading>& rows,
                                        std::vector<fr::dead_letter>&) override {
      rows.values.push_back(rows_[next_]);
      rows.positions.push_back({.sequence = next_});
      return ++next_ == rows_.size() ? fr::read_state::end : fr::read_state::more;
    }
    std::string position() const override { return std::to_string(next_); }

   private:
    std::vector<reading> rows_;
    std::size_t next_ = 0;
  };

  class all final : public fr::source<reading> {
   public:
    explicit all(std::vector<std::vector<reading>> splits) : splits_(std::move(splits)) {}
    std::vector<std::string> splits() const override {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < splits_.size(); ++i) names.push_back(std::to_string(i));
      return names;
    }
    absl::StatusOr<std::unique_ptr<fr::split_reader<reading>>> open(
        std::size_t split, std::optional<std::string_view>) override {
      return std::make_unique<reader>(splits_[split]);
    }

   private:
    std::vector<std::vector<reading>> splits_;
  };

  absl::StatusOr<std::unique_ptr<fr::source<reading>>> open() const {
    return std::make_unique<all>(splits);
  }
};

std::string text(const fr::window_span& span) {
  const auto seconds = [](fr::timestamp at) {
    return std::chrono::duration<double>(at.time_since_epoch()).count();
  };
  return fmt::format("[{}, {})", seconds(span.begin), seconds(span.end));
}

/// What windows did: rows as `[begin, end) count` in the order of firing, and late seconds.
struct outcome {
  std::vector<std::string> fired;
  std::vector<std::int64_t> late;
  fr::job_metrics metrics;
};

template <class Assigner>
outcome windows_of(std::vector<std::vector<reading>> splits, fr::duration disorder,
                   Assigner assigner, fr::window_options options = {}) {
  outcome result;
  fr::pipeline p("example");
  auto windows = p.from("readings", scripted{std::move(splits)})
                 | fr::event_time(&reading::at, fr::bounded_disorder{disorder})
                 | fr::key_by(&reading::key)
                 | fr::window(assigner, options)
                 | fr::aggregate("windows", fr::count("readings"));
  windows | fr::to("fired", fr::callback([&result](const auto& row) {
    result.fired.push_back(text(row.window) + " " + std::to_string(std::get<0>(row.values)));
  }));
  windows.late() | fr::to("late", fr::callback([&result](const reading& row) {
    result.late.push_back(row.at.time_since_epoch() / 1s);
  }));
  fr::run_summary summary;
  REQUIRE(p.run({}, &summary).ok());
  result.metrics = summary.metrics;
  return result;
}

using rows = std::vector<std::string>;
using seconds_list = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("time.md rule 3: bounded disorder promises the largest time so far minus the disorder",
          "[docs][time]") {
  const fr::bounded_disorder generator{5s};
  fr::bounded_disorder::state split;
  REQUIRE(generator.frontier(split) == fr::timestamp_min);
  generator.observe(split, second(12));
  REQUIRE(generator.frontier(split) == second(7));
  generator.observe(split, second(9));
  REQUIRE(generator.frontier(split) == second(7));
}

TEST_CASE("time.md rule 4: a record at the end of a window belongs to the next one",
          "[docs][time]") {
  const outcome found = windows_of({at_seconds({0, 9, 10})}, 0s, fr::tumbling{.size = 10s});
  REQUIRE(found.fired == rows{"[0, 10) 2", "[10, 20) 1"});
}

TEST_CASE("time.md rule 6: a window fires when the watermark reaches its end, not before",
          "[docs][time]") {
  // With disorder 5 s the record at 14 brings the frontier to 9, the one at 15 to 10.
  const outcome open = windows_of({at_seconds({1, 14, 2})}, 5s, fr::tumbling{.size = 10s});
  REQUIRE(open.fired == rows{"[0, 10) 2", "[10, 20) 1"});
  REQUIRE(open.late.empty());
  const outcome fired = windows_of({at_seconds({1, 15, 2})}, 5s, fr::tumbling{.size = 10s});
  REQUIRE(fired.fired == rows{"[0, 10) 1", "[10, 20) 1"});
  REQUIRE(fired.late == seconds_list{2});
}

TEST_CASE("time.md rule 8: a record behind its frontier is late only once its window is closed",
          "[docs][time]") {
  const outcome found = windows_of({at_seconds({17, 11, 20, 19})}, 5s, fr::tumbling{.size = 10s});
  // 11 is behind the frontier 12, and its window [10, 20) is open: it counts.
  REQUIRE(found.fired == rows{"[10, 20) 3", "[20, 30) 1"});
  REQUIRE(found.late.empty());
}

TEST_CASE("time.md rule 8: lateness of sliding windows is judged window by window",
          "[docs][time]") {
  const outcome found = windows_of({at_seconds({30, 24, 9})}, 0s, fr::sliding(30s, 10s));
  // At the frontier 30, [0, 30) is closed and [10, 40), [20, 50) are open for 24; all of 9's
  // windows have ended.
  REQUIRE(found.fired == rows{"[10, 40) 2", "[20, 50) 2", "[30, 60) 1"});
  REQUIRE(found.late == seconds_list{9});
}

TEST_CASE("time.md rule 10: on time, a late record that is still accepted fires its window again",
          "[docs][time]") {
  const auto log = at_seconds({1, 2, 12, 3, 15, 4});
  const outcome found =
      windows_of({log}, 0s, fr::tumbling{.size = 10s}, {.allowed_lateness = 5s});
  REQUIRE(found.fired == rows{"[0, 10) 2", "[0, 10) 3", "[10, 20) 2"});
  REQUIRE(found.late == seconds_list{4});  // 10 + 5 <= 15.
}

TEST_CASE("time.md rule 10: at close, a window fires once, with everything", "[docs][time]") {
  const auto log = at_seconds({1, 2, 12, 3, 15, 4});
  const outcome found = windows_of({log}, 0s, fr::tumbling{.size = 10s},
                                   {.allowed_lateness = 5s, .fire = fr::firing::at_close});
  REQUIRE(found.fired == rows{"[0, 10) 3", "[10, 20) 2"});
  REQUIRE(found.late == seconds_list{4});
}

TEST_CASE("time.md rule 11: sessions exactly a gap apart stay apart, closer ones merge",
          "[docs][time]") {
  const outcome apart = windows_of({at_seconds({0, 4, 9})}, 0s, fr::session{.gap = 5s});
  REQUIRE(apart.fired == rows{"[0, 9) 2", "[9, 14) 1"});
  const outcome closer = windows_of({at_seconds({0, 4, 8})}, 0s, fr::session{.gap = 5s});
  REQUIRE(closer.fired == rows{"[0, 13) 3"});
}

TEST_CASE("time.md rule 11: a record between two sessions joins them", "[docs][time]") {
  const outcome found = windows_of({at_seconds({0, 8, 4})}, 10s, fr::session{.gap = 5s});
  REQUIRE(found.fired == rows{"[0, 13) 3"});
}

TEST_CASE("time.md rule 12: a session record is judged by the merged span, not by its own",
          "[docs][time]") {
  // At the frontier 7, [2, 7) is closed, and so is the record's own span [1, 6).
  const outcome found = windows_of({at_seconds({2, 7, 1})}, 0s, fr::session{.gap = 5s});
  REQUIRE(found.fired == rows{"[2, 7) 1", "[7, 12) 1"});
  REQUIRE(found.late == seconds_list{1});
  // The own span is closed here, too, but the record touches [2, 12), which is open.
  const outcome joined = windows_of({at_seconds({2, 6, 7, 1})}, 0s, fr::session{.gap = 5s});
  REQUIRE(joined.fired == rows{"[1, 12) 4"});
  REQUIRE(joined.late.empty());
}

TEST_CASE("time.md rule 13: a second window of the same size fires on the same watermark",
          "[docs][time]") {
  std::vector<std::string> fired;
  fr::pipeline p("example");
  auto first = p.from("readings", scripted{{at_seconds({1, 2, 10, 11, 12})}})
               | fr::event_time(&reading::at, fr::bounded_disorder{0s})
               | fr::key_by(&reading::key)
               | fr::window(fr::tumbling{.size = 10s})
               | fr::aggregate("first", fr::count("readings"));
  using row = decltype(first)::value_type;
  auto second_row = first
                    | fr::key_by([](const row& each) { return each.key; })
                    | fr::window(fr::tumbling{.size = 10s})
                    | fr::aggregate("second", fr::count("rows"));
  first | fr::to("first", fr::callback([&](const row& each) {
    fired.push_back("first " + text(each.window));
  }));
  second_row | fr::to("second", fr::callback([&](const auto& each) {
    fired.push_back("second " + text(each.window));
  }));
  first.late() | fr::to("late", fr::callback([&](const reading&) { fired.push_back("late"); }));
  REQUIRE(p.run().ok());
  REQUIRE(fired == rows{"first [0, 10)", "second [0, 10)", "first [10, 20)", "second [10, 20)"});
}

TEST_CASE("time.md rule 13: a row that fires again may be late for the windows below",
          "[docs][time]") {
  // Record 3 enters at the frontier 12 and fires [0, 10) again; the second [0, 10) closed at 10.
  fr::pipeline p("example");
  auto first = p.from("readings", scripted{{at_seconds({1, 2, 12, 3, 15})}})
               | fr::event_time(&reading::at, fr::bounded_disorder{0s})
               | fr::key_by(&reading::key)
               | fr::window(fr::tumbling{.size = 10s}, {.allowed_lateness = 5s})
               | fr::aggregate("first", fr::count("readings"));
  using row = decltype(first)::value_type;
  first | fr::key_by([](const row& each) { return each.key; })
        | fr::window(fr::tumbling{.size = 10s})
        | fr::aggregate("second", fr::count("rows"));
  fr::run_summary summary;
  REQUIRE(p.run({}, &summary).ok());
  REQUIRE(summary.metrics.of("window", "first").records_out == 3);
  REQUIRE(summary.metrics.of("window", "second").late == 1);
}

TEST_CASE("time.md rule 14: the watermark of several splits is the smallest of theirs",
          "[docs][time]") {
  fr::frontier_minimum of(2);
  REQUIRE_FALSE(of.advance(0, second(20)).frontier);  // Split 1 has not reported.
  REQUIRE(of.advance(1, second(5)).frontier == second(5));
  REQUIRE(of.advance(1, second(30)).frontier == second(20));
  REQUIRE(of.finish(0).frontier == second(30));  // A finished split leaves the minimum.
}

TEST_CASE("time.md rule 14: a record is judged by the frontier of its own split", "[docs][time]") {
  // Split 0 is far ahead in event time; split 1's old records are in order there, so none is late.
  const outcome found = windows_of({at_seconds({50, 51}), at_seconds({1, 2, 3})}, 0s,
                                   fr::tumbling{.size = 10s});
  REQUIRE(found.fired == rows{"[0, 10) 3", "[50, 60) 2"});
  REQUIRE(found.late.empty());
}

TEST_CASE("time.md rule 15: idle splits leave the minimum, and all idle is not the end of time",
          "[docs][time]") {
  fr::frontier_minimum of(2);
  of.advance(0, second(20));
  of.advance(1, second(5));
  REQUIRE(of.set_idle(1).frontier == second(20));
  const fr::frontier_change all_idle = of.set_idle(0);
  REQUIRE(all_idle.became_idle);
  REQUIRE(of.frontier() == second(20));
  // Split 1 wakes at 7: it holds nothing back until it has caught up with 20.
  of.set_active(1);
  REQUIRE_FALSE(of.advance(1, second(7)).frontier);
  REQUIRE(of.advance(1, second(22)).frontier == second(22));
}

TEST_CASE("time.md rule 16: at the end of the input every open window fires", "[docs][time]") {
  const outcome found = windows_of({at_seconds({1, 11})}, 1h, fr::tumbling{.size = 10s});
  REQUIRE(found.fired == rows{"[0, 10) 1", "[10, 20) 1"});
}

TEST_CASE("time.md rule 18: windows are cut at the ends of time", "[docs][time]") {
  REQUIRE(fr::saturating_add(fr::timestamp_max, 1s) == fr::timestamp_max);
  const fr::window_span last = fr::tumbling{.size = 10s}.span_of(fr::timestamp_max);
  REQUIRE(last.end == fr::timestamp_max);
}

TEST_CASE("time.md rule 18: what comes after a record at the end of time is late, not lost",
          "[docs][time]") {
  std::vector<reading> log = at_seconds({1});
  log.push_back({"k", fr::timestamp_max});
  log.push_back({"k", second(2)});
  const outcome found = windows_of({log}, 0s, fr::tumbling{.size = 10s});
  REQUIRE(found.late == seconds_list{2});
}

TEST_CASE("time.md rule 9: a record that no window wants is unassigned, not late",
          "[docs][time]") {
  const outcome found = windows_of({at_seconds({0, 3, 5})}, 0s,
                                   fr::sliding{.size = 2s, .slide = 5s});
  REQUIRE(found.fired == rows{"[0, 2) 1", "[5, 7) 1"});
  REQUIRE(found.metrics.unassigned() == 1);
  REQUIRE(found.late.empty());
}
