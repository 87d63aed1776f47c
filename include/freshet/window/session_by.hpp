// Session windows whose gap each record brings along.
//
// Time: a record opens `[at, at + gap)` with a gap of its own; a session ends at the furthest of
// these ends. Order: as for `session`, the order of assembly does not matter. Threads: immutable
// value, safe to share if the function is. Memory: none.
// Example: gaps 100, 5 and 10 s at seconds 0, 20 and 70 make one session, [0, 100).
#pragma once

#include <freshet/core/detail/optional.hpp>
#include <freshet/core/fields.hpp>
#include <freshet/core/time.hpp>
#include <freshet/window/assigner.hpp>

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

namespace detail {

/// A length of time, or an optional one, that `saturating_duration` takes.
template <class R>
concept gap_like =
    requires(const typename without_optional<R>::type& gap) { saturating_duration(gap); };

/// Whether `F` gives a gap for a record of type `T`.
template <class F, class T>
concept gap_of = std::is_invocable_v<const F&, const T&> &&
                 gap_like<std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>>;

}  // namespace detail

/// What `session_by` returns.
template <class F>
struct record_session {
  F gap;

  static constexpr bool merges = true;

  /// Appends one span, or none for a record without a gap.
  template <class T>
    requires detail::gap_of<F, T>
  void assign(timestamp at, const T& record, std::vector<window_span>& out) const {
    const auto& given = std::invoke(gap, record);
    duration length{0};
    if constexpr (detail::is_optional<std::remove_cvref_t<decltype(given)>>) {
      if (given) length = saturating_duration(*given);
    } else {
      length = saturating_duration(given);
    }
    // A span that ends where it begins holds nothing, not even its record.
    if (length > duration::zero()) out.push_back({at, saturating_add(at, length)});
  }

  /// `session by gap`, with the name of a described member; functions all look alike.
  std::string describe() const {
    if constexpr (std::is_member_object_pointer_v<F>) {
      if (const auto name = member_name(gap); !name.empty()) {
        return "session by " + std::string(name);
      }
    }
    return "session by a function";
  }
  std::string check() const { return {}; }
};

/// Sessions with the gap `gap_of(record)`: a member pointer, or a function callable as const, that
/// gives any `std::chrono` length of whole microseconds, or an optional one.
/// \note   A record whose gap is absent, zero or negative has no span: it is counted as unassigned
///         and in no session. It is neither late nor an error.
/// \note   A changed function is not noticed when a checkpoint is resumed.
/// \source Flink's EventTimeSessionWindows.withDynamicGap, which fails the job for a gap of zero.
template <class F>
record_session<F> session_by(F gap_of) {
  static_assert(std::copy_constructible<F>,
                "freshet: session_by needs a function that can be copied, because every task gets "
                "a copy");
  return {std::move(gap_of)};
}

}  // namespace freshet
