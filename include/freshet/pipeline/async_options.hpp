// Options of async_map. Plain values.
#pragma once

#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>

#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace freshet {

enum class async_order : std::uint8_t {
  ordered,    ///< Rows come in the order of their records: a slow answer delays those behind it.
  unordered,  ///< Rows come as answers do, but none overtakes a watermark.
};

enum class async_failure : std::uint8_t {
  dead_letter,  ///< The record goes to `.dead()`, counted, and the job goes on.
  fail_job,     ///< The job ends with a status that names the record.
};

/// Whether another attempt may help: UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED,
/// INTERNAL and UNKNOWN, as which exceptions count.
bool is_transient(const absl::Status& failure);

/// Durations are processing time.
struct async_options {
  /// So many questions are open at most. The operator takes no more records while it holds as many,
  /// so that memory is bounded by these and one batch; a slow service slows its source.
  std::size_t capacity = 100;
  async_order order = async_order::ordered;
  /// For how long an attempt may take. It cannot be waived: a service that hangs would stop the
  /// job.
  duration timeout = std::chrono::seconds(10);
  /// How often a record is asked for at most, the first attempt included.
  std::uint32_t attempts = 3;
  /// Before the second attempt; doubled for each further one, up to `retry_delay_max`. What is
  /// waited is drawn from the upper half of that, so that those that failed together do not come
  /// back together; the draw is a function of the record's position.
  duration retry_delay = std::chrono::milliseconds(100);
  duration retry_delay_max = std::chrono::seconds(10);
  /// After which failures there is another attempt.
  std::function<bool(const absl::Status&)> retry_when = is_transient;
  /// After so many failed attempts in a row nothing is asked for `breaker_open_for`, then one
  /// question tries whether the service is back. Records wait meanwhile: nothing is lost. 0: never.
  std::uint32_t breaker_failures = 0;
  duration breaker_open_for = std::chrono::seconds(5);
  async_failure on_failure = async_failure::dead_letter;
};

namespace detail {

/// What is wrong with `options`; empty when nothing is.
std::string wrong_in(const async_options& options);

/// How long to wait before attempt `next` (from 2 on) of what `seed` identifies.
duration retry_delay(const async_options& options, std::uint32_t next, std::uint64_t seed);

/// How a job ends for a record that has no answer after so many attempts.
absl::Status unanswered(const std::string& place, const position& where, std::uint32_t attempts,
                        const absl::Status& failure);
/// What its dead letter says.
std::string unanswered_reason(std::uint32_t attempts, const absl::Status& failure);

absl::Status no_answer_within(duration timeout);

/// As what the exception in flight counts.
absl::Status failure_of_exception();

}  // namespace detail

}  // namespace freshet
