// The directory of one job's checkpoint: whose it is, that nobody else uses it, and whether it has
// ever held a commit. Knows nothing of what the commits consist of.
//
//   DIR/FRESHET    the identity: four lines of text, replaced whole or not at all
//   DIR/db/        the database
//   DIR/scratch/   files of the commit being written; of no worth to anyone else
//
// Threads: one at a time. The lock is on the directory itself, so it needs no file and cannot go
// stale.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace freshet::detail {

class checkpoint_directory {
 public:
  /// The only format there is so far.
  static constexpr int format = 1;

  /// Creates the directory and its identity, or checks them; see `open_rocksdb` for the errors.
  static absl::StatusOr<checkpoint_directory> open(const std::string& path, const std::string& job);

  checkpoint_directory(checkpoint_directory&& other) noexcept;
  checkpoint_directory& operator=(checkpoint_directory&&) = delete;
  ~checkpoint_directory();

  /// How many commits are known to have succeeded. The record follows each commit, so one more may
  /// be there, and never fewer: that would be damage that the database itself cannot tell from a
  /// crash.
  [[nodiscard]] std::uint64_t commits() const { return commits_; }

  /// Records durably that there have been `commits`.
  absl::Status record_commits(std::uint64_t commits);

  /// Makes `DIR/scratch/` an empty directory.
  absl::Status clear_scratch() const;

  [[nodiscard]] const std::string& name() const { return name_; }  ///< As the user gave it.
  [[nodiscard]] std::filesystem::path database() const { return path_ / "db"; }
  [[nodiscard]] std::filesystem::path scratch() const { return path_ / "scratch"; }

  /// "checkpoint 'DIR': " + `text`: how every message about it begins.
  [[nodiscard]] std::string message(std::string_view text) const;

 private:
  checkpoint_directory(std::string name, int descriptor, std::string job);

  absl::Status lock() const;
  absl::Status read_identity();
  absl::Status write_identity(std::uint64_t commits) const;
  absl::Status parse_identity(std::string_view text);
  absl::Status require_empty() const;

  std::string name_;
  std::filesystem::path path_;
  int descriptor_ = -1;  // Of the directory; holds the lock.
  std::string job_;
  std::uint64_t commits_ = 0;
};

}  // namespace freshet::detail
