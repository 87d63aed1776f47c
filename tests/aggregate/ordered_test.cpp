#include "aggregate/rows.hpp"
#include "catch.hpp"

#include <freshet/aggregate/ordered.hpp>
#include <freshet/testing/aggregate_contract.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;

namespace {

fr::order_key key(std::int64_t at, std::uint64_t sequence = 0, std::uint32_t split = 0,
                  std::uint32_t fanout = 0) {
  return {fr::timestamp{fr::duration{at}}, {sequence, split, fanout}};
}

template <class A>
auto result_of_keyed(const A& aggregate,
                     const std::vector<std::pair<fr::order_key, reading>>& rows) {
  fr::aggregate_state<A, reading> state;
  for (const auto& [where, row] : rows) fr::aggregate_add(aggregate, state, row, where);
  return aggregate.result(state);
}

const auto first = fr::first("first", &reading::value);
const auto last = fr::last("last", &reading::value);
const auto collect = fr::collect("values", &reading::value);

}  // namespace

TEST_CASE("first and last go by event time, not by arrival", "[aggregate][ordered]") {
  const std::vector<std::pair<fr::order_key, reading>> rows{{key(5, 1), row_of(50)},
                                                            {key(2, 2), row_of(20)},
                                                            {key(9, 3), row_of(90)},
                                                            {key(4, 4), row_of(40)}};
  REQUIRE(result_of_keyed(first, rows) == 20);
  REQUIRE(result_of_keyed(last, rows) == 90);
  REQUIRE(result_of_keyed(collect, rows) == std::vector<double>{20, 40, 50, 90});
}

TEST_CASE("equal event times go by sequence, then split, then fan-out", "[aggregate][ordered]") {
  const std::vector<std::pair<fr::order_key, reading>> rows{{key(1, 7, 0, 0), row_of(5)},
                                                            {key(1, 3, 2, 0), row_of(4)},
                                                            {key(1, 3, 1, 9), row_of(3)},
                                                            {key(1, 3, 1, 0), row_of(2)},
                                                            {key(1, 2, 9, 9), row_of(1)}};
  REQUIRE(result_of_keyed(first, rows) == 1);
  REQUIRE(result_of_keyed(last, rows) == 5);
  REQUIRE(result_of_keyed(collect, rows) == std::vector<double>{1, 2, 3, 4, 5});
}

TEST_CASE("ordered aggregates agree with a sorted map", "[aggregate][ordered]") {
  fr::contract_random random(5);
  for (int round = 0; round < 200; ++round) {
    std::map<fr::order_key, double> sorted;
    std::vector<std::pair<fr::order_key, reading>> rows;
    for (std::uint64_t i = 0; i < 1 + random() % 50; ++i) {
      const auto where =
          key(static_cast<std::int64_t>(random() % 5) - 2, random() % 5,
              static_cast<std::uint32_t>(random() % 3), static_cast<std::uint32_t>(i));
      rows.emplace_back(where, row_of(static_cast<double>(i)));
      sorted.emplace(where, static_cast<double>(i));
    }
    std::vector<double> values;
    for (const auto& entry : sorted) values.push_back(entry.second);
    REQUIRE(result_of_keyed(collect, rows) == values);
    REQUIRE(result_of_keyed(first, rows) == values.front());
    REQUIRE(result_of_keyed(last, rows) == values.back());
  }
}

TEST_CASE("ordered aggregates skip rows without a value", "[aggregate][ordered]") {
  std::vector<reading> rows = valued({1, 2, 3, 4});
  rows[0].perhaps.reset();
  rows[3].perhaps.reset();
  REQUIRE(result_of(fr::first("f", &reading::perhaps), rows) == 2);
  REQUIRE(result_of(fr::last("l", &reading::perhaps), rows) == 3);
  REQUIRE(result_of(fr::collect("c", &reading::perhaps), rows) == std::vector<double>{2, 3});
  REQUIRE(result_of(fr::first("f", &reading::note), rows) == std::nullopt);
  REQUIRE(result_of(fr::collect("c", &reading::note), rows).empty());
}

TEST_CASE("ordered aggregates keep a copy of what a view shows", "[aggregate][ordered]") {
  const auto words = fr::collect("words", &reading::label_view);
  fr::aggregate_state<decltype(words), reading> state;
  {
    reading row;
    row.label = "a text that is too long for a small string";
    fr::aggregate_add(words, state, row, key(1));
  }
  REQUIRE(words.result(state) ==
          std::vector<std::string>{"a text that is too long for a small string"});
}

TEST_CASE("collect leaves its state as it was", "[aggregate][ordered]") {
  fr::aggregate_state<decltype(collect), reading> state;
  fr::aggregate_add(collect, state, row_of(2), key(2));
  fr::aggregate_add(collect, state, row_of(1), key(1));
  const std::string before = fr::to_bytes(state);
  REQUIRE(collect.result(state) == std::vector<double>{1, 2});
  REQUIRE(fr::to_bytes(state) == before);
}

TEST_CASE("ordered aggregates keep the aggregate contract bit by bit", "[aggregate][contract]") {
  REQUIRE_NOTHROW(fr::check_aggregate(first, draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(last, draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::first("f", &reading::note), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::last("l", &reading::when), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(collect, draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::collect("c", &reading::flag), draw_reading));
  REQUIRE_NOTHROW(fr::check_aggregate(fr::collect("c", &reading::note), draw_reading));
}
