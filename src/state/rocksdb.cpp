#include <freshet/state/rocksdb.hpp>

#include "state/changes.hpp"
#include "state/checkpoint_directory.hpp"
#include "state/commit_reader.hpp"
#include "state/durable_files.hpp"
#include "state/rocksdb_setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <system_error>
#include <utility>

namespace freshet {
namespace {

namespace fs = std::filesystem;
using detail::checkpoint_directory;
using detail::commit_listing;
using detail::commit_reader;
using detail::database_options;
using detail::family_options;
using detail::file_bytes_max;
using detail::files_until_wait;
using detail::manifest_family;
using detail::manifest_key;
using detail::slice;
using detail::stored_commit;

constexpr std::string_view crc32c_name = "FileChecksumCrc32c";

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

std::string text_of(const absl::Status& status) {
  return std::string(status.message());
}

fs::path with_suffix(fs::path of, std::string_view suffix) {
  of += suffix;
  return of;
}

class rocksdb_backend final : public state_backend {
 public:
  rocksdb_backend(checkpoint_directory directory, rocksdb_options options)
      : directory_(std::move(directory)), options_(std::move(options)) {
    const auto cache = rocksdb::NewLRUCache(options_.cache_bytes);
    state_options_ = family_options({cache, options_.reads_rows});
    state_options_.compaction_filter_factory = detail::expiry_filter_factory(horizons_);
    manifest_options_ = family_options({cache});
  }
  ~rocksdb_backend() override {
    close();
    if (stage_ == stage::writing) directory_.remove_work();
  }

  absl::Status find_commit();

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
  absl::Status keep_copy() override {
    return without_exceptions(directory_.name(), [&] { return copy_newest(); });
  }
  bool has_copy() const override { return !copies_.empty(); }
  absl::Status save(const std::string& directory) override {
    return without_exceptions(directory_.name(), [&] { return save_newest(directory); });
  }
  bool reads_rows() const override { return true; }
  absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row) override;
  absl::Status scan_newest(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override;
  std::vector<std::string> warnings() const override { return warnings_; }
  std::string older_because() const override { return older_because_; }

 private:
  enum class stage {
    empty,    // No commit.
    reading,  // A commit is open for reading only: nothing in the directory changes.
    writing,  // From the first commit on.
    failed,   // Whether the last commit has happened is unknown.
  };

  absl::Status find_savepoint();
  absl::Status check_origin(const commit_listing& found) const;
  absl::Status take(std::unique_ptr<commit_reader> found, fs::path folder, bool may_link);
  absl::Status nothing_usable(std::size_t commits, const std::vector<std::string>& faults) const;

  absl::Status commit_changes(std::span<const state_change_view> changes, std::string_view manifest,
                              const std::vector<state_horizon>& horizons);
  absl::Status open_for_writing();
  absl::Status make_database();
  absl::Status open_database(bool create);
  template <class Fill>
  absl::Status write_file(rocksdb::IngestExternalFileArg& files,
                          const rocksdb::ColumnFamilyOptions& family, Fill fill);
  absl::Status write_changes(std::span<const state_change_view> changes,
                             rocksdb::IngestExternalFileArg& files);
  static rocksdb::IngestExternalFileArg files_for(rocksdb::ColumnFamilyHandle* family);
  absl::Status bound_files();
  absl::Status publish(std::uint64_t number);
  absl::Status link_files(const fs::path& draft, std::uint64_t number);
  absl::StatusOr<detail::listed_file> link_live_file(const rocksdb::LiveFileStorageInfo& live,
                                                     const fs::path& draft) const;
  absl::Status copy_newest();
  absl::Status save_newest(const std::string& directory);
  static void remove(const stored_commit& old);
  void close();

  std::vector<rocksdb::ColumnFamilyDescriptor> families() const {
    return {{rocksdb::kDefaultColumnFamilyName, state_options_},
            {manifest_family, manifest_options_}};
  }
  absl::Status unreadable(const rocksdb::Status& status) const;
  absl::Status unwritable(const rocksdb::Status& status) const;
  absl::Status unwritable(const absl::Status& status) const;

  checkpoint_directory directory_;
  rocksdb_options options_;
  std::shared_ptr<detail::horizon_board> horizons_ = std::make_shared<detail::horizon_board>();
  rocksdb::ColumnFamilyOptions state_options_;
  rocksdb::ColumnFamilyOptions manifest_options_;
  stage stage_ = stage::empty;
  std::optional<std::string> manifest_;
  std::uint64_t number_ = 0;         // The highest of any commit, damaged ones included.
  std::string origin_ = "none";      // Of what the directory began with.
  std::vector<stored_commit> kept_;  // Not known to be damaged; oldest first.
  std::vector<stored_commit> copies_;
  std::vector<stored_commit> damaged_;  // Removed when a new commit stands.
  std::vector<std::string> warnings_;
  std::string older_because_;
  std::unique_ptr<commit_reader> reader_;
  fs::path read_from_;
  bool may_link_ = false;  // To the files of `read_from_`.
  std::uint64_t files_written_ = 0;
  std::shared_mutex open_mutex_;  // Held by those who read rows, so that both stay open.
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* state_rows_ = nullptr;  // Both belong to database_.
  rocksdb::ColumnFamilyHandle* manifest_rows_ = nullptr;
};

absl::Status rocksdb_backend::unwritable(const rocksdb::Status& status) const {
  const std::string found = fmt::format("a commit cannot be written ({})", status.ToString());
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(directory_.message(found + "; make room and start again"));
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(
        directory_.message(found + "; start again to go on from a commit that is whole"));
  }
  return absl::UnavailableError(
      directory_.message(found + "; look after the disk and start again"));
}

absl::Status rocksdb_backend::unwritable(const absl::Status& status) const {
  return absl::Status(status.code(), directory_.message(fmt::format(
                                         "a commit cannot be written ({}); {}", text_of(status),
                                         absl::IsResourceExhausted(status)
                                             ? "make room and start again"
                                             : "look after the disk and start again")));
}

absl::Status rocksdb_backend::nothing_usable(std::size_t commits,
                                             const std::vector<std::string>& faults) const {
  if (commits == 0) {
    return absl::DataLossError(
        directory_.message("its commits are missing; restore the directory from a copy, or start "
                           "over in an empty one"));
  }
  return absl::DataLossError(directory_.message(
      fmt::format("none of its commits can be read ({}); restore the directory from a copy or a "
                  "savepoint, or start over in an empty one",
                  fmt::join(faults, "; "))));
}

// Goes through the commits from the newest on until one is whole.
absl::Status rocksdb_backend::find_commit() {
  const absl::StatusOr<std::vector<stored_commit>> all = directory_.commits();
  if (!all.ok()) return all.status();
  if (!directory_.damage().empty()) {
    warnings_.push_back(directory_.message(
        fmt::format("its file FRESHET {}; the next commit writes it anew", directory_.damage())));
  }
  std::vector<std::string> faults;
  for (const stored_commit& each : *all) {
    number_ = std::max(number_, each.number);
    std::vector<stored_commit>& kind = each.is_copy ? copies_ : kept_;
    if (reader_ != nullptr) {
      kind.insert(kind.begin(), each);
      continue;
    }
    absl::StatusOr<std::unique_ptr<commit_reader>> opened =
        commit_reader::open(each.folder, options_.cache_bytes, options_.reads_rows);
    if (!opened.ok() && !absl::IsDataLoss(opened.status())) {
      const bool is_newer = absl::IsFailedPrecondition(opened.status());
      return absl::Status(
          opened.status().code(),
          directory_.message(fmt::format("{}: {}{}", each.to_text(), text_of(opened.status()),
                                         is_newer ? "" : "; see that this user may open it")));
    }
    if (opened.ok() && (*opened)->listing().number != each.number) {
      opened = absl::DataLossError(
          fmt::format("COMMIT: is that of commit {}", (*opened)->listing().number));
    }
    if (!opened.ok()) {
      faults.push_back(fmt::format("{}: {}", each.to_text(), text_of(opened.status())));
      damaged_.push_back(each);
      continue;
    }
    if (absl::Status taken = take(*std::move(opened), each.folder, !each.is_copy); !taken.ok()) {
      return taken;
    }
    kind.push_back(each);
    for (const std::string& fault : faults) {
      warnings_.push_back(directory_.message(
          fmt::format("{} is damaged ({}); going on from {}", fault.substr(0, fault.find(':')),
                      fault.substr(fault.find(':') + 2), each.to_text())));
    }
    if (each.number < number_) {
      older_because_ = fmt::format("commit {} is damaged, and commit {} the newest that is whole",
                                   number_, each.number);
    }
  }
  if (reader_ != nullptr) return check_origin(reader_->listing());
  if (!faults.empty() || directory_.committed()) return nothing_usable(all->size(), faults);
  return options_.restore_from.empty() ? absl::OkStatus() : find_savepoint();
}

absl::Status rocksdb_backend::take(std::unique_ptr<commit_reader> found, fs::path folder,
                                   bool may_link) {
  if (found->listing().job != directory_.job()) {
    return absl::FailedPreconditionError(fmt::format(
        "checkpoint '{}': belongs to job '{}', not to '{}'; give each job a directory of its own",
        folder.string(), found->listing().job, directory_.job()));
  }
  reader_ = std::move(found);
  read_from_ = std::move(folder);
  may_link_ = may_link;
  manifest_ = reader_->manifest();
  number_ = std::max(number_, reader_->listing().number);
  origin_ = reader_->listing().origin;
  stage_ = stage::reading;
  return absl::OkStatus();
}

// A restart with the same options goes on from what the directory has by now.
absl::Status rocksdb_backend::check_origin(const commit_listing& found) const {
  if (options_.restore_from.empty()) return absl::OkStatus();
  const absl::StatusOr<commit_listing> savepoint = detail::read_listing(options_.restore_from);
  const bool same = savepoint.ok() ? savepoint->checksum == found.origin : found.origin != "none";
  if (same) return absl::OkStatus();
  return absl::FailedPreconditionError(directory_.message(fmt::format(
      "holds commits that do not come from '{}', which it should begin with; give a new directory, "
      "or do not restore",
      options_.restore_from)));
}

absl::Status rocksdb_backend::find_savepoint() {
  const std::string place = fmt::format("savepoint '{}'", options_.restore_from);
  absl::StatusOr<std::unique_ptr<commit_reader>> opened =
      commit_reader::open(options_.restore_from, options_.cache_bytes, options_.reads_rows);
  if (!opened.ok()) {
    return absl::Status(
        opened.status().code(),
        fmt::format("{}: it cannot be restored ({}); give the folder of a savepoint "
                    "or commit that is whole",
                    place, text_of(opened.status())));
  }
  if ((*opened)->listing().job != directory_.job()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: belongs to job '{}', not to '{}'; restore it into a pipeline of that name",
                    place, (*opened)->listing().job, directory_.job()));
  }
  const std::string checksum = (*opened)->listing().checksum;
  absl::Status taken = take(*std::move(opened), options_.restore_from, false);
  origin_ = checksum;
  older_because_ = fmt::format("the job is restored from '{}'", options_.restore_from);
  return taken;
}

void rocksdb_backend::close() {
  reader_.reset();
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
  absl::Status own;
  absl::Status scanned = reader_->scan(prefix, [&](std::string_view key, std::string_view value) {
    own = row(key, value);
    return own;
  });
  if (scanned.ok() || !own.ok()) return scanned;
  return directory_.message(scanned,
                            "restore the directory from a copy, or start over in an empty one");
}

absl::Status rocksdb_backend::open_for_writing() {
  if (stage_ == stage::writing) return absl::OkStatus();
  if (stage_ == stage::failed) {
    return absl::FailedPreconditionError(directory_.message(
        "an earlier commit failed; open the checkpoint again to see what it holds"));
  }
  const bool create = stage_ == stage::empty;
  if (absl::Status status = directory_.prepare_for_commits(); !status.ok()) return status;
  stage_ = stage::failed;
  if (!create) {
    if (absl::Status status = make_database(); !status.ok()) return unwritable(status);
  }
  {
    const std::unique_lock lock(open_mutex_);
    close();
    if (absl::Status status = open_database(create); !status.ok()) return status;
  }
  stage_ = stage::writing;
  return absl::OkStatus();
}

absl::Status rocksdb_backend::unreadable(const rocksdb::Status& status) const {
  const std::string found = fmt::format("its rows cannot be read ({})", status.ToString());
  return status.IsCorruption() ? absl::DataLossError(found) : absl::UnavailableError(found);
}

absl::Status rocksdb_backend::read_rows(
    std::span<const std::string_view> keys,
    absl::FunctionRef<void(std::size_t index, std::string_view value)> row) {
  const std::shared_lock lock(open_mutex_);
  if (database_ == nullptr) {
    return reader_ == nullptr ? absl::OkStatus() : reader_->read_rows(keys, row);
  }
  return detail::read_rows(*database_, state_rows_, keys, row,
                           [this](const rocksdb::Status& status) { return unreadable(status); });
}

absl::Status rocksdb_backend::scan_newest(
    std::string_view prefix,
    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) {
  const std::shared_lock lock(open_mutex_);
  if (database_ == nullptr) {
    return reader_ == nullptr ? absl::OkStatus() : reader_->scan(prefix, row);
  }
  return detail::scan_rows(*database_, state_rows_, prefix, row,
                           [this](const rocksdb::Status& status) { return unreadable(status); });
}

// A copy, or a savepoint, must share no file with what is written to from now on.
absl::Status rocksdb_backend::make_database() {
  if (absl::Status status = detail::make_folder(directory_.database()); !status.ok()) return status;
  for (const detail::listed_file& each : reader_->listing().files) {
    const fs::path from = read_from_ / each.name;
    const fs::path to = directory_.database() / each.name;
    const bool link = may_link_ && from.extension() == ".sst";
    absl::Status status =
        link ? detail::link_file(from, to) : detail::copy_durably(from, to).status();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status rocksdb_backend::open_database(bool create) {
  rocksdb::DBOptions options = database_options();
  options.env = detail::working_environment();
  options.create_if_missing = create;
  options.create_missing_column_families = create;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* database = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(options, directory_.database().string(), families(), &handles, &database);
  if (!status.ok()) return unwritable(status);
  database_.reset(database);
  state_rows_ = handles[0];
  manifest_rows_ = handles[1];
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

  const std::uint64_t number = number_ + 1;
  std::vector<rocksdb::IngestExternalFileArg> files = {files_for(manifest_rows_)};
  absl::Status written =
      write_file(files[0], manifest_options_, [&](rocksdb::SstFileWriter& writer) {
        return writer.Put(manifest_key, detail::encode_numbered(number, manifest));
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
  if (absl::Status published = publish(number); !published.ok()) return unwritable(published);
  // The commit stands from here on.
  stage_ = stage::writing;
  number_ = number;
  manifest_.emplace(manifest);
  horizons_->set(horizons);
  for (const stored_commit& each : damaged_) remove(each);
  damaged_.clear();
  for (; kept_.size() > options_.keep; kept_.erase(kept_.begin())) remove(kept_.front());
  return directory_.record_commit();
}

// Makes the folder of a commit out of what the database is now.
absl::Status rocksdb_backend::publish(std::uint64_t number) {
  const stored_commit commit = directory_.commit(number);
  const fs::path draft = with_suffix(commit.folder, ".draft");
  absl::Status status = detail::make_folder(draft);
  if (status.ok()) status = link_files(draft, number);
  if (status.ok()) status = detail::sync_folder(draft);
  if (status.ok()) status = detail::rename_durably(draft, commit.folder);
  if (!status.ok()) {
    static_cast<void>(detail::remove_folder(draft));
    return status;
  }
  kept_.push_back(commit);
  return absl::OkStatus();
}

absl::Status rocksdb_backend::link_files(const fs::path& draft, std::uint64_t number) {
  const auto check = [](const rocksdb::Status& status) {
    return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.ToString());
  };
  // Compaction may replace files from the moment they are listed.
  if (absl::Status status = check(database_->DisableFileDeletions()); !status.ok()) return status;
  rocksdb::LiveFilesStorageInfoOptions which;
  which.include_checksum_info = true;
  which.wal_size_for_flush = std::numeric_limits<std::uint64_t>::max();  // Memtables stay empty.
  std::vector<rocksdb::LiveFileStorageInfo> files;
  absl::Status status = check(database_->GetLiveFilesStorageInfo(which, &files));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  commit_listing listing;
  listing.job = directory_.job();
  listing.number = number;
  listing.time = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  listing.origin = origin_;
  for (const rocksdb::LiveFileStorageInfo& live : files) {
    const bool wanted = live.file_type == rocksdb::kTableFile ||
                        live.file_type == rocksdb::kDescriptorFile ||
                        live.file_type == rocksdb::kCurrentFile;
    if (!status.ok() || !wanted) continue;
    absl::StatusOr<detail::listed_file> linked = link_live_file(live, draft);
    status = linked.status();
    if (linked.ok()) listing.files.push_back(*std::move(linked));
  }
  const absl::Status allowed = check(database_->EnableFileDeletions(false));
  if (status.ok()) status = allowed;
  if (!status.ok()) return status;
  return detail::write_durably(draft / commit_listing::file_name, detail::to_text(listing));
}

absl::StatusOr<detail::listed_file> rocksdb_backend::link_live_file(
    const rocksdb::LiveFileStorageInfo& live, const fs::path& draft) const {
  const std::string& name = live.relative_filename;
  const fs::path from = directory_.database() / name;
  if (live.file_type == rocksdb::kTableFile) {
    if (absl::Status status = detail::link_file(from, draft / name); !status.ok()) return status;
    if (live.file_checksum_func_name == crc32c_name) {
      return detail::listed_file{name, {live.size, detail::to_hexadecimal(live.file_checksum)}};
    }
    absl::StatusOr<detail::file_sum> sum = detail::sum_of_file(from);
    if (!sum.ok()) return sum.status();
    return detail::listed_file{name, *std::move(sum)};
  }
  std::string bytes = live.replacement_contents;
  if (bytes.empty()) {
    absl::StatusOr<std::string> read = detail::read_file(from, live.size);
    if (!read.ok()) return read.status();
    bytes = *std::move(read);
  }
  if (absl::Status status = detail::write_durably(draft / name, bytes); !status.ok()) return status;
  return detail::listed_file{name, detail::sum_of_bytes(bytes)};
}

// Under another name first: a folder with a number is always whole.
void rocksdb_backend::remove(const stored_commit& old) {
  const fs::path aside = with_suffix(old.folder, ".old");
  std::error_code error;
  fs::rename(old.folder, aside, error);
  // What cannot be removed now is at the next start.
  if (!error) static_cast<void>(detail::remove_folder(aside));
}

absl::Status rocksdb_backend::copy_newest() {
  if (stage_ != stage::writing) {
    return absl::FailedPreconditionError(directory_.message("a copy needs a commit before it"));
  }
  const stored_commit from = directory_.commit(number_);
  const stored_commit to = directory_.copy(number_);
  const auto known = [&](const stored_commit& each) { return each.number == number_; };
  if (std::any_of(copies_.begin(), copies_.end(), known)) return absl::OkStatus();
  const fs::path draft = with_suffix(to.folder, ".draft");
  absl::StatusOr<commit_listing> listing = detail::read_listing(from.folder);
  absl::Status status = listing.status();
  if (status.ok()) status = detail::copy_listed(from.folder, *std::move(listing), draft);
  if (status.ok()) status = detail::rename_durably(draft, to.folder);
  if (!status.ok()) {
    static_cast<void>(detail::remove_folder(draft));
    return directory_.message(
        absl::Status(status.code(),
                     fmt::format("{} cannot be copied ({})", from.to_text(), text_of(status))),
        absl::IsDataLoss(status) ? "start again to go on from a commit that is whole"
                                 : "make room, or look after the disk");
  }
  for (const stored_commit& each : copies_) remove(each);
  copies_ = {to};
  return absl::OkStatus();
}

absl::Status rocksdb_backend::save_newest(const std::string& directory) {
  const std::string place = fmt::format("savepoint '{}'", directory);
  if (stage_ != stage::writing) {
    return absl::FailedPreconditionError(place + ": there is no commit yet; commit first");
  }
  fs::path to = fs::path(directory).lexically_normal();
  if (!to.has_filename()) to = to.parent_path();
  std::error_code error;
  if (to.empty() || (fs::exists(to, error) && !fs::is_empty(to, error)) || error) {
    return absl::FailedPreconditionError(
        place + ": is no new or empty folder; give one that a savepoint may become");
  }
  const fs::path draft = with_suffix(to, ".draft");
  absl::Status status = detail::remove_folder(draft);
  absl::StatusOr<commit_listing> listing = detail::read_listing(directory_.commit(number_).folder);
  if (status.ok()) status = listing.status();
  if (status.ok()) {
    status = detail::copy_listed(directory_.commit(number_).folder, *std::move(listing), draft);
  }
  if (status.ok()) status = detail::rename_durably(draft, to);
  if (status.ok()) return status;
  static_cast<void>(detail::remove_folder(draft));
  return absl::Status(status.code(),
                      fmt::format("{}: cannot be written ({}); give a folder that may be made, on "
                                  "a disk with room",
                                  place, text_of(status)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<state_backend>> open_rocksdb(const rocksdb_options& options) {
  using result = absl::StatusOr<std::unique_ptr<state_backend>>;
  return without_exceptions(options.directory, [&]() -> result {
    if (options.keep == 0) {
      return absl::InvalidArgumentError(
          fmt::format("checkpoint '{}': keep is 0, so that nothing would stay; give at least 1",
                      options.directory));
    }
    absl::StatusOr<checkpoint_directory> directory =
        checkpoint_directory::open(options.directory, options.job);
    if (!directory.ok()) return directory.status();
    auto backend = std::make_unique<rocksdb_backend>(*std::move(directory), options);
    if (absl::Status status = backend->find_commit(); !status.ok()) return status;
    return backend;
  });
}

}  // namespace freshet
