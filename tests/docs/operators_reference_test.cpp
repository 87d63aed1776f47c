// The worked examples of docs/reference/operators.md, and those of docs/reference/time.md about
// promises and jumps. Times are seconds after the epoch.
#include "catch.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>
#include <freshet/testing/harness.hpp>

#include <map>
#include <optional>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::string key;
  fr::timestamp at;
  std::optional<fr::timestamp> promise;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, at, promise))

using texts = std::vector<std::string>;

std::string seconds_of(fr::timestamp at) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
}

/// What comes through `event_time`, and what becomes a dead letter, by the minute of the day.
std::pair<texts, texts> guarded(const std::vector<fr::duration>& times,
                                fr::event_time_options options) {
  std::vector<reading> rows;
  for (const fr::duration at : times) rows.push_back({"k", fr::timestamp{at}, {}});
  std::pair<texts, texts> found;
  fr::pipeline p("guard");
  const auto timed = p.from("readings", fr::values(rows)) |
                     fr::event_time(&reading::at, fr::bounded_disorder{}, options);
  const auto minutes = [](fr::timestamp at) {
    return std::to_string(at.time_since_epoch() / fr::duration(1min));
  };
  timed | fr::to("kept", fr::callback([&](const reading& each) {
                   found.first.push_back(minutes(each.at));
                 }));
  timed.dead() | fr::to("dead", fr::callback([&](const fr::dead_letter& each) {
                          found.second.push_back(minutes(rows[each.sequence].at));
                        }));
  REQUIRE(p.run().ok());
  return found;
}

}  // namespace

TEST_CASE("time.md, rule 3: a promise that goes back is ignored and counted", "[docs]") {
  const std::vector<reading> rows{{"k", frt::at(5s), frt::at(20s)},
                                  {"k", frt::at(21s), frt::at(15s)},
                                  {"k", frt::at(19s), std::nullopt}};
  texts late;
  fr::pipeline p("promises");
  const auto windows = p.from("readings", fr::values(rows)) |
                       fr::event_time(&reading::at, fr::punctuated(&reading::promise)) |
                       fr::key_by(&reading::key) | fr::window(fr::tumbling{20s}) |
                       fr::aggregate("w", fr::count("n"));
  windows | fr::to("rows", fr::callback([](const auto&) {}));
  windows.late() | fr::to("late", fr::callback([&](const reading& each) {
                            late.push_back(seconds_of(each.at));
                          }));
  fr::run_summary summary;
  REQUIRE(p.run({}, &summary).ok());
  REQUIRE(late == texts{"19"});  // The frontier is 20 still.
  REQUIRE(summary.metrics.regressed() == 1);
}

TEST_CASE("time.md, rule 18: a jump is refused, or believed when it is confirmed", "[docs]") {
  const auto [kept, dead] = guarded({10h, 10h + 5min, 18h, 10h + 6min}, {.jump_max = 1h});
  REQUIRE(kept == texts{"600", "605", "606"});
  REQUIRE(dead == texts{"1080"});
  const auto [believed, refused] =
      guarded({10h, 18h, 18h + 1min, 18h + 2min}, {.jump_max = 1h, .jump_confirmations = 2});
  REQUIRE(believed == texts{"600", "1082"});
  REQUIRE(refused == texts{"1080", "1081"});
}

TEST_CASE("operators.md, ordered: two splits in one order", "[docs]") {
  frt::harness h;
  const auto in = h.input<std::int64_t>("numbers", {.splits = 2});
  const auto rows = h.collect(in.stream() | fr::ordered("in order"));
  in.split(0).push(10, frt::at(10s));
  in.split(0).watermark(frt::at(5s));
  in.split(1).push(12, frt::at(12s));
  in.split(1).watermark(frt::at(7s));
  in.split(1).push(8, frt::at(8s));
  in.split(0).push(30, frt::at(30s));
  in.split(0).watermark(frt::at(25s));
  in.split(1).push(31, frt::at(31s));
  in.split(1).watermark(frt::at(26s));
  REQUIRE(rows.take_values() == std::vector<std::int64_t>{8, 10, 12});
}

namespace {

/// Sets a timer for each of the given seconds; a negative one is deleted. 10 sets 15.
struct waking {
  void process(std::int64_t second, auto& context) {
    const auto at = [](std::int64_t s) { return frt::at(std::chrono::seconds(s)); };
    if (second < 0) return context.delete_event_timer(at(-second));
    context.set_event_timer(at(second));
  }
  void on_timer(const fr::timer& due, auto& context) {
    context.emit(seconds_of(due.when));
    if (due.when == frt::at(10s)) context.set_event_timer(frt::at(15s));
  }
};

struct remembering {
  struct state {
    fr::value_state<int> written{fr::ttl{.after = 10s}};
    fr::value_state<int> used{fr::ttl{.after = 10s, .refresh = fr::ttl_refresh::on_read_and_write}};
  };
  void process(std::int64_t what, state& mine, auto& context) {
    if (what == 1) mine.written.set(1);
    if (what == 2) mine.used.set(1);
    context.emit(std::string(mine.written.get() ? "there" : "gone") + ", " +
                 (mine.used.get() ? "there" : "gone"));
  }
};
BOOST_DESCRIBE_STRUCT(remembering::state, (), (written, used))

struct checking {
  struct shared {
    std::int64_t limit = 0;
  };
  void on_broadcast(std::int64_t limit, shared& all, const fr::broadcast_context&) {
    all.limit = limit;
  }
  void process(std::int64_t amount, const shared& all, auto& context) {
    if (amount > all.limit) context.emit(std::to_string(amount));
  }
};
BOOST_DESCRIBE_STRUCT(checking::shared, (), (limit))

int same_key(std::int64_t) {
  return 0;
}

}  // namespace

TEST_CASE("operators.md, process: timers", "[docs]") {
  frt::harness h;
  const auto in = h.input<std::int64_t>("seconds");
  const auto rows =
      h.collect(in.stream() | fr::key_by(same_key) | fr::process<std::string>("p", waking{}));
  for (const std::int64_t second : {10, 10, 12, -12}) in.push(second, frt::at(0s));
  in.watermark(frt::at(9s));
  REQUIRE(rows.take_values().empty());
  in.watermark(frt::at(10s));
  REQUIRE(rows.take_values() == texts{"10"});
  in.watermark(frt::at(20s));
  REQUIRE(rows.take_values() == texts{"15"});
}

TEST_CASE("operators.md, process: state with a time to live", "[docs]") {
  frt::harness h;
  const auto in = h.input<std::int64_t>("seconds");
  const auto rows =
      h.collect(in.stream() | fr::key_by(same_key) | fr::process<std::string>("p", remembering{}));
  in.push(1, frt::at(0s));
  in.push(2, frt::at(0s));
  in.push(0, frt::at(9s));
  in.push(1, frt::at(9s));
  in.push(0, frt::at(18s));
  in.push(0, frt::at(19s));
  REQUIRE(rows.take_values() == texts{"there, gone", "there, there", "there, there", "there, there",
                                      "there, there", "gone, there"});
}

TEST_CASE("operators.md, connect: a limit that changes", "[docs]") {
  frt::harness h;
  const auto limits = h.untimed_input<std::int64_t>("limits");
  const auto in = h.input<std::int64_t>("payments");
  const auto rows = h.collect(fr::connect(in.stream() | fr::key_by(same_key), limits.stream()) |
                              fr::process<std::string>("p", checking{}));
  limits.push(100);
  in.push(80, frt::at(1s));
  REQUIRE(rows.empty());
  limits.push(50);
  in.push(80, frt::at(2s));
  REQUIRE(rows.take_values() == texts{"80"});
}

TEST_CASE("operators.md, windows of processing time", "[docs]") {
  frt::harness h;
  const auto in = h.untimed_input<std::int64_t>("numbers");
  const auto windows = in.stream() | fr::key_by(same_key) |
                       fr::window(fr::processing_time(fr::tumbling{3s})) |
                       fr::aggregate("w", fr::count("n"));
  const auto rows = h.collect(windows);
  h.clock().move_to(frt::at(1s));
  in.push(1);
  h.clock().move_to(frt::at(2s));
  in.push(2);
  h.clock().move_to(frt::at(5s));
  REQUIRE(rows.take_text() == texts{"0|0|3000000|2@2999999"});
  in.push(3);
  h.clock().move_to(frt::at(6s));
  REQUIRE(rows.take_text() == texts{"0|3000000|6000000|1@5999999"});
}

namespace {

struct timed_number {
  std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(timed_number, (), (number))

int one_key(const timed_number&) {
  return 0;
}

/// Counts of the trailing spans of records at the given seconds.
std::vector<std::uint64_t> trailing_counts(const std::vector<std::int64_t>& seconds,
                                           const fr::trailing_span& span,
                                           const fr::trailing_options& options) {
  frt::harness h;
  const auto in = h.input<timed_number>("numbers");
  const fr::trailing_span spans[] = {span};
  const auto rows = h.collect(in.stream() | fr::key_by(one_key) |
                              fr::trailing("t", spans, options, fr::count("n")));
  for (const std::int64_t second : seconds) {
    in.push({second}, frt::at(std::chrono::seconds(second)));
  }
  h.finish();
  std::vector<std::uint64_t> counts;
  for (const auto& row : rows.take_values()) counts.push_back(std::get<0>(row.trailing[0]));
  return counts;
}

}  // namespace

TEST_CASE("operators.md, trailing: spans, edges and resolution", "[docs]") {
  using counts = std::vector<std::uint64_t>;
  REQUIRE(trailing_counts({1, 4, 4, 11, 30}, 10s, {}) == counts{0, 1, 1, 3, 0});
  REQUIRE(trailing_counts({1, 4, 4, 11, 30}, 10s, {.include_self = true}) == counts{1, 2, 3, 4, 1});
  const fr::trailing_span coarse(100s, {.resolution = 30s});
  REQUIRE(trailing_counts({119, 120, 149, 150, 240}, coarse, {}) == counts{0, 1, 2, 3, 3});
}

TEST_CASE("operators.md, calendar windows: the days on which clocks change", "[docs]") {
  const fr::calendar days{.unit = fr::calendar_unit::day, .zone = "Europe/Berlin"};
  const auto span = [&](const char* at) { return days.span_of(*fr::parse_iso_8601(at)); };
  const auto text = [](const fr::window_span& of) {
    return fr::to_iso_8601(of.begin) + " " + fr::to_iso_8601(of.end);
  };
  REQUIRE(text(span("2024-03-31T12:00:00Z")) == "2024-03-30T23:00:00Z 2024-03-31T22:00:00Z");
  REQUIRE(text(span("2024-10-27T12:00:00Z")) == "2024-10-26T22:00:00Z 2024-10-27T23:00:00Z");
}

TEST_CASE("operators.md, count windows: with and without partial ones", "[docs]") {
  for (const bool partial : {false, true}) {
    frt::harness h;
    const auto in = h.input<std::int64_t>("numbers");
    const auto windows = in.stream() | fr::key_by(same_key) |
                         fr::window(fr::count_window{.size = 4, .slide = 2, .partial = partial}) |
                         fr::aggregate("w", fr::collect("all", [](std::int64_t n) { return n; }));
    const auto rows = h.collect(windows);
    for (std::int64_t n = 1; n <= 7; ++n) in.push(n, frt::at(std::chrono::seconds(n)));
    h.finish();
    std::vector<std::vector<std::int64_t>> all;
    for (const auto& row : rows.take_values()) all.push_back(std::get<0>(row.values));
    using lists = std::vector<std::vector<std::int64_t>>;
    REQUIRE(all == (partial ? lists{{1, 2}, {1, 2, 3, 4}, {3, 4, 5, 6}, {5, 6, 7}}
                            : lists{{1, 2, 3, 4}, {3, 4, 5, 6}}));
  }
}
