// Values in memory as a source.
#include "pipeline/support.hpp"

#include <freshet/connectors/values.hpp>

namespace fr = freshet;
using namespace freshet::test;

namespace {

struct taken {
  std::vector<int> values;
  std::vector<std::uint64_t> sequences;
  fr::read_state then = fr::read_state::more;
};

taken read(fr::split_reader<int>& from, std::size_t limit) {
  fr::batch<int> rows;
  std::vector<fr::dead_letter> dead;
  const auto state = from.read(limit, rows, dead);
  REQUIRE(state.ok());
  taken result{rows.values, {}, *state};
  for (const fr::position& each : rows.positions) result.sequences.push_back(each.sequence);
  return result;
}

}  // namespace

TEST_CASE("values come in order, at most as many as asked for, numbered by index", "[values]") {
  auto source = fr::values(std::vector{7, 8, 9}).open();
  REQUIRE((*source)->splits() == std::vector<std::string>{"values"});
  REQUIRE((*source)->replayable());
  REQUIRE((*source)->bounded());
  auto reader = *(*source)->open(0, std::nullopt);
  const taken first = read(*reader, 2);
  REQUIRE(first.values == std::vector{7, 8});
  REQUIRE(first.then == fr::read_state::more);
  REQUIRE(reader->position() == "2");
  const taken rest = read(*reader, 2);
  REQUIRE(rest.values == std::vector{9});
  REQUIRE(rest.sequences == std::vector<std::uint64_t>{2});
  REQUIRE(rest.then == fr::read_state::end);
}

TEST_CASE("values go on at every position that a reader reported", "[values]") {
  const auto all = fr::values(std::vector{7, 8, 9});
  for (std::size_t at = 0; at <= 3; ++at) {
    auto source = all.open();
    auto before = *(*source)->open(0, std::nullopt);
    std::vector<int> values = at == 0 ? std::vector<int>{} : read(*before, at).values;
    auto after = *(*source)->open(0, before->position());
    const taken rest = read(*after, 100);
    values.insert(values.end(), rest.values.begin(), rest.values.end());
    REQUIRE(values == std::vector{7, 8, 9});
    REQUIRE(rest.then == fr::read_state::end);
  }
}

TEST_CASE("no values are the end at once", "[values]") {
  auto source = fr::values(std::vector<int>{}).open();
  auto reader = *(*source)->open(0, std::nullopt);
  REQUIRE(read(*reader, 5).then == fr::read_state::end);
}

TEST_CASE("a position that the values do not have is refused", "[values]") {
  for (const char* position : {"4", "-1", "", "1x", "18446744073709551616"}) {
    auto source = fr::values(std::vector{7, 8, 9}).open();
    const auto reader = (*source)->open(0, position);
    INFO(position);
    REQUIRE(reader.status().code() == absl::StatusCode::kDataLoss);
    REQUIRE(
        message_of(reader.status()) ==
        "values: the checkpoint is at a position that 3 values do not have; give the same values");
  }
}
