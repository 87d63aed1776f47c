// Watermarks: how a split's frontier follows its records, and how frontiers combine.
//
// A watermark is an *exclusive frontier*: `t` promises no more records with event time < t.
// Frontiers never go back. Plain values, used by one thread at a time; O(1) per record.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// What a type must offer to generate watermarks in `event_time(...)`: an immutable description
/// with a checkpointable `state` per split.
/// - `observe(state, at)`: a record of the split.
/// - `frontier(state)`: the promise after the records so far; `timestamp_min` before the first.
/// - `describe()`, `check()`: as for window assigners.
template <class G>
concept watermark_generator =
    std::copy_constructible<G> && std::default_initializable<typename G::state> &&
    requires(const G& generator, typename G::state& state, timestamp at) {
      generator.observe(state, at);
      { generator.frontier(state) } -> std::same_as<timestamp>;
      { generator.describe() } -> std::convertible_to<std::string>;
      { generator.check() } -> std::convertible_to<std::string>;
    };

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
///   frontier has caught up with the combined one.
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

  /// Goes on from a checkpoint: nothing before `combined` is promised again.
  void restore(timestamp combined) { combined_ = std::max(combined_, combined); }

  frontier_change advance(std::size_t input, timestamp frontier);
  frontier_change set_idle(std::size_t input);
  frontier_change set_active(std::size_t input);
  frontier_change finish(std::size_t input);

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
