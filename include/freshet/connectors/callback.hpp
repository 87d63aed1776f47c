// A sink that calls a function for every row, in the job's thread.
//
// At-least-once: rows since the last commit are delivered again after a crash. The function must
// not block for long: the pipeline waits for it.
#pragma once

#include <freshet/pipeline/sink.hpp>

#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

template <class T, class F>
class callback_sink final : public sink<T> {
 public:
  explicit callback_sink(F f) : f_(std::move(f)) {}

  sink_guarantee guarantee() const override { return sink_guarantee::at_least_once; }
  absl::Status start(std::optional<std::string_view>) override { return absl::OkStatus(); }
  absl::Status write(const batch<T>& rows) override {
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        if (interrupted_.load(std::memory_order_relaxed)) {
          return absl::DeadlineExceededError(
              "callback: interrupted between two rows, because the job was not complete in time "
              "after stop or drain; the last commit stands");
        }
        std::invoke(f_, rows.values[row]);
      }
    } catch (...) {
      throw row_failure(row);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> prepare() override { return std::string(); }
  absl::Status commit(std::string_view, bool) override { return absl::OkStatus(); }
  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }

 private:
  F f_;
  std::atomic<bool> interrupted_{false};
};

template <class F>
struct callback_description {
  F f;

  template <class T>
  absl::StatusOr<std::unique_ptr<sink<T>>> open(const std::vector<std::string>&) const {
    static_assert(std::is_invocable_v<F&, const T&>,
                  "freshet: callback needs a function of one row (const row&)");
    return std::make_unique<callback_sink<T, F>>(f);
  }
};

}  // namespace detail

/// Calls `f(row)` for every row. An exception ends the job with a status.
template <class F>
auto callback(F f) {
  return detail::callback_description<F>{std::move(f)};
}

}  // namespace freshet
