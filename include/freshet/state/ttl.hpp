// Time to live: when state that is not used any more expires.
//
// Time: event time or processing time, per state. What an operator calls *now* in event time is the
// record's event time, or its entry frontier where that is later: a function of the log, so that
// expiry is, too. Processing time counts while the job is down. Plain values; threads: as their
// owner.
#pragma once

#include <freshet/core/time.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace freshet {

/// What restarts the clock of an entry.
enum class ttl_refresh : std::uint8_t { on_write, on_read_and_write };

/// What is seen of an entry that has expired and has not been removed yet.
enum class ttl_visibility : std::uint8_t {
  strict,   ///< Nothing.
  relaxed,  ///< The entry.
};

/// How long an entry lives: it expires at the moment of its last refresh + `after`, that moment
/// included. An expired entry is removed soon after, also when its key is never seen again.
/// \pre    after > 0, else `process` throws `std::invalid_argument` when the pipeline is composed.
/// \note   Not part of a checkpoint: the rule may change from one run to the next.
struct ttl {
  duration after = duration::max();  ///< The default, and whatever reaches the end of time: never.
  time_domain time = time_domain::event_time;
  ttl_refresh refresh = ttl_refresh::on_write;
  ttl_visibility visibility = ttl_visibility::strict;

  bool expires() const { return after != duration::max(); }
  std::string check() const {
    if (after > duration::zero()) return {};
    return "ttl of " + to_text(after) + " is not positive; give .after a positive duration";
  }
};

/// The moment at which state is looked at, in both times. Kept by the operator that owns the state.
struct state_times {
  timestamp event_time = timestamp_min;
  timestamp processing_time = timestamp_min;

  timestamp of(time_domain time) const {
    return time == time_domain::event_time ? event_time : processing_time;
  }
};

namespace detail {

/// A rule and the moment to hold entries against. State that no operator has bound never expires.
class expiry {
 public:
  expiry() = default;
  explicit expiry(const ttl& rule) : rule_(rule) {}

  void bind(const state_times& times) { times_ = &times; }
  const ttl& rule() const { return rule_; }
  bool active() const { return rule_.expires(); }

  timestamp now() const { return times_ == nullptr ? timestamp_min : times_->of(rule_.time); }
  /// When an entry stamped so expires; `timestamp_max`: never.
  timestamp expires_at(timestamp stamp) const {
    return active() ? saturating_add(stamp, rule_.after) : timestamp_max;
  }
  bool expired(timestamp stamp) const {
    const timestamp end = expires_at(stamp);
    return end != timestamp_max && end <= now();
  }
  bool hidden(timestamp stamp) const {
    return active() && rule_.visibility == ttl_visibility::strict && expired(stamp);
  }
  /// Records may come out of order: a refresh never shortens a life.
  void write(timestamp& stamp) const { stamp = std::max(stamp, now()); }
  void read(timestamp& stamp) const {
    if (rule_.refresh == ttl_refresh::on_read_and_write) write(stamp);
  }

 private:
  ttl rule_;
  const state_times* times_ = nullptr;
};

}  // namespace detail

}  // namespace freshet
