// An operator that combines frontiers, as the engine looks at it from outside. Internal.
#pragma once

#include <freshet/window/watermark.hpp>

namespace freshet::detail {

/// Implemented by `event_time`, over its splits, and by `merge`, over its inputs. Threads: the
/// task's.
class frontier_combiner {
 public:
  virtual ~frontier_combiner() = default;
  virtual const frontier_minimum& combined() const = 0;
};

}  // namespace freshet::detail
