// The sink behind harness::collect: keeps rows as a file would, exactly once. Internal.
//
// Threads: the test's. Memory: every row.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/columns.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

namespace testing {

/// A row as it arrived at the end of a stream.
template <class T>
struct collected_row {
  T value;
  timestamp at = timestamp_min;  ///< Its event time; `timestamp_min` in a stream without.
  /// What its split had promised before its record came, when that was more than its event time:
  /// the row is behind. Nothing for a row that is on time.
  std::optional<timestamp> entry_frontier = std::nullopt;

  friend bool operator==(const collected_row&, const collected_row&) = default;
};

}  // namespace testing

/// For messages.
template <class T>
struct columns<testing::collected_row<T>> {
  static std::vector<std::string> names() { return {"value", "at", "entry_frontier"}; }
  template <class F>
  static void visit(const testing::collected_row<T>& row, F&& f) {
    f(row.value);
    f(row.at);
    f(row.entry_frontier);
  }
};

namespace detail {

/// What a collecting sink has taken, as far as its rows do not matter.
class collected_base {
 public:
  virtual ~collected_base() = default;

  /// Goes back to the first `rows` rows. Empty, when that is possible, else what is wrong.
  std::string start(std::uint64_t rows);
  void publish(std::uint64_t rows) { published_ = std::max(published_, rows); }
  /// Takes back what no commit holds.
  void take_back() { cut(static_cast<std::size_t>(published_ - first_)); }
  /// Counts from the beginning of the job, also where another harness took the first rows.
  std::uint64_t end() const { return first_ + kept(); }

 protected:
  virtual std::size_t kept() const = 0;
  virtual void cut(std::size_t rows) = 0;

 private:
  std::uint64_t first_ = 0;
  std::uint64_t published_ = 0;
  bool started_ = false;
};

template <class T>
class collected_rows final : public collected_base {
 public:
  /// `timed`: whether the rows have event times.
  explicit collected_rows(bool timed) : timed_(timed) {}
  bool timed() const { return timed_; }

  void append(const batch<T>& rows) {
    std::size_t behind = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      testing::collected_row<T> one{rows.values[row]};
      if (!rows.times.empty()) one.at = rows.times[row];
      if (behind < rows.behind.size() && rows.behind[behind].row == row) {
        one.entry_frontier = rows.behind[behind++].entry_frontier;
      }
      rows_.push_back(std::move(one));
    }
  }
  const std::vector<testing::collected_row<T>>& rows() const { return rows_; }

  /// How many rows a reader has taken; a kill does not give them back.
  std::size_t taken = 0;

 private:
  std::size_t kept() const override { return rows_.size(); }
  void cut(std::size_t rows) override {
    rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(rows), rows_.end());
  }

  bool timed_;
  std::vector<testing::collected_row<T>> rows_;
};

/// A number written by `std::to_string`; nothing when it is anything else.
std::optional<std::uint64_t> parse_token(std::string_view text);

template <class T>
class collecting_sink final : public sink<T> {
 public:
  explicit collecting_sink(std::shared_ptr<collected_rows<T>> to) : to_(std::move(to)) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  bool can_roll_back() const override { return true; }
  absl::Status start(std::optional<std::string_view> committed) override {
    const std::optional<std::uint64_t> rows = committed ? parse_token(*committed) : 0;
    const std::string wrong = rows ? to_->start(*rows) : "its token is not a number";
    return wrong.empty() ? absl::OkStatus() : absl::DataLossError("harness output: " + wrong);
  }
  absl::Status write(const batch<T>& rows) override {
    to_->append(rows);
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::to_string(to_->end()); }
  absl::Status commit(std::string_view token, bool) override {
    if (const auto rows = parse_token(token)) to_->publish(*rows);
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<collected_rows<T>> to_;
};

template <class T>
struct collecting_description {
  std::shared_ptr<collected_rows<T>> to;

  template <class Row>
  absl::StatusOr<std::unique_ptr<sink<Row>>> open(const std::vector<std::string>&) const {
    return std::make_unique<collecting_sink<Row>>(to);
  }
};

}  // namespace detail

}  // namespace freshet
