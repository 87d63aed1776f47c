// Several splits brought into one order, and what stands below then.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/count.hpp>

#include <map>
#include <set>
#include <tuple>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Tells of each record how many came before it, and sets a timer that tells how many there were.
struct telling {
  struct state {
    std::int64_t count = 0;
  };
  void process(const event& each, state& mine, auto& context) {
    context.emit(context.key() + std::to_string(each.value) + " is number " +
                 std::to_string(++mine.count) +
                 (each.at < context.entry_frontier() ? " behind" : ""));
    context.set_event_timer(each.at + 7us);
  }
  void on_timer(const fr::timer& due, state& mine, auto& context) {
    context.emit(context.key() + cell_text(due.when) + " saw " + std::to_string(mine.count));
  }
};
BOOST_DESCRIBE_STRUCT(telling::state, (), (count))

event_splits random_splits(std::mt19937_64& random) {
  event_splits splits(2 + random() % 3);
  std::int64_t value = 0;
  for (auto& split : splits) {
    std::int64_t now = static_cast<std::int64_t>(random() % 20);
    for (int i = 0; i < 30; ++i) {
      now += static_cast<std::int64_t>(random() % 5);
      const std::string key(1, static_cast<char>('a' + random() % 2));
      split.push_back({key, ++value, tick(now - static_cast<std::int64_t>(random() % 12))});
    }
  }
  return splits;
}

constexpr fr::duration disorder{5};

/// The order by its definition: those on time by their event times, those behind their frontier
/// after what is before it; timers of times that the order has reached before either.
rows_of_text naive(const event_splits& splits) {
  struct turn {
    fr::timestamp at;
    bool on_time;
    std::size_t sequence, split;
    event value;
  };
  std::vector<turn> turns;
  for (std::size_t split = 0; split < splits.size(); ++split) {
    fr::timestamp frontier = fr::timestamp_min;
    for (std::size_t i = 0; i < splits[split].size(); ++i) {
      const event& each = splits[split][i];
      turns.push_back({std::max(each.at, frontier), each.at >= frontier, i, split, each});
      frontier = std::max(frontier, each.at - disorder);
    }
  }
  std::sort(turns.begin(), turns.end(), [](const turn& a, const turn& b) {
    return std::tie(a.at, a.on_time, a.sequence, a.split) <
           std::tie(b.at, b.on_time, b.sequence, b.split);
  });
  rows_of_text rows;
  std::map<std::string, std::int64_t> counts;
  std::set<std::pair<fr::timestamp, std::string>> timers;
  const auto fire = [&](fr::timestamp until) {
    for (; !timers.empty() && timers.begin()->first <= until; timers.erase(timers.begin())) {
      const auto& [when, key] = *timers.begin();
      rows.push_back(key + cell_text(when) + " saw " + std::to_string(counts[key]));
    }
  };
  for (const turn& each : turns) {
    fire(each.at);
    rows.push_back(each.value.key + std::to_string(each.value.value) + " is number " +
                   std::to_string(++counts[each.value.key]) + (each.on_time ? "" : " behind"));
    timers.emplace(each.value.at + 7us, each.value.key);
  }
  fire(fr::timestamp_max);
  return sorted(rows);
}

struct result {
  rows_of_text rows;
  rows_of_text counted;
  std::vector<std::string> unpromised;
};

result run(const script_handle<event>& from, const fr::run_options& options, bool in_order) {
  const auto rows = keeper();
  const auto counted = keeper();
  absl::Status done = absl::AbortedError("not yet");
  fr::run_summary summary;
  while (done.code() == absl::StatusCode::kAborted) {
    fr::pipeline p("ordering");
    const fr::stream<event> events = p.from("events", scripted<event>(from)) |
                                     fr::event_time(&event::at, fr::bounded_disorder{disorder});
    const fr::stream<event> records = in_order ? events | fr::ordered("in order") : events;
    const auto keyed = records | fr::key_by(&event::key);
    keyed | fr::process<std::string>("p", telling{}) |
        fr::map([](const std::string& row) { return row; }) | fr::to("rows", keep_rows_in(rows));
    keyed | fr::window(fr::count_window{.size = 3}) |
        fr::aggregate("three", fr::sum("sum", &event::value)) |
        fr::to("counted", keep_rows_in(counted));
    done = p.run(options, &summary);
  }
  INFO(done.ToString());
  REQUIRE(done.ok());
  rows_of_text texts;
  for (const std::string& row : rows->rows) texts.push_back(row.substr(0, row.rfind('@')));
  return {sorted(texts), sorted(counted->rows), summary.unpromised};
}

}  // namespace

TEST_CASE(
    "ordered gives several splits one order: process and count windows see the same in every "
    "run",
    "[ordered][oracle]") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 40; ++round) {
    INFO("round " << round);
    const event_splits splits = random_splits(random);
    const rows_of_text wanted = naive(splits);
    rows_of_text counted;
    for (const std::size_t chunk : {1U, 2U, 7U, 256U}) {
      INFO("chunks of " << chunk);
      auto from = script_of(splits);
      from->chunk_max = chunk;
      from->chunks_vary = false;
      const result got = run(from, {}, true);
      REQUIRE(got.rows == wanted);
      if (chunk == 1) counted = got.counted;
      REQUIRE(got.counted == counted);
      REQUIRE(got.unpromised.empty());
    }
    INFO("resumed after every few records");
    auto from = script_of(splits);
    from->seed = random();
    from->chunk_max = 6;
    from->crash_after = 2 + random() % 10;
    const result got = run(from, committing_to(std::make_shared<fr::memory_checkpoint>()), true);
    REQUIRE(got.rows == wanted);
    REQUIRE(got.counted == counted);
  }
}

TEST_CASE("without an order, what depends on arrival is named", "[ordered]") {
  std::mt19937_64 random(6);
  const event_splits splits = random_splits(random);
  REQUIRE(run(script_of(splits), {}, false).unpromised ==
          std::vector<std::string>{"process in the order of arrival",
                                   "count window over several splits"});
  REQUIRE(run(script_of({splits.front()}), {}, false).unpromised.empty());
}

TEST_CASE("process below a sampler over one split is named: its timers follow the watermark alone",
          "[ordered]") {
  for (const bool in_order : {false, true}) {
    fr::pipeline p("sampled");
    const auto sampled = p.from("events", scripted<event>(event_splits{{}})) |
                         fr::event_time(&event::at, fr::bounded_disorder{}) |
                         fr::sample("half", fr::rarity(&event::key, {.rate = 0.5})) |
                         fr::map([](const fr::sampled<event>& each) { return each.value; });
    const fr::stream<event> rows = in_order ? sampled | fr::ordered("in order") : sampled;
    rows | fr::key_by(&event::key) | fr::process<std::string>("p", telling{}) |
        fr::to("rows", keep_rows_in(keeper()));
    const std::vector<std::string> named =
        in_order ? std::vector<std::string>{}
                 : std::vector<std::string>{"process in the order of arrival"};
    REQUIRE(run_to_end(p).unpromised == named);
  }
}

TEST_CASE("ordered needs event times", "[ordered]") {
  fr::pipeline p("untimed");
  const auto events = p.from("events", scripted<event>(event_splits{{}}));
  REQUIRE_THAT(refusal_of([&] { events | fr::ordered("in order"); }),
               Catch::Matchers::Contains("ordered 'in order': the records have no event times"));
}
