// What a simulation runs: an input and a pipeline over it, as plain descriptions made from a seed.
//
// Both are values that neither the library nor the oracle has made. Times are ticks of 1 us.
#pragma once

#include "simulation/event.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace freshet::simulated {

/// One source: what its splits hold, and how its `event_time` reads it.
struct source_log {
  std::vector<std::vector<event>> splits;
  ticks disorder = 0;
  ticks jump_max = 0;      ///< 0: off.
  std::int64_t drops = 0;  ///< Above `event_time`, records whose value it divides go. 0: none.

  std::size_t records() const {
    std::size_t all = 0;
    for (const auto& split : splits) all += split.size();
    return all;
  }
};

using input_log = std::vector<source_log>;

enum class op : std::uint8_t {
  source,
  map,
  rekey,
  filter,
  flat_map,
  merge,
  ordered,
  counting,
  tumbling,
  sliding,
  session,
  trailing,
  process,
};

/// One output of one node.
struct outlet_of {
  std::size_t node = 0;
  std::size_t port = 0;
};

/// One operator. `a`, `b`: its parameters, by kind, see `text_of`.
struct plan_node {
  op what = op::source;
  std::vector<outlet_of> inputs = {};
  std::int64_t a = 0;
  std::int64_t b = 0;
  ticks lateness = 0;
  bool at_close = false;          ///< Windows: fire when they close.
  bool include_self = false;      ///< Trailing.
  bool on_arrival = false;        ///< The same.
  std::vector<bool> tapped = {};  ///< By port: whether a sink stands there.

  std::size_t ports() const { return tapped.size(); }
};

/// Nodes, inputs before what reads them.
using plan = std::vector<plan_node>;

/// How many outputs an operator has: rows first, then late records or a side output.
std::size_t ports_of(op what);

std::string name_of(std::size_t node);
std::string text_of(const plan& all, const input_log& input);

/// One to three sources of one to five splits: disorder within the bound and beyond it, equal
/// times, gaps, empty splits, hot keys, records far ahead.
input_log random_input(std::mt19937_64& random);

/// A pipeline over the input whose rows are promised to be the same in every run.
plan random_plan(std::mt19937_64& random, const input_log& input);

/// One of several values.
template <class T>
T one_of(std::mt19937_64& random, std::initializer_list<T> from) {
  return *(from.begin() + random() % from.size());
}

}  // namespace freshet::simulated
