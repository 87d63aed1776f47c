// A file whose content is published exactly once: the half of a file sink that knows no rows.
//
// Bytes are appended in order to `path.inprogress`. `prepare` makes them durable and returns a
// token that holds their number; `start` with a token cuts the file back to that number; the last
// `commit` renames the file to `path`. Until then whatever was at `path` stays untouched.
// Threads: one at a time. Memory: a buffer of 256 KiB.
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
  committed_file(std::string path, std::string place);
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
  absl::StatusOr<bool> start_at(std::uint64_t bytes);
  absl::StatusOr<std::uint64_t> decode(std::string_view token) const;
  absl::Status write_out(std::string_view bytes);
  absl::Status sync_folder();

  std::string path_;
  std::string path_in_progress_;
  std::string place_;
  int file_ = -1;
  bool published_ = false;
  bool folder_synced_ = false;
  std::uint64_t bytes_written_ = 0;  // Handed to the system; `buffer_` follows them.
  std::uint64_t bytes_synced_ = 0;
  std::string buffer_;
  absl::Status failure_;  // The first one: after it the file's end is unknown, so nothing goes on.
};

}  // namespace freshet::detail
