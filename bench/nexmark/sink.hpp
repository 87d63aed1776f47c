// A sink that adds up the rows of a query.
//
// Exactly once: the sums are its token, and so a part of every commit; a job that goes on after a
// crash goes on with the sums of the rows that it had committed. With the last commit the answer is
// put into a file as a whole, for runs that find their job finished.
#pragma once

#include "answer.hpp"

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexmark {

namespace fr = freshet;

/// Replaces the file `path` by one with this answer, all or nothing, durably. `of`: which query
/// over which log.
absl::Status save_answer(const std::string& path, const std::string& of, const answer& all);

/// Reads it back. Errors: NotFound without a file, FailedPrecondition when it is that of another
/// query or log, DataLoss when it is damaged.
absl::StatusOr<answer> load_answer(const std::string& path, const std::string& of);

/// Where the rows of a query go.
struct summing {
  bool hashed = true;                ///< With the checksum, else with the digest.
  std::shared_ptr<answer> all = {};  ///< Filled in when the job has finished.
  std::string path = {};             ///< Of the file for the answer; empty for none.
  std::string of = {};               ///< What the file says whose answer it is.
  std::string folder = {};           ///< For the files of q10.

  template <class Row>
  absl::StatusOr<std::unique_ptr<fr::sink<Row>>> open(const std::vector<std::string>&) const;
};

namespace detail {

template <class Row>
class summing_sink final : public fr::sink<Row> {
 public:
  explicit summing_sink(summing to) : to_(std::move(to)) {}

  fr::sink_guarantee guarantee() const override { return fr::sink_guarantee::exactly_once; }
  bool can_roll_back() const override { return true; }

  absl::Status start(std::optional<std::string_view> committed) override {
    if (!committed) return absl::OkStatus();
    absl::StatusOr<answer> sums = fr::from_bytes<answer>(*committed);
    if (!sums.ok()) return sums.status();
    sums_ = *sums;
    return absl::OkStatus();
  }

  absl::Status write(const fr::batch<Row>& rows) override {
    sums_.rows += rows.size();
    if (to_.hashed) {
      for (const Row& row : rows.values) sums_.checksum += row_hash(row);
    } else {
      std::uint64_t digest = 0;
      for (const Row& row : rows.values) digest += row_digest(row);
      sums_.digest += digest;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> prepare() override { return fr::to_bytes(sums_); }

  absl::Status commit(std::string_view token, bool last) override {
    if (!last) return absl::OkStatus();
    const absl::StatusOr<answer> sums = fr::from_bytes<answer>(token);
    if (!sums.ok()) return sums.status();
    *to_.all = *sums;
    return to_.path.empty() ? absl::OkStatus() : save_answer(to_.path, to_.of, *sums);
  }

 private:
  summing to_;
  answer sums_;
};

}  // namespace detail

template <class Row>
absl::StatusOr<std::unique_ptr<fr::sink<Row>>> summing::open(
    const std::vector<std::string>&) const {
  return std::make_unique<detail::summing_sink<Row>>(*this);
}

}  // namespace nexmark
