// The file COMMIT in the folder of each commit: which commit it is, of which job, and what every
// other file of the folder must be. Text, whole by its own checksum.
//
//   freshet commit
//   format 1
//   job NAME
//   commit NUMBER
//   time MICROSECONDS                  of the system's clock, since 1970
//   origin CHECKSUM                    of the savepoint that the directory began with, or `none`
//   file NAME BYTES CRC32C             one line each, ascending by name
//   checksum CHECKSUM                  XXH3 of all lines above, in 16 hexadecimal digits
//
// Plain values. Threads: any.
#pragma once

#include "state/durable_files.hpp"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

struct listed_file {
  std::string name;
  file_sum sum;
};

struct commit_listing {
  static constexpr const char* file_name = "COMMIT";
  static constexpr std::uint64_t format = 1;

  std::string job;
  std::uint64_t number = 0;
  std::int64_t time = 0;
  std::string origin = "none";
  std::vector<listed_file> files;
  std::string checksum;  ///< Of the text; made by `to_text` and `parse_listing`.

  std::uint64_t bytes() const;
};

/// Sorts the files by name and notes the checksum.
std::string to_text(commit_listing& of);

/// Errors, which begin with "COMMIT: ": DataLoss for what `to_text` does not write,
/// FailedPrecondition for a newer format.
absl::StatusOr<commit_listing> parse_listing(std::string_view text);

/// Reads the listing of the commit in a folder.
absl::StatusOr<commit_listing> read_listing(const std::filesystem::path& folder);

/// DataLoss for the first listed file of `folder` that is not what it was, and for a log of
/// RocksDB, which would be replayed, among them. \cost Reads all files once.
absl::Status verify_listed(const std::filesystem::path& folder, const commit_listing& listing);

/// Copies a commit, COMMIT included, into a new folder `to`, which is durable then, but for its
/// name. DataLoss when the bytes that were read are not those listed.
absl::Status copy_listed(const std::filesystem::path& from, commit_listing listing,
                         const std::filesystem::path& to);

/// A line of text "name value" from the beginning of `text`, which it is removed from; nothing if
/// it is another line.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name);
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view name);

/// `text` with a last line that holds its checksum; and the reverse, nothing if it does not match.
std::string with_checksum(std::string text);
std::optional<std::string_view> without_checksum(std::string_view text);

}  // namespace freshet::detail
