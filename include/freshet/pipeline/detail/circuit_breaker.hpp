// When a service is left alone for a while because it keeps failing. Internal.
//
// Time: processing time, given with every call. Threads: one at a time.
// \source Nygard, "Release It!" (2007), chapter 5: closed, open, half-open.
#pragma once

#include <freshet/core/time.hpp>

#include <cstdint>

namespace freshet::detail {

class circuit_breaker {
 public:
  /// \param failures  so many in a row open it; 0: never.
  /// \param open_for  then nothing is asked for so long.
  circuit_breaker(std::uint32_t failures, duration open_for)
      : failures_(failures), open_for_(open_for) {}

  /// Whether something may be asked at `now`. After a rest, one question until it is answered.
  bool allows(timestamp now) const { return !is_open() || (now >= open_until_ && !trying_); }

  /// When to ask again whether something may be asked; the end of time where that depends on an
  /// answer, or where it may be now.
  timestamp reopens_at() const { return is_open() && !trying_ ? open_until_ : timestamp_max; }

  /// A question is asked. \return whether it is the one that tries whether the service is back.
  bool ask() {
    if (!is_open()) return false;
    trying_ = true;
    return true;
  }

  void succeeded() {
    in_a_row_ = 0;
    trying_ = false;
  }

  /// \param tried  what failed was the question that tried. Others that were asked before it opened
  ///               say nothing new.
  void failed(timestamp now, bool tried) {
    if (failures_ == 0 || (is_open() && !tried)) return;
    in_a_row_ = tried ? failures_ : in_a_row_ + 1;
    trying_ = false;
    if (is_open()) open_until_ = saturating_add(now, open_for_);
  }

 private:
  bool is_open() const { return failures_ > 0 && in_a_row_ >= failures_; }

  std::uint32_t failures_;
  duration open_for_;
  std::uint32_t in_a_row_ = 0;
  timestamp open_until_ = timestamp_min;
  bool trying_ = false;
};

}  // namespace freshet::detail
