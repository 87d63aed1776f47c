// Handing the state of an operator over between its instances, in memory, while the job runs.
//
// At a barrier, with no emission unfinished, `take_full_state` copies what each instance of an
// operator has; fresh instances with other key groups restore from a `handover_reader` over all of
// them. Where checkpoints are on, the snapshot of changes must have been collected from the old
// instances at the same barrier: the fresh ones take everything that they are given for saved, and
// write only what changes from there on.
//
// Memory: every row once more, as bytes. Threads: `take_full_state` in that of the operator; a
// `full_state` is not changed after that, so that any number of threads may read it.
#pragma once

#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

/// Everything that one instance of an operator keeps.
class full_state final : public state_writer {
 public:
  struct row {
    std::uint64_t hash = 0;
    std::string key;
    timestamp expires_at = timestamp_max;
    std::string value;
  };

  bool everything() const override { return true; }
  void put(std::uint64_t hash, std::string_view key, timestamp expires_at,
           std::string_view value) override;
  void erase(std::uint64_t hash, std::string_view key) override;
  void summary(std::string bytes, timestamp frontier) override;

  const key_group_set& groups() const { return groups_; }
  timestamp frontier() const { return frontier_; }
  std::string_view summary() const { return summary_; }
  /// What had not expired, ascending by (hash, key).
  std::span<const row> rows() const { return rows_; }
  /// Those of one key group.
  std::span<const row> rows_of(std::uint32_t group) const;

 private:
  friend full_state take_full_state(runtime_operator& from, const key_group_set& groups);
  void settle();

  key_group_set groups_;
  timestamp frontier_ = timestamp_min;
  std::string summary_;
  std::vector<row> rows_;
};

/// Takes the full state of an instance, which stays as it is. `groups`: the key groups it owns.
full_state take_full_state(runtime_operator& from, const key_group_set& groups);

/// Gives an instance that owns `own` its part of what others had. `from`: the states of all
/// instances that had these key groups, each group in at most one of them; at least one state; they
/// outlive the reader. `place`: how messages name the operator.
class handover_reader final : public state_reader {
 public:
  handover_reader(std::span<const full_state> from, const key_group_set& own, std::string place);

  std::vector<std::string_view> summaries() const override;
  bool owns(std::uint64_t hash) const override { return own_.contains(hash); }
  timestamp frontier_of(std::uint64_t hash) const override;
  void rows(
      const std::function<void(std::uint64_t, std::string_view, std::string_view)>& row) override;
  [[noreturn]] void fail(std::string_view reason) const override;

 private:
  const full_state* owner_of(std::uint32_t group) const;

  std::span<const full_state> from_;
  key_group_set own_;
  std::string place_;
};

}  // namespace freshet::detail
