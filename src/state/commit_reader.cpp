#include "state/commit_reader.hpp"

#include "state/rocksdb_setup.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <exception>
#include <utility>
#include <vector>

namespace freshet::detail {
namespace {

class rocksdb_reader final : public commit_reader {
 public:
  explicit rocksdb_reader(commit_listing listing) : listing_(std::move(listing)) {}
  ~rocksdb_reader() override {
    if (database_ == nullptr) return;
    database_->DestroyColumnFamilyHandle(state_rows_);
    database_->DestroyColumnFamilyHandle(manifest_rows_);
  }

  absl::Status open_database(const std::filesystem::path& folder, const table_use& use) {
    const rocksdb::ColumnFamilyOptions family = family_options(use);
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* database = nullptr;
    const rocksdb::Status opened = rocksdb::DB::OpenForReadOnly(
        database_options(), folder.string(),
        {{rocksdb::kDefaultColumnFamilyName, family}, {manifest_family, family}}, &handles,
        &database);
    if (!opened.ok()) return unreadable(opened);
    database_.reset(database);
    state_rows_ = handles[0];
    manifest_rows_ = handles[1];
    return read_manifest();
  }

  const commit_listing& listing() const override { return listing_; }
  const std::string& manifest() const override { return manifest_; }

  absl::Status scan(std::string_view prefix,
                    absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)>
                        row) const override {
    return scan_rows(*database_, state_rows_, prefix, row, unreadable);
  }
  absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row) const override {
    return detail::read_rows(*database_, state_rows_, keys, row, unreadable);
  }

 private:
  static absl::Status unreadable(const rocksdb::Status& status) {
    const std::string text = fmt::format("its database cannot be read ({})", status.ToString());
    // What a file should be there for and is not, or should say and does not, is lost.
    const bool lost = status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
                      status.IsInvalidArgument() || status.IsNotSupported();
    return lost ? absl::DataLossError(text) : absl::UnavailableError(text);
  }

  absl::Status read_manifest() {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    std::string row;
    const rocksdb::Status found = database_->Get(options, manifest_rows_, manifest_key, &row);
    if (!found.ok()) return unreadable(found);
    std::optional<numbered_manifest> decoded = decode_numbered(row);
    if (!decoded || decoded->commit != listing_.number) {
      return absl::DataLossError("its database is not that of the commit");
    }
    manifest_ = std::move(decoded->text);
    return absl::OkStatus();
  }

  commit_listing listing_;
  std::string manifest_;
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* state_rows_ = nullptr;  // Both belong to database_.
  rocksdb::ColumnFamilyHandle* manifest_rows_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<commit_reader>> commit_reader::open(
    const std::filesystem::path& folder, std::size_t cache_bytes, bool looked_up) {
  absl::StatusOr<commit_listing> listing = read_listing(folder);
  if (!listing.ok()) return listing.status();
  if (absl::Status whole = verify_listed(folder, *listing); !whole.ok()) return whole;
  try {
    const table_use use{rocksdb::NewLRUCache(cache_bytes), looked_up};
    auto reader = std::make_unique<rocksdb_reader>(*std::move(listing));
    if (absl::Status opened = reader->open_database(folder, use); !opened.ok()) {
      return opened;
    }
    return reader;
  } catch (const std::exception& thrown) {
    return absl::ResourceExhaustedError(fmt::format("the system gave out ({})", thrown.what()));
  }
}

}  // namespace freshet::detail
