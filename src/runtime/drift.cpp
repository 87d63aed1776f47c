#include "drift.hpp"

#include "task.hpp"

#include <algorithm>

namespace freshet::detail {

std::size_t drift_board::join(task& reader) {
  places_.push_back(std::make_unique<place>());
  places_.back()->reader = &reader;
  return places_.size() - 1;
}

timestamp drift_board::lowest() const {
  timestamp::rep least = timestamp_max.time_since_epoch().count();
  for (const auto& each : places_) {
    least = std::min(least, each->frontier.load(std::memory_order_acquire));
  }
  return timestamp(duration(least));
}

timestamp drift_board::limit() const {
  return saturating_add(lowest(), max_drift_);
}

void drift_board::report(std::size_t reader, timestamp frontier) {
  place& own = *places_[reader];
  const timestamp::rep now = frontier.time_since_epoch().count();
  if (own.frontier.load(std::memory_order_relaxed) == now) return;
  own.frontier.store(now, std::memory_order_release);
  for (const auto& each : places_) {
    // A read-modify-write on both sides: whoever comes second sees what the other did.
    if (each->waits.exchange(false, std::memory_order_acq_rel)) each->reader->wake();
  }
}

bool drift_board::wait(std::size_t reader, timestamp limit) {
  places_[reader]->waits.exchange(true, std::memory_order_acq_rel);
  return this->limit() <= limit;
}

}  // namespace freshet::detail
