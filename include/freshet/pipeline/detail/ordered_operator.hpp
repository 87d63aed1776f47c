// The operator behind ordered. Internal.
//
// Threads: one task. Memory: the records that wait. Every row that leaves knows its entry frontier:
// the time that the order had reached.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/ordered_buffer.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace freshet::detail {

template <class T>
class ordered_operator final : public resumable_operator<T, T> {
 public:
  void consume(batch<T>& rows) override {
    this->catch_up();
    this->count_in(rows);
    // State rows are spread by a hash; these have no key.
    rows.hashes.resize(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const position& where = rows.positions[row];
      rows.hashes[row] = combine_hashes(where.split, where.sequence);
    }
    const std::size_t realigned = waiting_.take(rows, this->watermark());
    operator_counters::add(this->context().counters->realigned, realigned);
  }

  std::optional<state_size> held_state() override { return waiting_.held(); }

  static state_layout layout() {
    return {schema_of<timestamp>(), {ordered_buffer<T>::layout(waiting_tag)}};
  }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(this->watermark()), this->watermark());
    waiting_.snapshot(to);
  }
  bool continue_snapshot(std::size_t& rows) override { return waiting_.continue_snapshot(rows); }

  void restore(state_reader& from) override {
    this->restore_watermark(read_summaries<timestamp>(from));
    from.rows([&](std::uint64_t hash, std::string_view key, std::string_view value) {
      if (!waiting_.owns(key)) from.fail("a row of something else");
      waiting_.restore_row(hash, key, value, from);
    });
    waiting_.restored();
  }

 protected:
  bool move_to(timestamp frontier) override {
    constexpr std::size_t slice_rows = 4 * batch_rows_max;
    for (std::size_t moved = 0; moved < slice_rows; ++moved) {
      turn_record<T>* next = waiting_.next(frontier, this->context().single_split);
      if (next == nullptr) return true;
      append(*next);
      if (rows_.size() >= batch_rows_max) flush();
    }
    return false;
  }

  void flush() override {
    this->count_out(rows_);
    this->out().emit(rows_);
  }

 private:
  void append(turn_record<T>& next) {
    if (next.behind) {
      rows_.behind.push_back({static_cast<std::uint32_t>(rows_.size()), next.turn});
    }
    rows_.positions.push_back(next.where);
    rows_.times.push_back(next.at);
    rows_.entry_frontiers.push_back(next.turn);
    rows_.values.push_back(std::move(next.value));
  }

  static constexpr char waiting_tag = 'w';

  ordered_buffer<T> waiting_{waiting_tag};
  batch<T> rows_;
};

}  // namespace freshet::detail
