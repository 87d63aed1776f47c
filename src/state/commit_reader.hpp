// One commit as it lies in its folder: read, never written to.
//
// Everything is verified against the commit's listing before RocksDB interprets any of it: it
// trusts parts of a file before it has checked them, and ends the process over some flipped bits.
// All files are open then, so that a job which removes the commit meanwhile does not take them
// away.
//
// Threads: one at a time. Memory: as `rocksdb_options::cache_bytes` says.
#pragma once

#include "state/commit_listing.hpp"

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace freshet::detail {

class commit_reader {
 public:
  /// `looked_up`: as `table_use`. Errors say which file is wrong, and in which way. DataLoss: the
  /// commit is damaged. FailedPrecondition: it is of a newer format. Others: the system does not
  /// let us look.
  static absl::StatusOr<std::unique_ptr<commit_reader>> open(const std::filesystem::path& folder,
                                                             std::size_t cache_bytes,
                                                             bool looked_up = false);
  virtual ~commit_reader() = default;

  virtual const commit_listing& listing() const = 0;
  virtual const std::string& manifest() const = 0;

  /// As `state_backend::scan`; errors of reading as those of `open`.
  virtual absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) const = 0;
  /// As `state_backend::read_rows`.
  virtual absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row) const = 0;
};

}  // namespace freshet::detail
