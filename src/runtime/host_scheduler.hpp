// Tasks on threads that belong to the application, or to a library that it shares with it.
//
// Each slice is handed over on its own, so that the host's other work has its turn in between.
#pragma once

#include "worker_scheduler.hpp"

#include <freshet/pipeline/scheduling.hpp>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace freshet::detail {

class host_scheduler : public worker_scheduler {
 public:
  host_scheduler(host_enqueue enqueue, std::size_t threads, std::shared_ptr<wake_signal> signal,
                 bool polls)
      : worker_scheduler(std::move(signal), polls),
        enqueue_(std::move(enqueue)),
        threads_(threads),
        under_way_(std::make_shared<slices>()) {}

  std::vector<std::string> warnings() const override { return warnings_; }

 protected:
  void enqueue(task& ready) override;
  void start_workers() override;
  void stop_workers() override;

 private:
  /// Slices that the host has been given. Outlives the scheduler: the host may keep its copy of a
  /// slice that has run for longer.
  struct slices {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t count = 0;
    bool stopping = false;
  };

  void try_concurrency();

  host_enqueue enqueue_;
  std::size_t threads_;
  std::shared_ptr<slices> under_way_;
  std::vector<std::string> warnings_;
};

}  // namespace freshet::detail
