// Window assigners: which spans of event time a record belongs to.
//
// An assigner is an immutable value; an application's own type is as good as ours
// (`window_assigner` and `window_assigner_of` are open concepts). Spans are half-open, `[begin,
// end)`, and saturate at the ends of time. Safe to share between threads; no memory of its own.
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

namespace detail {

/// What an assigner offers whatever the records are.
template <class A>
concept assigner_parts = std::copy_constructible<A> && requires(const A& assigner) {
  { A::merges } -> std::convertible_to<bool>;
  { assigner.describe() } -> std::convertible_to<std::string>;
  { assigner.check() } -> std::convertible_to<std::string>;
};

template <class A>
concept assigns_by_time = requires(const A& assigner, timestamp at, std::vector<window_span>& out) {
  assigner.assign(at, out);
};

template <class A, class T>
concept assigns_by_record =
    requires(const A& assigner, timestamp at, const T& record, std::vector<window_span>& out) {
      assigner.assign(at, record, out);
    };

}  // namespace detail

/// What a type must offer to be used in `window(...)`, whatever the records are.
///
/// - `assign(at, out)` appends the spans that hold `at`, possibly none, each with
///   `begin <= at < end` (but for saturation at the end of time). It must depend on `at` alone. See
///   `window_assigner_of` for spans that depend on the record.
/// - `static constexpr bool merges`: whether overlapping spans of one key grow together (sessions).
///   A merging assigner gives exactly one span per record (one that sees the record may give none),
///   and never one that reaches back over the end of an earlier one, which may be closed: a span
///   that ends at t overlaps no span of an event time at or after t.
/// - `static constexpr bool partitions`, optional: that every event time has exactly one span, and
///   that the spans do not overlap. `window` then asks once per run of records in one span.
/// - `describe()`: the parameters as text, `tumbling 10min`; part of the checkpoint's fingerprint.
/// - `check()`: empty when the parameters are usable; otherwise what was found, what was wanted and
///   what to do, which `window` throws as `std::invalid_argument`.
template <class A>
concept window_assigner = detail::assigner_parts<A> && detail::assigns_by_time<A>;

/// What a type must offer to be used in `window(...)` over records of type `T`: a
/// `window_assigner`, or one with `assign(at, record, out)` in place of `assign(at, out)`, whose
/// spans depend on event time and record alone. Where both are there, the record is shown.
template <class A, class T>
concept window_assigner_of =
    detail::assigner_parts<A> && (detail::assigns_by_record<A, T> || detail::assigns_by_time<A>);

/// Appends the spans of a record, which holds at `at`.
template <class T, window_assigner_of<T> A>
void assign_record(const A& assigner, timestamp at, const T& record,
                   std::vector<window_span>& out) {
  if constexpr (detail::assigns_by_record<A, T>) {
    assigner.assign(at, record, out);
  } else {
    assigner.assign(at, out);
  }
}

/// Whether `A` says that its spans part all of time among them.
template <class A>
inline constexpr bool partitions_time = false;
template <class A>
  requires requires { A::partitions; }
inline constexpr bool partitions_time<A> = A::partitions && !A::merges;

}  // namespace freshet
