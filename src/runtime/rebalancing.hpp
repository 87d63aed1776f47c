// Decides when key groups move between the tasks of a stage, and which.
//
// Threads: the supervising one, but for `owners_of`, which any may call.
#pragma once

#include "balance.hpp"
#include "key_group_move.hpp"
#include "task.hpp"

#include <freshet/pipeline/run_options.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

namespace freshet::detail {

class rebalancing {
 public:
  /// `tasks` must outlive it. A simulation draws moves from its seed.
  rebalancing(const plan& of, const std::vector<task*>& tasks, const run_options& options);

  /// A move that should be made at the next barrier; null for none. The caller makes it.
  std::shared_ptr<key_group_move> propose();
  /// When `propose` should be called again; nothing: whenever something else happens.
  std::optional<duration> sleep_at_most() const;

  /// Who owns which key group of a stage, as far as moves are complete.
  key_group_owners owners_of(std::size_t stage) const;
  /// What has been sent to a stage by key group.
  key_group_rows rows_of(std::size_t stage) const;
  /// Those stages that have key groups and several tasks.
  std::vector<std::size_t> stages() const;

  std::uint64_t moves() const { return moves_.load(std::memory_order_relaxed); }
  std::uint64_t groups_moved() const { return groups_moved_.load(std::memory_order_relaxed); }
  duration longest() const { return duration(longest_.load(std::memory_order_relaxed)); }

 private:
  using clock = std::chrono::steady_clock;
  /// What is known of a stage since it was looked at last.
  struct watched {
    std::size_t stage = 0;
    std::size_t tasks = 0;
    key_group_owners owners{};
    key_group_rows seen{};       ///< All rows until then.
    key_group_rows recent{};     ///< Rows, those of older looks counting less and less.
    std::vector<duration> busy;  ///< In all, by task, as of then.
    clock::time_point looked;
    std::size_t looks = 0;
  };

  std::shared_ptr<key_group_move> start(watched& of, const key_group_owners& after);
  void note_done();
  bool look_at(watched& of, clock::time_point now) const;
  bool one_is_busy(watched& of, duration since) const;
  std::shared_ptr<key_group_move> by_load();
  std::shared_ptr<key_group_move> drawn();

  const std::vector<task*>& tasks_;
  const duration every_;
  const bool draws_moves_;
  std::minstd_rand draws_;
  mutable std::mutex mutex_;  ///< Of the owners.
  std::vector<watched> stages_;
  std::shared_ptr<key_group_move> under_way_;
  clock::time_point looked_;
  clock::time_point not_before_;
  std::atomic<std::uint64_t> moves_{0};
  std::atomic<std::uint64_t> groups_moved_{0};
  std::atomic<duration::rep> longest_{0};
};

}  // namespace freshet::detail
