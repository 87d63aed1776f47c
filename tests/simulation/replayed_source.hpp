// A source of splits in memory that gives its records in pieces of seeded sizes, also none, falls
// asleep and wakes, dies, or stands still, as it is told. It can always be read again.
//
// Order: each split in its own. Sequence: the index of the record. Threads: readers from any, one
// at a time each. Memory: the records, once, shared by all copies.
#pragma once

#include "simulation/crash.hpp"
#include "simulation/event.hpp"

#include <freshet/pipeline/source.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::simulated {

/// What the sources of one run do besides giving records; shared by all of them.
struct replay {
  enum class pause : std::uint8_t {
    none,    ///< After a short read there may be more.
    waking,  ///< Sometimes there is nothing, and the reader calls as soon as there is.
    asked,   ///< Sometimes there is nothing, and the reader wants to be asked again.
  };
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  std::size_t rows_max = 1024;  ///< Of a read.
  bool rows_vary = false;       ///< A read gives any number up to it, also none.
  pause pauses = pause::none;
  std::uint64_t seed = 0;
  std::size_t fail_after = never;  ///< Records given by all sources: then every read fails.
  std::size_t halt_after = never;  ///< The same: then nothing is given any more, nor the end.
  /// The job may die while it commits, too.
  std::shared_ptr<simulated::crash> crash = std::make_shared<simulated::crash>();

  std::atomic<std::size_t> given{0};
  std::mutex mutex;
  std::condition_variable changed;
  bool halted = false;

  void halt() {
    const std::lock_guard lock(mutex);
    halted = true;
    changed.notify_all();
  }
  void wait_until_halted() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return halted; });
  }
};

class replay_reader final : public split_reader<event> {
 public:
  replay_reader(const std::vector<event>& records, std::size_t next, std::uint64_t seed,
                std::shared_ptr<replay> how)
      : records_(records), next_(next), random_(seed), how_(std::move(how)) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<event>& rows,
                                  std::vector<dead_letter>&) override {
    if (absl::Status alive = how_->crash->alive(); !alive.ok()) return alive;
    std::size_t wanted = std::min(limit, how_->rows_max);
    if (how_->rows_vary) wanted = random_() % (wanted + 1);
    for (; wanted > 0 && next_ < records_.size(); --wanted, ++next_) {
      const std::size_t given = how_->given.fetch_add(1);
      if (given >= how_->fail_after) return absl::AbortedError("simulation: killed");
      if (given >= how_->halt_after) {
        how_->halt();
        return read_state::idle;
      }
      rows.values.push_back(records_[next_]);
      rows.positions.push_back({next_, 0, 0});
    }
    if (next_ == records_.size() && how_->halt_after != replay::never) return read_state::idle;
    // The end is told with the last records or after them.
    if (next_ == records_.size() && (!how_->rows_vary || random_() % 2 == 0)) {
      return read_state::end;
    }
    if (how_->pauses == replay::pause::none || random_() % 3 != 0) return read_state::more;
    if (how_->pauses == replay::pause::waking && wake_) wake_();
    return read_state::idle;
  }

  std::string position() const override { return std::to_string(next_); }
  void wake_with(std::function<void()> wake) override { wake_ = std::move(wake); }
  std::optional<duration> ask_again() const override {
    if (how_->pauses == replay::pause::asked) return duration::zero();
    return std::nullopt;
  }

 private:
  const std::vector<event>& records_;
  std::size_t next_;
  std::mt19937_64 random_;
  std::shared_ptr<replay> how_;
  std::function<void()> wake_;
};

class replay_opening final : public source<event> {
 public:
  replay_opening(const std::vector<std::vector<event>>& splits, std::shared_ptr<replay> how)
      : splits_(splits), how_(std::move(how)) {}

  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < splits_.size(); ++i) names.push_back("s" + std::to_string(i));
    return names;
  }
  absl::StatusOr<std::unique_ptr<split_reader<event>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    const std::size_t next = position ? std::stoull(std::string(*position)) : 0;
    const std::uint64_t seed = how_->seed * 1000003 + split * 101 + next;
    return std::make_unique<replay_reader>(splits_[split], next, seed, how_);
  }

 private:
  const std::vector<std::vector<event>>& splits_;
  std::shared_ptr<replay> how_;
};

/// \pre `splits` outlives every job over it.
struct replayed {
  using value_type = event;
  const std::vector<std::vector<event>>* splits;
  std::shared_ptr<replay> how;

  absl::StatusOr<std::unique_ptr<source<event>>> open() const {
    return std::make_unique<replay_opening>(*splits, how);
  }
};

}  // namespace freshet::simulated
