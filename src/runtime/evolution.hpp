// State that an earlier build of the application wrote in another layout.
//
// What is found is converted row by row while it is restored. The first commit of the run writes
// every row of such a state, also those that have not changed since: a directory never holds rows
// of two layouts, and until that commit the earlier build can go on from it. Immutable, but for
// `rewrite`, which belongs to whoever commits.
#pragma once

#include "change_log.hpp"
#include "manifest.hpp"

#include <freshet/core/schema.hpp>
#include <freshet/state/backend.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

class state_conversion {
 public:
  /// Errors: FailedPrecondition, of the form "rows of format [...], ...", when the layouts differ
  /// in more than schema.hpp allows.
  static absl::StatusOr<state_conversion> make(const operator_record& found,
                                               const state_layout& wanted);

  /// Whether the layouts are the same.
  bool identical() const { return identical_; }

  /// Errors of both: DataLoss.
  absl::StatusOr<std::string> summary(std::string_view bytes) const;
  /// `key`: as its operator knows it.
  absl::StatusOr<std::string> row(std::string_view key, std::string_view value) const;

  /// Adds to `others` every row of the state that is not among `changes`, which ascend by key.
  /// \cost All rows of the state, once.
  absl::Status rewrite(state_backend& backend, std::span<const state_change_view> changes,
                       std::vector<state_change>& others) const;

 private:
  struct row_conversion {
    std::string tag;
    value_converter convert;
  };

  std::uint32_t state_ = 0;
  bool identical_ = true;
  std::optional<value_converter> summary_;
  std::vector<row_conversion> rows_;
};

}  // namespace freshet::detail
