// What panes leave to the log alone: the numbers of panes nobody asked for, and, beside early
// panes, the rows at the end of windows and those of late records.
#include "semantics/naive_panes.hpp"

#include <freshet/pipeline/ordering.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Windows without a third argument against the definition, for every chunking.
template <class Make>
void compare_plain_windows(std::uint64_t seed, Make make) {
  std::mt19937_64 random(seed);
  std::size_t late_rows = 0;
  for (int round = 0; round < 200; ++round) {
    pane_case of = random_pane_case(random);
    of.when = {};
    if (of.options.fire == fr::firing::never) of.options.fire = fr::firing::on_time;
    const auto assigner = make(random);
    INFO("round " << round << ", " << assigner.describe() << ", " << described(of));
    const pane_outcome wanted = naive_panes(of, assigner).outcome();
    const auto windows = [&](const auto& keyed) {
      return keyed | fr::window(assigner, of.options);
    };
    for (const std::size_t chunk : {1U, 3U, 1024U}) {
      INFO("chunks of " << chunk);
      REQUIRE(computed_panes(of, windows, chunk) == wanted);
    }
    for (const auto& [key, rows] : wanted.rows) {
      late_rows += static_cast<std::size_t>(std::count_if(
          rows.begin(), rows.end(),
          [](const std::string& row) { return row.find("|late|") != std::string::npos; }));
    }
  }
  REQUIRE(late_rows > 200);
}

/// The rows that are not early, without their numbers, which count the early ones, too.
rows_of_text final_rows(const pane_outcome& of) {
  rows_of_text found;
  for (const auto& [key, rows] : of.rows) {
    for (const std::string& row : rows) {
      const auto timing = std::min(row.find("|on_time|"), row.find("|late|"));
      if (row.find("|early|") == std::string::npos) found.push_back(row.substr(0, timing));
    }
  }
  return sorted(found);
}

/// Windows with early panes over several splits against those without.
template <class Make>
void compare_final_rows(std::uint64_t seed, Make make) {
  std::mt19937_64 random(seed);
  constexpr std::int64_t time_min = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t time_max = std::numeric_limits<std::int64_t>::max();
  for (int round = 0; round < 100; ++round) {
    pane_case of =
        random_pane_case(random, 1 + random() % 3, {-40, 0, 1000, time_min, time_max - 60});
    of.when.mode = fr::accumulation::accumulate;
    of.when.late = fr::late_firing::each_record;
    if (of.options.fire == fr::firing::never) of.options.fire = fr::firing::at_close;
    const auto assigner = make(random);
    INFO("round " << round << ", " << assigner.describe() << ", " << described(of));
    const pane_outcome wanted = computed_panes(
        of, [&](const auto& keyed) { return keyed | fr::window(assigner, of.options); }, 1024);
    for (const std::size_t chunk : {1U, 4U, 1024U}) {
      INFO("chunks of " << chunk);
      const pane_outcome found = computed_panes(
          of, [&](const auto& keyed) { return keyed | fr::window(assigner, of.options, of.when); },
          chunk, random());
      REQUIRE(final_rows(found) == final_rows(wanted));
      REQUIRE(sorted(found.late) == sorted(wanted.late));
    }
  }
}

fr::tumbling some_tumbling(std::mt19937_64& random) {
  return fr::tumbling{fr::duration{one_of<std::int64_t>(random, {1, 10, 35})}};
}
fr::sliding some_sliding(std::mt19937_64& random) {
  return fr::sliding{fr::duration{one_of<std::int64_t>(random, {3, 12, 30})},
                     fr::duration{one_of<std::int64_t>(random, {4, 5, 10})}};
}
fr::session some_session(std::mt19937_64& random) {
  return fr::session{fr::duration{one_of<std::int64_t>(random, {2, 6, 15})}};
}

}  // namespace

TEST_CASE("late panes of fixed windows are numbered per key and window, however the log is cut",
          "[semantics][panes][oracle]") {
  compare_plain_windows(71, some_tumbling);
  compare_plain_windows(72, some_sliding);
}

TEST_CASE("late panes of sessions are numbered on as they grow, however the log is cut",
          "[semantics][panes][oracle]") {
  compare_plain_windows(73, some_session);
}

TEST_CASE("case 110: early panes change no row at the end of a window, however the splits are cut",
          "[semantics][panes][oracle]") {
  compare_final_rows(74, some_tumbling);
  compare_final_rows(75, some_sliding);
  compare_final_rows(76, some_session);
}

TEST_CASE("panes by count below ordered do not depend on how several splits are cut",
          "[semantics][panes][oracle]") {
  std::mt19937_64 random(77);
  const auto rows_of = [](const pane_case& of, std::size_t chunk, std::uint64_t seed) {
    const auto windows = [&of](const auto& keyed) {
      return keyed | fr::window(fr::tumbling{20us}, of.options, of.when);
    };
    pane_outcome found = computed_panes(of, windows, chunk, seed, fr::ordered("order"));
    for (auto& [key, rows] : found.rows) rows = sorted(std::move(rows));
    found.late = sorted(std::move(found.late));
    return found;
  };
  for (int round = 0; round < 60; ++round) {
    pane_case of = random_pane_case(random, 2 + random() % 2);
    of.when.every = fr::duration{0};
    of.when.every_count = 1 + random() % 4;
    INFO("round " << round << ", " << described(of));
    const pane_outcome wanted = rows_of(of, 1, 0);
    for (const std::size_t chunk : {2U, 7U, 1024U}) REQUIRE(rows_of(of, chunk, random()) == wanted);
  }
}

TEST_CASE("what windows below make of rows and retractions does not depend on the batches",
          "[semantics][panes]") {
  std::mt19937_64 random(78);
  const auto below = [](const pane_case& of, std::size_t chunk, std::uint64_t seed) {
    auto from = script_of(of.splits);
    from->chunk_max = chunk;
    from->seed = seed;
    const auto rows = keeper();
    const auto late = keeper();
    fr::pipeline p("nested");
    const auto sessions = p.from("events", scripted<event>(from)) |
                          fr::event_time(&event::at, fr::bounded_disorder{of.disorder}) |
                          fr::key_by(&event::key) |
                          fr::window(fr::session{6us}, of.options, of.when) |
                          fr::aggregate("sessions", fr::count("n"));
    using row = typename decltype(sessions)::value_type;
    const auto signed_count = [](const row& each) {
      const auto n = static_cast<std::int64_t>(std::get<0>(each.values));
      return each.pane.retraction ? -n : n;
    };
    const auto windows = sessions | fr::key_by(&row::key) |
                         fr::window(fr::tumbling{30us}, {.allowed_lateness = 5us}) |
                         fr::aggregate("below", fr::count("rows"), fr::sum("n", signed_count),
                                       fr::collect("each", signed_count));
    windows | fr::with_panes() | fr::to("rows", keep_rows_in(rows));
    windows.late() | fr::with_panes() | fr::to("late", keep_rows_in(late));
    (void)run_to_end(p);
    return std::pair(sorted(rows->rows), sorted(late->rows));
  };
  std::size_t late_rows = 0;
  for (int round = 0; round < 100; ++round) {
    pane_case of = random_pane_case(random, 1 + random() % 3);
    of.when.every = fr::duration{0};
    of.when.every_count = 0;
    if (of.options.fire == fr::firing::never) of.options.fire = fr::firing::on_time;
    of.when.mode = round % 4 == 0 ? fr::accumulation::discard : fr::accumulation::retract;
    INFO("round " << round << ", " << described(of));
    const auto wanted = below(of, 1024, 0);
    late_rows += wanted.second.size();
    for (const std::size_t chunk : {1U, 3U, 20U}) REQUIRE(below(of, chunk, random()) == wanted);
  }
  REQUIRE(late_rows > 0);
}
