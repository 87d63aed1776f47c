// Samplers without memory and ranking samplers in a pipeline: what they keep does not depend on
// batches, crashes, or parallelism, and no row of theirs is later below than its record was.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/connectors/callback.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/consistent.hpp>
#include <freshet/sampling/reservoir.hpp>
#include <freshet/sampling/stratified.hpp>
#include <freshet/sampling/time_biased.hpp>
#include <freshet/sampling/uniform.hpp>
#include <freshet/window/tumbling.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace fr = freshet;
using namespace freshet::test;

namespace {

constexpr std::array<const char*, 10> sink_names = {
    "windows", "late",       "windows of all", "late of all", "stratified",
    "uniform", "consistent", "biased",         "carried",     "late carried"};
using sinks = std::array<kept_rows_handle, 10>;
using sampled_events = std::vector<fr::sampled<event>>;

sinks fresh_sinks() {
  sinks all;
  for (auto& each : all) each = keeper();
  return all;
}

fr::stratified_options few() {
  return {.per_category = 3, .epoch = ticks_long(20), .max_categories = 3, .seed = 2};
}

fr::time_biased recent() {
  return {.k = 8, .half_life = ticks_long(30), .epoch = ticks_long(20), .seed = 5};
}

/// `hear` gets the rows of the stratified sampler.
template <class Hear>
fr::pipeline compose(const script_handle<event>& from, const sinks& into, Hear hear) {
  fr::pipeline p("samples");
  auto events = p.from("events", scripted<event>(from)) |
                fr::event_time(&event::at, fr::bounded_disorder{ticks_long(6)});
  const auto count_windows = [&](const fr::stream<event>& of, const char* name, std::size_t sink) {
    auto windows = of | fr::key_by(&event::key) | fr::window(fr::tumbling{ticks_long(7)}) |
                   fr::aggregate(name, fr::count("n"));
    windows | fr::to(sink_names[sink], keep_rows_in(into[sink]));
    windows.late() | fr::to(sink_names[sink + 1], keep_rows_in(into[sink + 1]));
  };
  count_windows(events, "plain", 0);
  // A sample of everything, which comes out epoch by epoch.
  const auto value_of = fr::map([](const fr::sampled<event>& row) { return row.value; });
  auto all =
      events | fr::sample("all", fr::reservoir{.k = 1'000'000, .epoch = ticks_long(15)}) | value_of;
  count_windows(all, "sampled", 2);
  auto sample = events | fr::sample("few", fr::stratified(&event::key, few()));
  sample | fr::to(sink_names[4], keep_rows_in(into[4]));
  sample | fr::to("hearer", fr::callback(hear));
  auto biased = events | fr::sample("biased", recent());
  biased | fr::to(sink_names[7], keep_rows_in(into[7]));
  count_windows(biased | value_of, "carried", 8);
  events | fr::sample("some", fr::uniform{.rate = 0.4, .seed = 3}) |
      fr::to(sink_names[5], keep_rows_in(into[5]));
  events | fr::sample("keys", fr::consistent(&event::key, {.rate = 0.5, .seed = 4})) |
      fr::to(sink_names[6], keep_rows_in(into[6]));
  return p;
}

event_splits random_splits(std::mt19937_64& random) {
  event_splits splits(1 + random() % 4);
  for (auto& split : splits) {
    const std::size_t count = random() % 150;
    std::int64_t now = -40;
    for (std::size_t i = 0; i < count; ++i) {
      now += static_cast<std::int64_t>(random() % 3);
      const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 40 : 8));
      const std::string key(1, static_cast<char>('a' + random() % 6));
      split.push_back({key, static_cast<std::int64_t>(random() % 100), tick(now - behind)});
    }
  }
  return splits;
}

std::vector<rows_of_text> rows_of(const sinks& all) {
  std::vector<rows_of_text> rows;
  for (const auto& each : all) rows.push_back(sorted(each->visible()));
  return rows;
}

const auto deaf = [](const fr::sampled<event>&) {};

std::vector<rows_of_text> uninterrupted(const event_splits& splits, std::size_t parallelism,
                                        std::uint64_t seed) {
  const sinks into = fresh_sinks();
  auto from = script_of(splits);
  from->seed = seed;
  from->chunk_max = 1 + seed % 40;
  fr::pipeline p = compose(from, into, deaf);
  fr::run_options options;
  options.parallelism = parallelism;
  (void)run_to_end(p, options);
  return rows_of(into);
}

std::vector<rows_of_text> interrupted(const event_splits& splits, std::mt19937_64& random) {
  const sinks into = fresh_sinks();
  auto from = script_of(splits);
  auto commits = std::make_shared<fr::memory_checkpoint>();
  for (int runs = 1;; ++runs) {
    REQUIRE(runs < 400);
    from->seed = random();
    from->chunk_max = 1 + random() % 30;
    from->crash_after = random() % 3 != 0 ? random() % 60 : std::numeric_limits<std::size_t>::max();
    fr::pipeline p = compose(from, into, deaf);
    if (p.run(committing_to(commits)).ok()) return rows_of(into);
  }
}

std::map<std::string, double> counts_by_key(const event_splits& splits) {
  std::map<std::string, double> counts;
  for (const auto& split : splits) {
    for (const event& each : split) ++counts[each.key];
  }
  return counts;
}

}  // namespace

TEST_CASE("samplers keep the same records at every parallelism, and after crashes",
          "[pipeline][sampling]") {
  std::mt19937_64 random(50);
  for (int round = 0; round < 40; ++round) {
    const event_splits splits = random_splits(random);
    const std::vector<rows_of_text> wanted = uninterrupted(splits, 1, random());
    std::vector<std::vector<rows_of_text>> found = {interrupted(splits, random)};
    for (const std::size_t parallelism : {2U, 3U, 8U}) {
      found.push_back(uninterrupted(splits, parallelism, random()));
    }
    for (std::size_t way = 0; way < found.size(); ++way) {
      for (std::size_t sink = 0; sink < sink_names.size(); ++sink) {
        INFO("round " << round << " way " << way << " sink " << sink_names[sink]);
        REQUIRE(found[way][sink] == wanted[sink]);
      }
    }
    // Rows wait for the end of their epoch, and yet are as late or as timely as their records.
    REQUIRE(wanted[2] == wanted[0]);
    REQUIRE(wanted[3] == wanted[1]);
    // A carried sample comes with the time of its epoch's end, whatever its records' times are.
    REQUIRE(wanted[9].empty());
  }
}

TEST_CASE("a stratified sample of a pipeline stands for all of its records",
          "[pipeline][sampling]") {
  std::mt19937_64 random(51);
  for (int round = 0; round < 20; ++round) {
    const event_splits splits = random_splits(random);
    sampled_events heard;
    fr::pipeline p = compose(script_of(splits), fresh_sinks(),
                             [&heard](const fr::sampled<event>& row) { heard.push_back(row); });
    (void)run_to_end(p);
    std::map<std::string, double> weights;
    double all = 0;
    for (const auto& row : heard) {
      REQUIRE(row.category == row.value.key);
      REQUIRE(row.probability * row.weight == Approx(1));
      weights[row.category] += row.weight;
      all += row.weight;
    }
    double wanted = 0;
    for (const auto& [key, count] : counts_by_key(splits)) wanted += count;
    REQUIRE(all == Approx(wanted));
    // Three categories have reservoirs of their own, and so exact counts; three share one.
    std::size_t exact = 0;
    for (const auto& [key, count] : counts_by_key(splits)) {
      exact += std::abs(weights[key] - count) < 1e-9 ? 1U : 0U;
    }
    INFO("round " << round);
    REQUIRE(exact >= std::min<std::size_t>(3, counts_by_key(splits).size()));
  }
}

TEST_CASE("a reservoir keeps k of each epoch, the records before any watermark among the first",
          "[pipeline][sampling]") {
  // A record's entry frontier is 5 ticks behind the record before it:
  //   -9     -8 .. -5    16    31   32 .. 35    36 .. 39      records
  //   none  -14 .. -11  -10    11   26 .. 29    30 .. 33      entry frontiers
  //   \______ -2 _____/   -1    1       2           3         epochs of 10 ticks
  std::vector<event> split;
  for (const std::int64_t at : {-9, -8, -7, -6, -5, 16, 31, 32, 33, 34, 35, 36, 37, 38, 39}) {
    split.push_back({"a", at, tick(at)});
  }
  auto rows = keeper();
  fr::pipeline p("p");
  p.from("events", scripted<event>(script_of({split}))) |
      fr::event_time(&event::at, fr::bounded_disorder{ticks_long(5)}) |
      fr::sample("s", fr::reservoir{.k = 3, .epoch = ticks_long(10)}) |
      fr::to("", keep_rows_in(rows));
  (void)run_to_end(p);
  CHECK(rows->published == 3 + 1 + 1 + 3 + 3);
}

TEST_CASE("a time-biased sample comes out whole at the end of each epoch that has records",
          "[pipeline][sampling]") {
  // Epochs of 10 ticks; entry frontiers are 5 ticks behind, so that 6, 7 enter with 16, and so on:
  //   records  1  2 | 16  17 | 31 ... 35 |           76
  //   k = 4    the first two epochs with all before them; then 4 of each
  std::vector<event> split;
  for (const std::int64_t at : {1, 2, 16, 17, 31, 32, 33, 34, 35, 76}) {
    split.push_back({"a", at, tick(at)});
  }
  std::vector<std::int64_t> heard;
  double weights = 0;
  fr::pipeline p("p");
  p.from("events", scripted<event>(script_of({split}))) |
      fr::event_time(&event::at, fr::bounded_disorder{ticks_long(5)}) |
      fr::sample("s",
                 fr::time_biased{.k = 4, .half_life = ticks_long(1), .epoch = ticks_long(10)}) |
      fr::to("", fr::callback([&](const fr::sampled<event>& row) {
               heard.push_back(row.value.value);
               weights += row.weight;
             }));
  (void)run_to_end(p);
  // The half-life is so short that the newest are certain: the last sample holds 76.
  REQUIRE(heard.size() >= 4);
  CHECK(std::count(heard.end() - 4, heard.end(), 76) == 1);
  CHECK(std::count(heard.begin(), heard.end() - 4, 76) == 0);
  CHECK(std::count(heard.begin(), heard.end(), 35) == 2);
  CHECK(weights >= static_cast<double>(heard.size()));
}

TEST_CASE("samplers without memory need no event times, ranking samplers do",
          "[pipeline][sampling]") {
  const auto from = script_of({events_at({1, 2, 3})});
  auto rows = keeper();
  fr::pipeline p("p");
  p.from("events", scripted<event>(from)) | fr::sample("s", fr::uniform{.rate = 1}) |
      fr::to("", keep_rows_in(rows));
  (void)run_to_end(p);
  CHECK(rows->published == 3);
  CHECK(refusal_of([&] {
          fr::pipeline other("p");
          (void)(other.from("events", scripted<event>(from)) |
                 fr::sample("s", fr::reservoir{.k = 1, .epoch = ticks_long(1)}));
        }) ==
        "sample 's': the records have no event times; put event_time(&record::at, "
        "bounded_disorder{...}) below their source");
  CHECK(refusal_of([&] {
          fr::pipeline other("p");
          (void)(other.from("events", scripted<event>(from)) |
                 fr::sample("s", fr::uniform{.rate = 2}));
        }) == "sample 's': rate 2 is not in (0, 1]; give .rate a share of the records such as 0.4");
}
