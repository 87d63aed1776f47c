// A row type and shorthand for folding rows, shared by the tests of aggregates.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/testing/contract.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::test {

struct reading {
  double value = 0;
  std::int64_t whole = 0;
  std::uint32_t natural = 0;
  bool flag = false;
  std::string label;
  timestamp when;
  std::optional<double> perhaps;
  std::optional<std::string> note;

  double doubled() const { return 2 * value; }
  std::string_view label_view() const { return label; }
};

inline reading row_of(double value) {
  reading row;
  row.value = value;
  row.perhaps = value;
  return row;
}

inline reading whole_row_of(std::int64_t value) {
  reading row;
  row.whole = value;
  return row;
}

inline std::vector<reading> valued(const std::vector<double>& values) {
  std::vector<reading> rows;
  for (const double value : values) rows.push_back(row_of(value));
  return rows;
}

inline std::vector<reading> wholes(const std::vector<std::int64_t>& values) {
  std::vector<reading> rows;
  for (const std::int64_t value : values) rows.push_back(whole_row_of(value));
  return rows;
}

/// A random row of ordinary values; every third has no `perhaps`, every second no `note`.
inline reading draw_reading(contract_random& random) {
  reading row;
  row.value = static_cast<double>(random() % 2'000'001) / 64.0 - 10'000.0;
  row.whole = static_cast<std::int64_t>(random() >> (random() % 64)) * (random() % 2 == 0 ? 1 : -1);
  row.natural = static_cast<std::uint32_t>(random());
  row.flag = random() % 2 == 0;
  row.label = std::string(1 + random() % 3, static_cast<char>('a' + random() % 3));
  row.when = timestamp{duration{static_cast<std::int64_t>(random())}};
  if (random() % 3 != 0) row.perhaps = row.value;
  if (random() % 2 != 0) row.note = row.label;
  return row;
}

inline std::vector<reading> draw_readings(std::uint64_t seed, std::size_t count) {
  contract_random random(seed);
  std::vector<reading> rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back(draw_reading(random));
  return rows;
}

/// The state after `rows`, which stand one tick apart.
template <class A, class T>
aggregate_state<A, T> fold(const A& aggregate, const std::vector<T>& rows) {
  aggregate_state<A, T> state;
  std::uint64_t sequence = 0;
  for (const T& row : rows) {
    const timestamp at{duration{static_cast<std::int64_t>(sequence)}};
    aggregate_add(aggregate, state, row, order_key{at, {sequence++, 0, 0}});
  }
  return state;
}

template <class A, class T>
auto result_of(const A& aggregate, const std::vector<T>& rows) {
  return aggregate.result(fold(aggregate, rows));
}

}  // namespace freshet::test
