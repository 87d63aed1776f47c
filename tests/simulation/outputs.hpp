// What the sinks of a simulation have taken: it survives jobs that are killed, and gives back what
// was not committed.
//
// Threads: one sink is used by one thread at a time; read it after the job has ended. Memory: every
// row.
#pragma once

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

class event_sink final : public sink<event> {
 public:
  explicit event_sink(std::shared_ptr<std::vector<event>> rows) : rows_(std::move(rows)) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  absl::Status start(std::optional<std::string_view> committed) override {
    const std::size_t keep = committed ? std::stoull(std::string(*committed)) : 0;
    if (keep > rows_->size()) return absl::DataLossError("simulation: committed rows are gone");
    rows_->resize(keep);
    return absl::OkStatus();
  }
  absl::Status write(const batch<event>& rows) override {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      // Every function of a plan writes the event time into the row, too.
      if (rows.times.size() <= i || rows.times[i] != rows.values[i].at) {
        return absl::InternalError("simulation: a row has lost its event time");
      }
      rows_->push_back(rows.values[i]);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::to_string(rows_->size()); }
  absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }

 private:
  std::shared_ptr<std::vector<event>> rows_;
};

struct keep_in {
  std::shared_ptr<std::vector<event>> rows;

  template <std::same_as<event> T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>&) const {
    return std::make_unique<event_sink>(rows);
  }
};

}  // namespace freshet::simulated
