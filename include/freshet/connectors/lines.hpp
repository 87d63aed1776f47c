// Lines of text as a source and a sink: each line is one string.
//
//     auto log = p.from("log", fr::lines::read("access.log", {.follow = fr::follow{}}));
//     log | fr::to("copy", fr::lines::write("copy.log"));
//
// Reading: each file is one split and each line's sequence is its byte offset (of the text inside a
// compressed file), so lines come in file order. Lines end with LF or CRLF, which are not part of
// the string; the last may have no end; a byte order mark at the beginning is skipped. Strings take
// any bytes; an empty line is an empty string. Writing: lines come in the order in which they
// arrive and are published exactly once, also across crashes. Threads: descriptions are immutable
// values. Memory: a reader holds two blocks or two of the longest lines, whichever is more, a sink
// 256 KiB.
#pragma once

#include <freshet/connectors/detail/file_sink.hpp>
#include <freshet/connectors/detail/file_source.hpp>
#include <freshet/connectors/detail/line_scanner.hpp>
#include <freshet/connectors/detail/parts_sink.hpp>
#include <freshet/connectors/follow.hpp>
#include <freshet/connectors/parts.hpp>

#include <absl/status/statusor.h>

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::lines {

/// How to read. Everything has a default.
struct read_options {
  /// Longest line, its end included; a longer one is a dead letter of its beginning. It bounds the
  /// memory. From 64 to 1 GiB.
  std::size_t record_bytes_max = std::size_t{1} << 20U;

  /// How much is read at once; at least 1. Results do not depend on it.
  std::size_t block_bytes = std::size_t{256} << 10U;

  /// Set, files have no end: see follow.hpp.
  std::optional<freshet::follow> follow = std::nullopt;
};

namespace detail {

/// The lines of one file.
class line_records {
 public:
  using value_type = std::string;

  explicit line_records(std::unique_ptr<freshet::detail::line_scanner> lines)
      : lines_(std::move(lines)) {}

  freshet::detail::scanned next() { return lines_->next(); }
  const freshet::detail::record_buffer& buffer() const { return *lines_; }
  std::string position() const { return lines_->position(); }
  std::optional<std::string> take(std::vector<std::string>& rows) {
    rows.emplace_back(lines_->text());
    return std::nullopt;
  }

 private:
  std::unique_ptr<freshet::detail::line_scanner> lines_;
};

/// How one `lines::read` opens its files.
struct line_format {
  using records = line_records;
  static constexpr std::string_view reader_name = "lines::read";

  read_options options;

  const std::optional<follow>& following() const { return options.follow; }
  std::string describe() const;
  absl::StatusOr<line_records> open(std::unique_ptr<freshet::detail::input_file> input,
                                    const std::string& path,
                                    std::optional<std::string_view> position) const;
};

/// A line as it stands.
template <class T>
struct line_text {
  std::string header() const { return {}; }
  void append(const T& row, std::string& out) const {
    out += std::string_view(row);
    out += '\n';
  }
};

/// How `lines::write` writes rows of any type.
struct line_writer {
  static constexpr std::string_view writer_name = "lines::write";
  static constexpr std::string_view extension = ".txt";

  template <class T>
  static consteval bool check() {
    static_assert(std::convertible_to<const T&, std::string_view>,
                  "freshet: lines::write needs rows that are text; make the row a std::string with "
                  "map");
    return std::convertible_to<const T&, std::string_view>;
  }
  template <class T>
  line_text<T> format(const std::vector<std::string>&) const {
    return {};
  }
};

}  // namespace detail

/// What `read` returns: a source of `std::string` that the engine opens.
using read_description = freshet::detail::file_description<detail::line_format>;

/// Reads lines, one split per file, in the order of `paths`. A path with `*`, `?`, or `[` in it
/// that is no file itself stands for all files that match, sorted by their bytes. Compressed files
/// are read as by `csv::read`.
/// \throws std::invalid_argument on unusable options: see `read_options`.
read_description read(std::vector<std::string> paths, read_options options = {});

/// Reads one file, or all that match a pattern.
read_description read(std::string path, read_options options = {});

/// Reads several files: `read({"monday.log", "tuesday.log"})`.
read_description read(std::initializer_list<std::string> paths, read_options options = {});

/// What `write` returns: a sink that the engine opens.
using write_description = freshet::detail::file_write_description<detail::line_writer>;

/// Writes rows that are text to the file `path`, exactly once, in the way of `csv::write`: to
/// `path.inprogress` until no row follows any more. Text is written verbatim: a row with a line
/// break in it is read again as several.
write_description write(std::string path);

/// Writes rows that are text to many files below `folder`, exactly once: see parts.hpp. `partition`
/// gives the folder of each row, or none. Parts are named `part-000000.txt`.
/// \throws std::invalid_argument on unusable options.
template <class Partition = in_one_folder>
freshet::detail::parts_description<detail::line_writer, Partition> write_parts(
    std::string folder, Partition partition = {}, roll rolls = {}) {
  return {std::move(folder), detail::line_writer{}, std::move(partition), rolls};
}

}  // namespace freshet::lines
