// A file whose content is published exactly once: the half of a file sink that knows no rows.
//
// Bytes are appended in order to `path.inprogress`. `prepare` makes them durable and returns a
// token that holds their number and a checksum of the last of them; `start` with a token, the
// newest or any older one, cuts the file back to that number; the last `commit` renames the file to
// `path`. Until then whatever was at `path` stays untouched. A renamed file goes back to its first
// name when an older token, or a further row, shows that it is not complete after all. Threads: one
// at a time. Memory: a buffer of 256 KiB.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::detail {

class committed_file {
 public:
  /// Opens nothing yet. \param place what error messages begin with, as `csv::write 'a.csv'`.
  /// \param in_progress  the name until then; empty means `path.inprogress`.
  committed_file(std::string path, std::string place, std::string in_progress = {});
  committed_file(const committed_file&) = delete;
  committed_file& operator=(const committed_file&) = delete;
  /// Closes the file without publishing anything.
  ~committed_file();

  /// Called first: opens the file, empty or with exactly the bytes that `committed` counts.
  /// \return whether it was opened empty and fresh; `DataLoss`, with nothing touched, when the
  ///         counted bytes are no longer there.
  absl::StatusOr<bool> start(std::optional<std::string_view> committed);

  absl::Status append(std::string_view bytes);

  /// Makes every byte appended so far durable.
  absl::StatusOr<std::string> prepare();

  /// Nothing unless `last`, which publishes the file; may be repeated.
  absl::Status commit(std::string_view token, bool last);

 private:
  absl::Status fail(absl::Status status);
  absl::Status system_failure(std::string_view what, std::string_view advice = {});
  absl::StatusOr<bool> start_fresh();
  /// What a token says: how many bytes, in which file, and which are the last.
  struct position {
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    std::uint64_t tail = 0;  ///< Checksum of the last bytes, `tail_bytes` of them at most.
  };
  absl::StatusOr<bool> start_at(const position& at);
  absl::StatusOr<position> decode(std::string_view token) const;
  absl::Status open_at(std::uint64_t bytes);
  absl::Status take_back();
  absl::StatusOr<std::string> make_token();
  absl::Status write_out(std::string_view bytes);
  absl::Status sync_folder();

  std::string path_;
  std::string path_in_progress_;
  std::string place_;
  int file_ = -1;
  bool published_ = false;
  bool completed_ = false;  // Published by this run: nothing follows.
  bool folder_synced_ = false;
  std::uint64_t bytes_written_ = 0;  // Handed to the system; `buffer_` follows them.
  std::uint64_t bytes_synced_ = 0;
  std::string buffer_;
  std::string token_;     // For `bytes_synced_` bytes; empty if there is none yet.
  absl::Status failure_;  // The first one: after it the file's end is unknown, so nothing goes on.
};

}  // namespace freshet::detail
