// Runs the benchmark programs and reads what they have found.
#pragma once

#include "results.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace suite {

/// One benchmark of one program: its counters, each with a figure for each repetition.
struct measurement {
  std::string program;
  std::string benchmark;  ///< As `scaling/keys:100`: without what Google Benchmark adds.
  std::map<std::string, samples> counters;
  std::string error;  ///< Of the first repetition that had one.
};

struct run_settings {
  std::string programs;    ///< Folder of the programs.
  std::string repository;  ///< For header_cost.sh.
  std::string raw;         ///< Folder for what the programs write; it is made.
  std::string only;        ///< Programs whose name has this in it; empty for all.
  bool quick = false;
};

/// Runs all programs of the folder, one after the other, and says on standard error what it does.
/// A program that fails gives a measurement with an error and an empty name of its benchmark.
std::vector<measurement> run_programs(const run_settings& how);

/// What a program has written with `--benchmark_out_format=json`, added to `all`. Numbers of an
/// entry that are not Google Benchmark's own are counters. \throws std::runtime_error
void read_google_benchmark(const std::string& program, std::string_view text,
                           std::vector<measurement>& all);

/// Lines of `nexmark --json`; each query gets `ns_per_event`, `loop_ns_per_event`, `ratio` (of
/// times) and `overhead_ns`. \param mode  inline or pre. \throws std::runtime_error
void read_nexmark(const std::string& mode, std::string_view text, std::vector<measurement>& all);

/// Lines of header_cost.sh.
void read_header_cost(std::string_view text, std::vector<measurement>& all);

}  // namespace suite
