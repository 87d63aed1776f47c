#include <freshet/connectors/connection_health.hpp>

#include <atomic>
#include <mutex>

namespace freshet {

struct connection_health::figures {
  std::mutex mutex;
  std::atomic<bool> failing = false;
  std::uint64_t failures = 0;
  std::string last_failure;
};

connection_health::connection_health() : figures_(std::make_shared<figures>()) {}

connection_health::report connection_health::now() const {
  const std::lock_guard lock(figures_->mutex);
  return {figures_->failing, figures_->failures, figures_->last_failure};
}

void connection_health::failed(std::string_view what) const {
  const std::lock_guard lock(figures_->mutex);
  figures_->failing = true;
  ++figures_->failures;
  figures_->last_failure = what;
}

void connection_health::answered() const {
  // Told with every read: the lock is only for the change.
  if (!figures_->failing.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(figures_->mutex);
  figures_->failing = false;
}

}  // namespace freshet
