// One thread, the calling one, and an order of slices drawn from a seed: for tests of what must not
// depend on the order.
//
// Only what is ready in the sense of the other schedulers is run: a task that was not woken when it
// should have been stays behind here as it would there, so that lost wake-ups show.
#pragma once

#include "scheduler.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

namespace freshet::detail {

class simulating_scheduler final : public scheduler {
 public:
  simulating_scheduler(std::uint64_t seed, std::shared_ptr<wake_signal> signal)
      : random_(seed), signal_(std::move(signal)) {}
  void run(const std::vector<task*>& tasks, supervisor& over) override;
  void wake(task& ready) override;

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  task* draw();

  std::mt19937_64 random_;
  std::shared_ptr<wake_signal> signal_;
  std::mutex mutex_;
  std::vector<task*> ready_;
};

}  // namespace freshet::detail
