// The tables that say what is run and what it has to be. A new row is a line in specs.cpp.
#pragma once

#include "programs.hpp"
#include "results.hpp"

#include <string>
#include <vector>

namespace suite {

/// Arguments of a program of Google Benchmark. \return nullptr where it is left out of quick runs.
const std::vector<std::string>* arguments_of(const std::string& program, bool quick);

/// A row of the table: from which benchmark and counters, and its target.
struct row_spec {
  std::string group, name;
  std::string program, benchmark;
  std::string ours;        ///< Counter.
  std::string loop = "";   ///< Counter; empty for none.
  std::string ratio = "";  ///< Counter; empty: of `ours` and `loop`, where both are there.
  std::string unit = "ns per event";
  std::optional<bound> target = std::nullopt;
  std::optional<place> drawn = std::nullopt;
  double scale = 1;  ///< `ours` and `loop` times this.
  bool more_is_better = false;
};
const std::vector<row_spec>& row_specs();

/// Rows of the table, in its order; then one for each benchmark that is in no row and has the
/// counter `ns_per_event` (and perhaps `loop_ns_per_event` and `ratio`), `items_per_second` or
/// `bytes_per_second`, and one for each that failed. Rows whose program did not run are left out.
std::vector<row> rows_of(const std::vector<measurement>& all, const circumstances& of);

/// What others have published, beside the rows that say the same of ours.
std::vector<published> published_beside(const std::vector<row>& rows);

}  // namespace suite
