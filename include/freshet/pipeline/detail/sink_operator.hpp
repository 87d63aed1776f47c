// The end of a branch: hands batches to a sink and takes it through checkpoints. Internal.
//
// Threads: one task.
#pragma once

#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/sink.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A sink as the engine drives it.
class sink_base : public runtime_operator {
 public:
  /// Called first; changes nothing yet.
  virtual absl::Status open_sink() = 0;
  virtual bool can_roll_back() const = 0;
  virtual absl::Status start(std::optional<std::string_view> committed) = 0;
  virtual absl::Status commit(std::string_view token, bool last) = 0;
  virtual sink_guarantee guarantee() const = 0;
  /// From any thread, once the sink was started.
  virtual void interrupt() = 0;
  /// The token of the newest barrier.
  const std::string& token() const { return token_; }

  outlet_base& output(std::size_t) final;

 protected:
  /// Counts how long a marker was on its way.
  void record_latency(const control& marker) const;

  std::string token_;
};

template <class T, class Description>
class sink_operator final : public sink_base, public inlet<T> {
 public:
  sink_operator(Description description, std::vector<std::string> columns)
      : description_(std::move(description)), columns_(std::move(columns)) {}

  inlet_base& input(std::size_t) override { return *this; }

  absl::Status open_sink() override {
    absl::StatusOr<std::unique_ptr<sink<T>>> opened = description_.template open<T>(columns_);
    if (!opened.ok()) return opened.status();
    sink_ = *std::move(opened);
    return absl::OkStatus();
  }
  bool can_roll_back() const override { return sink_->can_roll_back(); }
  absl::Status start(std::optional<std::string_view> committed) override {
    return sink_->start(committed);
  }

  void consume(batch<T>& rows) override { share(rows); }

  void share(const batch<T>& rows) override {
    context().counters->take(rows.size(), bytes_of(rows));
    try {
      check(sink_->write(rows));
    } catch (const row_failure& failure) {
      fail_at_row(rows.positions[failure.row], failure);
    } catch (...) {
      fail_in_user_function(context().place, rows.positions.front());
    }
  }

  void signal(const control& what) override {
    if (what.what == control::kind::latency_marker) record_latency(what);
    if (what.what != control::kind::barrier) return;
    absl::StatusOr<std::string> token = sink_->prepare();
    check(token.status());
    token_ = *std::move(token);
  }

  absl::Status commit(std::string_view token, bool last) override {
    return sink_->commit(token, last);
  }
  sink_guarantee guarantee() const override { return sink_->guarantee(); }
  void interrupt() override { sink_->interrupt(); }

 private:
  [[noreturn]] void fail_at_row(const position& where, const row_failure& failure) const {
    try {
      failure.rethrow_nested();
    } catch (...) {
      fail_in_user_function(context().place, where);
    }
  }

  Description description_;
  std::vector<std::string> columns_;
  std::unique_ptr<sink<T>> sink_;
};

}  // namespace freshet::detail
