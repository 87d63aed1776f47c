// What one run of the benchmarks has found: the rows of the table, on which machine, and when. A
// file of JSON, from which tables, page and charts are made, and which can be held against another.
//
// Plain values. Every figure is kept with its repetitions; tables show medians.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace suite {

/// Figures of one kind, one for each repetition.
using samples = std::vector<double>;

/// What a row has to be. Of `ratio`, where there is one to be judged; else of `ours`.
struct bound {
  bool of_ratio = false;
  bool at_most = true;  ///< Else at least.
  double value = 0;
  bool operator==(const bound&) const = default;
};

/// Where a row is drawn.
struct place {
  std::string chart;   ///< Name of a file without its ending.
  std::string series;  ///< What a line or a colour stands for.
  std::string x;       ///< The place on the axis.
  bool operator==(const place&) const = default;
};

struct row {
  std::string group;
  std::string name;    ///< Unique together with `group`.
  std::string unit;    ///< Of `ours` and `loop`.
  std::string source;  ///< Program, benchmark and counter.
  samples ours = {};
  samples loop = {};  ///< The loop written by hand, in the same run; may be empty.
  samples ratio =
      {};  ///< ours / loop of each repetition, or what the program compared; may be empty.
  bool more_is_better = false;
  std::optional<bound> target = std::nullopt;
  std::optional<place> drawn = std::nullopt;
  std::string error =
      "";  ///< The run failed, or its result was not the loop's: there are no figures.
  bool operator==(const row&) const = default;
};

enum class verdict : std::uint8_t { no_target, met, missed, failed };
verdict verdict_of(const row& of);
std::string_view text_of(verdict of);

/// A figure that somebody else has published, beside ours.
struct published {
  std::string claim, theirs, ours, method;
  bool operator==(const published&) const = default;
};

/// Where and how it was run.
struct circumstances {
  std::string date, commit, cpu, kernel, compiler, flags;
  std::uint64_t cores = 0;
  std::uint64_t l1_bytes = 0, l2_bytes = 0, l3_bytes = 0, memory_bytes = 0;
  double load_before = 0, load_after = 0;  ///< Load average of a minute.
  double seconds = 0;                      ///< The run of all programs.
  bool quick = false;
  samples mix64_per_second;   ///< A chain of mixes, one waiting for the other.
  samples dependent_miss_ns;  ///< A load from memory whose address the one before it gives.
  bool operator==(const circumstances&) const = default;
};

struct results {
  circumstances of;
  std::vector<row> rows;
  std::vector<published> beside;
  bool operator==(const results&) const = default;
};

/// As JSON, and back. \throws std::runtime_error that says what is wrong and where.
std::string to_json(const results& all);
results from_json(std::string_view text);
results load(const std::string& path);
void save(const std::string& path, const std::string& text);

/// The middle one; of an even number, the mean of the two in the middle. NaN of none.
double median(samples values);

/// Three digits that say something: 1.23, 12.3, 123, 1,230, 1.23e-5; NaN and none give "".
std::string figure(double value);

}  // namespace suite
