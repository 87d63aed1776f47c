// Files that are whole or not there after a crash, and what their bytes add up to.
//
// Nothing here knows what the files hold. Every error names the file, without its folder, and what
// the system said; the caller says whose file it is. Threads: any.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace freshet::detail {

/// The size of a file and the CRC-32C of all of its bytes, in eight hexadecimal digits: what
/// RocksDB notes of its files while it writes them.
struct file_sum {
  std::uint64_t bytes = 0;
  std::string crc32c;

  bool operator==(const file_sum&) const = default;
};

/// `bytes` in hexadecimal digits, two each.
std::string to_hexadecimal(std::string_view bytes);

/// The status of an `errno`, with `text` before what the system calls it. Bytes that cannot be read
/// any more (EIO), and files that are gone, are DataLoss.
absl::Status system_failure(int error, std::string_view text);

file_sum sum_of_bytes(std::string_view bytes);

/// \cost Reads the file once.
absl::StatusOr<file_sum> sum_of_file(const std::filesystem::path& path);

/// The first `limit` bytes of a file, or all, where it has fewer.
absl::StatusOr<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit);

/// Writes a file that must not exist yet, and syncs it. Its name is durable after `sync_folder`.
absl::Status write_durably(const std::filesystem::path& path, std::string_view bytes);

/// Copies a file to a name that must not exist yet, syncs the copy, and tells what went through.
absl::StatusOr<file_sum> copy_durably(const std::filesystem::path& from,
                                      const std::filesystem::path& to);

/// Gives a file a second name, which must not exist yet.
absl::Status link_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes the names in a folder durable.
absl::Status sync_folder(const std::filesystem::path& path);

/// Creates a folder, which may exist already.
absl::Status make_folder(const std::filesystem::path& path);

/// Removes a folder with all that it holds, or nothing if there is none.
absl::Status remove_folder(const std::filesystem::path& path);

/// Gives a folder, which is durable, another name at once; nothing or an empty folder may have it.
absl::Status rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace freshet::detail
