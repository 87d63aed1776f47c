// Watermarks: how a split's frontier follows its records, and how frontiers combine.
//
// A watermark is an *exclusive frontier*: `t` promises no more records with event time < t.
// Frontiers never go back. Plain values, used by one thread at a time; O(1) per record.
// Which generator for which source: `ascending` where every split is in order, `bounded_disorder`
// where records come late by at most a known time, `punctuated` where the records themselves tell.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// What a type must offer to generate watermarks in `event_time(...)`: an immutable description
/// with a checkpointable `state` per split.
/// - `observe(state, at)` or `observe(state, at, record)`: a record of the split. Returns nothing,
///   or a bool: false when the record promised less than is promised already, so that its promise
///   was ignored (counted as `regressed`). Where both can be called, the one with the record is.
/// - `frontier(state)`: the promise after the records so far, never less than it was before;
///   `timestamp_min` before the first record.
/// - `describe()`, `check()`: as for window assigners.
///
/// The concept leaves `observe` out, because the type of the record is not known to it: see
/// `watermark_generator_of`. `check_watermark_generator` tests the promises.
template <class G>
concept watermark_generator =
    std::copy_constructible<G> && std::default_initializable<typename G::state> &&
    std::copyable<typename G::state> &&
    requires(const G& generator, const typename G::state& state) {
      { generator.frontier(state) } -> std::same_as<timestamp>;
      { generator.describe() } -> std::convertible_to<std::string>;
      { generator.check() } -> std::convertible_to<std::string>;
    };

namespace detail {

template <class Result>
concept observation = std::is_void_v<Result> || std::same_as<Result, bool>;

template <class G>
concept observes_times = requires(const G& generator, typename G::state& state, timestamp at) {
  { generator.observe(state, at) } -> observation;
};

template <class G, class T>
concept observes_records =
    requires(const G& generator, typename G::state& state, timestamp at, const T& record) {
      { generator.observe(state, at, record) } -> observation;
    };

}  // namespace detail

/// A watermark generator for records of type `T`.
template <class G, class T>
concept watermark_generator_of =
    watermark_generator<G> && (detail::observes_times<G> || detail::observes_records<G, T>);

namespace detail {

/// Shows `record` to a generator, in the way it asks for. \return false when it says that the
/// record's promise went back.
template <class G, class T>
bool observe_record(const G& generator, typename G::state& state, timestamp at, const T& record) {
  const auto observe = [&] {
    if constexpr (observes_records<G, T>) {
      return generator.observe(state, at, record);
    } else {
      return generator.observe(state, at);
    }
  };
  if constexpr (std::is_void_v<decltype(observe())>) {
    observe();
    return true;
  } else {
    return observe();
  }
}

}  // namespace detail

/// Every record of a split is at least as late in event time as the one before it: frontier =
/// largest event time so far. One that is not is behind the frontier, and handled as any other.
/// \note   Records of equal event time are all on time, because a frontier is exclusive.
/// \source Flink's AscendingTimestampsWatermarks, whose watermark is one tick less.
struct ascending {
  struct state {
    timestamp at_max = timestamp_min;
  };

  void observe(state& of, timestamp at) const { of.at_max = std::max(of.at_max, at); }
  timestamp frontier(const state& of) const { return of.at_max; }
  std::string describe() const { return "ascending"; }
  std::string check() const { return {}; }
};
BOOST_DESCRIBE_STRUCT(ascending::state, (), (at_max))

/// Records may come up to `disorder` of event time after a later one: frontier = largest event time
/// so far - disorder.
/// \pre    disorder >= 0, else `event_time` throws `std::invalid_argument`.
/// \source Flink's BoundedOutOfOrdernessWatermarks, whose watermark is one tick less.
struct bounded_disorder {
  duration disorder{0};

  struct state {
    bool seen = false;
    timestamp at_max = timestamp_min;
  };

  void observe(state& of, timestamp at) const {
    of.seen = true;
    of.at_max = std::max(of.at_max, at);
  }
  timestamp frontier(const state& of) const {
    return of.seen ? saturating_subtract(of.at_max, disorder) : timestamp_min;
  }
  std::string describe() const { return "bounded disorder " + to_text(disorder); }
  std::string check() const {
    if (disorder >= duration::zero()) return {};
    return "disorder " + to_text(disorder) + " is negative; give zero or a positive duration";
  }
};
BOOST_DESCRIBE_STRUCT(bounded_disorder::state, (), (seen, at_max))

/// What `punctuated` returns.
template <class F>
struct punctuated_watermarks {
  F promise;

  struct state {
    timestamp promised = timestamp_min;
    BOOST_DESCRIBE_CLASS(state, (), (promised), (), ())
  };

  template <class T>
    requires std::is_invocable_v<const F&, const T&> &&
             std::convertible_to<std::invoke_result_t<const F&, const T&>, std::optional<timestamp>>
  bool observe(state& of, timestamp, const T& record) const {
    const std::optional<timestamp> given = std::invoke(promise, record);
    if (!given) return true;
    if (*given < of.promised) return false;
    of.promised = *given;
    return true;
  }
  timestamp frontier(const state& of) const { return of.promised; }
  std::string describe() const { return "punctuated"; }
  std::string check() const { return {}; }
};

/// The records themselves tell how far their split is complete: `promise(record)`, a member pointer
/// or function that returns a `timestamp` or an optional one, is the frontier *after* that record;
/// an empty one promises nothing new. A promise behind an earlier one of the split is ignored, and
/// counted as `regressed`.
/// \note   A split holds everything back until its first promise. Only the end of input ends time:
///         a promise of `timestamp_max` counts as one of `timestamp_max` - 1 us.
/// \note   What the function does is not part of the checkpoint's fingerprint: a changed one goes
///         on from what the old one had promised.
/// \source Tucker et al., "Exploiting Punctuation Semantics in Continuous Data Streams", IEEE TKDE
///         15(3), 2003; Flink's onEvent generators.
template <class F>
punctuated_watermarks<F> punctuated(F promise) {
  return {std::move(promise)};
}

/// What an event changed in a `frontier_minimum`.
struct frontier_change {
  std::optional<timestamp> frontier;  ///< The new combined frontier, if it moved.
  bool became_idle = false;           ///< No input is active any more.
  bool became_active = false;         ///< The first input is active again.
};

/// The combined frontier of several inputs: the minimum over those that are neither idle nor
/// finished. It never goes back and never jumps to the end of time because inputs fall silent.
///
/// - An input that has never reported holds everything back.
/// - A watermark on an idle input is ignored. An input that wakes counts again once its own
///   frontier has caught up with the combined one. So does an input that is behind it when a
///   combined frontier is restored: it was idle, or catching up, or not there.
/// - When the last active input goes idle the largest frontier seen on unfinished inputs is taken.
/// - A frontier of `timestamp_max` finishes its input; the last one to finish ends time.
/// \source Flink's StatusWatermarkValve, corrected for finished inputs (FLINK-38477).
class frontier_minimum {
 public:
  explicit frontier_minimum(std::size_t inputs) : inputs_(inputs) {}

  timestamp frontier() const { return combined_; }
  timestamp frontier_of(std::size_t input) const { return inputs_[input].frontier; }
  bool is_idle(std::size_t input) const { return inputs_[input].is == status::idle; }
  bool is_finished(std::size_t input) const { return inputs_[input].is == status::finished; }

  /// Whether an input takes part in the minimum: it is neither idle nor finished, and has caught
  /// up. What an input gives that does not count may lie before what is promised already.
  bool counts(std::size_t input) const {
    return inputs_[input].is == status::active && inputs_[input].aligned;
  }

  /// Goes on from a checkpoint, before any input has reported. `frontiers`: of the inputs, by
  /// index.
  void restore(timestamp combined, const std::vector<timestamp>& frontiers);

  frontier_change advance(std::size_t input, timestamp frontier);
  frontier_change set_idle(std::size_t input);
  frontier_change set_active(std::size_t input);
  frontier_change finish(std::size_t input);
  /// Takes over what others that had the same inputs were promised together. Inputs that have not
  /// come so far do not count until they have.
  void raise(timestamp combined);

  /// For looking at what several tasks have of the same inputs: each becomes that which is further
  /// behind, and what one of them does not read counts as finished there.
  void take_slowest(const frontier_minimum& other);

 private:
  enum class status : unsigned char { active, idle, finished };
  struct one {
    timestamp frontier = timestamp_min;
    status is = status::active;
    bool aligned = true;  ///< Counts in the minimum; false while it catches up after idleness.
  };

  frontier_change recompute();
  frontier_change move_to(timestamp candidate);
  bool none_active() const;

  std::vector<one> inputs_;
  timestamp combined_ = timestamp_min;
  bool idle_ = false;
};

}  // namespace freshet
