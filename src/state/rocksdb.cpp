#include <freshet/state/rocksdb.hpp>

#include "state/changes.hpp"
#include "state/checkpoint_directory.hpp"
#include "state/rocksdb_setup.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

namespace freshet {
namespace {

namespace fs = std::filesystem;
using detail::checkpoint_directory;
using detail::database_options;
using detail::family_options;
using detail::file_bytes_max;
using detail::files_until_wait;
using detail::slice;
using detail::view;

// Two column families: rows of states in the default one, and this one with a single key.
constexpr const char* manifest_family = "manifest";
constexpr const char* manifest_key = "manifest";

// As decimal digits and a line feed the manifest's number precedes it in its row.
struct numbered_manifest {
  std::uint64_t commit = 0;
  std::string text;
};

std::string encode(std::uint64_t commit, std::string_view manifest) {
  return fmt::format("{}\n{}", commit, manifest);
}

std::optional<numbered_manifest> decode(std::string_view row) {
  numbered_manifest found;
  const char* const end = row.data() + row.size();
  const auto result = std::from_chars(row.data(), end, found.commit);
  if (result.ec != std::errc{} || result.ptr == end || *result.ptr != '\n') return std::nullopt;
  found.text.assign(result.ptr + 1, end);
  return found;
}

// RocksDB reports by status, but memory and threads it may want can run out by exception.
template <class Action>
auto without_exceptions(std::string_view directory, Action action) -> decltype(action()) {
  try {
    return action();
  } catch (const std::exception& thrown) {
    return absl::ResourceExhaustedError(fmt::format(
        "checkpoint '{}': the system gave out ({}); free memory or threads and start again",
        directory, thrown.what()));
  }
}

class rocksdb_backend final : public state_backend {
 public:
  rocksdb_backend(checkpoint_directory directory, std::size_t cache_bytes)
      : directory_(std::move(directory)) {
    const auto cache = rocksdb::NewLRUCache(cache_bytes);
    state_options_ = family_options(cache);
    state_options_.compaction_filter_factory = detail::expiry_filter_factory(horizons_);
    manifest_options_ = family_options(cache);
  }
  ~rocksdb_backend() override { close(); }

  absl::Status open_for_reading();

  absl::StatusOr<std::optional<std::string>> manifest() override { return manifest_; }

  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override;

  absl::Status commit(std::vector<state_change> changes, std::string_view manifest,
                      const std::vector<state_horizon>& horizons) override {
    if (absl::Status status = detail::sort_changes(changes); !status.ok()) return status;
    return commit_sorted(detail::views_of(changes), manifest, horizons);
  }

  absl::Status commit_sorted(std::span<const state_change_view> changes, std::string_view manifest,
                             const std::vector<state_horizon>& horizons) override {
    return without_exceptions(directory_.name(),
                              [&] { return commit_changes(changes, manifest, horizons); });
  }

 private:
  enum class stage {
    empty,    // No commit, and maybe no database.
    reading,  // The database is open for reading only: nothing in the directory changes.
    writing,  // From the first commit on.
    failed,   // What the database holds is unknown.
  };

  absl::Status commit_changes(std::span<const state_change_view> changes, std::string_view manifest,
                              const std::vector<state_horizon>& horizons);
  absl::Status read_manifest();
  absl::Status open_for_writing();
  absl::Status open_database(bool read_only, bool create);
  template <class Fill>
  absl::Status write_file(rocksdb::IngestExternalFileArg& files,
                          const rocksdb::ColumnFamilyOptions& family, Fill fill);
  absl::Status write_changes(std::span<const state_change_view> changes,
                             rocksdb::IngestExternalFileArg& files);
  static rocksdb::IngestExternalFileArg files_for(rocksdb::ColumnFamilyHandle* family);
  absl::Status bound_files();
  void close();

  std::vector<rocksdb::ColumnFamilyDescriptor> families() const {
    return {{rocksdb::kDefaultColumnFamilyName, state_options_},
            {manifest_family, manifest_options_}};
  }
  absl::Status unreadable(const rocksdb::Status& status) const;
  absl::Status unreadable(std::string_view found) const;
  absl::Status unwritable(const rocksdb::Status& status) const;

  checkpoint_directory directory_;
  std::shared_ptr<detail::horizon_board> horizons_ = std::make_shared<detail::horizon_board>();
  rocksdb::ColumnFamilyOptions state_options_;
  rocksdb::ColumnFamilyOptions manifest_options_;
  stage stage_ = stage::empty;
  std::optional<std::string> manifest_;
  std::uint64_t commits_ = 0;
  std::uint64_t files_written_ = 0;
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* state_rows_ = nullptr;  // Both belong to database_.
  rocksdb::ColumnFamilyHandle* manifest_rows_ = nullptr;
};

absl::Status rocksdb_backend::unreadable(std::string_view found) const {
  return absl::DataLossError(
      directory_.message(fmt::format("its database cannot be read ({}); restore the directory from "
                                     "a copy, or start over in an empty "
                                     "one",
                                     found)));
}

absl::Status rocksdb_backend::unreadable(const rocksdb::Status& status) const {
  // What a file should be there for and is not, or should say and does not, is lost.
  if (status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
      status.IsInvalidArgument() || status.IsNotSupported()) {
    return unreadable(status.ToString());
  }
  return absl::UnavailableError(directory_.message(
      fmt::format("its database cannot be read ({}); see that this user may open its files",
                  status.ToString())));
}

absl::Status rocksdb_backend::unwritable(const rocksdb::Status& status) const {
  const std::string found = fmt::format("a commit cannot be written ({})", status.ToString());
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(directory_.message(found + "; make room and start again"));
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(directory_.message(
        found + "; restore the directory from a copy, or start over in an empty one"));
  }
  return absl::UnavailableError(
      directory_.message(found + "; look after the disk and start again"));
}

absl::Status rocksdb_backend::open_for_reading() {
  const fs::path path = directory_.database();
  std::error_code error;
  if (!fs::exists(path / "CURRENT", error)) {
    if (directory_.commits() > 0) return unreadable("its file CURRENT is missing");
    // The database is created at the first commit. A crash before that is finished leaves pieces
    // without a commit in them; a commit leaves at least one file of rows.
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().extension() == ".sst") return unreadable("its file CURRENT is missing");
    }
    return absl::OkStatus();
  }
  std::vector<std::string> families;
  const rocksdb::Status listed =
      rocksdb::DB::ListColumnFamilies(database_options(), path.string(), &families);
  if (!listed.ok()) return unreadable(listed);
  if (std::find(families.begin(), families.end(), manifest_family) == families.end()) {
    return directory_.commits() > 0 ? unreadable("it holds no commit") : absl::OkStatus();
  }
  const rocksdb::Status verified = detail::verify_files(path.string(), this->families());
  if (!verified.ok()) return unreadable(verified);
  if (absl::Status opened = open_database(true, false); !opened.ok()) return opened;
  return read_manifest();
}

absl::Status rocksdb_backend::read_manifest() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  std::string row;
  const rocksdb::Status status = database_->Get(options, manifest_rows_, manifest_key, &row);
  if (status.IsNotFound() && directory_.commits() == 0) {
    close();
    return absl::OkStatus();
  }
  if (status.IsNotFound()) return unreadable("it holds no commit");
  if (!status.ok()) return unreadable(status);
  std::optional<numbered_manifest> found = decode(row);
  if (!found) return unreadable("its manifest has no number");
  if (found->commit < directory_.commits()) {
    return unreadable(fmt::format("it holds commit {}, and commit {} was made", found->commit,
                                  directory_.commits()));
  }
  commits_ = found->commit;
  manifest_ = std::move(found->text);
  stage_ = stage::reading;
  return absl::OkStatus();
}

absl::Status rocksdb_backend::open_database(bool read_only, bool create) {
  rocksdb::DBOptions options = database_options();
  options.create_if_missing = create;
  options.create_missing_column_families = create;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  const std::string path = directory_.database().string();
  const rocksdb::Status status =
      read_only ? rocksdb::DB::OpenForReadOnly(options, path, families(), &handles, &database)
                : rocksdb::DB::Open(options, path, families(), &handles, &database);
  if (!status.ok()) return unreadable(status);
  database_.reset(database);
  state_rows_ = handles[0];
  manifest_rows_ = handles[1];
  return absl::OkStatus();
}

void rocksdb_backend::close() {
  if (database_ == nullptr) return;
  database_->DestroyColumnFamilyHandle(state_rows_);
  database_->DestroyColumnFamilyHandle(manifest_rows_);
  database_.reset();
}

absl::Status rocksdb_backend::scan(
    std::string_view prefix,
    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) {
  if (stage_ == stage::empty) return absl::OkStatus();
  if (stage_ != stage::reading) {
    return absl::FailedPreconditionError(
        directory_.message("rows were asked for after a commit; scan before the first one"));
  }
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.readahead_size = std::size_t{256} << 10;  // For each of some dozen files.
  const std::unique_ptr<rocksdb::Iterator> rows(database_->NewIterator(options, state_rows_));
  for (rows->Seek(slice(prefix)); rows->Valid() && view(rows->key()).starts_with(prefix);
       rows->Next()) {
    if (absl::Status status = row(view(rows->key()), view(rows->value())); !status.ok())
      return status;
  }
  return rows->status().ok() ? absl::OkStatus() : unreadable(rows->status());
}

absl::Status rocksdb_backend::open_for_writing() {
  if (stage_ == stage::writing) return absl::OkStatus();
  if (stage_ == stage::failed) {
    return absl::FailedPreconditionError(directory_.message(
        "an earlier commit failed; open the checkpoint again to see what it holds"));
  }
  const bool create = stage_ == stage::empty;
  if (absl::Status status = directory_.clear_scratch(); !status.ok()) return status;
  close();
  stage_ = stage::failed;
  if (absl::Status status = open_database(false, create); !status.ok()) return status;
  stage_ = stage::writing;
  return absl::OkStatus();
}

// Writes one file with `fill(writer)` and adds it to `files`.
template <class Fill>
absl::Status rocksdb_backend::write_file(rocksdb::IngestExternalFileArg& files,
                                         const rocksdb::ColumnFamilyOptions& family, Fill fill) {
  // The page cache is kept: the next compaction reads the file.
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), rocksdb::Options(database_options(), family),
                                files.column_family, false);
  rocksdb::ExternalSstFileInfo info;
  rocksdb::Status status =
      writer.Open((directory_.scratch() / fmt::format("{}.sst", ++files_written_)).string());
  if (status.ok()) status = fill(writer);
  if (status.ok()) status = writer.Finish(&info);  // Syncs.
  if (!status.ok()) return unwritable(status);
  files.external_files.push_back(info.file_path);
  files.files_checksums.push_back(info.file_checksum);
  files.files_checksum_func_names.push_back(info.file_checksum_func_name);
  return absl::OkStatus();
}

absl::Status rocksdb_backend::write_changes(std::span<const state_change_view> changes,
                                            rocksdb::IngestExternalFileArg& files) {
  for (auto change = changes.begin(); change != changes.end();) {
    absl::Status status = write_file(files, state_options_, [&](rocksdb::SstFileWriter& writer) {
      rocksdb::Status added;
      for (; added.ok() && change != changes.end() && writer.FileSize() < file_bytes_max;
           ++change) {
        // Bytes that stand in another order than the rows: some rows ahead of their use.
        constexpr std::ptrdiff_t ahead = 8;
        if (changes.end() - change > ahead) __builtin_prefetch((change + ahead)->key.data());
        added = change->value ? writer.Put(slice(change->key), slice(*change->value))
                              : writer.Delete(slice(change->key));
      }
      return added;
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

rocksdb::IngestExternalFileArg rocksdb_backend::files_for(rocksdb::ColumnFamilyHandle* family) {
  rocksdb::IngestExternalFileArg files;
  files.column_family = family;
  files.options.move_files = true;
  files.options.snapshot_consistency = false;  // There are no snapshots.
  files.options.write_global_seqno = false;    // Files stay as they were synced.
  files.options.verify_file_checksum = false;  // It was computed while they were written.
  return files;
}

absl::Status rocksdb_backend::bound_files() {
  const std::string property = rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0";
  for (rocksdb::ColumnFamilyHandle* family : {state_rows_, manifest_rows_}) {
    std::string files;
    if (!database_->GetProperty(family, property, &files)) continue;
    if (std::atoi(files.c_str()) < files_until_wait) continue;
    const rocksdb::Status status =
        database_->CompactRange(rocksdb::CompactRangeOptions(), family, nullptr, nullptr);
    if (!status.ok()) return unwritable(status);
  }
  return absl::OkStatus();
}

absl::Status rocksdb_backend::commit_changes(std::span<const state_change_view> changes,
                                             std::string_view manifest,
                                             const std::vector<state_horizon>& horizons) {
  if (absl::Status status = open_for_writing(); !status.ok()) return status;
  if (absl::Status status = bound_files(); !status.ok()) return status;

  std::vector<rocksdb::IngestExternalFileArg> files = {files_for(manifest_rows_)};
  absl::Status written =
      write_file(files[0], manifest_options_, [&](rocksdb::SstFileWriter& writer) {
        return writer.Put(manifest_key, encode(commits_ + 1, manifest));
      });
  if (written.ok() && !changes.empty()) {
    files.push_back(files_for(state_rows_));
    written = write_changes(changes, files[1]);
  }
  if (!written.ok()) {
    // The database has not heard of any of it. Room may be short: give it back.
    static_cast<void>(directory_.clear_scratch());
    return written;
  }
  stage_ = stage::failed;
  const rocksdb::Status ingested = database_->IngestExternalFiles(files);
  if (!ingested.ok()) return unwritable(ingested);
  // The commit stands from here on.
  stage_ = stage::writing;
  ++commits_;
  manifest_.emplace(manifest);
  horizons_->set(horizons);
  return directory_.record_commits(commits_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<state_backend>> open_rocksdb(const rocksdb_options& options) {
  using result = absl::StatusOr<std::unique_ptr<state_backend>>;
  return without_exceptions(options.directory, [&]() -> result {
    absl::StatusOr<checkpoint_directory> directory =
        checkpoint_directory::open(options.directory, options.job);
    if (!directory.ok()) return directory.status();
    auto backend = std::make_unique<rocksdb_backend>(*std::move(directory), options.cache_bytes);
    if (absl::Status status = backend->open_for_reading(); !status.ok()) return status;
    return backend;
  });
}

}  // namespace freshet
