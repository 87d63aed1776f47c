// What csv_windows must write, evaluated naively from the definition (docs/reference/time.md).
//
// Independent of the library: a CSV parser, a reader of times, and window arithmetic of its own, on
// plain integers. All times and lengths are microseconds, times since the epoch; what is computed
// must fit 64 bits. Order: the texts are the splits, in the order of their numbers. Memory: every
// row. Pure functions, and slow: one map entry per row and window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace csv_windows_test {

/// A record of a CSV text.
struct parsed_record {
  std::vector<std::string> fields;  ///< Without their quotes.
  std::string text;                 ///< As it stands in the file, without its line end.
  std::uint64_t byte = 0;           ///< Where it begins.
  std::uint64_t line = 0;           ///< The line on which it begins; the first is 1.
};

/// All records of `text`, the header among them. Every quote must be closed.
std::vector<parsed_record> parse_csv(std::string_view text);

/// How times stand in a text; named as by --time-format.
enum class time_text { iso, epoch_s, epoch_ms, epoch_us };

/// How a text is read.
struct columns_wanted {
  std::string time;
  std::string key;
  std::string value;
  time_text format = time_text::iso;
};

/// Which windows are asked for. A tumbling window slides by its size.
struct window_definition {
  bool sessions = false;
  std::int64_t size = 1;  ///< Of sessions: the gap.
  std::int64_t slide = 1;
  std::int64_t offset = 0;
  std::int64_t disorder = 0;
  std::int64_t lateness = 0;
};

/// The values of one window.
struct window_values {
  std::uint64_t count = 0;
  long double sum = 0;
  long double magnitude = 0;  ///< The sum of the absolute values, which errors are relative to.
  double min = 0;
  double max = 0;
};

/// Key, begin, and end: `[begin, end)`.
using window_identity = std::tuple<std::string, std::int64_t, std::int64_t>;

struct evaluation {
  std::map<window_identity, window_values> windows;
  std::vector<std::string> late;                            ///< Texts of the rows, sorted.
  std::vector<std::pair<std::size_t, std::uint64_t>> dead;  ///< Numbers of file and line, sorted.
  std::uint64_t records = 0;                                ///< Good and dead ones.
};

/// Evaluates the definition on the contents of the input files, in the order of --input.
evaluation evaluate(const std::vector<std::string>& texts, const columns_wanted& columns,
                    const window_definition& windows);

}  // namespace csv_windows_test
