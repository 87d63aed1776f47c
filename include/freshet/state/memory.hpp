// Checkpoints in memory: for tests that restart a job within one process, and for nothing durable.
//
// The contents are a plain struct held by the caller; each backend opened over it acts as one run
// of the job. Time: expired rows go with the commit that allows it. Order: rows are kept by key.
// Threads: one at a time, over all backends of one checkpoint. Memory: every row.
#pragma once

#include <freshet/state/backend.hpp>

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace freshet {

/// What a checkpoint holds; a test may look at it, copy it, and put a copy back.
struct memory_checkpoint {
  std::optional<std::string> manifest;
  std::map<std::string, std::string, std::less<>> rows;
  std::uint64_t commits = 0;    ///< How many succeeded.
  absl::Status commit_failure;  ///< While not OK, commits return it and change nothing.
};

/// A backend over `checkpoint`, which it shares. A job of one task waits for its commits, so that
/// a test knows what is committed by when. Any number of them may exist; the newest is meant
/// to be used, as after a restart. \pre checkpoint is not null.
std::unique_ptr<state_backend> memory_backend(std::shared_ptr<memory_checkpoint> checkpoint);

}  // namespace freshet
