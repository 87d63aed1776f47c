// A sink of q10: the bids of each minute in a file of their own, `<day>/<hour>:<minute>.csv`.
//
// Exactly once: its token is how long every file is; `start` cuts files back to that, and removes
// those that the token does not know. `prepare` makes what was written durable. Rows of a minute
// may come at any time, and in any order. Memory: a buffer for each minute that has got rows since
// the last `prepare`, which is written out at 64 KiB.
#pragma once

#include "rows.hpp"

#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexmark {

class minute_files_sink final : public fr::sink<q18_row> {
 public:
  explicit minute_files_sink(std::string folder) : folder_(std::move(folder)) {}

  fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::exactly_once; }
  bool can_roll_back() const override { return true; }
  absl::Status start(std::optional<std::string_view> committed) override;
  absl::Status write(const fr::batch<q18_row>& rows) override;
  absl::StatusOr<std::string> prepare() override;
  absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }

 private:
  struct file_part {
    std::uint64_t bytes = 0;  ///< In the file.
    std::string buffered;
    bool changed = false;  ///< Since the last `prepare`.
  };

  absl::Status cut_back() const;
  absl::Status append(const std::string& name, file_part& to) const;

  std::string folder_;
  std::map<std::string, file_part> parts_;  ///< By file name below the folder.
  fr::timestamp minute_ = fr::timestamp_min;
  file_part* current_ = nullptr;  ///< That of `minute_`.
};

/// What `to` takes. `folder` is made when it is not there.
struct minute_files {
  std::string folder;

  template <class Row>
  absl::StatusOr<std::unique_ptr<fr::sink<Row>>> open(const std::vector<std::string>&) const {
    return std::make_unique<minute_files_sink>(folder);
  }
};

}  // namespace nexmark
