// The operator behind count windows. Internal.
//
// Applies every record as it comes and fires on the record that completes a window. Threads: one
// task. Memory: one state of `count_panes` per key ever seen. Cost: one table update per record.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/detail/count_panes.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>
#include <freshet/pipeline/detail/row_eviction.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/window_row.hpp>
#include <freshet/state/keyed_table.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace freshet::detail {

struct count_window_summary {
  timestamp watermark = timestamp_min;
};
BOOST_DESCRIBE_STRUCT(count_window_summary, (), (watermark))

/// `Parts`: an `aggregate_set`; `Row`: the `window_row` that its results fit.
template <class T, class KeyOf, class Parts, class Row>
class count_window_operator final : public resumable_operator<T, Row> {
 public:
  using key = key_of_t<KeyOf, T>;

  count_window_operator(KeyOf key_of, count_window windows, Parts parts)
      : key_of_(std::move(key_of)), panes_(windows, std::move(parts)), partial_(windows.partial) {}

  void open(const operator_context& context) override {
    this->runtime_operator::open(context);
    table_ = keyed_table<key, key_state>(spread_over(context.groups));
    evicting_.open(this->context());
  }

  void consume(batch<T>& rows) override { share(rows); }

  void share(const batch<T>& rows) override {
    this->count_in(rows);
    meter_.look_at(table_);
    evicting_.bring_back(table_, rows, key_of_, meter_.owned_by_row(), bytes_);
    std::uint64_t unassigned = 0;
    std::size_t cursor = 0;
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        std::optional<timestamp> behind;
        if (cursor < rows.behind.size() && rows.behind[cursor].row == row) {
          behind = rows.behind[cursor++].entry_frontier;
        }
        const std::uint64_t hash = rows.hashes[row];
        const key& of = key_of_record(key_of_, rows.values[row]);
        key_state& kept = *table_.get_or_insert(hash, of).first;
        auto done = panes_.add(kept, rows.values[row], {rows.times[row], rows.positions[row]});
        if (!done.assigned) ++unassigned;
        if (done.fired) fire(hash, of, kept, *done.fired, behind);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    flush();
    if (unassigned > 0) operator_counters::add(this->context().counters->unassigned, unassigned);
  }

  std::optional<state_size> held_state() override {
    meter_.look_at(table_);
    state_size all = table_meter<key, key_state>::of(table_);
    all.bytes += meter_.owned_by(all.entries);
    all.cold = evicting_.count_cold();
    all.entries += all.cold;
    return all;
  }

  static state_layout layout() {
    return {schema_of<count_window_summary>(), {{"", schema_of<key_state>()}}};
  }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(count_window_summary{this->watermark()}), this->watermark());
    evicting_.begin_snapshot(table_, to);
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const key& of, const key_state& kept) {
          const std::string_view key_bytes = bytes_.key(of);
          const std::string_view value = bytes_.value(kept);
          to.put(hash, key_bytes, timestamp_max, value);
          evicting_.note_copy(key_bytes.size() + value.size());
        },
        [this, &to](std::uint64_t hash, const key& of) { to.erase(hash, bytes_.key(of)); });
  }
  bool continue_snapshot(std::size_t& rows) override { return table_.snapshot_some(rows); }
  void note_durable() override { evicting_.note_durable(table_); }

  void restore(state_reader& from) override {
    // The end of input, at which rests fire, comes to all instances before the same barrier.
    timestamp watermark = timestamp_min;
    for (const count_window_summary& each : read_summaries<count_window_summary>(from)) {
      watermark = std::max(watermark, each.watermark);
    }
    this->restore_watermark(watermark);
    const bool leaves_out = evicting_.can_leave_out(from);
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto of = from_bytes<key>(key_bytes);
      if (!of.ok()) from.fail(of.status());
      auto kept = from_bytes<key_state>(value);
      if (!kept.ok()) from.fail(kept.status());
      if (!panes_.valid(*kept)) from.fail("a key's panes are not those of its records");
      if (leaves_out && evicting_.is_full(table_, meter_.owned_by_row(), 0)) {
        evicting_.leave_out(hash);
      } else {
        table_.insert_restored(hash, *std::move(of), *std::move(kept));
      }
    });
    evicting_.end_restore(table_, leaves_out);
  }

 protected:
  bool move_to(timestamp frontier) override {
    // Only the end of input ends time; a restart repeats what is promised already.
    const bool ends = frontier == timestamp_max && this->watermark() < timestamp_max;
    return !partial_ || !ends || fire_rests();
  }

  void flush() override {
    this->count_out(rows_);
    this->out().emit(rows_);
  }

 private:
  using key_state = typename count_panes<Parts>::key_state;
  using pane = typename count_panes<Parts>::pane;

  /// What is left at the end of the input belongs to the moment before it. False when a slice is
  /// done and there is more to fire.
  bool fire_rests() {
    constexpr std::size_t slice_keys = 4 * batch_rows_max;
    try {
      return table_.visit_some(rests_until_, slice_keys,
                               [this](std::uint64_t hash, const key& of, key_state& kept) {
                                 if (const std::optional<pane> rest = panes_.rest_of(kept)) {
                                   fire(hash, of, kept, *rest, this->watermark());
                                 }
                               });
    } catch (...) {
      fail_in_user_function(this->context().place, "while a window fired");
    }
  }

  /// `entry_frontier`: what was promised when the window fired, where its row may be behind that.
  /// The record that completes a window and is on time is in it, so that its row is, too.
  void fire(std::uint64_t hash, const key& of, const key_state& kept, const pane& window,
            std::optional<timestamp> entry_frontier) {
    const window_span span = window.span();
    const timestamp at = saturating_subtract(span.end, duration{1});
    if (entry_frontier && at < *entry_frontier) {
      rows_.behind.push_back({static_cast<std::uint32_t>(rows_.size()), *entry_frontier});
    }
    // The number of records until then tells the windows of a key apart.
    rows_.positions.push_back(
        {combine_hashes(hash, static_cast<std::uint64_t>(kept.seen)), this->context().number, 0});
    rows_.times.push_back(at);
    rows_.values.push_back({of, span, panes_.parts().result(window.state)});
    if (rows_.size() >= batch_rows_max) flush();
  }

  KeyOf key_of_;
  count_panes<Parts> panes_;
  bool partial_;
  keyed_table<key, key_state> table_;
  table_meter<key, key_state> meter_;
  row_bytes bytes_;
  row_eviction<key, key_state> evicting_;
  batch<Row> rows_;
  std::size_t rests_until_ = 0;  ///< Where the table of keys goes on at the end of input.
};

}  // namespace freshet::detail
