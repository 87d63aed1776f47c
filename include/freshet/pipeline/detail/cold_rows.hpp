// The rows of one operator that are in the newest commit only, because memory is limited. Internal.
//
// An operator drops rows that a commit has as they are now, and asks for them again, many at a
// time, before it works with their keys. It is asked here whether that may be needed: by key group,
// how many rows were dropped; and which keys are gone though the newest commit may still have their
// rows, because the deletion has not been committed yet.
//
// Threads: all tasks of the operator share it, each for its own key groups. What it knows of a
// group is handed on with the group. Memory: what it knows of erased keys, until the next commit.
#pragma once

#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/state/backend.hpp>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// What all operators of a job that keep to a limit have in common. Outlives them.
struct memory_pressure {
  /// An operator would have rows to drop, if there were a commit now.
  std::atomic<bool> wants_commit{false};
  /// It has more rows than it should, and none to drop before: sources read nothing until then.
  std::atomic<bool> sources_wait{false};
  std::function<void()> tell;  ///< From any thread: it wants one. Set before any task runs.
};

/// Keys to be read together. Its memory is used again.
class cold_keys {
 public:
  bool empty() const { return ends_.empty(); }
  std::size_t size() const { return ends_.size(); }
  void clear() {
    bytes_.clear();
    ends_.clear();
  }

 private:
  friend class cold_rows;
  std::string bytes_;  ///< Keys as the backend has them, behind each other.
  std::vector<std::size_t> ends_;
  std::vector<std::string_view> in_order_;
};

class cold_rows {
 public:
  using row_function =
      absl::FunctionRef<void(std::uint64_t hash, std::string_view key, std::string_view value)>;

  /// `budget_bytes`: for the rows of one instance, with the copies that a commit makes of them.
  /// `place`: how messages name the operator.
  cold_rows(state_backend& backend, memory_pressure& pressure, std::uint32_t state,
            std::size_t budget_bytes, std::string place);
  ~cold_rows();
  cold_rows(const cold_rows&) = delete;
  cold_rows& operator=(const cold_rows&) = delete;

  std::size_t budget_bytes() const { return budget_bytes_; }

  /// Whether rows of the key group of `hash` were dropped, so that absent keys have to be asked
  /// for.
  bool holds(std::uint64_t hash) const {
    return dropped_[key_group_of(hash)].load(std::memory_order_relaxed) > 0;
  }
  /// How many were, of those key groups.
  std::uint64_t dropped(const key_group_set& of) const;

  void note_dropped(std::uint64_t hash) { change(hash, 1); }
  void note_read_back(std::uint64_t hash) {
    change(hash, std::numeric_limits<std::uint64_t>::max());
  }
  /// A row that some snapshot has is gone.
  void note_erased(std::uint64_t hash, std::string_view key);
  /// What was erased in those key groups belongs to a snapshot from now on,
  void note_snapshot(const key_group_set& of);
  /// and all snapshots so far are in the newest commit.
  void note_durable(const key_group_set& of);
  /// Memory for what it knows of erased keys, in those key groups.
  std::size_t erased_bytes(const key_group_set& of) const;

  /// Adds a key that is not in memory, unless it was erased.
  void want(cold_keys& to, std::uint64_t hash, std::string_view key) const;
  /// Reads the rows of `wanted` that are there, each key once, and clears it. `row` must not ask
  /// for others. Throws `job_failure`.
  void read(cold_keys& wanted, row_function row) const;
  /// Reads all rows of those key groups but for erased ones, those that are in memory included, in
  /// the order of their keys. Throws `job_failure`.
  void read_all(const key_group_set& of, row_function row) const;

  /// Asks for a commit, after which rows may be dropped. `urgently`: no more may come before.
  void want_commit(bool urgently) const;

  /// What an instance has that cannot be dropped.
  void tell_size(std::uint64_t bytes) {
    if (bytes > budget_bytes_) exceeded_.store(true, std::memory_order_relaxed);
  }
  /// Whether that alone was more than its budget at some time. From any thread.
  bool exceeded() const { return exceeded_.load(std::memory_order_relaxed); }

  /// Throws `job_failure` for what comes of reading rows back, unless it is ok.
  void check_read(const absl::Status& status) const;

 private:
  /// Keys of one key group.
  struct erased_keys;

  /// One task at a time changes it.
  void change(std::uint64_t hash, std::uint64_t by) {
    std::atomic<std::uint64_t>& of = dropped_[key_group_of(hash)];
    of.store(of.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void give(std::string_view key, std::string_view value, row_function row) const;

  state_backend& backend_;
  memory_pressure& pressure_;
  const std::uint32_t state_;
  const std::size_t budget_bytes_;
  const std::string place_;
  /// By key group. Changed by the task that has it; also read by one that had it, for metrics.
  std::array<std::atomic<std::uint64_t>, key_groups> dropped_{};
  std::unique_ptr<erased_keys[]> erased_;
  std::atomic<bool> exceeded_{false};
};

/// How many rows fit into memory of `budget_bytes`, as far as it is known what they cost.
class row_budget {
 public:
  row_budget() = default;
  /// `slot_bytes`, `rows_within`: of the table, see `keyed_table::rows_within`.
  row_budget(std::size_t budget_bytes, std::size_t row_bytes,
             std::size_t (*rows_within)(std::size_t));

  /// What a row came to in a snapshot.
  void note_copy(std::size_t bytes);
  /// `owned_bytes`: what rows own besides the table, on average. `other_bytes`: what else counts.
  std::size_t rows_at_most(std::uint64_t owned_bytes, std::uint64_t other_bytes) const;

 private:
  std::size_t budget_bytes_ = 0;
  std::size_t table_rows_ = 0;   ///< What the table may hold without growing too large.
  std::size_t table_bytes_ = 0;  ///< And its share for that.
  std::uint64_t copy_sum_ = 0;
  std::uint64_t copy_count_ = 0;
};

}  // namespace freshet::detail
