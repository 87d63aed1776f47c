// What the sinks of a simulation have taken: it survives jobs that are killed, and gives back what
// was not committed. Rows are durable when they are prepared, and visible when they are published.
//
// Threads: one sink is used by one thread at a time; read it after the job has ended. Memory: every
// row.
#pragma once

#include "simulation/crash.hpp"
#include "simulation/event.hpp"

#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::simulated {

/// What one sink keeps over all jobs.
struct kept_rows {
  std::vector<event> rows;
  std::size_t published = 0;  ///< So many of them can be seen, for good.
};

class event_sink final : public sink<event> {
 public:
  event_sink(std::shared_ptr<kept_rows> kept, std::shared_ptr<crash> when)
      : kept_(std::move(kept)), crash_(std::move(when)) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  absl::Status start(std::optional<std::string_view> committed) override {
    const std::size_t keep = committed ? count_of(*committed) : 0;
    if (keep > kept_->rows.size()) {
      return absl::DataLossError("simulation: committed rows are gone");
    }
    if (keep < kept_->published) {
      return absl::DataLossError("simulation: rows were published before they were committed");
    }
    kept_->rows.resize(keep);
    return absl::OkStatus();
  }
  absl::Status write(const batch<event>& rows) override {
    if (absl::Status alive = crash_->alive(); !alive.ok()) return alive;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      // Every function of a plan writes the event time into the row, too.
      if (rows.times.size() <= i || rows.times[i] != rows.values[i].at) {
        return absl::InternalError("simulation: a row has lost its event time");
      }
      kept_->rows.push_back(rows.values[i]);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override {
    absl::Status alive = crash_->pass(crash_point::before_prepare);
    if (alive.ok()) alive = crash_->pass(crash_point::after_prepare);
    if (!alive.ok()) return alive;
    return std::to_string(kept_->rows.size());
  }
  absl::Status commit(std::string_view token, bool last) override {
    if (absl::Status alive = crash_->pass(crash_point::before_publish); !alive.ok()) return alive;
    const std::size_t count = count_of(token);
    if (count < kept_->published) return absl::InternalError("simulation: published out of order");
    if (last && count != kept_->rows.size()) {
      return absl::InternalError("simulation: rows after the last commit");
    }
    kept_->published = count;
    return crash_->pass(crash_point::after_publish);
  }

 private:
  static std::size_t count_of(std::string_view token) { return std::stoull(std::string(token)); }

  std::shared_ptr<kept_rows> kept_;
  std::shared_ptr<crash> crash_;
};

struct keep_in {
  std::shared_ptr<kept_rows> kept;
  std::shared_ptr<simulated::crash> when;

  template <std::same_as<event> T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<event_sink>(kept, when);
  }
};

}  // namespace freshet::simulated
