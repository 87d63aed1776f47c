// The hot keys that windows tell of: against the true shares of the stream.
//
// The sample is drawn by a generator with a fixed seed, and one source gives its rows in one order,
// so that these tests give the same in every run.
#include "pipeline/support.hpp"

#include "runtime/counter_board.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/freshet.hpp>

#include <cmath>

namespace fr = freshet;
using namespace freshet::test;
using fr::detail::heavy_key;
using fr::detail::heavy_keys;

namespace {

struct text_record {
  std::string key;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(text_record, (), (key, at))
struct number_record {
  std::uint64_t key = 0;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(number_record, (), (key, at))

/// Half of the records have one key, a tenth another, the rest one of 100,000.
template <class Record, class Name>
fr::run_summary run_skewed(Name name, fr::pre_aggregation when) {
  const auto make = [name](std::uint64_t i) {
    const std::uint64_t drawn = fr::mix_bits(i);
    const std::uint64_t key = drawn % 10 < 5 ? 1 : drawn % 10 == 5 ? 2 : 1000 + drawn % 100'003;
    return Record{name(key), tick(static_cast<std::int64_t>(i))};
  };
  fr::pipeline p("skewed");
  p.from("in", fr::generate(make, {.count = 500'000})) |
      fr::event_time(&Record::at, fr::ascending{}) | fr::key_by(&Record::key) |
      fr::window(fr::tumbling{ticks_long(100'000)}, {.pre_aggregate = when}) |
      fr::aggregate("w", fr::count("n")) | fr::to("out", fr::callback([](const auto&) {}));
  fr::run_summary summary;
  REQUIRE(p.run({.parallelism = 2, .scheduler = fr::thread_pool(2)}, &summary).ok());
  return summary;
}

const auto as_text = [](std::uint64_t key) { return "key " + std::to_string(key); };
const auto as_number = [](std::uint64_t key) { return key; };

}  // namespace

TEST_CASE("the heaviest keys are told with their shares, and by name", "[pipeline][metrics]") {
  const auto all =
      run_skewed<text_record>(as_text, fr::pre_aggregation::adaptive).metrics.of("window", "w");
  REQUIRE(all.hot_keys.size() == 2);
  const fr::hot_key& first = all.hot_keys[0];
  const fr::hot_key& second = all.hot_keys[1];
  CHECK(first.hash == fr::stable_hash(std::string("key 1")));
  CHECK(second.hash == fr::stable_hash(std::string("key 2")));
  // A sample of at least 8,192 records: five standard deviations are 0.028 and 0.017.
  CHECK(std::abs(first.share - 0.5) < 0.028 + first.share_error);
  CHECK(std::abs(second.share - 0.1) < 0.017 + second.share_error);
  CHECK(first.share_error <= 0.01);
  CHECK(second.share_error <= 0.01);
}

TEST_CASE("keys that no sender looks for are not told", "[pipeline][metrics]") {
  const auto when = GENERATE(fr::pre_aggregation::never, fr::pre_aggregation::always);
  CHECK(run_skewed<number_record>(as_number, when).metrics.of("window", "w").hot_keys.empty());
}

TEST_CASE("the texts of hot keys are found out while the job runs", "[pipeline][metrics]") {
  std::vector<heavy_key> keys{{fr::stable_hash(std::string("a")), 10, 0, {}},
                              {fr::stable_hash(std::string("b")), 5, 0, {}}};
  fr::detail::key_texts texts;
  fr::batch<event> rows;
  for (const char* key : {"c", "b", "c"}) {
    rows.values.push_back({key, 1, tick(0)});
    rows.hashes.push_back(fr::stable_hash(std::string(key)));
  }
  texts.name(keys);
  CHECK(keys[1].text.empty());
  texts.look_at(rows, &event::key);
  texts.name(keys);
  CHECK(keys[0].text.empty());
  CHECK(keys[1].text == "b");
  CHECK(fr::detail::text_of_key(std::int64_t{-7}) == "-7");
  CHECK(fr::detail::text_of_key(std::pair(1, 2)).empty());
}

TEST_CASE("what senders know of a key adds up, with bounds that hold", "[pipeline][metrics]") {
  // Key 7 has 60 to 80 of 200 here and 30 of 100 there; key 9 at most 20 and 15 to 20.
  const heavy_keys first{200, 20, {{7, 80, 20, "seven"}}};
  const heavy_keys second{100, 5, {{7, 30, 0, {}}, {9, 20, 5, {}}}};
  const auto told = fr::detail::merge_heavy_keys({first, second});
  REQUIRE(told.size() == 2);
  CHECK(told[0].hash == 7);
  CHECK(told[0].key == "seven");
  CHECK(told[0].share == Approx(110.0 / 300));
  CHECK(told[0].share_error == Approx(20.0 / 300));
  CHECK(told[1].hash == 9);
  CHECK(told[1].share == Approx(40.0 / 300));
  CHECK(told[1].share_error == Approx(25.0 / 300));
  CHECK(fr::detail::merge_heavy_keys({}).empty());
  CHECK(fr::detail::merge_heavy_keys({heavy_keys{}}).empty());
}

TEST_CASE("the bounds of what a sender tells hold for every key", "[pipeline][metrics]") {
  fr::detail::hot_keys keys;
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> hashes(1024);
  for (int batches = 0; batches < 500; ++batches) {
    for (std::uint64_t& each : hashes) {
      const std::uint64_t drawn = random() % 64;  // Half of them 0, a quarter 1, and so on.
      each = fr::stable_hash(static_cast<std::uint64_t>(std::countr_zero(drawn | 64)));
    }
    keys.look_at(hashes);
    const heavy_keys told = keys.heaviest();
    REQUIRE(told.keys.size() <= fr::detail::heavy_keys_max);
    std::uint64_t certain = 0;
    for (const heavy_key& each : told.keys) {
      REQUIRE(each.error <= each.count);
      REQUIRE(each.count <= told.sampled);
      certain += each.count - each.error;
    }
    REQUIRE(certain <= told.sampled + told.keys.size());
  }
  const heavy_keys told = keys.heaviest();
  REQUIRE(told.keys.size() == 7);
  for (std::uint64_t key = 0; key < 7; ++key) {
    CHECK(told.keys[key].hash == fr::stable_hash(key));
  }
}

TEST_CASE("a sketch that was halved counts little more too much than it says of others",
          "[pipeline][metrics]") {
  // What `hot_keys::heaviest` makes of it: no count of a key that it does not name is larger.
  std::mt19937_64 random(4);
  freshet::space_saving sketch(64);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t keys = 1 + random() % 1000;
    for (std::uint64_t count = random() % 2000; count > 0; --count) {
      sketch.add(fr::stable_hash(std::min(random() % keys, random() % keys)));
    }
    for (const fr::counted_hash& each : sketch.items()) {
      REQUIRE(each.error <= sketch.untracked_at_most() + 2);
    }
    if (random() % 3 == 0) sketch.halve();
  }
}
