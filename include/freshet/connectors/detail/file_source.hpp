// Files as splits: what the file sources of all formats have in common.
//
// A format brings `Records`: a scanner, and how its current record becomes a row. Here is the rest:
// which files there are, reading them with positions, dead letters. Each file is one split, so
// files are read in parallel and kept together in event time by the engine. Threads: as source.hpp
// asks.
#pragma once

#include <freshet/connectors/detail/file_trail.hpp>
#include <freshet/connectors/detail/record_buffer.hpp>
#include <freshet/connectors/follow.hpp>
#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
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
/// match, and unreadable files; and unusable options.
/// \param reader  what error messages begin with, as `csv::read`.
absl::StatusOr<source_files> find_source_files(const std::vector<std::string>& paths,
                                               std::string_view reader,
                                               const std::optional<follow>& following);

/// What messages about a file begin with: `csv::read 'a.csv'`.
std::string source_file_place(std::string_view path, std::string_view reader);

/// Appends the current record of `buffer` to `dead`, its byte after `base`.
void add_dead_letter(const record_buffer& buffer, std::uint64_t base, std::string reason,
                     std::vector<dead_letter>& dead);

/// Reads one split. `Records` has `value_type`, `next()`, `buffer()` with the current record,
/// `take(rows)`, which appends its row or else returns a reason, and `position()`.
template <class Format>
class file_split final : public split_reader<typename Format::records::value_type> {
 public:
  using records = typename Format::records;
  using row = typename records::value_type;

  file_split(file_trail trail, Format format, std::string path)
      : trail_(std::move(trail)), format_(std::move(format)), path_(std::move(path)) {}

  /// Opens the next file, if it is there yet.
  absl::Status open() {
    auto input = trail_.open();
    if (!input.ok()) return input.status();
    if (*input == nullptr) return absl::OkStatus();
    auto opened = format_.open(*std::move(input), path_, trail_.start());
    if (opened.ok()) {
      records_.emplace(*std::move(opened));
      if (!began_at_) began_at_ = read_to();
    } else if (trail_.follows() && opened.status().code() == absl::StatusCode::kUnavailable) {
      trail_.close();  // Its header is not whole yet.
    } else {
      return opened.status();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<read_state> read(std::size_t limit, batch<row>& rows,
                                  std::vector<dead_letter>& dead) override {
    // Dead letters count, too: a file of nothing else must not fill the memory in one call.
    for (std::size_t read = 0; read < limit;) {
      if (!records_) {
        absl::Status opened = open();
        if (!opened.ok()) return opened;
        trail_.report(dead);
        if (!records_) return read_state::idle;
      }
      switch (records_->next()) {
        case scanned::record:
          ++read;
          if (std::optional<std::string> reason = records_->take(rows.values)) [[unlikely]] {
            add_dead_letter(records_->buffer(), trail_.base(), *std::move(reason), dead);
          } else {
            rows.positions.push_back({.sequence = trail_.base() + records_->buffer().byte()});
          }
          break;
        case scanned::malformed:
          ++read;
          add_dead_letter(records_->buffer(), trail_.base(), records_->buffer().reason(), dead);
          break;
        case scanned::waiting:
          switch (trail_.look()) {
            case file_trail::state::growing:
              return read_state::idle;
            case file_trail::state::ended:
              break;
            case file_trail::state::cut:
              go_on();
              break;
          }
          break;
        case scanned::end:
          if (!trail_.follows()) return read_state::end;
          go_on();
          break;
        case scanned::failed:
          return records_->buffer().status();
      }
    }
    return read_state::more;
  }

  std::string position() const override {
    if (!records_) return trail_.position({}, 0);
    return trail_.position(records_->position(), records_->buffer().next_byte());
  }
  /// Of the text, where the file is compressed.
  std::uint64_t bytes_read() const override { return began_at_ ? read_to() - *began_at_ : 0; }

  std::optional<duration> ask_again() const override {
    if (!trail_.follows()) return std::nullopt;
    return trail_.until_next_look();
  }

 private:
  std::uint64_t read_to() const {
    return trail_.base() + (records_ ? records_->buffer().next_byte() : 0);
  }
  void go_on() {
    trail_.go_on(records_->buffer().next_byte());
    records_.reset();
  }

  file_trail trail_;
  Format format_;
  std::string path_;
  std::optional<records> records_;
  std::optional<std::uint64_t> began_at_;
};

/// The files of one description. `Format` has `records`, `reader_name`, `following()`, which are
/// the options, and `open(input, path, position)`, which returns records that start at the
/// position.
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
    file_trail trail(path, source_file_place(path, Format::reader_name), format_.following());
    if (position) {
      absl::Status resumed = trail.resume(*position);
      if (!resumed.ok()) return resumed;
    }
    auto opened = std::make_unique<file_split<Format>>(std::move(trail), format_, path);
    if (!format_.following()) {
      absl::Status status = opened->open();
      if (!status.ok()) return status;
    }
    return opened;
  }

  bool replayable() const override { return files_.seekable; }
  bool bounded() const override { return !format_.following(); }

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
    absl::StatusOr<source_files> files =
        find_source_files(paths_, Format::reader_name, format_.following());
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
