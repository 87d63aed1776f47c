// Computed records as a source.
#include "pipeline/support.hpp"

#include <freshet/connectors/generate.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

const auto square = [](std::uint64_t k) { return k * k; };

std::vector<std::uint64_t> read_all(fr::split_reader<std::uint64_t>& from, std::size_t limit) {
  fr::batch<std::uint64_t> rows;
  std::vector<fr::dead_letter> dead;
  while (*from.read(limit, rows, dead) != fr::read_state::end) {
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    REQUIRE(rows.values[i] == rows.positions[i].sequence * rows.positions[i].sequence);
  }
  return rows.values;
}

}  // namespace

TEST_CASE("record k is f(k), for as many as asked for", "[generate]") {
  auto source = fr::generate(square, {.count = 5}).open();
  REQUIRE((*source)->bounded());
  auto reader = *(*source)->open(0, std::nullopt);
  REQUIRE(read_all(*reader, 2) == std::vector<std::uint64_t>{0, 1, 4, 9, 16});
  REQUIRE(reader->position() == "5");
}

TEST_CASE("a generator goes on where it was", "[generate]") {
  auto source = fr::generate(square, {.count = 5}).open();
  auto reader = *(*source)->open(0, "3");
  REQUIRE(read_all(*reader, 100) == std::vector<std::uint64_t>{9, 16});
  auto at_end = *(*source)->open(0, "5");
  REQUIRE(read_all(*at_end, 100).empty());
}

TEST_CASE("a generator refuses a position beyond its count", "[generate]") {
  auto source = fr::generate(square, {.count = 5}).open();
  REQUIRE(message_of((*source)->open(0, "6").status()) ==
          "generate: the checkpoint is at a position beyond .count 5; give the same count");
  REQUIRE((*source)->open(0, "six").status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("a generator without a count has no end, one with a count of zero no record",
          "[generate]") {
  auto endless = fr::generate(square).open();
  REQUIRE_FALSE((*endless)->bounded());
  auto reader = *(*endless)->open(0, std::nullopt);
  fr::batch<std::uint64_t> rows;
  std::vector<fr::dead_letter> dead;
  REQUIRE(*reader->read(10, rows, dead) == fr::read_state::more);
  REQUIRE(rows.size() == 10);
  REQUIRE_FALSE(reader->ask_again());
  auto none = fr::generate(square, {.count = 0}).open();
  auto at_end = *(*none)->open(0, std::nullopt);
  REQUIRE(read_all(*at_end, 10).empty());
}

TEST_CASE("a rate is an upper bound, and the reader says when to ask again", "[generate]") {
  const auto began = std::chrono::steady_clock::now();
  auto source = fr::generate(square, {.count = 3, .rate_per_second = 500}).open();
  auto reader = *(*source)->open(0, std::nullopt);
  fr::batch<std::uint64_t> rows;
  std::vector<fr::dead_letter> dead;
  while (*reader->read(10, rows, dead) != fr::read_state::end) {
    REQUIRE(reader->ask_again());
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    REQUIRE(static_cast<double>(rows.size()) <= passed.count() * 500);
  }
  REQUIRE(rows.size() == 3);
  REQUIRE(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(6));
}

TEST_CASE("a rate of more than there are instants is no limit", "[generate]") {
  auto source = fr::generate(square, {.count = 100, .rate_per_second = 1e300}).open();
  auto reader = *(*source)->open(0, "3");
  REQUIRE(read_all(*reader, 10).size() == 97);
}

TEST_CASE("a rate of almost nothing asks again in the far future", "[generate]") {
  auto source = fr::generate(square, {.count = 100, .rate_per_second = 1e-300}).open();
  auto reader = *(*source)->open(0, std::nullopt);
  fr::batch<std::uint64_t> rows;
  std::vector<fr::dead_letter> dead;
  REQUIRE(*reader->read(10, rows, dead) == fr::read_state::idle);
  REQUIRE(rows.empty());
  REQUIRE(*reader->ask_again() > std::chrono::hours(1));
}

TEST_CASE("a rate that is no rate is refused", "[generate]") {
  for (const double rate :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE(fr::generate(square, {.rate_per_second = rate}).open().status().code() ==
            absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a generated stream is the same after a crash", "[generate][resume]") {
  const auto rows = keeper();
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  int crashes = 0;
  const auto compose = [&] {
    fr::pipeline p("generated");
    p.from("squares", fr::generate(
                          [&crashes](std::uint64_t k) {
                            if (k == 3000 && crashes++ == 0) throw std::runtime_error("crash");
                            return k * k;
                          },
                          {.count = 5000})) |
        fr::to("rows", keep_rows_in(rows));
    return p;
  };
  fr::pipeline first = compose();
  REQUIRE_FALSE(first.run(committing_to(commits)).ok());
  REQUIRE(rows->published > 0);
  fr::pipeline second = compose();
  REQUIRE(run_to_end(second, committing_to(commits)).resumed);
  REQUIRE(rows->visible().size() == 5000);
  for (std::uint64_t k = 0; k < 5000; ++k) REQUIRE(rows->rows[k] == std::to_string(k * k));
}
