// CSV files as sources and sinks of described structs.
//
//     struct payment { std::string card; double amount; bool fraud; fr::timestamp at; };
//     BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, fraud, at))
//
//     auto payments = p.from("payments", fr::csv::read<payment>("payments.csv"));
//     payments | fr::to("copy", fr::csv::write("copy.csv"));
//
// Reading: each file is one split and each record's sequence is its byte offset (of the text inside
// a compressed file), so records come in file order, the same in every run. A record that does not
// fit its struct becomes a dead letter with line and reason. Writing: rows come in the order in
// which they arrive and are published exactly once, also across crashes.
// Threads: descriptions are immutable values. Memory: a reader holds two blocks or two of the
// longest records, whichever is more, a sink 256 KiB.
//
// The text is RFC 4180, read leniently:
// - Lines end with LF or CRLF; the last may have no end; a UTF-8 byte order mark is skipped. An
//   empty line is not a record. (A row whose only cell is empty is therefore written as `""`.)
// - A field that starts with a quote reaches to the closing quote, over delimiters and lines; a
//   quote inside is doubled. A quote elsewhere is an ordinary character.
// - A quote that is never closed, up to the end of the file or for `record_bytes_max`, makes its
//   record's first line a dead letter. Reading goes on at the next line, and as far as the search
//   for the quote had come, each line is a record of its own: nothing is swallowed.
// - Strings take any bytes, also NUL and invalid UTF-8, and keep their blanks.
#pragma once

#include <freshet/connectors/detail/csv_reader.hpp>
#include <freshet/connectors/detail/csv_writer.hpp>
#include <freshet/connectors/detail/file_sink.hpp>
#include <freshet/connectors/detail/file_source.hpp>
#include <freshet/connectors/detail/parts_sink.hpp>
#include <freshet/connectors/parts.hpp>
#include <freshet/core/fields.hpp>

#include <absl/status/statusor.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace freshet::csv {

/// What `read` returns: a source of `T` that the engine opens.
template <class T>
using read_description = freshet::detail::file_description<detail::csv_format<T>>;

/// Reads records of the described struct `T`, one split per file, in the order of `paths`.
///
/// A path with `*`, `?`, or `[` in it that is no file itself stands for all files that match,
/// sorted by their bytes: `read<payment>("logs/*.csv.gz")`.
///
/// The header's columns are matched with the fields of `T` by name (after `.rename`): in any order,
/// further columns ignored, blanks around unquoted names ignored. A missing column is an error
/// before the first record, unless its field is a `std::optional`. Every record must have as many
/// fields as the header. Without a header, columns are matched by position.
///
/// Fields may be
///
/// | type of the field      | text                                                               |
/// |------------------------|--------------------------------------------------------------------|
/// | integers               | decimal, optional sign; out of range is malformed                  |
/// | `float`, `double`      | decimal or scientific, `nan`, `inf`; out of range is malformed     |
/// | `bool`                 | `true`, `false`, `1`, `0`, in any case                             |
/// | `timestamp`            | as `.time_format` says                                             |
/// | whole-number durations | `1h30min` (see `parse_duration`), or a count of the field's unit   |
/// | `std::string`, `char`  | as it stands; exactly one byte                                     |
/// | `std::optional<X>`     | an empty field is an empty optional, but `""` an empty string      |
/// | `csv::raw_record`      | no column: the record's own text, see there                        |
///
/// Blanks (spaces and tabs) around numbers, bools, times, and durations are ignored.
///
/// Files that end in `.gz`, `.bz2`, `.xz`, or `.zst` are decompressed; corrupt ones end the job.
/// Opening one at a position decompresses and skips everything before it.
/// \throws std::invalid_argument on unusable options: see `read_options`.
/// \cost   At least 300 MB/s for four fields on one core (bench/csv_bench.cpp measures it).
template <class T>
read_description<T> read(std::vector<std::string> paths, read_options options = {}) {
  static_assert(described<T>,
                "freshet: csv::read needs to know the names of the record's fields; describe the "
                "struct with BOOST_DESCRIBE_STRUCT");
  if constexpr (described<T>) {
    static_assert(detail::csv_readable_fields<T>(),
                  "freshet: csv::read can fill numbers, bool, char, std::string, timestamp, "
                  "durations, csv::raw_record, and std::optional of these; change the field, or "
                  "read it as std::string and convert it with map");
    detail::check_read_options(options, detail::field_name_list<T>());
  }
  return {std::move(paths), detail::csv_format<T>(std::move(options))};
}

/// Reads one file, or all that match a pattern.
template <class T>
read_description<T> read(std::string path, read_options options = {}) {
  return read<T>(std::vector<std::string>{std::move(path)}, std::move(options));
}

/// Reads several files: `read<payment>({"monday.csv", "tuesday.csv"})`. (Without this overload the
/// two literals would be taken for the begin and end of one string.)
template <class T>
read_description<T> read(std::initializer_list<std::string> paths, read_options options = {}) {
  return read<T>(std::vector<std::string>(paths), std::move(options));
}

/// The header line of a file.
struct header {
  std::vector<std::string> columns;  ///< The names, unquoted and without blanks around them.
  std::string text;                  ///< The line as it stands in the file, without its end.
};

/// Reads the header line of `path` alone, for tools that learn their columns at run time.
/// \return the header, or an error as from opening the file; also for an empty file.
absl::StatusOr<header> read_header(const std::string& path, const read_options& options = {});

/// What `write` returns: a sink that the engine opens.
using write_description = freshet::detail::file_write_description<detail::csv_writer>;

/// Writes rows to the file `path`, exactly once.
///
/// Rows are appended to `path.inprogress`, which each checkpoint makes durable and whose length it
/// keeps. A job that resumes cuts the file back to that length. When no row follows any more, the
/// file is renamed to `path`; until then an older file of that name stays as it was. A result
/// without rows is a file with its header line.
///
/// Cells are quoted only where RFC 4180 requires it. Numbers have their shortest text that reads
/// back equal, bools are `true` and `false`, enumerations their number, an empty optional is an
/// empty cell (an empty string in an optional is `""`), durations are written as by `to_text`, and
/// the elements of a range are joined with `;`, ambiguous when an element holds one. A
/// `csv::raw_record` is written verbatim, so a row of nothing else is its original line.
/// \throws std::invalid_argument on unusable options: see `write_options`.
write_description write(std::string path, write_options options = {});

/// Writes rows to many files below `folder`, exactly once: see parts.hpp. `partition` gives the
/// folder of each row, as `daily(&row::at)` does, or none. Parts are named `part-000000.csv`.
/// \throws std::invalid_argument on unusable options.
template <class Partition = in_one_folder>
freshet::detail::parts_description<detail::csv_writer, Partition> write_parts(
    std::string folder, Partition partition = {}, roll rolls = {}, write_options options = {}) {
  detail::check_write_options(folder, options);
  return {std::move(folder), detail::csv_writer{std::move(options)}, std::move(partition), rolls};
}

}  // namespace freshet::csv
