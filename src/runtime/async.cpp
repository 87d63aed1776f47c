#include <freshet/pipeline/async_options.hpp>
#include <freshet/pipeline/retry.hpp>

#include <fmt/format.h>

namespace freshet {

bool is_transient(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

namespace detail {

std::string wrong_in(const async_options& options) {
  if (options.capacity == 0)
    return "capacity is 0, so that nothing could be asked; give at least 1";
  if (options.attempts == 0)
    return "attempts is 0, so that nothing would be asked; give at least 1";
  if (options.timeout <= duration::zero()) return "timeout is not positive; give one that is";
  if (options.retry_delay < duration::zero() || options.retry_delay_max < options.retry_delay) {
    return "retry_delay is negative or beyond retry_delay_max; give one in between";
  }
  if (options.breaker_failures > 0 && options.breaker_open_for <= duration::zero()) {
    return "breaker_open_for is not positive; give one that is, or breaker_failures = 0";
  }
  if (!options.retry_when) return "retry_when is empty; give a function, or attempts = 1";
  return {};
}

duration retry_delay(const async_options& options, std::uint32_t next, std::uint64_t seed) {
  return delay_before({.delay = options.retry_delay, .delay_max = options.retry_delay_max}, next,
                      seed);
}

absl::Status unanswered(const std::string& place, const position& where, std::uint32_t attempts,
                        const absl::Status& failure) {
  return absl::Status(
      failure.code(),
      fmt::format("{}: record {} of split {} has no answer after {} attempts, the last of which "
                  "failed ({}); see to the service, or let such records be dead letters",
                  place, where.sequence, where.split, attempts, failure.ToString()));
}

std::string unanswered_reason(std::uint32_t attempts, const absl::Status& failure) {
  return fmt::format("no answer after {} {} ({})", attempts, attempts == 1 ? "attempt" : "attempts",
                     failure.ToString());
}

absl::Status no_answer_within(duration timeout) {
  return absl::DeadlineExceededError(fmt::format("no answer within {}", to_text(timeout)));
}

absl::Status failure_of_exception() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    return absl::UnknownError(thrown.what());
  } catch (...) {
    return absl::UnknownError("an exception that is no std::exception");
  }
}

}  // namespace detail

}  // namespace freshet
