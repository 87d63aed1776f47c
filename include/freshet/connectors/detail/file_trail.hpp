// The files behind one split, one after the other: one, or those that a followed path has named.
//
// Opens them, tells when the current one is over and which comes next, and keeps what a checkpoint
// needs to find it again. What it promises is said in <freshet/connectors/follow.hpp>. One thread
// at a time.
#pragma once

#include <freshet/connectors/detail/input_file.hpp>
#include <freshet/connectors/follow.hpp>
#include <freshet/pipeline/dead_letter.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// A file that may still grow; shared with the scanner that reads it.
class growing_file;

class file_trail {
 public:
  enum class state {
    growing,  ///< The current file has nothing now.
    ended,    ///< It was renamed, and nothing more comes: what is left of it is whole.
    cut,      ///< It is shorter than before, or another: what is left of it is in doubt.
  };

  /// \param place  what error messages begin with.
  file_trail(std::string path, std::string place, std::optional<follow> options);
  file_trail(file_trail&&) noexcept;
  file_trail& operator=(file_trail&&) noexcept;
  ~file_trail();

  /// Goes back to a position of `position`, before anything is opened.
  absl::Status resume(std::string_view position);

  /// Opens the current file at its beginning; null when it is not there yet.
  absl::StatusOr<std::unique_ptr<input_file>> open();
  /// Where the scanner is to go on in the file just opened; nothing at its beginning.
  std::optional<std::string_view> start() const;
  /// Forgets the file just opened, which is to be opened again later.
  void close();

  bool follows() const { return options_.has_value(); }
  /// Whether the current file, of which everything there is has been read, is over. Once it has
  /// ended, its scanner is told so, too.
  state look();
  /// Goes on to the next file; `bytes` of the current one have been read.
  void go_on(std::uint64_t bytes);

  /// How many bytes the files before the current one had.
  std::uint64_t base() const { return base_; }
  /// `records` is where the scanner is, `byte` the byte of that.
  std::string position(std::string_view records, std::uint64_t byte) const;

  /// Moves what there is to tell of losses to `dead`.
  void report(std::vector<dead_letter>& dead);

  /// In how long a file that had nothing should be looked at again.
  duration until_next_look() const;

 private:
  absl::StatusOr<std::shared_ptr<growing_file>> find_again();

  std::string path_;
  std::string place_;
  std::optional<follow> options_;
  std::uint64_t base_ = 0;
  std::shared_ptr<growing_file> current_;
  std::string next_path_;               // What to open, if not the path itself.
  std::optional<std::string> records_;  // Of the position to start from.
  std::uint64_t wanted_inode_ = 0;      // The file to find again; 0 for none.
  std::uint64_t wanted_head_ = 0;
  std::uint64_t wanted_bytes_ = 0;
  std::vector<std::string> reports_;
  std::chrono::steady_clock::time_point looked_at_{};
};

}  // namespace freshet::detail
