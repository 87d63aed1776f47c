// Files as splits: what the file sources of all formats have in common.
//
// A format brings `Records`: a scanner, and how its current record becomes a row. Here is the rest:
// which files there are, reading them with positions, dead letters. Each file is one split, so
// files are read in parallel and kept together in event time by the engine. Threads: as source.hpp
// asks.
#pragma once

#include <freshet/connectors/detail/record_buffer.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// The files that a source reads.
struct source_files {
  std::vector<std::string> paths;
  bool seekable = true;  ///< Whether every one can be read again from its beginning.
};

/// Finds the files that `paths` name. One that holds `*`, `?`, or `[` and is no file itself stands
/// for all that match, sorted by their bytes. An error for no path, twins, a pattern without any
/// match, and unreadable files.
/// \param reader  what error messages begin with, as `csv::read`.
absl::StatusOr<source_files> find_source_files(const std::vector<std::string>& paths,
                                               std::string_view reader);

/// Opens the bytes of one file. \param reader  as above.
absl::StatusOr<std::unique_ptr<input_file>> open_source_file(const std::string& path,
                                                             std::string_view reader);

/// Appends the current record of `buffer` to `dead`, its byte after `base`.
void add_dead_letter(const record_buffer& buffer, std::uint64_t base, std::string reason,
                     std::vector<dead_letter>& dead);

/// Reads one file. `Records` has `value_type`, `next()`, `buffer()` with the current record,
/// `take(rows)`, which appends its row or else returns a reason, and `position()`.
template <class Records>
class file_split final : public split_reader<typename Records::value_type> {
 public:
  using row = typename Records::value_type;

  explicit file_split(Records records)
      : records_(std::move(records)), began_at_(records_.buffer().next_byte()) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<row>& rows,
                                  std::vector<dead_letter>& dead) override {
    // Dead letters count, too: a file of nothing else must not fill the memory in one call.
    for (std::size_t read = 0; read < limit; ++read) {
      switch (records_.next()) {
        case scanned::record:
          if (std::optional<std::string> reason = records_.take(rows.values)) [[unlikely]] {
            add_dead_letter(records_.buffer(), 0, *std::move(reason), dead);
          } else {
            rows.positions.push_back({.sequence = records_.buffer().byte()});
          }
          break;
        case scanned::malformed:
          add_dead_letter(records_.buffer(), 0, records_.buffer().reason(), dead);
          break;
        case scanned::waiting:
        case scanned::end:
          return read_state::end;
        case scanned::failed:
          return records_.buffer().status();
      }
    }
    return read_state::more;
  }

  std::string position() const override { return records_.position(); }
  /// Of the text, where the file is compressed.
  std::uint64_t bytes_read() const override { return records_.buffer().next_byte() - began_at_; }

 private:
  Records records_;
  std::uint64_t began_at_;
};

/// The files of one description. `Format` has `records`, `reader_name`, and
/// `open(input, place, position)`, which returns records that start at the position.
template <class Format>
class file_source final : public source<typename Format::records::value_type> {
 public:
  using row = typename Format::records::value_type;

  file_source(source_files files, Format format)
      : files_(std::move(files)), format_(std::move(format)) {}

  std::vector<std::string> splits() const override { return files_.paths; }

  absl::StatusOr<std::unique_ptr<split_reader<row>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    const std::string& path = files_.paths.at(split);
    auto input = open_source_file(path, Format::reader_name);
    if (!input.ok()) return input.status();
    auto records = format_.open(*std::move(input), path, position);
    if (!records.ok()) return records.status();
    return std::make_unique<file_split<typename Format::records>>(*std::move(records));
  }

  bool replayable() const override { return files_.seekable; }

 private:
  source_files files_;
  Format format_;
};

/// What `read` functions return: a source that the engine opens. `Format` is as above, and has
/// `describe()`.
template <class Format>
class file_description {
 public:
  using value_type = typename Format::records::value_type;

  file_description(std::vector<std::string> paths, Format format)
      : paths_(std::move(paths)), format_(std::move(format)) {}

  /// \return the source; an error when a path is given twice, a pattern matches nothing, or a file
  ///         is missing, unreadable, or a directory. Headers are checked when splits are opened.
  absl::StatusOr<std::unique_ptr<source<value_type>>> open() const {
    absl::StatusOr<source_files> files = find_source_files(paths_, Format::reader_name);
    if (!files.ok()) return files.status();
    return std::make_unique<file_source<Format>>(*std::move(files), format_);
  }

  /// What a resumed job must have in common with the one that was interrupted.
  std::string describe() const { return format_.describe(); }

 private:
  std::vector<std::string> paths_;
  Format format_;
};

}  // namespace freshet::detail
