// The operator behind trailing. Internal.
//
// Records have their turns in event-time order (ordered_buffer.hpp), or as they arrive. At its turn
// a record gets its row from what its key's history holds, and becomes part of the history; so rows
// depend on the log alone, or with rows on arrival over one split on the order of that log.
//
// Threads: one task. Memory: records that wait for the watermark, and what the spans hold of each
// key; a key without records in reach is dropped.
#pragma once

#include <freshet/aggregate/aggregate.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/ordered_buffer.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>
#include <freshet/pipeline/detail/trailing_history.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>
#include <freshet/pipeline/detail/trailing_state_keys.hpp>
#include <freshet/pipeline/trailing_row.hpp>
#include <freshet/state/keyed_table.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet::detail {

struct trailing_summary {
  timestamp watermark = timestamp_min;
  BOOST_DESCRIBE_CLASS(trailing_summary, (), (watermark), (), ())
};

template <class T, class KeyOf, std::size_t Spans, class Aggregates>
class trailing_operator;

template <class T, class KeyOf, std::size_t Spans, class... A>
class trailing_operator<T, KeyOf, Spans, aggregate_set<T, A...>> final
    : public resumable_operator<T, trailing_row<T, Spans, aggregate_result<A, T>...>> {
 public:
  using key = key_of_t<KeyOf, T>;
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = trailing_row<T, Spans, aggregate_result<A, T>...>;

  trailing_operator(KeyOf key_of, trailing_plan plan, aggregates parts)
      : key_of_(std::move(key_of)),
        plan_(std::move(plan)),
        parts_(std::move(parts)),
        buffer_(buffered_tag) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return late_;
  }

  void consume(batch<T>& rows) override { take(rows); }
  void share(const batch<T>& rows) override { take(rows); }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(trailing_summary{this->watermark()}), this->watermark());
    buffer_.snapshot(to);
    table_.take_changes(
        [&](std::uint64_t hash, const key& of, const history& kept) {
          kept.take_unsaved(
              [&](const order_key& order, std::uint32_t copy, const state& value) {
                to.put(hash, record_key(of, order, copy), plan_.entry_expires_at(order.at),
                       to_bytes(value));
              },
              [&](std::size_t resolution, timestamp begin, const state& value) {
                const auto& panes = plan_.resolutions()[resolution];
                to.put(hash, pane_key(of, panes.width, begin), plan_.pane_expires_at(panes, begin),
                       to_bytes(value));
              });
        },
        // What is dropped has expired: the rows go by themselves.
        [](std::uint64_t, const key&) {});
  }

  void restore(state_reader& from) override {
    auto summary = from_bytes<trailing_summary>(from.summary());
    if (!summary.ok()) from.fail(summary.status());
    this->restore_watermark(summary->watermark);
    from.rows([&](std::uint64_t hash, std::string_view bytes, std::string_view value) {
      if (buffer_.owns(bytes)) {
        buffer_.restore_row(hash, bytes, value, from);
      } else {
        restore_row(hash, bytes, value, from);
      }
    });
    buffer_.restored();
    table_.for_each([&](std::uint64_t hash, const key& of, history& kept) {
      kept.restored(plan_, parts_, this->watermark());
      arm(hash, of, kept);
    });
  }

 protected:
  bool move_to(timestamp frontier) override {
    std::size_t work = 0;
    while (fill_chunk(frontier)) {
      for (turn_record<T>& each : chunk_) have_turn(each, each.turn);
      work += chunk_.size();
      if (work >= slice_rows) return false;
    }
    return forget_until(frontier, work);
  }

  void flush() override {
    this->count_out(rows_.size());
    this->out().emit(rows_);
    late_.emit(late_rows_);
  }

  void signal_outputs(const control& what) override {
    this->out().signal(what);
    late_.signal(what);
  }

 private:
  using history = trailing_history<aggregates>;
  using values = decltype(row::trailing);
  struct due_key {
    std::uint64_t hash = 0;
    key of;
  };
  static constexpr std::size_t slice_rows = 4 * batch_rows_max;
  static constexpr std::size_t chunk_rows = 64;

  template <class Rows>
  void take(Rows& rows) {
    this->count_in(rows.size());
    std::size_t realigned = 0;
    if (plan_.options().emit == emit::on_arrival) {
      realigned = take_at_once(rows);
      flush();
    } else {
      realigned = buffer_.take(rows, this->watermark());
    }
    if (realigned > 0) operator_counters::add(this->context().counters->realigned, realigned);
  }

  template <class Rows>
  std::size_t take_at_once(Rows& rows) {
    std::size_t realigned = 0;
    std::size_t cursor = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const timestamp at = rows.times[i];
      bool behind = cursor < rows.behind.size() && rows.behind[cursor].row == i;
      timestamp entry = behind ? rows.behind[cursor++].entry_frontier : at;
      if (entry < this->watermark()) {
        entry = this->watermark();
        behind = true;
        ++realigned;
      }
      turn_record<T> record{
          at, entry, behind, rows.positions[i], rows.hashes[i], std::move(rows.values[i])};
      have_turn(record, this->watermark());
    }
    return realigned;
  }

  /// Brings the next records whose turn has come, and what they will look at on its way.
  bool fill_chunk(timestamp frontier) {
    chunk_.clear();
    turn_record<T> next;
    while (chunk_.size() < chunk_rows &&
           buffer_.next(frontier, this->context().single_split, next)) {
      chunk_.push_back(std::move(next));
    }
    return !chunk_.empty();
  }

  /// \param promised all turns up to there have been.
  void have_turn(turn_record<T>& record, timestamp promised) {
    if (record.behind && plan_.is_late(record.at, record.turn)) {
      operator_counters::add(this->context().counters->late, 1);
      if (late_.connected()) put(late_rows_, record, std::move(record.value));
    } else {
      try {
        add_row(record, promised);
      } catch (...) {
        fail_in_user_function(this->context().place, record.where);
      }
    }
    if (rows_.size() >= batch_rows_max || late_rows_.size() >= batch_rows_max) flush();
  }

  void add_row(turn_record<T>& record, timestamp promised) {
    const order_key order = record.order();
    state of_record{};
    parts_.add(of_record, record.value, order);
    const auto& of = key_of_record(key_of_, std::as_const(record.value));
    history& kept = *table_.get_or_insert(record.hash, of).first;
    values seen;
    if (plan_.options().include_self) {
      const std::size_t own = kept.insert(plan_, parts_, order, std::move(of_record), promised);
      fill(seen, kept, record.at, own + 1);
    } else {
      fill(seen, kept, record.at, kept.end_before(record.at));
      kept.insert(plan_, parts_, order, std::move(of_record), promised);
    }
    arm(record.hash, of, kept);
    put(rows_, record, row{std::move(record.value), std::move(seen)});
  }

  void fill(values& to, history& from, timestamp at, std::size_t end) {
    for (std::size_t span = 0; span < Spans; ++span) {
      const auto all = from.fold(plan_, parts_, plan_.spans()[span], at, end);
      to[span] = parts_.result(all.state());
    }
  }

  template <class Out>
  static void put(batch<Out>& to, const turn_record<T>& record, Out value) {
    if (record.behind) {
      to.behind.push_back({static_cast<std::uint32_t>(to.size()), record.turn});
    }
    to.positions.push_back(record.where);
    to.times.push_back(record.at);
    to.values.push_back(std::move(value));
  }

  /// Makes sure that the key is looked at when panes close or everything has expired.
  void arm(std::uint64_t hash, const key& of, history& kept) {
    const timestamp at = kept.next_deadline(plan_);
    if (kept.armed <= at) return;
    kept.armed = at;
    deadlines_[at].push_back({hash, of});
  }

  /// Closes panes and drops keys that are due; false when the slice is over before.
  bool forget_until(timestamp frontier, std::size_t work) {
    if (frontier == timestamp_max) {
      // Nothing follows: all of it has expired.
      deadlines_.clear();
      table_.sweep([](std::uint64_t, const key&, history&) { return row_fate::forget; });
      return true;
    }
    while (!deadlines_.empty() && deadlines_.begin()->first <= frontier) {
      const timestamp at = deadlines_.begin()->first;
      std::vector<due_key>& due = deadlines_.begin()->second;
      for (; !due.empty(); due.pop_back()) {
        if (++work > slice_rows) return false;
        look_at(due.back(), at, frontier);
      }
      deadlines_.erase(at);
    }
    return true;
  }

  void look_at(const due_key& due, timestamp at, timestamp frontier) {
    history* kept = table_.find(due.hash, due.of);
    if (kept == nullptr || kept->armed != at) return;  // A later deadline replaced this one.
    if (kept->expires_at(plan_) <= frontier) {
      table_.erase(due.hash, due.of);
      return;
    }
    if (kept->advance(plan_, parts_, frontier)) table_.mark_dirty(kept);
    kept->armed = timestamp_max;
    arm(due.hash, due.of, *kept);
  }

  void restore_row(std::uint64_t hash, std::string_view bytes, std::string_view value,
                   const state_reader& from) {
    auto of_row = from_bytes<state>(value);
    if (!of_row.ok()) from.fail(of_row.status());
    state_key<key> which;
    if (!parse(bytes, which)) from.fail("a row of a key that trailing does not write");
    history* kept = table_.find(hash, which.of);
    if (kept == nullptr) {
      table_.insert_restored(hash, which.of, history{});
      kept = table_.find(hash, which.of);
    }
    bool in_order = false;
    if (which.tag == record_tag) {
      in_order = kept->restore_record(which.order, which.copy, std::move(*of_row));
    } else {
      const auto& all = plan_.resolutions();
      const auto found = std::find_if(all.begin(), all.end(),
                                      [&](const auto& each) { return each.width == which.width; });
      if (found == all.end()) from.fail("a pane of another resolution");
      in_order = kept->restore_pane(plan_, static_cast<std::size_t>(found - all.begin()),
                                    which.order.at, std::move(*of_row));
    }
    if (!in_order) from.fail("rows of a key out of order");
  }

  KeyOf key_of_;
  trailing_plan plan_;
  aggregates parts_;
  ordered_buffer<T> buffer_;
  keyed_table<key, history> table_;
  std::map<timestamp, std::vector<due_key>> deadlines_;
  std::vector<turn_record<T>> chunk_;
  batch<row> rows_;
  batch<T> late_rows_;
  outlet<T> late_;
};

}  // namespace freshet::detail
