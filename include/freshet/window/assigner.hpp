// Window assigners: which spans of event time a record belongs to.
//
// An assigner is an immutable value; an application's own type is as good as ours
// (`window_assigner` is an open concept). Spans are half-open, `[begin, end)`, and saturate at the
// ends of time.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <compare>
#include <concepts>
#include <string>
#include <vector>

namespace freshet {

/// A half-open span of event time, `[begin, end)`.
struct window_span {
  timestamp begin = timestamp_min;
  timestamp end = timestamp_max;

  friend constexpr bool operator==(const window_span&, const window_span&) = default;
  /// By end, then begin: the order in which windows fire.
  friend constexpr std::strong_ordering operator<=>(const window_span& a, const window_span& b) {
    if (const auto by_end = a.end <=> b.end; by_end != 0) return by_end;
    return a.begin <=> b.begin;
  }
};
BOOST_DESCRIBE_STRUCT(window_span, (), (begin, end))

/// What a type must offer to be used in `window(...)`.
///
/// - `assign(at, out)` appends the spans that hold `at`, possibly none, each with
///   `begin <= at < end` (but for saturation at the end of time). It must depend on `at` alone.
/// - `static constexpr bool merges`: whether overlapping spans of one key grow together (sessions).
///   A merging assigner gives exactly one span per record.
/// - `describe()`: the parameters as text, `tumbling 10min`; part of the checkpoint's fingerprint.
/// - `check()`: empty when the parameters are usable; otherwise what was found, what was wanted and
///   what to do, which `window` throws as `std::invalid_argument`.
template <class A>
concept window_assigner = std::copy_constructible<A> &&
                          requires(const A& assigner, timestamp at, std::vector<window_span>& out) {
                            { A::merges } -> std::convertible_to<bool>;
                            assigner.assign(at, out);
                            { assigner.describe() } -> std::convertible_to<std::string>;
                            { assigner.check() } -> std::convertible_to<std::string>;
                          };

}  // namespace freshet
