// How a harness lets records in, and what it does in between. A plain value.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/state/memory.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace freshet::testing {

struct harness_options {
  /// Up to so many consecutive records of one split reach the pipeline as one batch, as a source
  /// would read them; watermarks given in between follow the batch. At least 1, which also lets
  /// every watermark in at once.
  std::size_t batch_rows = 1;
  /// After every item that was let in, and every move of the clock: commit, destroy the job, open
  /// it again from the commit.
  bool restore_between_items = false;
  /// After every item that was let in, and every move of the clock: destroy the job without a
  /// commit, open it again from the last one, and let in again what came since. Commits come before
  /// every third kill and every move of the clock.
  bool kill_between_items = false;
  /// Where the clock of processing time begins.
  timestamp clock_start = timestamp{};
  /// Goes on from what another harness has committed, as a new build of a program would. Empty:
  /// starts fresh, in a checkpoint of its own.
  std::shared_ptr<memory_checkpoint> checkpoint = nullptr;
  /// The name of the pipeline.
  std::string name = "harness";
  /// How messages name these options; `in_every_mode` sets it.
  std::string mode = {};
};

}  // namespace freshet::testing
