// Where a job of a simulation dies while it commits: a crash point has a name, and the job passes
// it again and again.
//
// Threads: points are passed from any.
#pragma once

#include <freshet/state/backend.hpp>

#include <absl/status/status.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::simulated {

/// In the order in which a commit passes them. With n sinks it passes those of sinks n times, so
/// that a crash may come when k of them have done their part.
enum class crash_point : std::uint8_t {
  before_prepare,  ///< A sink is to make its rows durable.
  after_prepare,   ///< It has, and its token goes into the snapshot.
  before_ingest,   ///< All parts are there, and nothing is durable.
  after_ingest,    ///< The commit stands, and nobody knows.
  before_publish,  ///< A sink is to publish what is committed.
  after_publish,   ///< It has.
};

inline constexpr std::array<std::string_view, 6> crash_point_names = {
    "before prepare", "after prepare",  "before ingest",
    "after ingest",   "before publish", "after publish"};

/// One death. What is called after it does nothing: the process is gone.
class crash {
 public:
  /// Dies at the `times`th pass of `at`, from 1. \pre nothing has been passed.
  void plan(crash_point at, std::size_t times) {
    at_ = at;
    left_ = times;
  }
  bool planned() const { return left_ > 0 || happened_; }
  bool happened() const { return happened_; }

  absl::Status pass(crash_point here) {
    if (!happened_ && here == at_ && left_ > 0 && --left_ == 0) happened_ = true;
    return alive();
  }
  absl::Status alive() const {
    return happened_ ? absl::AbortedError("simulation: crashed") : absl::OkStatus();
  }

 private:
  crash_point at_{};
  std::atomic<std::size_t> left_{0};
  std::atomic<bool> happened_{false};
};

/// A backend whose process may die around its atomic step.
class crashing_backend final : public state_backend {
 public:
  crashing_backend(std::unique_ptr<state_backend> durable, std::shared_ptr<crash> when)
      : durable_(std::move(durable)), crash_(std::move(when)) {}

  absl::StatusOr<std::optional<std::string>> manifest() override { return durable_->manifest(); }
  absl::Status scan(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override {
    return durable_->scan(prefix, row);
  }
  bool reads_rows() const override { return durable_->reads_rows(); }
  absl::Status read_rows(
      std::span<const std::string_view> keys,
      absl::FunctionRef<void(std::size_t index, std::string_view value)> row) override {
    return durable_->read_rows(keys, row);
  }
  absl::Status scan_newest(
      std::string_view prefix,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> row) override {
    return durable_->scan_newest(prefix, row);
  }
  absl::Status commit(std::vector<state_change> changes, std::string_view manifest,
                      const std::vector<state_horizon>& horizons) override {
    absl::Status done = crash_->pass(crash_point::before_ingest);
    if (done.ok()) done = durable_->commit(std::move(changes), manifest, horizons);
    if (done.ok()) done = crash_->pass(crash_point::after_ingest);
    return done;
  }

 private:
  std::unique_ptr<state_backend> durable_;
  std::shared_ptr<crash> crash_;
};

}  // namespace freshet::simulated
