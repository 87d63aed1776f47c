// Which rows of a table are in memory, where that is limited. Internal.
//
// An operator with one `keyed_table` for its keys calls this at a few places: before it works at a
// batch (`make_room`, then `want` for each key and `read_wanted`), when a snapshot begins and when
// it is durable, when a row goes, and when it is restored. Between `make_room` and the next one
// rows stay where they are. Without a limit nothing happens, and `on` is false.
//
// Threads: one task. Memory: none of its own.
#pragma once

#include <freshet/pipeline/detail/cold_rows.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/state/keyed_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace freshet::detail {

template <class Key, class Value>
class row_eviction {
 public:
  using table = keyed_table<Key, Value>;

  /// `context` outlives it.
  void open(const operator_context& context) {
    context_ = &context;
    cold_ = context.cold;
    if (cold_ == nullptr) return;
    budget_ = row_budget(cold_->budget_bytes(), sizeof(Key) + sizeof(Value), &table::rows_within);
  }

  bool on() const { return cold_ != nullptr; }
  /// Whether the row of an absent key with this hash may be in the newest commit.
  bool holds(std::uint64_t hash) const { return cold_ != nullptr && cold_->holds(hash); }
  /// How many rows are there only: now, and as of the last `make_room` or `read_wanted`.
  std::uint64_t count_cold() const { return cold_ == nullptr ? 0 : cold_->dropped(groups()); }
  std::uint64_t cold() const { return cold_held_; }

  void begin_snapshot(const table& rows, const state_writer& to) {
    if (cold_ == nullptr || to.everything()) return;
    cold_->note_snapshot(groups());
    entered_before_ = rows.size() + dropped_;
  }
  /// What a row came to in a snapshot.
  void note_copy(std::size_t bytes) {
    if (cold_ != nullptr) budget_.note_copy(bytes);
  }
  /// All snapshots so far are durable.
  void note_durable(table& rows) {
    if (cold_ == nullptr) return;
    rows.mark_stored();
    cold_->note_durable(groups());
    may_drop_ = true;
    looked_at_ = 0;
  }
  /// The row that some snapshot has goes. \pre `on`.
  void note_erased(std::uint64_t hash, std::string_view key) { cold_->note_erased(hash, key); }

  /// Whether rows need not come into memory from `from` that `is_full` has no room for.
  bool can_leave_out(const state_reader& from) const {
    return cold_ != nullptr && from.can_read_back();
  }
  bool is_full(const table& rows, std::uint64_t owned_bytes, std::uint64_t other_bytes) const {
    return rows.size() >= budget_.rows_at_most(owned_bytes, other_bytes + erased_bytes_);
  }
  void leave_out(std::uint64_t hash) { cold_->note_dropped(hash); }
  /// `left_out`: what `can_leave_out` said. Otherwise rows in the newest commit only, if there are
  /// any, belong to the operator from now on, and are given to `row` as bytes.
  template <class Row>
  void end_restore(table& rows, bool left_out, Row&& row) {
    if (left_out) {
      rows.mark_stored();
      may_drop_ = true;
    } else if (cold_ != nullptr) {
      cold_->read_all(groups(), row);
    }
    entered_before_ = rows.size();
  }

  /// Drops rows where there are too many, and asks for a commit where none may be dropped.
  /// `owned_bytes`: what a row owns on average; `other_bytes`: what else counts; `gone(hash, key,
  /// value)` is told. \return whether some have gone. \pre nobody holds a pointer to a row.
  template <class Gone>
  bool make_room(table& rows, std::uint64_t owned_bytes, std::uint64_t other_bytes, Gone&& gone) {
    if (cold_ == nullptr) return false;
    erased_bytes_ = cold_->erased_bytes(groups());
    cold_->tell_size(other_bytes);
    cold_held_ = count_cold();
    const std::size_t most = budget_.rows_at_most(owned_bytes, other_bytes + erased_bytes_);
    const std::uint64_t before = dropped_;
    drop(rows, most, gone);
    // Where half of the rows are new since the last snapshot, the next one should be on its way
    // before the others have gone.
    const bool urgent = rows.size() > most || erased_bytes_ > cold_->budget_bytes() / 8;
    const std::uint64_t entered = rows.size() + dropped_;
    if (urgent || entered > entered_before_ + most / 2) cold_->want_commit(urgent);
    return dropped_ > before;
  }

  /// The row of an absent key is to be read.
  void want(std::uint64_t hash, std::string_view key) { cold_->want(wanted_, hash, key); }
  /// Reads what is wanted and there: `insert(hash, key bytes, value)` puts each row into the table
  /// with `insert_stored`, or throws what `check_read` does.
  template <class Insert>
  void read_wanted(Insert&& insert) {
    if (wanted_.empty()) return;
    operator_counters& counters = *context_->counters;
    counters.add(counters.cold_asked, wanted_.size());
    cold_->read(wanted_, [&](std::uint64_t hash, std::string_view key, std::string_view value) {
      insert(hash, key, value);
      cold_->note_read_back(hash);
      --cold_held_;
      counters.add(counters.cold_read, 1);
    });
  }
  /// Gives the row of an absent key to `row` if there is one; it stays where it is. \pre `on`.
  void look_at(std::uint64_t hash, std::string_view key, cold_rows::row_function row) const {
    cold_keys one;
    cold_->want(one, hash, key);
    cold_->read(one, row);
  }
  void check_read(const absl::Status& status) const { cold_->check_read(status); }

 private:
  static constexpr std::size_t dropped_at_once = 4 * batch_rows_max;
  static constexpr std::size_t looked_at_once = 32 * batch_rows_max;

  const key_group_set& groups() const { return context_->groups; }

  template <class Gone>
  void drop(table& rows, std::size_t most, Gone&& gone) {
    // A little ahead of need, so that it never takes long.
    const std::size_t wanted = most - most / 16;
    while (rows.size() > wanted && may_drop_) {
      const std::size_t went =
          rows.evict_some(hand_, looked_at_once, std::min(rows.size() - wanted, dropped_at_once),
                          [&](std::uint64_t hash, const Key& key, const Value& value) {
                            gone(hash, key, value);
                            cold_->note_dropped(hash);
                          });
      cold_held_ += went;
      dropped_ += went;
      context_->counters->add(context_->counters->evicted, went);
      looked_at_ = went > 0 ? 0 : looked_at_ + looked_at_once;
      // The first time around rows only cease to be recent.
      if (looked_at_ > 2 * rows.slots() + looked_at_once) may_drop_ = false;
      if (rows.size() <= most) break;
    }
  }

  const operator_context* context_ = nullptr;
  cold_rows* cold_ = nullptr;  ///< Null where memory has no limit; then what follows is not used.
  row_budget budget_;
  cold_keys wanted_;
  std::size_t hand_ = 0;              ///< Of the table's eviction.
  std::size_t looked_at_ = 0;         ///< So many slots since it found something.
  bool may_drop_ = false;             ///< Something may be found before the next commit.
  std::uint64_t dropped_ = 0;         ///< Rows, ever.
  std::uint64_t entered_before_ = 0;  ///< Rows that had come into memory by the last snapshot.
  std::uint64_t erased_bytes_ = 0;    ///< What is known of erased keys.
  std::uint64_t cold_held_ = 0;       ///< Rows that are not in memory.
};

}  // namespace freshet::detail
