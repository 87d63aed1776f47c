// How freshet sets RocksDB up, and the parts it lends to it. Internal to the backend.
//
// Threads: compaction threads read a `horizon_board` while the committing thread sets it.
#pragma once

#include <freshet/state/backend.hpp>

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// A commit's files are this large at most, so that a later compaction need not rewrite all of it.
inline constexpr std::uint64_t file_bytes_max = std::uint64_t{64} << 20;

/// Each commit adds one file per column family. Compaction starts in the background at the first
/// number of them; a commit waits for it at the second, which bounds the files whatever the rate of
/// commits.
inline constexpr int files_until_compaction = 8;
inline constexpr int files_until_wait = 40;

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

/// The horizons of the newest commit, handed from the committing thread to compaction threads.
class horizon_board {
 public:
  using snapshot = std::shared_ptr<const std::vector<state_horizon>>;

  void set(const std::vector<state_horizon>& horizons);
  [[nodiscard]] snapshot get() const;

 private:
  mutable std::mutex mutex_;
  snapshot current_ = std::make_shared<const std::vector<state_horizon>>();
};

/// Makes filters that drop the rows expired by what `board` holds when a compaction starts.
std::shared_ptr<rocksdb::CompactionFilterFactory> expiry_filter_factory(
    std::shared_ptr<const horizon_board> board);

rocksdb::DBOptions database_options();

/// How rows are read.
struct table_use {
  std::shared_ptr<rocksdb::Cache> cache;
  /// Also single ones, of which many are not there: files then have small blocks, filters, and
  /// indices that are loaded in parts.
  bool looked_up = false;
};
rocksdb::ColumnFamilyOptions family_options(const table_use& use);

/// Reads rows as `state_backend::read_rows`. `failed`: what an error becomes.
absl::Status read_rows(rocksdb::DB& from, rocksdb::ColumnFamilyHandle* family,
                       std::span<const std::string_view> keys,
                       absl::FunctionRef<void(std::size_t index, std::string_view value)> row,
                       absl::FunctionRef<absl::Status(const rocksdb::Status&)> failed);

/// Calls `row` for every row whose key starts with `prefix`, as `state_backend::scan`.
absl::Status scan_rows(
    rocksdb::DB& from, rocksdb::ColumnFamilyHandle* family, std::string_view prefix,
    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row,
    absl::FunctionRef<absl::Status(const rocksdb::Status&)> failed);

/// The file system of a database in work. What belongs to the database alone is not synced: after a
/// crash it is made anew from a commit. Files of rows, which commits share, are.
rocksdb::Env* working_environment();

/// Two column families: rows of states in the default one, and this one with a single key.
inline constexpr const char* manifest_family = "manifest";
inline constexpr const char* manifest_key = "manifest";

/// As decimal digits and a line feed the manifest's number precedes it in its row.
struct numbered_manifest {
  std::uint64_t commit = 0;
  std::string text;
};
std::string encode_numbered(std::uint64_t commit, std::string_view manifest);
std::optional<numbered_manifest> decode_numbered(std::string_view row);

}  // namespace freshet::detail
