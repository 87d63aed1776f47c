// Key groups on their way from some tasks of a stage to others.
//
// A move happens at a barrier, which has the tasks above send by the new owners from there on. At
// that barrier each task of the stage that gives or gets key groups hands in all that its keyed
// operators have, and then stands still. When the last of them has, each takes over what belongs to
// it now, into fresh operators, and goes on. So a key's records stay in order: those before the
// barrier were worked off where the key was, those after it wait where it will be.
//
// What the barrier finds below is the same in every task of the stage but for inputs that were idle
// in between: then the largest watermark counts for all, because rows have been made up to it.
//
// Threads: any. Memory: the whole state of these tasks once more, until the last has taken over.
#pragma once

#include "handover.hpp"

#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/detail/ways.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace freshet::detail {

class key_group_move {
 public:
  /// What one task has at the barrier.
  struct part {
    std::map<node_id, full_state> states;
    std::vector<timestamp> frontiers;  ///< Of its inputs, in the order of the plan.
  };

  key_group_move(std::size_t stage, const key_group_owners& before, const key_group_owners& after);

  std::size_t stage() const { return stage_; }
  const key_group_owners& after() const { return after_; }
  /// How many key groups get another owner.
  std::size_t size() const { return size_; }
  /// Whether a task of the stage gives or gets some.
  bool concerns(std::size_t task) const;
  /// Which key groups a task has afterwards.
  key_group_set groups_of(std::size_t task) const;

  /// Takes a task's part. `wake` is called when all parts are there, from any thread.
  /// \pre the move concerns the task, which has not handed in anything yet.
  void hand_in(part given, std::function<void()> wake);
  bool complete() const { return complete_.load(std::memory_order_acquire); }

  /// What all instances of an operator had. \pre `complete()`.
  std::span<const full_state> states_of(node_id node) const { return states_.at(node); }
  /// The largest watermark of each input. \pre `complete()`.
  const std::vector<timestamp>& frontiers() const { return frontiers_; }

  /// A task has what belongs to it now.
  void note_taken_over();
  /// There is nothing to move any more: the input of the stage has ended. What each of its tasks
  /// finds for itself holds for all, because ends come in the same order with barriers everywhere.
  void cancel() { cancelled_.store(true, std::memory_order_release); }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  /// Whether no task has anything to do with it any more.
  bool done() const { return cancelled() || done_.load(std::memory_order_acquire); }
  /// From the first task that stood still to the last one that goes on again. \pre `done()` and not
  /// `cancelled()`.
  duration took() const { return took_; }

 private:
  const std::size_t stage_;
  const key_group_owners after_;
  std::vector<std::size_t> concerned_;  ///< Ascending.
  std::size_t size_ = 0;
  std::mutex mutex_;
  std::size_t missing_;
  std::size_t waiting_;  ///< For what belongs to them.
  std::vector<std::function<void()>> wakes_;
  std::map<node_id, std::vector<full_state>> states_;
  std::vector<timestamp> frontiers_;
  std::chrono::steady_clock::time_point began_;
  duration took_{0};
  std::atomic<bool> complete_{false};
  std::atomic<bool> done_{false};
  std::atomic<bool> cancelled_{false};
};

}  // namespace freshet::detail
