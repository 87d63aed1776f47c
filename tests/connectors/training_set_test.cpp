// Training sets: what is written is what was sampled and what is read, once, whatever happens.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/training_set.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/sampling/uniform.hpp>

#include <fmt/core.h>

#include <filesystem>
#include <random>

namespace fr = freshet;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using csv_test::content;
using csv_test::temporary_folder;

namespace {

struct payment {
  std::string card;
  double amount = 0;
  bool fraud = false;
  std::optional<std::int64_t> limit;
  fr::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, fraud, limit, at))

using sampled_payment = fr::sampled<payment>;

fr::timestamp at_second(std::int64_t second) {
  return fr::timestamp{std::chrono::seconds(1'700'000'000 + second)};
}

std::vector<payment> payments(std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<payment> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back({"card, \"" + std::to_string(random() % 50) + "\"",
                   static_cast<double>(random() % 100'000) / 7, random() % 20 == 0,
                   random() % 3 == 0 ? std::optional<std::int64_t>{} : random() % 9,
                   at_second(static_cast<std::int64_t>(i))});
  }
  return all;
}

/// Every cell of a row with its weight, as text that says doubles exactly.
template <class Row>
std::string text_of(const payment& value, const Row& row) {
  return fr::to_bytes(value) + fr::to_bytes(row.probability) + fr::to_bytes(row.weight) +
         row.category + fr::to_bytes(row.log_odds);
}

std::string ran(fr::pipeline& p) {
  const absl::Status done = p.run();
  return {done.message().data(), done.message().size()};
}

auto written(const std::string& path) {
  return fr::training_set::write(path, fr::uniform{.rate = 0.5, .seed = 3});
}

std::unique_ptr<fr::sink<sampled_payment>> started(const std::string& path,
                                                   std::optional<std::string> token) {
  auto sink = written(path).open<sampled_payment>({}).value();
  REQUIRE(sink->start(token).ok());
  return sink;
}

/// Rows of two categories, one each, from the split of the first number.
fr::batch<sampled_payment> two_rows(std::uint32_t split) {
  fr::batch<sampled_payment> rows;
  for (std::uint64_t i = 0; i < 2; ++i) {
    sampled_payment row;
    row.weight = 2.5;
    row.probability = 0.4;
    row.category = i == 0 ? "a\"\n" : "b";
    row.value.card = "x";
    rows.values.push_back(row);
    rows.positions.push_back({10 * split + i, split, 0});
    rows.times.push_back(at_second(static_cast<std::int64_t>(split)));
  }
  return rows;
}

std::string prepared(fr::sink<sampled_payment>& sink) {
  const auto token = sink.prepare();
  REQUIRE(token.ok());
  return *token;
}

}  // namespace

TEST_CASE("a training set is read as it was sampled, to the last bit",
          "[connectors][training_set]") {
  const temporary_folder folder;
  const std::string path = folder / "training.csv";
  const auto sampler = fr::rarity(&payment::fraud, {.rate = 0.4, .half_life = 10min, .seed = 7});
  std::vector<std::string> kept;
  double weight_of_frauds = 0;
  fr::pipeline p("make");
  const auto rows = p.from("payments", fr::values(payments(5'000))) |
                    fr::event_time(&payment::at, fr::bounded_disorder{0s}) |
                    fr::sample("training", sampler);
  rows | fr::to("file", fr::training_set::write(path, sampler));
  rows | fr::to("memory", fr::callback([&](const sampled_payment& row) {
                  kept.push_back(text_of(row.value, row));
                  weight_of_frauds += row.value.fraud ? row.weight : 0;
                }));
  REQUIRE(ran(p) == "");

  std::vector<std::string> read;
  fr::pipeline q("read");
  q.from("training set", fr::training_set::read<payment>(path)) |
      fr::to("memory", fr::callback([&](const fr::training_set::row<payment>& row) {
               read.push_back(text_of(row, row));
             }));
  REQUIRE(ran(q) == "");
  CHECK(kept.size() > 1'900);
  CHECK(read == kept);
  const std::string manifest = content(path + ".manifest.json");
  CHECK_THAT(manifest, Contains("\"rows\": " + std::to_string(kept.size())));
  CHECK_THAT(manifest, Contains("\"sampler\": \"" + sampler.describe() + "\""));
  CHECK_THAT(manifest, Contains(R"({"name": "limit", "kind": "optional integer"})"));
  CHECK_THAT(manifest, Contains(fmt::format("\"seen_estimated\": {:.12g}}}", weight_of_frauds)));
}

TEST_CASE("a manifest counts what is committed, whatever was written besides",
          "[connectors][training_set]") {
  const temporary_folder folder;
  const std::string path = folder / "t.csv";
  std::string token;
  {
    const auto sink = started(path, std::nullopt);
    REQUIRE(sink->write(two_rows(3)).ok());
    token = prepared(*sink);
    REQUIRE(sink->commit(token, false).ok());
    REQUIRE(sink->write(two_rows(4)).ok());  // Lost in the crash that follows.
    CHECK_FALSE(std::filesystem::exists(path + ".manifest.json"));
  }
  const auto sink = started(path, token);
  REQUIRE(sink->write(two_rows(1)).ok());
  token = prepared(*sink);
  for (int repeated = 0; repeated < 2; ++repeated) {
    REQUIRE(sink->commit(token, true).ok());
    CHECK(content(path + ".manifest.json") == R"({
  "freshet": "training set 1",
  "rows": 4,
  "sampler": "uniform rate 0.5 seed 3",
  "first_event_time": "2023-11-14T22:13:21Z",
  "last_event_time": "2023-11-14T22:13:23Z",
  "columns": [
    {"name": "card", "kind": "text"},
    {"name": "amount", "kind": "number"},
    {"name": "fraud", "kind": "bool"},
    {"name": "limit", "kind": "optional integer"},
    {"name": "at", "kind": "time"},
    {"name": "probability", "kind": "number"},
    {"name": "weight", "kind": "number"},
    {"name": "category", "kind": "text"},
    {"name": "log_odds", "kind": "number"}
  ],
  "positions": [
    {"split": 1, "first_sequence": 10, "last_sequence": 11},
    {"split": 3, "first_sequence": 30, "last_sequence": 31}
  ],
  "categories": [
    {"category": "a\"\u000a", "kept": 2, "seen_estimated": 5},
    {"category": "b", "kept": 2, "seen_estimated": 5}
  ]
}
)");
  }
  CHECK(written(path).open<sampled_payment>({}).value()->start("nonsense").code() ==
        absl::StatusCode::kDataLoss);
}

TEST_CASE("a training set that is not complete, or not whole, is not read as if it were",
          "[connectors][training_set]") {
  const temporary_folder folder;
  const std::string path = folder / "t.csv";
  const auto reading = [&path] {
    fr::pipeline q("read");
    q.from("training set", fr::training_set::read<payment>(path)) |
        fr::to("nowhere", fr::callback([](const fr::training_set::row<payment>&) {}));
    return ran(q);
  };
  const auto sink = started(path, std::nullopt);
  REQUIRE(sink->write(two_rows(1)).ok());
  const std::string token = prepared(*sink);
  CHECK_THAT(reading(), Contains("cannot open; it is written when the job"));
  REQUIRE(sink->commit(token, true).ok());
  CHECK(reading() == "");
  const std::string text = content(path);
  const std::size_t last_line = text.rfind('\n', text.size() - 2);
  folder.file("t.csv", text.substr(0, last_line + 1));
  CHECK_THAT(reading(), Contains("found 1 rows, wanted the 2 of its manifest"));
  folder.file("t.csv", text + text.substr(last_line + 1));
  CHECK_THAT(reading(), Contains("found 3 rows, wanted the 2 of its manifest"));
  for (const char* const damage :
       {"", "{}", "{\n  \"freshet\": \"training set 1\",\n  \"rows\": x,"}) {
    folder.file("t.csv.manifest.json", damage);
    CHECK_THAT(reading(), Contains("it does not begin as a manifest of version 1 does"));
  }
}

TEST_CASE("categories beyond the limit are counted together", "[connectors][training_set]") {
  fr::detail::training_counts counts;
  for (std::size_t i = 0; i < fr::detail::training_counts::categories_max + 5; ++i) {
    counts.add(std::to_string(i), 2, {});
  }
  CHECK(counts.categories.size() == fr::detail::training_counts::categories_max);
  CHECK_THAT(fr::detail::manifest_text({}, counts),
             Contains(R"({"category": null, "kept": 5, "seen_estimated": 10})"));
}
