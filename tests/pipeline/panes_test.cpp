// Panes in a pipeline: what is refused and said, how rows flatten with their pane, where they
// stand, and panes of processing time.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/testing/manual_clock.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

#include <set>
#include <thread>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Events of one split, one per batch, without disorder, by key.
template <class Job>
auto keyed_events(Job& p, const script_handle<event>& from) {
  from->chunk_max = 1;
  from->chunks_vary = false;
  return p.from("events", scripted<event>(from)) |
         fr::event_time(&event::at, fr::bounded_disorder{0us}) | fr::key_by(&event::key);
}

std::string refusal_of_windows(fr::window_options options, fr::panes when) {
  return refusal_of([&] {
    fr::pipeline p("p");
    (void)(keyed_events(p, script_of({})) | fr::window(fr::tumbling{10us}, options, when) |
           fr::aggregate("w", fr::count("n")));
  });
}

/// The rows of tumbling windows of 100 ticks with panes.
rows_of_text rows_of(const script_handle<event>& from, fr::panes when,
                     const fr::run_options& options = {}, fr::run_summary* summary = nullptr) {
  const auto rows = keeper();
  fr::pipeline p("p");
  keyed_events(p, from) | fr::window(fr::tumbling{100us}, {}, when) |
      fr::aggregate("w", fr::count("n")) | fr::with_panes() | fr::to("rows", keep_rows_in(rows));
  const fr::run_summary done = run_to_end(p, options);
  if (summary != nullptr) *summary = done;
  return rows->rows;
}

}  // namespace

TEST_CASE("periods of panes must not be negative, and something must be emitted",
          "[pipeline][panes]") {
  REQUIRE(refusal_of_windows({}, {.every = -1us}) ==
          "window 'w': panes: every -1us is negative; give a positive period, or zero for none");
  REQUIRE(refusal_of_windows({}, {.every_processing_time = -5s}) ==
          "window 'w': panes: every_processing_time -5s is negative; give a positive period, or "
          "zero for none");
  const std::string silent =
      "window 'w': fire is never, and there are no early panes, so that no row would ever come; "
      "give panes an every, every_count or every_processing_time, or leave .fire at on_time";
  REQUIRE(refusal_of_windows({.fire = fr::firing::never}, {}) == silent);
  REQUIRE(refusal_of_windows({.fire = fr::firing::never}, {.every_count = 1}) ==
          "nothing was thrown");
  REQUIRE(refusal_of([] {
            fr::pipeline p("p");
            (void)(keyed_events(p, script_of({})) |
                   fr::window(fr::tumbling{10us}, {.fire = fr::firing::never}) |
                   fr::aggregate("w", fr::count("n")));
          }) == silent);
}

TEST_CASE("early panes are named among what the promise does not cover, other panes are not",
          "[pipeline][panes]") {
  const auto unpromised = [](fr::panes when, std::size_t splits) {
    fr::run_summary summary;
    (void)rows_of(script_of(event_splits(splits, events_at({1, 2}))), when, {}, &summary);
    return summary.unpromised;
  };
  const std::vector<std::string> early = {"early panes"};
  REQUIRE(unpromised({.every = 1us}, 1) == early);
  REQUIRE(unpromised({.every_processing_time = 1us}, 1) == early);
  REQUIRE(unpromised({.every = 1us, .every_count = 2}, 1) == early);
  REQUIRE(unpromised({.every_count = 2}, 2) == early);
  REQUIRE(unpromised({.every_count = 2}, 1).empty());
  REQUIRE(unpromised({.late = fr::late_firing::at_close, .mode = fr::accumulation::retract}, 2)
              .empty());
}

TEST_CASE("changed panes are refused with both of them", "[pipeline][panes][resume]") {
  const auto run = [](const std::shared_ptr<fr::memory_checkpoint>& commits, fr::panes when,
                      std::size_t crash_after) {
    auto from = script_of({events_at({1, 2, 3})});
    from->crash_after = crash_after;
    fr::pipeline p("p");
    keyed_events(p, from) | fr::window(fr::tumbling{100us}, {}, when) |
        fr::aggregate("w", fr::count("n")) | fr::to("rows", keep_rows_in(keeper()));
    return message_of(p.run(committing_to(commits)));
  };
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  (void)run(commits, {.every = 2s, .every_count = 3, .mode = fr::accumulation::discard}, 2);
  REQUIRE(commits->commits > 0);
  const std::string refused = run(commits,
                                  {.every_processing_time = 1min,
                                   .late = fr::late_firing::at_close,
                                   .mode = fr::accumulation::retract},
                                  100);
  REQUIRE_THAT(refused,
               Catch::Matchers::Contains(
                   "[tumbling 100us lateness 0s panes every 2s every 3 records, discard]"));
  REQUIRE_THAT(refused, Catch::Matchers::Contains(
                            "[tumbling 100us lateness 0s panes every 1min of processing time, late "
                            "at close, retract]"));
}

namespace {

struct shown_row {
  std::string key;
  fr::timestamp window_end;
  std::uint64_t n = 0;
  std::string pane;
  std::uint32_t pane_index = 0;
  bool retraction = false;
};
BOOST_DESCRIBE_STRUCT(shown_row, (), (key, window_end, n, pane, pane_index, retraction))

}  // namespace

TEST_CASE("with_panes gives rows that flatten with their pane, and match structs by name",
          "[pipeline][panes]") {
  const auto rows = keeper();
  const auto plain = keeper();
  fr::pipeline p("p");
  const auto windows =
      keyed_events(p, script_of({events_at({1, 2, 150})})) |
      fr::window(fr::tumbling{100us}, {}, {.every_count = 2, .mode = fr::accumulation::retract}) |
      fr::aggregate("w", fr::count("n"));
  const auto paned = windows | fr::with_panes();
  REQUIRE(paned.columns() == std::vector<std::string>{"key", "window_start", "window_end", "n",
                                                      "pane", "pane_index", "retraction"});
  REQUIRE(windows.columns() == std::vector<std::string>{"key", "window_start", "window_end", "n"});
  paned.as<shown_row>() | fr::to("rows", keep_rows_in(rows));
  windows | fr::to("plain", keep_rows_in(plain));
  (void)run_to_end(p);
  REQUIRE(rows->rows == rows_of_text{"a|100|2|early|0|false@99", "a|100|2|early|0|true@99",
                                     "a|100|2|on_time|1|false@99", "a|200|1|on_time|0|false@199"});
  REQUIRE(plain->rows ==
          rows_of_text{"a|0|100|2@99", "a|0|100|2@99", "a|0|100|2@99", "a|100|200|1@199"});
}

TEST_CASE("with_panes refuses rows that have a column of one of its names", "[pipeline][panes]") {
  const std::string refused = refusal_of([] {
    fr::pipeline p("p");
    (void)(keyed_events(p, script_of({})) | fr::window(fr::tumbling{10us}) |
           fr::aggregate("w", fr::count("pane")) | fr::with_panes());
  });
  REQUIRE_THAT(refused, Catch::Matchers::StartsWith("with_panes"));
  REQUIRE_THAT(refused, Catch::Matchers::Contains("'pane'"));
}

TEST_CASE("rows that differ in their pane alone are not equal", "[pipeline][panes]") {
  using row = fr::window_row<std::string, std::uint64_t>;
  const row first{"a", {tick(0), tick(10)}, {1}, {fr::pane_timing::early, 0, false}};
  row second = first;
  REQUIRE(first == second);
  second.pane.retraction = true;
  REQUIRE_FALSE(first == second);
  REQUIRE(fr::format_of<row>() ==
          "{key:string,window:{begin:time_us,end:time_us},values:tuple<u64>,"
          "pane:{timing:u8,index:u32,retraction:bool}}");
}

namespace {

/// A sink that keeps the places of its rows.
template <class T>
class placing_sink final : public fr::sink<T> {
 public:
  explicit placing_sink(std::shared_ptr<std::vector<fr::position>> to) : to_(std::move(to)) {}
  fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::at_least_once; }
  absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
  absl::Status write(const fr::batch<T>& rows) override {
    to_->insert(to_->end(), rows.positions.begin(), rows.positions.end());
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::string(); }
  absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }

 private:
  std::shared_ptr<std::vector<fr::position>> to_;
};

struct placing {
  std::shared_ptr<std::vector<fr::position>> to = std::make_shared<std::vector<fr::position>>();

  template <class T>
  absl::StatusOr<std::unique_ptr<fr::sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<placing_sink<T>>(to);
  }
};

}  // namespace

TEST_CASE("every row of a window has a place of its own, retractions too", "[pipeline][panes]") {
  std::mt19937_64 random(5);
  std::vector<event> split;
  for (std::int64_t i = 0; i < 600; ++i) {
    const std::string key(1, static_cast<char>('a' + random() % 3));
    split.push_back({key, i, tick(i - static_cast<std::int64_t>(random() % 40))});
  }
  const placing places;
  fr::pipeline p("p");
  keyed_events(p, script_of({split})) |
      fr::window(fr::session{9us}, {.allowed_lateness = 30us},
                 {.every = 5us, .every_count = 3, .mode = fr::accumulation::retract}) |
      fr::aggregate("w", fr::count("n")) | fr::to("rows", places);
  (void)run_to_end(p);
  REQUIRE(places.to->size() > 300);
  REQUIRE(std::set(places.to->begin(), places.to->end()).size() == places.to->size());
}

TEST_CASE("what retractions take back is taken back in the windows below, too",
          "[pipeline][panes]") {
  // Sessions count 1, then 2 instead, then 3 instead: below, each adds and takes back its rows.
  auto from = script_of({{{"a", 0, tick(0)},
                          {"clock", 0, tick(11)},
                          {"a", 0, tick(5)},
                          {"a", 0, tick(6)},
                          {"clock", 0, tick(60)}}});
  const auto rows = keeper();
  fr::pipeline p("p");
  const auto sessions = keyed_events(p, from) |
                        fr::window(fr::session{10us}, {.allowed_lateness = 20us},
                                   {.every_count = 2, .mode = fr::accumulation::retract}) |
                        fr::aggregate("sessions", fr::count("n"));
  using row = decltype(sessions)::value_type;
  const auto signed_count = [](const row& each) {
    const auto n = static_cast<std::int64_t>(std::get<0>(each.values));
    return each.pane.retraction ? -n : n;
  };
  sessions | fr::key_by(&row::key) |
      fr::window(fr::tumbling{100us}, {.allowed_lateness = 100us, .fire = fr::firing::at_close}) |
      fr::aggregate("below", fr::count("rows"), fr::sum("n", signed_count)) |
      fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.late() == 0);
  // [0, 10) 1 on time; it goes for [0, 15) 2, a pane of two records; that for [0, 16) 3 in the end.
  REQUIRE(sorted(rows->rows) == rows_of_text{"a|0|100|5|3@99", "clock|0|100|2|2@99"});
}

namespace {

struct picky {
  struct state {
    std::int64_t sum = 0;
    BOOST_DESCRIBE_CLASS(state, (), (sum), (), ())
  };
  std::string name = "picky";
  void add(state& to, const event& row) const {
    if (row.value == 3) throw std::runtime_error("no threes");
    to.sum += row.value;
  }
  void merge(state& into, const state& other) const { into.sum += other.sum; }
  std::int64_t result(const state& of) const {
    if (of.sum == 10) throw std::runtime_error("no tens");
    return of.sum;
  }
};

}  // namespace

TEST_CASE("case 31: a window below sees early rows, their retractions and the on-time row in time",
          "[pipeline][panes]") {
  const auto rows = keeper();
  fr::pipeline p("p");
  const auto first =
      keyed_events(p, script_of({events_at({1, 2, 3, 12})})) |
      fr::window(fr::tumbling{10us}, {}, {.every_count = 1, .mode = fr::accumulation::retract}) |
      fr::aggregate("first", fr::count("n"));
  using row = decltype(first)::value_type;
  const auto signed_count = [](const row& each) {
    const auto n = static_cast<std::int64_t>(std::get<0>(each.values));
    return each.pane.retraction ? -n : n;
  };
  first | fr::key_by(&row::key) | fr::window(fr::tumbling{10us}) |
      fr::aggregate("second", fr::count("rows"), fr::sum("n", signed_count)) |
      fr::to("rows", keep_rows_in(rows));
  REQUIRE(run_to_end(p).metrics.late() == 0);
  // Three early rows and the one on time, each but the last taken back.
  REQUIRE(rows->rows == rows_of_text{"a|0|10|7|3@9", "a|10|20|3|1@19"});
}

TEST_CASE("an aggregate that throws ends the job with the record that it was given",
          "[pipeline][panes]") {
  const auto failure_of = [](std::vector<event> split, fr::panes when) {
    fr::pipeline p("p");
    keyed_events(p, script_of({std::move(split)})) | fr::window(fr::tumbling{100us}, {}, when) |
        fr::aggregate("w", picky{}) | fr::to("rows", keep_rows_in(keeper()));
    return message_of(p.run());
  };
  const std::string begin = "window 'w': the function given to it threw (";
  REQUIRE_THAT(failure_of(events_at({1, 2, 5}), {.every_count = 2}),
               Catch::Matchers::StartsWith(begin + "no threes) at record 2 of split 0"));
  REQUIRE_THAT(failure_of({{"a", 4, tick(1)}, {"a", 6, tick(2)}}, {.every_count = 2}),
               Catch::Matchers::StartsWith(begin + "no tens) at record 1 of split 0"));
  REQUIRE_THAT(failure_of({{"a", 4, tick(1)}, {"a", 6, tick(2)}}, {.every = 50us}),
               Catch::Matchers::StartsWith(begin + "no tens) while a window fired"));
}
