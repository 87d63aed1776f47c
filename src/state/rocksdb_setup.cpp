#include "state/rocksdb_setup.hpp"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <system_error>
#include <utility>

namespace freshet::detail {
namespace {

// RocksDB's diary would change the directory while a checkpoint is only looked at, and grows.
class silent_logger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, std::va_list) override {}
};

class expiry_filter final : public rocksdb::CompactionFilter {
 public:
  explicit expiry_filter(horizon_board::snapshot horizons) : horizons_(std::move(horizons)) {}
  const char* Name() const override { return "freshet.expiry"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    return is_expired(view(key), view(value), *horizons_);
  }

 private:
  horizon_board::snapshot horizons_;
};

class filter_factory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit filter_factory(std::shared_ptr<const horizon_board> board) : board_(std::move(board)) {}
  const char* Name() const override { return "freshet.expiry"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<expiry_filter>(board_->get());
  }

 private:
  std::shared_ptr<const horizon_board> board_;
};

bool holds_rows(const std::string& name) {
  return name.ends_with(".sst");
}

class unsynced_file final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using rocksdb::FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override {
    return Flush(options, context);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* context) override {
    return Flush(options, context);
  }
};

class unsynced_folder final : public rocksdb::FSDirectory {
 public:
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
};

class working_file_system final : public rocksdb::FileSystemWrapper {
 public:
  working_file_system() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "freshet.working"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = target()->NewWritableFile(name, options, file, context);
    if (status.ok() && !holds_rows(name)) {
      *file = std::make_unique<unsynced_file>(std::move(*file));
    }
    return status;
  }
  // Only to sync files of rows that come from outside, and have been synced there.
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = target()->ReopenWritableFile(name, options, file, context);
    if (status.ok()) *file = std::make_unique<unsynced_file>(std::move(*file));
    return status;
  }
  rocksdb::IOStatus NewDirectory(const std::string&, const rocksdb::IOOptions&,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext*) override {
    *folder = std::make_unique<unsynced_folder>();
    return rocksdb::IOStatus::OK();
  }
};

}  // namespace

void horizon_board::set(const std::vector<state_horizon>& horizons) {
  auto next = std::make_shared<const std::vector<state_horizon>>(horizons);
  const std::lock_guard lock(mutex_);
  current_ = std::move(next);
}

horizon_board::snapshot horizon_board::get() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<rocksdb::CompactionFilterFactory> expiry_filter_factory(
    std::shared_ptr<const horizon_board> board) {
  return std::make_shared<filter_factory>(std::move(board));
}

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.info_log = std::make_shared<silent_logger>();
  options.paranoid_checks = true;
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.max_open_files = -1;  // Opening the database then looks at every file of it.
  options.max_background_jobs = 2;
  // Each commit is an entry there, and copies it.
  options.max_manifest_file_size = std::size_t{64} << 10;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(const table_use& use) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = use.cache;
  table.cache_index_and_filter_blocks = true;  // Else their memory grows with the state.
  table.block_size = std::size_t{use.looked_up ? 4U : 16U} << 10;
  if (use.looked_up) {
    constexpr double bits_per_key = 10;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bits_per_key));
    table.partition_filters = true;
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  }
  table.checksum = rocksdb::kXXH3;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = std::size_t{1} << 20;  // Never written to.
  options.target_file_size_base = file_bytes_max;
  // Commits are merged with each other long before they are with all rows there are, which few of
  // them would be worth. Rows that were replaced may take as much room as those that count.
  options.compaction_style = rocksdb::kCompactionStyleUniversal;
  options.compaction_options_universal.size_ratio = 10;  // Percent.
  options.compaction_options_universal.max_size_amplification_percent = 100;
  options.level0_file_num_compaction_trigger = files_until_compaction;
  options.level0_slowdown_writes_trigger = files_until_wait * 2;
  options.level0_stop_writes_trigger = files_until_wait * 4;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

absl::Status read_rows(rocksdb::DB& from, rocksdb::ColumnFamilyHandle* family,
                       std::span<const std::string_view> keys,
                       absl::FunctionRef<void(std::size_t index, std::string_view value)> row,
                       absl::FunctionRef<absl::Status(const rocksdb::Status&)> failed) {
  std::vector<rocksdb::Slice> wanted;
  for (const std::string_view key : keys) wanted.push_back(slice(key));
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> states(keys.size());
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  constexpr bool in_order = true;
  from.MultiGet(options, family, keys.size(), wanted.data(), values.data(), states.data(),
                in_order);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (states[i].IsNotFound()) continue;
    if (!states[i].ok()) return failed(states[i]);
    row(i, view(values[i]));
    values[i].Reset();
  }
  return absl::OkStatus();
}

absl::Status scan_rows(
    rocksdb::DB& from, rocksdb::ColumnFamilyHandle* family, std::string_view prefix,
    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row,
    absl::FunctionRef<absl::Status(const rocksdb::Status&)> failed) {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.readahead_size = std::size_t{256} << 10;  // For each of some dozen files.
  const std::unique_ptr<rocksdb::Iterator> rows(from.NewIterator(options, family));
  for (rows->Seek(slice(prefix)); rows->Valid() && view(rows->key()).starts_with(prefix);
       rows->Next()) {
    if (absl::Status status = row(view(rows->key()), view(rows->value())); !status.ok()) {
      return status;
    }
  }
  return rows->status().ok() ? absl::OkStatus() : failed(rows->status());
}

rocksdb::Env* working_environment() {
  // Databases may live until the process ends.
  static rocksdb::Env* const environment =
      rocksdb::NewCompositeEnv(std::make_shared<working_file_system>()).release();
  return environment;
}

std::string encode_numbered(std::uint64_t commit, std::string_view manifest) {
  return fmt::format("{}\n{}", commit, manifest);
}

std::optional<numbered_manifest> decode_numbered(std::string_view row) {
  numbered_manifest found;
  const char* const end = row.data() + row.size();
  const auto result = std::from_chars(row.data(), end, found.commit);
  if (result.ec != std::errc{} || result.ptr == end || *result.ptr != '\n') return std::nullopt;
  found.text.assign(result.ptr + 1, end);
  return found;
}

}  // namespace freshet::detail
