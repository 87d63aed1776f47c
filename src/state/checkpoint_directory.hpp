// The directory of one job's checkpoint: whose it is, that nobody else uses it, and which commits
// are there.
//
//   DIR/FRESHET       the identity: a few lines of text, replaced whole or not at all
//   DIR/commits/N/    commit N: whole by itself, but for files that it shares with other commits
//   DIR/copies/N/     a copy of commit N that shares no file with anything
//   DIR/db/           the database in work: made from a commit at the first commit of a run
//   DIR/scratch/      files of the commit being written
//
// A commit or copy appears under its number by one rename, when all of it is durable; `N.draft` is
// one that is being made, `N.old` one that is being removed. The last two folders, drafts and old
// ones are of no worth to anybody but the run that made them.
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
#include <vector>

namespace freshet::detail {

/// A commit that is there by its name: nothing is known yet of its files.
struct stored_commit {
  std::uint64_t number = 0;
  bool is_copy = false;
  std::filesystem::path folder;

  /// "commit 41", "the copy of commit 41".
  std::string to_text() const;
};

/// All commits and copies of `directory`, newest first; a commit before its copy. A directory
/// without any has none. Errors are those of reading a folder.
absl::StatusOr<std::vector<stored_commit>> list_commits(const std::filesystem::path& directory);

class checkpoint_directory {
 public:
  static constexpr std::uint64_t format = 2;

  /// Creates the directory and its identity, or checks them; see `open_rocksdb` for the errors.
  static absl::StatusOr<checkpoint_directory> open(const std::string& path, const std::string& job);

  checkpoint_directory(checkpoint_directory&& other) noexcept;
  checkpoint_directory& operator=(checkpoint_directory&&) = delete;
  ~checkpoint_directory();

  /// Whether a commit has succeeded here. The record follows the first commit, so that one may be
  /// there before.
  [[nodiscard]] bool committed() const { return committed_; }

  /// What is wrong with the identity, where commits stand in for it; empty if nothing is.
  [[nodiscard]] const std::string& damage() const { return damage_; }

  /// Newest first.
  absl::StatusOr<std::vector<stored_commit>> commits() const;

  /// Removes what crashes have left, and makes the folders that a commit needs.
  absl::Status prepare_for_commits();

  /// Records durably that there has been a commit, once.
  absl::Status record_commit();

  /// Makes `DIR/scratch/` an empty folder.
  absl::Status clear_scratch() const;

  /// Removes the database and the scratch, which nobody needs any more; as far as that goes.
  void remove_work() const;

  [[nodiscard]] const std::string& name() const { return name_; }  ///< As the user gave it.
  [[nodiscard]] const std::string& job() const { return job_; }
  [[nodiscard]] std::filesystem::path database() const { return path_ / "db"; }
  [[nodiscard]] std::filesystem::path scratch() const { return path_ / "scratch"; }
  [[nodiscard]] stored_commit commit(std::uint64_t number) const;
  [[nodiscard]] stored_commit copy(std::uint64_t number) const;

  /// "checkpoint 'DIR': " + `text`: how every message about it begins.
  [[nodiscard]] std::string message(std::string_view text) const;
  /// The same of a status, which keeps its code, with `advice` after it.
  [[nodiscard]] absl::Status message(const absl::Status& of, std::string_view advice) const;

 private:
  checkpoint_directory(std::string name, int descriptor, std::string job);

  absl::Status lock() const;
  absl::Status read_identity();
  absl::Status write_identity(bool committed) const;
  absl::Status parse_identity(std::string_view text);
  absl::Status without_identity(std::string found, absl::Status refusal);
  absl::Status require_empty() const;

  std::string name_;
  std::filesystem::path path_;
  int descriptor_ = -1;  // Of the directory; holds the lock.
  std::string job_;
  bool committed_ = false;
  std::string damage_;
};

}  // namespace freshet::detail
