// The bytes of a file from front to back, decompressed where its name or first bytes say that it is
// compressed.
//
// One thread at a time. Memory: none for plain files, the decompressor's otherwise. Errors are
// statuses that begin with the `place` given to `open`; no exception leaves.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace freshet::detail {

class input_file {
 public:
  virtual ~input_file() = default;

  /// Opens `path`; `.gz`, `.bz2`, `.xz`, and `.zst` are decompressed, and what begins like them.
  /// \param place what error messages begin with, such as `csv::read 'a.csv'`.
  static absl::StatusOr<std::unique_ptr<input_file>> open(const std::string& path,
                                                          const std::string& place);

  /// Reads at least one and at most `bytes` bytes to `out`.
  /// \pre    bytes > 0.
  /// \return how many; 0 at the end of the file.
  virtual absl::StatusOr<std::size_t> read(char* out, std::size_t bytes) = 0;

  /// Whether there may be more after a `read` that returned 0: the file may still grow.
  virtual bool may_grow() const { return false; }

  /// Passes over the next `bytes` bytes, or what there is of them.
  /// \return how many were passed over.
  /// \cost   O(1) for regular files that are not compressed.
  virtual absl::StatusOr<std::uint64_t> skip(std::uint64_t bytes);
};

/// Whether `path` can be opened and read again from its beginning, as a regular file can and a pipe
/// cannot; an error when it is missing, unreadable, or a directory. Nothing stays open.
absl::StatusOr<bool> check_input_file(const std::string& path, const std::string& place);

}  // namespace freshet::detail
