// JSON Lines files as sources and sinks of described structs: one JSON object in each line.
//
//     struct place { double latitude; double longitude; };
//     BOOST_DESCRIBE_STRUCT(place, (), (latitude, longitude))
//     struct ride { std::string id; fr::timestamp at; place from; std::vector<std::string> tags; };
//     BOOST_DESCRIBE_STRUCT(ride, (), (id, at, from, tags))
//
//     auto rides = p.from("rides", fr::jsonl::read<ride>("rides/*.jsonl.gz"));
//     rides | fr::to("copy", fr::jsonl::write("copy.jsonl"));
//
// Reading: each file is one split and each record's sequence is its byte offset (of the text inside
// a compressed file), so records come in file order, the same in every run. A record that does not
// fit its struct becomes a dead letter with line and reason. Writing: rows come in the order in
// which they arrive and are published exactly once, also across crashes.
// Threads: descriptions are immutable values. Memory: a reader holds two blocks or two of the
// longest records, whichever is more, a sink 256 KiB.
//
// The text is RFC 8259 in UTF-8, read strictly: one object in each line, no comments, no trailing
// commas, no half surrogate pairs. Lines end with LF or CRLF; blank lines are no records; a byte
// order mark at the beginning is skipped.
#pragma once

#include <freshet/connectors/detail/file_sink.hpp>
#include <freshet/connectors/detail/file_source.hpp>
#include <freshet/connectors/detail/jsonl_reader.hpp>
#include <freshet/connectors/detail/jsonl_writer.hpp>
#include <freshet/connectors/detail/parts_sink.hpp>
#include <freshet/connectors/parts.hpp>
#include <freshet/core/fields.hpp>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace freshet::jsonl {

/// What `read` returns: a source of `T` that the engine opens.
template <class T>
using read_description = freshet::detail::file_description<detail::jsonl_format<T>>;

/// Reads records of the described struct `T`, one split per file, in the order of `paths`. A path
/// with `*`, `?`, or `[` in it that is no file itself stands for all files that match, sorted by
/// their bytes.
///
/// Keys are matched with the fields of `T` by name (after `.rename`), in any order; keys that no
/// field wants are passed over. A key that is missing makes the record a dead letter, unless its
/// field is a `std::optional`; so does one that comes twice.
///
/// | type of the field              | JSON                                                        |
/// |--------------------------------|-------------------------------------------------------------|
/// | integers                       | a number without fraction and exponent, of the type's range |
/// | `float`, `double`              | a number, read to the nearest; `"nan"`, `"inf"`, `"-inf"`   |
/// | `bool`                         | `true`, `false`                                             |
/// | `std::string`, `char`          | a string, its escapes resolved; one of one byte             |
/// | `timestamp`                    | as `.time_format` says                                      |
/// | whole-number durations         | `"1h30min"` (see `parse_duration`), or a count of its unit  |
/// | `std::optional<X>`             | `null`, or as X                                             |
/// | `std::vector<X>`, not of bool  | an array                                                    |
/// | a described struct             | an object                                                   |
/// | `csv::raw_record` (not nested) | no key: the record's own text                               |
///
/// Integers never pass through floating point. Files that end in `.gz`, `.bz2`, `.xz`, or `.zst`,
/// or begin as such files do, are decompressed; corrupt ones end the job.
/// \throws std::invalid_argument on unusable options: see `read_options`.
/// \cost   At least 150 MB/s for four fields on one core (bench/csv_bench.cpp measures it).
template <class T>
read_description<T> read(std::vector<std::string> paths, read_options options = {}) {
  static_assert(described<T>,
                "freshet: jsonl::read needs to know the names of the record's fields; describe the "
                "struct with BOOST_DESCRIBE_STRUCT");
  if constexpr (described<T>) {
    static_assert(
        detail::readable_members<T>(),
        "freshet: jsonl::read can fill numbers, bool, char, std::string, timestamp, "
        "durations, described structs, and std::optional and std::vector of these; change "
        "the field, or read it as one of these and convert it with map");
    detail::check_read_options(options, csv::detail::field_name_list<T>());
  }
  return {std::move(paths), detail::jsonl_format<T>{std::move(options)}};
}

/// Reads one file, or all that match a pattern.
template <class T>
read_description<T> read(std::string path, read_options options = {}) {
  return read<T>(std::vector<std::string>{std::move(path)}, std::move(options));
}

/// Reads several files: `read<ride>({"monday.jsonl", "tuesday.jsonl"})`.
template <class T>
read_description<T> read(std::initializer_list<std::string> paths, read_options options = {}) {
  return read<T>(std::vector<std::string>(paths), std::move(options));
}

/// What `write` returns: a sink that the engine opens.
using write_description = freshet::detail::file_write_description<detail::jsonl_writer>;

/// Writes rows to the file `path`, exactly once, in the way of `csv::write`: to `path.inprogress`
/// until no row follows any more.
///
/// Each row is one object without blanks, its cells in order. Described members are objects, ranges
/// arrays, an empty optional `null`, bools `true` and `false`, enumerations their number, durations
/// strings as by `to_text`. Numbers have their shortest text that reads back equal; NaN and the
/// infinities, which JSON lacks, are the strings `"nan"`, `"inf"`, and `"-inf"`. Bytes that are not
/// UTF-8 become U+FFFD. A row that is a `csv::raw_record` is written verbatim.
/// \throws std::invalid_argument when `.time_format` is `any`.
write_description write(std::string path, write_options options = {});

/// Writes rows to many files below `folder`, exactly once: see parts.hpp. `partition` gives the
/// folder of each row, as `daily(&row::at)` does, or none. Parts are named `part-000000.jsonl`.
/// \throws std::invalid_argument on unusable options.
template <class Partition = in_one_folder>
freshet::detail::parts_description<detail::jsonl_writer, Partition> write_parts(
    std::string folder, Partition partition = {}, roll rolls = {}, write_options options = {}) {
  detail::check_write_options(folder, options);
  return {std::move(folder), detail::jsonl_writer{std::move(options)}, std::move(partition), rolls};
}

}  // namespace freshet::jsonl
