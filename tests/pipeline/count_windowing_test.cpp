// Count windows against their definition on random streams, over any batches, crashes and stops;
// what rows of theirs that are behind the watermark become; and when the log does not decide.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

#include <map>
#include <thread>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

struct counted_job {
  script_handle<event> from;
  kept_rows_handle rows = keeper();

  explicit counted_job(event_splits splits) : from(script_of(std::move(splits))) {}

  fr::pipeline compose(fr::count_window windows) const {
    fr::pipeline p("counted");
    p.from("events", scripted<event>(from)) |
        fr::event_time(&event::at, fr::bounded_disorder{2us}) | fr::key_by(&event::key) |
        fr::window(windows) |
        fr::aggregate("w", fr::count("n"), fr::mean("mean", &event::value),
                      fr::collect("all", &event::value)) |
        fr::to("rows", keep_rows_in(rows));
    return p;
  }
};

std::string naive_row(const std::vector<event>& all, std::int64_t from, std::int64_t until) {
  std::vector<event> of(all.begin() + from, all.begin() + until);
  std::stable_sort(of.begin(), of.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  double sum = 0;
  std::vector<std::int64_t> values;
  for (const event& each : of) {
    sum += static_cast<double>(each.value);
    values.push_back(each.value);
  }
  return of.front().key + "|" + cell_text(of.front().at) + "|" + cell_text(of.back().at + 1us) +
         "|" + std::to_string(of.size()) + "|" + cell_text(sum / static_cast<double>(of.size())) +
         "|" + cell_text(values) + "@" + cell_text(of.back().at);
}

/// The definition: a window ends with every record whose number less the size is a multiple of the
/// slide. Records as they arrive.
rows_of_text naive(const std::vector<event>& log, const fr::count_window& of,
                   std::uint64_t& unassigned) {
  const std::int64_t slide = of.slide == 0 ? of.size : of.slide;
  rows_of_text rows;
  std::map<std::string, std::vector<event>> by_key;
  for (const event& each : log) by_key[each.key].push_back(each);
  for (const auto& [key, all] : by_key) {
    const auto count = static_cast<std::int64_t>(all.size());
    for (std::int64_t i = 0; i < count; ++i) {
      if (i % slide >= of.size) ++unassigned;
    }
    std::int64_t end = 1;
    for (; end <= count; ++end) {
      if ((end - of.size) % slide != 0 || (end < of.size && !of.partial)) continue;
      rows.push_back(naive_row(all, std::max<std::int64_t>(0, end - of.size), end));
    }
    if (!of.partial || (count - of.size) % slide == 0) continue;
    while ((end - of.size) % slide != 0) ++end;
    const std::int64_t begin = std::max<std::int64_t>(0, end - of.size);
    if (begin < count) rows.push_back(naive_row(all, begin, count));
  }
  return sorted(rows);
}

std::vector<event> random_log(std::mt19937_64& random, std::size_t count) {
  std::vector<event> log;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(random() % 9);
    log.push_back({std::string(1, static_cast<char>('a' + random() % 3)),
                   static_cast<std::int64_t>(random() % 1000), tick(at)});
  }
  return log;
}

fr::count_window random_windows(std::mt19937_64& random) {
  return {.size = 1 + static_cast<std::int64_t>(random() % 13),
          .slide = static_cast<std::int64_t>(random() % 16),
          .partial = random() % 2 == 0};
}

}  // namespace

TEST_CASE("count windows follow their definition, whatever the batches",
          "[pipeline][window][count]") {
  std::mt19937_64 random(111);
  for (int round = 0; round < 150; ++round) {
    const fr::count_window windows = random_windows(random);
    const std::vector<event> log = random_log(random, random() % 300);
    std::uint64_t unassigned = 0;
    const rows_of_text wanted = naive(log, windows, unassigned);
    for (const std::size_t chunk : {1U, 2U, 7U, 256U}) {
      const counted_job job({log});
      job.from->chunk_max = chunk;
      job.from->chunks_vary = false;
      fr::pipeline p = job.compose(windows);
      const fr::run_summary summary = run_to_end(p);
      INFO("round " << round << ", " << windows.describe() << ", chunk " << chunk);
      REQUIRE(sorted(job.rows->rows) == wanted);
      REQUIRE(summary.metrics.unassigned() == unassigned);
      REQUIRE(summary.metrics.of("window", "w").records_out == wanted.size());
      REQUIRE(summary.unpromised.empty());
    }
  }
}

TEST_CASE("count windows go on exactly where a crash has left them",
          "[pipeline][window][count][resume]") {
  std::mt19937_64 random(112);
  int runs = 0;
  for (int round = 0; round < 100; ++round) {
    const fr::count_window windows = random_windows(random);
    const std::vector<event> log = random_log(random, random() % 200);
    std::uint64_t unassigned = 0;
    const rows_of_text wanted = naive(log, windows, unassigned);
    const counted_job job({log});
    const auto commits = std::make_shared<fr::memory_checkpoint>();
    fr::run_summary summary;
    for (bool ended = false; !ended; ++runs) {
      job.from->crash_after = 1 + random() % 60;
      job.from->chunk_max = 1 + random() % 20;
      fr::pipeline p = job.compose(windows);
      ended = p.run(committing_to(commits), &summary).ok();
    }
    INFO("round " << round << ", " << windows.describe());
    REQUIRE(sorted(job.rows->visible()) == wanted);
    REQUIRE(summary.metrics.unassigned() == unassigned);
  }
  CHECK(runs > 300);
}

TEST_CASE("a stop keeps incomplete count windows for the next start, a drain fires them",
          "[pipeline][window][count][resume]") {
  const fr::count_window windows{.size = 3, .partial = true};
  const counted_job job({events_at({1, 2, 3, 4, 5, 6, 7, 8})});
  job.from->is_bounded = false;
  job.from->pause_after = 5;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  const auto read_and = [&](std::uint64_t records, void (fr::job::*end)()) {
    fr::pipeline p = job.compose(windows);
    fr::run_options options = committing_to(commits);
    options.checkpoint.every = 1h;
    absl::StatusOr<fr::job> running = p.start(options);
    REQUIRE(running.ok());
    while (running->metrics().records() < records) std::this_thread::yield();
    ((*running).*end)();
    REQUIRE(running->wait().ok());
  };
  read_and(5, &fr::job::stop);
  REQUIRE(job.rows->visible() == rows_of_text{"a|1|4|3|2|[1,2,3]@3"});
  job.from->pause_after = 2;
  read_and(7, &fr::job::drain);
  REQUIRE(job.rows->visible() ==
          rows_of_text{"a|1|4|3|2|[1,2,3]@3", "a|4|7|3|5|[4,5,6]@6", "a|7|8|1|7|[7]@7"});
}

TEST_CASE("a changed count window is refused with both formats", "[pipeline][window][count]") {
  const counted_job job({events_at({1, 2, 3, 4})});
  job.from->chunk_max = 1;
  job.from->crash_after = 2;
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  fr::pipeline before = job.compose({.size = 3});
  REQUIRE_FALSE(before.run(committing_to(commits)).ok());
  fr::pipeline after = job.compose({.size = 3, .slide = 1});
  REQUIRE(message_of(after.run(committing_to(commits))) ==
          "checkpoint: state of window 'w' has format [count 3], the pipeline's is [count 3 every "
          "1]; run it as it was, or give a new directory");
}

TEST_CASE("count windows with unusable numbers, or without event times, are refused",
          "[pipeline][window][count]") {
  REQUIRE(refusal_of([] { (void)counted_job({events_at({1})}).compose({.size = 0}); }) ==
          "window 'w': size 0 is not positive; give .size a positive number of records");
  REQUIRE_THAT(refusal_of([] {
                 fr::pipeline p("p");
                 (void)(p.from("events", scripted<event>({events_at({1})})) |
                        fr::key_by(&event::key) | fr::window(fr::count_window{.size = 2}) |
                        fr::aggregate("w", fr::count("n")));
               }),
               Catch::Matchers::StartsWith("window 'w': the records have no event times"));
}

namespace {

struct span_count {
  std::string key;
  fr::timestamp window_start;
  fr::timestamp window_end;
  std::int64_t n = 0;
};
BOOST_DESCRIBE_STRUCT(span_count, (), (key, window_start, window_end, n))

/// Count windows of two below which windows of 10 ticks count their rows.
struct nested {
  rows_of_text rows;
  rows_of_text late;
};

nested count_rows(std::vector<event> split, fr::count_window windows, fr::window_options options) {
  const auto rows = keeper();
  const auto late = keeper();
  fr::pipeline p("nested");
  auto pairs = p.from("events", scripted<event>({std::move(split)})) |
               fr::event_time(&event::at, fr::ascending{}) | fr::key_by(&event::key) |
               fr::window(windows) | fr::aggregate("pairs", fr::count("n"));
  auto tens = pairs.as<span_count>() | fr::key_by(&span_count::key) |
              fr::window(fr::tumbling{10us}, options) |
              fr::aggregate("tens", fr::sum("sum", &span_count::n));
  tens | fr::to("rows", keep_rows_in(rows));
  tens.late() | fr::to("late", keep_rows_in(late));
  (void)run_to_end(p);
  return {rows->rows, late->rows};
}

}  // namespace

TEST_CASE("the row of a count window completed behind the watermark is behind it, too",
          "[pipeline][window][count]") {
  // 100 moves the watermark; the pair [5, 6] is complete only after that, and [98, 100] is not.
  const std::vector<event> split = {{"a", 1, tick(98)}, {"a", 1, tick(100)}, {"a", 1, tick(5)},
                                    {"a", 1, tick(6)},  {"a", 1, tick(3)},   {"a", 1, tick(120)}};
  const nested closed = count_rows(split, {.size = 2}, {});
  REQUIRE(closed.rows == rows_of_text{"a|100|110|2@109", "a|120|130|2@129"});
  REQUIRE(closed.late == rows_of_text{"a|5|7|2@6"});
  const nested open = count_rows(split, {.size = 2}, {.allowed_lateness = 1ms});
  REQUIRE(open.late.empty());
  REQUIRE(sorted(open.rows) == rows_of_text{"a|0|10|2@9", "a|100|110|2@109", "a|120|130|2@129"});
}

TEST_CASE("what is left at the end of the input stands where its records are, behind or not",
          "[pipeline][window][count]") {
  const std::vector<event> split = {
      {"a", 1, tick(5)}, {"b", 1, tick(95)}, {"b", 1, tick(100)}, {"c", 1, tick(100)}};
  const nested closed = count_rows(split, {.size = 2, .partial = true}, {});
  REQUIRE(sorted(closed.rows) == rows_of_text{"b|100|110|2@109", "c|100|110|1@109"});
  REQUIRE(closed.late == rows_of_text{"a|5|6|1@5"});
}

TEST_CASE("count windows of windows over one split do not depend on batches or crashes",
          "[pipeline][window][count][resume]") {
  std::mt19937_64 random(113);
  for (int round = 0; round < 40; ++round) {
    const std::vector<event> log = random_log(random, 150);
    rows_of_text wanted;
    for (const std::size_t chunk : {1U, 5U, 150U, 0U}) {
      auto from = script_of({log});
      from->chunk_max = chunk == 0 ? 9 : chunk;
      from->chunks_vary = chunk == 0;
      const auto rows = keeper();
      const auto commits = std::make_shared<fr::memory_checkpoint>();
      fr::run_summary summary;
      for (bool ended = false; !ended;) {
        if (chunk == 0) from->crash_after = 1 + random() % 60;
        fr::pipeline p("windows of windows");
        auto sums = p.from("events", scripted<event>(from)) |
                    fr::event_time(&event::at, fr::bounded_disorder{1us}) |
                    fr::key_by(&event::key) |
                    fr::window(fr::tumbling{4us}, {.allowed_lateness = 3us}) |
                    fr::aggregate("sums", fr::sum("sum", &event::value));
        using row = decltype(sums)::value_type;
        sums | fr::key_by([](const row&) { return 0; }) |
            fr::window(fr::count_window{.size = 5, .slide = 2, .partial = true}) |
            fr::aggregate(
                "fives",
                fr::collect("sums", [](const row& each) { return std::get<0>(each.values); })) |
            fr::to("rows", keep_rows_in(rows));
        ended = p.run(committing_to(commits), &summary).ok();
      }
      INFO("round " << round << ", chunk " << chunk);
      if (wanted.empty()) wanted = rows->visible();
      REQUIRE(rows->visible() == wanted);
      REQUIRE(summary.unpromised.empty());
    }
  }
}

TEST_CASE("the summary says so where the log does not decide the order of arrival",
          "[pipeline][window][count]") {
  const rows_of_text warned = {"count window over several splits"};
  const counted_job two({events_at({1, 2}), events_at({1, 2})});
  fr::pipeline over_two = two.compose({.size = 2});
  REQUIRE(run_to_end(over_two).unpromised == warned);

  const auto source = [](fr::pipeline& p, const char* name) {
    return p.from(name, scripted<event>({events_at({1, 2, 3})})) |
           fr::event_time(&event::at, fr::ascending{});
  };
  const auto counted = [](const auto& events) {
    (void)(events | fr::key_by(&event::key) | fr::window(fr::count_window{.size = 2}) |
           fr::aggregate("w", fr::count("n")));
  };
  fr::pipeline merged("merged");
  const auto events = source(merged, "events");
  counted(fr::merge(events, events | fr::filter([](const event&) { return true; })));
  REQUIRE(run_to_end(merged).unpromised == warned);

  fr::pipeline beside("beside");
  counted(source(beside, "one"));
  (void)source(beside, "other");
  REQUIRE(run_to_end(beside).unpromised.empty());
}
