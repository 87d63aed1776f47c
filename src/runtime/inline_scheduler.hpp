// One thread, the calling one, which steps all tasks in turn: deterministic. For parallelism 1.
#pragma once

#include "scheduler.hpp"

#include <memory>
#include <vector>

namespace freshet::detail {

class inline_scheduler final : public scheduler {
 public:
  explicit inline_scheduler(std::shared_ptr<wake_signal> signal) : signal_(std::move(signal)) {}
  void run(const std::vector<task*>& tasks, supervisor& over) override;
  void wake(task&) override { signal_->notify(); }

 private:
  std::shared_ptr<wake_signal> signal_;
};

}  // namespace freshet::detail
