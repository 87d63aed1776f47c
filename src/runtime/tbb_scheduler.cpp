#include "tbb_scheduler.hpp"

#include "host_scheduler.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <utility>

namespace freshet::detail {

namespace {

/// oneTBB starts at most one worker less than there are cores, and keeps a place for the calling
/// thread, which only supervises here: hence one more than the tasks that are to run at once.
struct own_arena {
  explicit own_arena(std::size_t threads)
      : allowed(tbb::global_control::max_allowed_parallelism, threads + 1),
        arena(static_cast<int>(threads), 0) {}
  tbb::global_control allowed;
  tbb::task_arena arena;
};

class tbb_scheduler final : public host_scheduler {
 public:
  tbb_scheduler(std::shared_ptr<own_arena> in, std::size_t threads,
                std::shared_ptr<wake_signal> signal, bool polls)
      : host_scheduler([in](std::function<void()> work) { in->arena.enqueue(std::move(work)); },
                       threads, std::move(signal), polls) {}
};

}  // namespace

std::unique_ptr<scheduler> make_tbb_scheduler(std::size_t threads,
                                              std::shared_ptr<wake_signal> signal, bool polls) {
  return std::make_unique<tbb_scheduler>(std::make_shared<own_arena>(threads), threads,
                                         std::move(signal), polls);
}

}  // namespace freshet::detail
