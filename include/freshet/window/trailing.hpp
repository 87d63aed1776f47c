// Trailing spans: for every record the time just before it, as velocity features want it.
//
// Unlike windows, trailing spans are not aligned: the span of length W of a record at `at` is
// `[at - W, at)`. One record has several, one for each length.
//
// Threads: immutable values, safe to share. Time: lengths are event time, in microseconds.
// Example: spans 1h and 24h of a payment at 12:30 are [11:30, 12:30) and [12:30 the day before,
// 12:30).
#pragma once

#include <freshet/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Further properties of a trailing span.
struct trailing_span_options {
  /// Keeps what is old in panes of this width (aligned to the epoch) instead of record by record,
  /// so that a long span of a busy key needs little memory. The span then begins at a multiple of
  /// it, `[floor(at - length), at)`; its end stays exact. Zero: exact, every record is kept.
  /// Otherwise positive and shorter than the length.
  duration resolution{0};
  /// What columns are called after, as in `payments_1h`; the length as text when empty.
  std::string name = {};
};

/// A span of event time before a record: `1h`, or `{7 * 24h, {.resolution = 1h}}`.
struct trailing_span {
  duration length{0};
  duration resolution{0};
  std::string name;

  trailing_span() = default;
  template <class Rep, class Period>
    requires std::is_convertible_v<std::chrono::duration<Rep, Period>, duration>
  trailing_span(std::chrono::duration<Rep, Period> of, trailing_span_options options = {})
      : length(of), resolution(options.resolution), name(std::move(options.name)) {}

  /// How columns name the span: its name, or the length in the largest unit of `d h min s ms us`
  /// that divides it, as in `90s`, `1h`, `7d`. A single day is `24h`.
  std::string label() const;

  /// What is wrong with it; empty when nothing is.
  std::string check() const;
};

/// When the row of a record is emitted, and so what it can know.
enum class emit : std::uint8_t {
  on_watermark,  ///< When the watermark has passed the record: from all records of its span. The
                 ///< same rows for every run over the same log.
  on_arrival,    ///< At once: from the records of its span that have come by then.
};

/// Options of `trailing`.
struct trailing_options {
  /// Lets a record see itself, and those of the same event time that stand before it in the order
  /// of the log: `[at - length, at]` instead of `[at - length, at)`.
  bool include_self = false;
  freshet::emit emit = freshet::emit::on_watermark;
  /// How far (in event time) a record may be behind its entry frontier and still be used. What is
  /// further behind is late. Not negative.
  duration allowed_lateness{0};
};

namespace detail {

/// `<aggregate>_<span>` for every span and, within a span, every aggregate.
std::vector<std::string> trailing_columns(const std::vector<trailing_span>& spans,
                                          const std::vector<std::string>& aggregates);

/// What is wrong with the columns of a row; empty when nothing is.
std::string check_trailing_columns(const std::vector<std::string>& columns);

/// The fingerprint of the state of `trailing`.
std::string describe_trailing(const std::vector<trailing_span>& spans,
                              const trailing_options& options, const std::string& key,
                              const std::string& aggregates);

}  // namespace detail

}  // namespace freshet
