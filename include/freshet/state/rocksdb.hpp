// Checkpoints in a directory of the local file system, kept by RocksDB.
//
// One commit = two sorted files written beside the database, made durable, and taken in by one
// atomic step. Event time: rows that expired by the horizons of a successful commit are dropped
// when RocksDB next rewrites them. Order: scans ascend by key. Threads: one at a time; RocksDB
// compacts on two background threads of its own while a checkpoint that has committed is open.
// Memory: `cache_bytes` + about 20 MB, whatever the size of the state, + one commit's changes.
#pragma once

#include <freshet/state/backend.hpp>

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string>

namespace freshet {

struct rocksdb_options {
  std::string directory;  ///< Created if it does not exist and its parent does.
  std::string job;        ///< The name of the pipeline: no other job may use the directory.
  std::size_t cache_bytes = std::size_t{8} << 20;  ///< For blocks of the database while reading.
};

/// Opens the checkpoint of one job, and keeps every other process out while the backend lives.
///
/// A directory that is new or empty gets an identity file and holds no commit. An existing
/// checkpoint is only read until the first `commit`: whoever finds that it does not fit can leave
/// it untouched. What is damaged is never repaired, recreated, or skipped.
///
/// Errors leave the directory as it was. kInvalidArgument: no directory or no proper job name
/// given. kFailedPrecondition: no directory, other files, another job, a newer format. kNotFound:
/// the parent is missing. kPermissionDenied. kUnavailable: in use, or the disk fails.
/// kResourceExhausted: it is full. kDataLoss: a checkpoint was here and cannot be read, now or in a
/// later `manifest` or `scan`.
///
/// \note   Needs a local file system (hard links, `flock`, `fsync`).
/// \cost   Opening reads every file once to verify it, and `scan` once more. A commit waits for
/// about ten
///         syncs of the disk, whatever its size.
absl::StatusOr<std::unique_ptr<state_backend>> open_rocksdb(const rocksdb_options& options);

}  // namespace freshet
