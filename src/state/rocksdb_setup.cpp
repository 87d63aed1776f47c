#include "state/rocksdb_setup.hpp"

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/file_system.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
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

// A file system that keeps files of rows shut until it is told otherwise.
class shut_file_system final : public rocksdb::FileSystemWrapper {
 public:
  shut_file_system() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "freshet.shut"; }
  void unlock() { shut_ = false; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    if (shut_) return rocksdb::IOStatus::IOError("not verified yet");
    return target()->NewRandomAccessFile(name, options, file, context);
  }

 private:
  std::atomic<bool> shut_ = true;  // RocksDB opens files on threads of its own.
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
  options.max_manifest_file_size = std::size_t{1} << 20;  // Each commit is an entry there.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;  // Else their memory grows with the state.
  table.block_size = std::size_t{16} << 10;    // Rows are scanned, never looked up.
  table.checksum = rocksdb::kXXH3;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = std::size_t{1} << 20;  // Never written to.
  options.target_file_size_base = file_bytes_max;
  options.level_compaction_dynamic_level_bytes = true;
  options.level0_file_num_compaction_trigger = files_until_compaction;
  options.level0_slowdown_writes_trigger = files_until_wait * 2;
  options.level0_stop_writes_trigger = files_until_wait * 4;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

rocksdb::Status verify_files(const std::string& path,
                             const std::vector<rocksdb::ColumnFamilyDescriptor>& families) {
  const auto files = std::make_shared<shut_file_system>();
  const std::unique_ptr<rocksdb::Env> environment = rocksdb::NewCompositeEnv(files);
  rocksdb::DBOptions options = database_options();
  options.env = environment.get();
  // Only so does the database open without its files of rows. It is closed again, and what is not
  // about those files is found when it is opened for good.
  options.paranoid_checks = false;
  options.skip_stats_update_on_db_open = true;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, families, &handles, &opened);
  if (!status.ok()) return status;
  const std::unique_ptr<rocksdb::DB> database(opened);
  files->unlock();
  status = database->VerifyFileChecksums(rocksdb::ReadOptions());
  for (rocksdb::ColumnFamilyHandle* handle : handles) database->DestroyColumnFamilyHandle(handle);
  return status;
}

}  // namespace freshet::detail
