// Checkpoints in a directory of the local file system, kept by RocksDB.
//
// One commit = two sorted files written beside the database, made durable, taken in by the
// database, and a folder with a link to each file of the database, which appears by one rename. So
// every commit kept is whole by itself. What lies where: docs/reference/checkpoint-format.md. Event
// time: rows that expired by the horizons of a successful commit are dropped when RocksDB next
// rewrites them. Order: scans ascend by key. Threads: one at a time; RocksDB compacts on two
// background threads of its own while a checkpoint that has committed is open. Memory:
// `cache_bytes` + about 20 MB, whatever the size of the state, + one commit's changes.
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
  /// Whether `state_backend::read_rows` will be called much. Files then have filters, and memory for
  /// them is part of `cache_bytes`.
  bool reads_rows = false;
  std::size_t keep = 2;  ///< How many commits stay, the newest among them. At least 1.
  /// A savepoint, or a commit or copy of any checkpoint directory, to begin a new directory with.
  /// It is only read. A directory that has gone on from it already is used as it is.
  std::string restore_from = {};
};

/// Opens the checkpoint of one job, and keeps every other process out while the backend lives.
///
/// A directory that is new or empty gets an identity file and holds no commit. An existing
/// checkpoint is only read until the first `commit`: whoever finds that it does not fit can leave
/// it untouched.
///
/// The newest commit of which every byte is as it was written is the one given. Damaged ones are
/// never repaired, and stay until another commit stands; `warnings` names what is wrong with them.
///
/// Errors leave the directory as it was. kInvalidArgument: no directory or no proper job name
/// given. kFailedPrecondition: no directory, other files, another job, a newer format; something to
/// restore from, and commits that do not come from there. kNotFound: the parent is missing.
/// kPermissionDenied. kUnavailable: in use, or the disk fails. kResourceExhausted: it is full.
/// kDataLoss: commits were here, and none can be read; the message says what is wrong with each.
///
/// \note   Needs a local file system (hard links, `flock`, `fsync`).
/// \cost   Opening reads every file of one commit once to verify it, and `scan` once more. A commit
///         waits for seven syncs of the disk, whatever its size; a copy reads and writes all.
absl::StatusOr<std::unique_ptr<state_backend>> open_rocksdb(const rocksdb_options& options);

}  // namespace freshet
