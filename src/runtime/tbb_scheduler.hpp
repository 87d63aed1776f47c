// A oneTBB arena of the job's own. The only file of the runtime that knows oneTBB is the .cpp.
#pragma once

#include "scheduler.hpp"

#include <cstddef>
#include <memory>

namespace freshet::detail {

std::unique_ptr<scheduler> make_tbb_scheduler(std::size_t threads,
                                              std::shared_ptr<wake_signal> signal, bool polls);

}  // namespace freshet::detail
