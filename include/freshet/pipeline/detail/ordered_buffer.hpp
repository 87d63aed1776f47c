// Holds records until nothing can come before them any more, and hands them out in the order of
// their turns. Internal.
//
// A record on time has its turn at its event time, ties in the order of their positions. A record
// behind its entry frontier `ef` has its turn after the records on time with `at < ef` and before
// those with `at >= ef`; among equal `ef` the order is that of positions. Nothing in this order
// depends on batches, on how splits interleave, or on restarts.
//
// Threads: one task. Memory: the records that wait, and 32 bytes for each. Cost: O(1) per record
// for a log in order; O(log n) where it is not, for n records that wait. Checkpoints hold every
// record once: it is written by the first snapshot that meets it, in slices, or when its turn comes
// before that; and expires with the watermark.
// \source Bentley and Saxe, "Decomposable searching problems I", J. Algorithms 1 (1980): sorted
//         runs of sizes that at least double, the "logarithmic method".
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/schema.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A record whose turn comes, or has come.
template <class T>
struct turn_record {
  timestamp at = timestamp_min;
  timestamp turn = timestamp_min;  ///< Its event time, or the entry frontier that it is behind.
  bool behind = false;
  position where;
  std::uint64_t hash = 0;
  T value{};

  order_key order() const { return {at, where}; }
};

/// What a checkpoint keeps of a record that waits.
template <class T>
struct waiting_row {
  timestamp at = timestamp_min;
  std::optional<timestamp> entry_frontier;
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  T value{};
  BOOST_DESCRIBE_CLASS(waiting_row, (), (at, entry_frontier, sequence, split, fanout, value), (),
                       ())
};

template <class T>
class ordered_buffer {
 public:
  /// \param tag first byte of the keys of its state rows: what tells them from others of the
  ///            operator.
  explicit ordered_buffer(char tag) : tag_(tag) {}

  bool empty() const { return waiting_ == 0; }
  std::size_t size() const { return waiting_; }

  state_size held() const {
    std::uint64_t bytes =
        slots_.capacity() * (sizeof(slot) + 1) + free_.capacity() * sizeof(std::uint32_t) +
        fresh_.capacity() * sizeof(turn_key) + erased_.capacity() * sizeof(erased_row);
    for (const run& each : runs_) bytes += each.keys.capacity() * sizeof(turn_key);
    if (waiting_ > 0) {
      const turn_key& one = runs_.empty() ? fresh_.front() : runs_.front().front();
      bytes += waiting_ * owned_bytes(slots_[one.slot].record.value);
    }
    return {waiting_, bytes};
  }

  /// Takes all rows, which know their hashes. `promised`: the operator's watermark. A record before
  /// it that is not behind, or behind an earlier frontier, comes from an input that does not know
  /// what has been promised while it was idle: it enters at the watermark.
  /// \return how many did.
  std::size_t take(batch<T>& rows, timestamp promised) {
    return take_rows(rows, promised,
                     [&](T& to, std::size_t row) { to = std::move(rows.values[row]); });
  }
  std::size_t take(const batch<T>& rows, timestamp promised) {
    return take_rows(rows, promised, [&](T& to, std::size_t row) { to = rows.values[row]; });
  }

  /// Takes out the next record whose turn has come at the watermark `frontier`; null when there is
  /// none. It may be moved from and lives until `take` is called. `single_split`: records come in
  /// the order of one log, which settles the order of those behind the same frontier.
  turn_record<T>* next(timestamp frontier, bool single_split) {
    if (!fresh_.empty()) settle();
    run* earliest = nullptr;
    for (run& each : runs_) {
      // Of equal keys the older run has the record that came first.
      if (earliest == nullptr || each.front() < earliest->front()) earliest = &each;
    }
    if (earliest == nullptr || !has_turn(earliest->front(), frontier, single_split)) return nullptr;
    const std::uint32_t index = earliest->front().slot;
    slot& from = slots_[index];
    if (unsaved_[index] != 0 && is_of_snapshot(from)) save(index);
    if (unsaved_[index] == 0 && expires_at(from.record) > frontier) {
      erased_.push_back({from.record.hash, from.number});
    }
    unsaved_[index] = 0;
    free_.push_back(index);
    --waiting_;
    drop_front(*earliest);
    return &from.record;
  }

  /// What its state rows look like.
  static row_layout layout(char tag) { return {std::string(1, tag), schema_of<waiting_row<T>>()}; }

  /// Begins to write what has come since the last snapshot; or writes all that waits. \pre the last
  /// one is complete.
  void snapshot(state_writer& to) {
    if (to.everything()) {
      write_all(to);
      return;
    }
    assert(to_ == nullptr);
    to_ = &to;
    erasing_.swap(erased_);
    snapshot_until_ = next_number_;
    slots_until_ = slots_.size();
    next_unsaved_ = 0;
  }

  /// Goes on with at most `rows` records, which it lessens. \return whether all are written.
  bool continue_snapshot(std::size_t& rows) {
    if (to_ == nullptr) return true;
    for (; !erasing_.empty(); erasing_.pop_back(), --rows) {
      if (rows == 0) return false;
      to_->erase(erasing_.back().hash, key_of(erasing_.back().number));
    }
    while (next_unsaved_ < slots_until_) {
      const std::uint8_t* const from = unsaved_.data() + next_unsaved_;
      const void* found = std::memchr(from, 1, slots_until_ - next_unsaved_);
      if (found == nullptr) break;
      next_unsaved_ += static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - from);
      if (rows == 0) return false;
      // Some have come since the snapshot began.
      if (is_of_snapshot(slots_[next_unsaved_])) save(next_unsaved_);
      ++next_unsaved_;
      --rows;
    }
    to_ = nullptr;
    return true;
  }

  /// Whether a state row with this key is one of the buffer's.
  bool owns(std::string_view key) const { return !key.empty() && key.front() == tag_; }

  /// Puts a row back. \pre `owns(key)`. Call `restored` after the last one.
  void restore_row(std::uint64_t hash, std::string_view key, std::string_view value,
                   const state_reader& from) {
    auto number = from_bytes<std::uint64_t>(key.substr(1));
    if (!number.ok()) from.fail(number.status());
    auto row = from_bytes<waiting_row<T>>(value);
    if (!row.ok()) from.fail(row.status());
    next_number_ = std::max(next_number_, *number + 1);
    const std::uint32_t index = free_slot();
    slots_[index].record = {row->at,
                            row->entry_frontier.value_or(row->at),
                            row->entry_frontier.has_value(),
                            position{row->sequence, row->split, row->fanout},
                            hash,
                            std::move(row->value)};
    add(index, *number, true);
  }

  void restored() {
    // State rows come in no order of time; equal keys stay in the order in which they came once.
    std::sort(fresh_.begin(), fresh_.end(), [this](const turn_key& a, const turn_key& b) {
      if (a < b) return true;
      return !(b < a) && slots_[a.slot].number < slots_[b.slot].number;
    });
    fresh_sorted_ = true;
  }

 private:
  struct turn_key {
    timestamp turn;
    position where;
    std::uint32_t slot = 0;
    bool on_time = true;

    friend bool operator<(const turn_key& a, const turn_key& b) {
      if (a.turn != b.turn) return a.turn < b.turn;
      if (a.on_time != b.on_time) return b.on_time;
      return a.where < b.where;
    }
  };
  struct slot {
    turn_record<T> record;
    std::uint64_t number = 0;  ///< Counts the records of this buffer.
  };
  /// Keys in order; those before `begin` are gone.
  struct run {
    std::vector<turn_key> keys;
    std::size_t begin = 0;

    const turn_key& front() const { return keys[begin]; }
    std::size_t size() const { return keys.size() - begin; }
  };
  struct erased_row {
    std::uint64_t hash = 0;
    std::uint64_t number = 0;
  };

  static bool has_turn(const turn_key& of, timestamp frontier, bool single_split) {
    if (frontier == timestamp_max) return true;
    return of.turn < frontier || (!of.on_time && single_split && of.turn == frontier);
  }

  /// At this watermark the record has had its turn, whatever the number of splits.
  static timestamp expires_at(const turn_record<T>& record) {
    return saturating_add(record.turn, duration{1});
  }

  template <class Rows, class Assign>
  std::size_t take_rows(Rows& rows, timestamp promised, Assign&& assign) {
    std::size_t realigned = 0;
    std::size_t cursor = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      // Filled in place: a record that is copied right after it was put together costs three times
      // as much.
      const std::uint32_t index = free_slot();
      turn_record<T>& record = slots_[index].record;
      record.at = rows.times[row];
      record.behind = cursor < rows.behind.size() && rows.behind[cursor].row == row;
      record.turn = record.behind ? rows.behind[cursor++].entry_frontier : record.at;
      if (record.turn < promised) {
        record.turn = promised;
        record.behind = true;
        ++realigned;
      }
      record.where = rows.positions[row];
      record.hash = rows.hashes[row];
      assign(record.value, row);
      add(index, next_number_++, false);
    }
    return realigned;
  }

  std::uint32_t free_slot() {
    if (free_.empty()) {
      unsaved_.resize(slots_.size() + 1);
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }

  /// Lets the record of a slot wait.
  void add(std::uint32_t index, std::uint64_t number, bool saved) {
    slot& of = slots_[index];
    of.number = number;
    unsaved_[index] = saved ? 0 : 1;
    turn_key& fresh = fresh_.emplace_back();
    fresh.turn = of.record.turn;
    fresh.where = of.record.where;
    fresh.slot = index;
    fresh.on_time = !of.record.behind;
    if (fresh_.size() > 1 && fresh < fresh_[fresh_.size() - 2]) fresh_sorted_ = false;
    ++waiting_;
  }

  /// Makes a run of what has come, or a part of the newest one, and keeps the runs few.
  void settle() {
    if (!fresh_sorted_) std::stable_sort(fresh_.begin(), fresh_.end());
    fresh_sorted_ = true;
    if (!runs_.empty() && !(fresh_.front() < runs_.back().keys.back())) {
      run& last = runs_.back();
      last.keys.insert(last.keys.end(), fresh_.begin(), fresh_.end());
      fresh_.clear();
    } else {
      runs_.push_back({std::exchange(fresh_, {}), 0});
    }
    while (runs_.size() > 1 && runs_[runs_.size() - 2].size() < 2 * runs_.back().size()) {
      merge_last_two();
    }
  }

  void merge_last_two() {
    const run newer = std::move(runs_.back());
    runs_.pop_back();
    run& older = runs_.back();
    std::vector<turn_key> merged;
    merged.reserve(older.size() + newer.size());
    std::merge(older.keys.begin() + static_cast<std::ptrdiff_t>(older.begin), older.keys.end(),
               newer.keys.begin() + static_cast<std::ptrdiff_t>(newer.begin), newer.keys.end(),
               std::back_inserter(merged));
    older.keys = std::move(merged);
    older.begin = 0;
  }

  void drop_front(run& of) {
    ++of.begin;
    if (of.begin == of.keys.size()) {
      if (fresh_.capacity() < of.keys.capacity()) of.keys.swap(fresh_);
      fresh_.clear();  // It was empty before, too.
      runs_.erase(runs_.begin() + (&of - runs_.data()));
    } else if (of.begin >= 1024 && of.begin >= of.size()) {
      of.keys.erase(of.keys.begin(), of.keys.begin() + static_cast<std::ptrdiff_t>(of.begin));
      of.begin = 0;
    }
  }

  void write_all(state_writer& to) const {
    for (const run& each : runs_) {
      for (std::size_t i = each.begin; i < each.keys.size(); ++i)
        write(slots_[each.keys[i].slot], to);
    }
    for (const turn_key& each : fresh_) write(slots_[each.slot], to);
  }

  bool is_of_snapshot(const slot& which) const {
    return to_ != nullptr && which.number < snapshot_until_;
  }

  void save(std::size_t index) {
    write(slots_[index], *to_);
    unsaved_[index] = 0;
  }

  void write(const slot& from, state_writer& to) const {
    const turn_record<T>& record = from.record;
    waiting_row<T> row{record.at,          std::nullopt,        record.where.sequence,
                       record.where.split, record.where.fanout, record.value};
    if (record.behind) row.entry_frontier = record.turn;
    to.put(record.hash, key_of(from.number), expires_at(record), to_bytes(row));
  }

  std::string key_of(std::uint64_t number) const {
    std::string bytes(1, tag_);
    byte_writer writer(bytes);
    encode(writer, number);
    return bytes;
  }

  char tag_;
  std::vector<slot> slots_;
  std::vector<std::uint8_t> unsaved_;  ///< By slot: 1 where the record is in no snapshot so far.
  std::vector<std::uint32_t> free_;    ///< Slots that hold no record.
  std::vector<turn_key> fresh_;        ///< What has come since the runs were last settled.
  bool fresh_sorted_ = true;
  std::vector<run> runs_;           ///< None empty; older ones first, each at least twice as large.
  std::vector<erased_row> erased_;  ///< Saved, and gone before they expire.
  std::size_t waiting_ = 0;
  std::uint64_t next_number_ = 0;
  state_writer* to_ = nullptr;        ///< While a snapshot is under way:
  std::vector<erased_row> erasing_;   ///< What is still to be erased,
  std::uint64_t snapshot_until_ = 0;  ///< the records that it has: those with smaller numbers;
  std::size_t next_unsaved_ = 0;      ///< from which slot on they may be unwritten,
  std::size_t slots_until_ = 0;       ///< and up to which.
};

}  // namespace freshet::detail
