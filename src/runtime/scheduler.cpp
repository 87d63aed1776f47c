#include "scheduler.hpp"

#include "host_scheduler.hpp"
#include "inline_scheduler.hpp"
#include "pool_scheduler.hpp"
#include "simulating_scheduler.hpp"
#include "tbb_scheduler.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace freshet::detail {

namespace {
thread_local bool running_operators = false;
}  // namespace

bool inside_pipeline();
bool inside_pipeline() {
  return running_operators;
}

inside_mark::inside_mark() : before_(std::exchange(running_operators, true)) {}
inside_mark::~inside_mark() {
  running_operators = before_;
}

std::size_t usable_parallelism(const scheduling& how, std::size_t parallelism) {
  if (how.is != scheduling::kind::thread_pool || how.threads != 0) return parallelism;
  return std::min(parallelism, std::max<std::size_t>(1, std::thread::hardware_concurrency()));
}

std::unique_ptr<scheduler> make_scheduler(const scheduling& how, std::size_t parallelism,
                                          std::shared_ptr<wake_signal> signal, bool polls) {
  switch (how.is) {
    case scheduling::kind::simulation:
      return std::make_unique<simulating_scheduler>(how.seed, std::move(signal));
    case scheduling::kind::thread_pool:
      if (parallelism > 1) {
        return std::make_unique<pool_scheduler>(how.threads == 0 ? parallelism : how.threads,
                                                std::move(signal), polls);
      }
      break;
    case scheduling::kind::tbb_arena:
      if (parallelism > 1) return make_tbb_scheduler(parallelism, std::move(signal), polls);
      break;
    case scheduling::kind::host_workers:
      if (parallelism > 1) {
        return std::make_unique<host_scheduler>(how.enqueue, parallelism, std::move(signal), polls);
      }
      break;
  }
  return std::make_unique<inline_scheduler>(std::move(signal));
}

}  // namespace freshet::detail
