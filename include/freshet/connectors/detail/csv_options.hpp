// The options of `csv::read` and `csv::write`, and the record text that passes through both.
//
// Plain values. Include <freshet/connectors/csv.hpp> instead of this file.
#pragma once

#include <freshet/connectors/follow.hpp>
#include <freshet/core/columns.hpp>

#include <boost/describe/class.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::csv {

/// How points of time stand in a file.
enum class timestamp_format {
  iso,       ///< ISO 8601, as `parse_iso_8601` reads and `to_iso_8601` writes it.
  epoch_s,   ///< Seconds since 1970-01-01T00:00:00Z, with decimals down to microseconds.
  epoch_ms,  ///< Milliseconds since then.
  epoch_us,  ///< Microseconds since then.
  any,       ///< Reading only: ISO 8601, or else epoch microseconds. No text is both.
};

/// How to read. Everything has a default.
struct read_options {
  char delimiter = ',';  ///< Any byte but quote, CR, LF, and NUL.
  bool header = true;    ///< Whether the first line names the columns.

  timestamp_format time_format = timestamp_format::iso;

  /// Pairs of a field of the struct and the column that fills it, for the fields whose column has
  /// another name. Several fields may be filled by one column. Needs a header.
  std::vector<std::pair<std::string, std::string>> rename = {};

  /// Longest record, its line end included; a longer one is a dead letter. It bounds the memory,
  /// and how far a quote that is never closed can reach. From 64 to 1 GiB.
  std::size_t record_bytes_max = std::size_t{16} << 20U;

  /// How much is read at once; at least 1. Results do not depend on it.
  std::size_t block_bytes = std::size_t{256} << 10U;

  /// Set, files have no end: see follow.hpp.
  std::optional<freshet::follow> follow = std::nullopt;
};

/// How to write. Everything has a default.
struct write_options {
  char delimiter = ',';  ///< Any byte but quote, CR, LF, and NUL.

  timestamp_format time_format = timestamp_format::iso;  ///< Any but `any`.

  /// The header line as it shall stand in the file, without line end; `""` for none. Unset: the
  /// names of the columns.
  std::optional<std::string> header = std::nullopt;
};

/// A record's text as it stood in its file, quotes and line breaks included, without its line end.
/// As a field of a struct that `csv::read` fills it uses up no column; `csv::write` writes it
/// verbatim. With both, rows pass through a pipeline unchanged, whatever their other columns are.
struct raw_record {
  std::string text;

  friend bool operator==(const raw_record&, const raw_record&) = default;
};
BOOST_DESCRIBE_STRUCT(raw_record, (), (text))

}  // namespace freshet::csv

namespace freshet {

/// One cell that writers recognise by its type.
template <>
struct columns<csv::raw_record> {
  static std::vector<std::string> names() { return {"record"}; }
  template <class F>
  static void visit(const csv::raw_record& row, F&& f) {
    f(row);
  }
};

}  // namespace freshet
