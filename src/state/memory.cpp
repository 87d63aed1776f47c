#include <freshet/state/memory.hpp>

#include "state/changes.hpp"

#include <cassert>
#include <mutex>
#include <utility>

namespace freshet {
namespace {

class memory_state_backend final : public state_backend {
 public:
  explicit memory_state_backend(std::shared_ptr<memory_checkpoint> checkpoint)
      : checkpoint_(std::move(checkpoint)) {
    assert(checkpoint_ != nullptr);
  }

  absl::StatusOr<std::optional<std::string>> manifest() override { return checkpoint_->manifest; }
  bool commits_quickly() const override { return true; }

  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override {
    if (committed_) {
      return absl::FailedPreconditionError(
          "memory checkpoint: rows were asked for after a commit; scan before the first one");
    }
    const auto& rows = checkpoint_->rows;
    for (auto it = rows.lower_bound(prefix); it != rows.end() && it->first.starts_with(prefix);
         ++it) {
      if (absl::Status status = row(it->first, it->second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  bool reads_rows() const override { return true; }
  absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row) override {
    const std::lock_guard lock(rows_mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto found = checkpoint_->rows.find(keys[i]);
      if (found != checkpoint_->rows.end()) row(i, found->second);
    }
    return absl::OkStatus();
  }
  absl::Status scan_newest(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override {
    const std::lock_guard lock(rows_mutex_);
    const auto& rows = checkpoint_->rows;
    for (auto it = rows.lower_bound(prefix); it != rows.end() && it->first.starts_with(prefix);
         ++it) {
      if (absl::Status status = row(it->first, it->second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status commit(std::vector<state_change> changes, std::string_view manifest,
                      const std::vector<state_horizon>& horizons) override {
    if (absl::Status status = detail::sort_changes(changes); !status.ok()) return status;
    if (!checkpoint_->commit_failure.ok()) return checkpoint_->commit_failure;
    const std::lock_guard lock(rows_mutex_);
    auto& rows = checkpoint_->rows;
    for (state_change& change : changes) {
      if (change.value) {
        rows.insert_or_assign(std::move(change.key), *std::move(change.value));
      } else {
        rows.erase(change.key);
      }
    }
    std::erase_if(rows,
                  [&](const auto& row) { return is_expired(row.first, row.second, horizons); });
    checkpoint_->manifest.emplace(manifest);
    ++checkpoint_->commits;
    committed_ = true;
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<memory_checkpoint> checkpoint_;
  bool committed_ = false;
  std::mutex rows_mutex_;  ///< While rows are read by others than who commits.
};

}  // namespace

std::unique_ptr<state_backend> memory_backend(std::shared_ptr<memory_checkpoint> checkpoint) {
  return std::make_unique<memory_state_backend>(std::move(checkpoint));
}

}  // namespace freshet
