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
#include <freshet/pipeline/detail/block_pool.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/ordered_buffer.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>
#include <freshet/pipeline/detail/table_meter.hpp>
#include <freshet/pipeline/detail/trailing_history.hpp>
#include <freshet/pipeline/detail/trailing_items.hpp>
#include <freshet/pipeline/detail/trailing_plan.hpp>
#include <freshet/pipeline/detail/trailing_state_keys.hpp>
#include <freshet/pipeline/trailing_row.hpp>
#include <freshet/state/keyed_table.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
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

template <class T, class KeyOf, std::size_t Spans, class... A>
class trailing_operator final
    : public resumable_operator<T, trailing_row<T, Spans, aggregate_result<A, T>...>> {
 public:
  using key = key_of_t<KeyOf, T>;
  using items = trailing_items<T, A...>;
  using state = typename items::state;
  using item = typename items::item;
  using row = trailing_row<T, Spans, aggregate_result<A, T>...>;

  trailing_operator(KeyOf key_of, trailing_plan plan, items parts)
      : key_of_(std::move(key_of)),
        plan_(std::move(plan)),
        items_(std::move(parts)),
        buffer_(buffered_tag) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return late_;
  }

  void open(const operator_context& context) override {
    this->runtime_operator::open(context);
    table_ = keyed_table<key, history_handle>(spread_over(context.groups));
  }

  std::optional<state_size> held_state() override {
    meter_.look_at(table_, [](const history_handle& kept) { return kept->owned_outside_pool(); });
    state_size all = table_meter<key, history_handle>::of(table_);
    all.bytes += meter_.owned_by(table_.size()) + pool_.memory_bytes();
    // Each key stands in the list of one deadline, if not in those of earlier ones that it
    // outlived.
    all.bytes += table_.size() * sizeof(due_key);
    all += buffer_.held();
    return all;
  }

  void consume(batch<T>& rows) override { take(rows); }
  void share(const batch<T>& rows) override { take(rows); }

  static state_layout layout() {
    return {schema_of<trailing_summary>(),
            {ordered_buffer<T>::layout(buffered_tag),
             {std::string(1, record_tag), schema_of<item>()},
             {std::string(1, pane_tag), schema_of<state>()}}};
  }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(trailing_summary{this->watermark()}), this->watermark());
    buffer_.snapshot(to);
    begin_rows(
        table_, to,
        [this, &to](std::uint64_t hash, const key& of, const history_handle& kept) {
          const auto record = [&](const order_key& order, std::uint32_t copy, const item& value) {
            to.put(hash, record_key(of, order, copy), plan_.entry_expires_at(order.at),
                   bytes_.value(value));
          };
          const auto closed_pane = [&](std::size_t resolution, timestamp begin,
                                       const state& value) {
            const auto& panes = plan_.resolutions()[resolution];
            to.put(hash, pane_key(of, panes.width, begin), plan_.pane_expires_at(panes, begin),
                   bytes_.value(value));
          };
          if (to.everything()) {
            kept->for_each(record, closed_pane);
          } else {
            kept->take_unsaved(record, closed_pane);
          }
        },
        // What is dropped has expired: the rows go by themselves.
        [](std::uint64_t, const key&) {});
  }
  bool continue_snapshot(std::size_t& rows) override {
    return buffer_.continue_snapshot(rows) && table_.snapshot_some(rows);
  }

  void restore(state_reader& from) override {
    std::vector<timestamp> watermarks;
    for (const trailing_summary& each : read_summaries<trailing_summary>(from)) {
      watermarks.push_back(each.watermark);
    }
    this->restore_watermark(watermarks);
    from.rows([&](std::uint64_t hash, std::string_view bytes, std::string_view value) {
      if (buffer_.owns(bytes)) {
        buffer_.restore_row(hash, bytes, value, from);
      } else {
        restore_row(hash, bytes, value, from);
      }
    });
    buffer_.restored();
    table_.for_each([&](std::uint64_t hash, const key& of, history_handle& kept) {
      kept->restored(tools(), from.frontier_of(hash));
      arm(hash, of, *kept);
    });
  }

 protected:
  bool move_to(timestamp frontier) override {
    for (std::size_t work = 0; work < slice_rows; work += chunk_.size()) {
      chunk_.clear();
      while (chunk_.size() < chunk_rows) {
        turn_record<T>* next = buffer_.next(frontier, this->context().single_split);
        if (next == nullptr) break;
        chunk_.push_back({next, nullptr, next->turn});
      }
      if (chunk_.empty()) return forget_until(frontier, work);
      have_turns();
    }
    return false;
  }

  void flush() override {
    this->count_out(rows_);
    this->out().emit(rows_);
    late_.emit(late_rows_);
  }

  void signal_outputs(const control& what) override {
    this->out().signal(what);
    late_.signal(what);
  }

 private:
  using history = trailing_history<items, Spans>;
  struct history_deleter {
    void operator()(history* of) const noexcept {
      block_pool& pool = of->pool();
      std::destroy_at(of);
      pool.free(of, sizeof(history));
    }
  };
  using history_handle = std::unique_ptr<history, history_deleter>;
  using values = decltype(row::trailing);
  /// A record at its turn.
  struct turn {
    turn_record<T>* record = nullptr;
    history* kept = nullptr;             ///< Of its key; null when it is late.
    timestamp promised = timestamp_min;  ///< All turns up to there have been.
  };
  struct due_key {
    std::uint64_t hash = 0;
    key of;
  };
  static constexpr std::size_t slice_rows = 4 * batch_rows_max;
  static constexpr std::size_t chunk_rows = 256;
  static constexpr std::size_t ahead = 12;

  template <class Rows>
  void take(Rows& rows) {
    this->catch_up();
    this->count_in(rows);
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
    arrived_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const timestamp at = rows.times[i];
      bool behind = cursor < rows.behind.size() && rows.behind[cursor].row == i;
      timestamp entry = behind ? rows.behind[cursor++].entry_frontier : at;
      if (entry < this->watermark()) {
        entry = this->watermark();
        behind = true;
        ++realigned;
      }
      arrived_.push_back(
          {at, entry, behind, rows.positions[i], rows.hashes[i], std::move(rows.values[i])});
    }
    for (std::size_t i = 0; i < arrived_.size();) {
      chunk_.clear();
      for (; i < arrived_.size() && chunk_.size() < chunk_rows; ++i) {
        chunk_.push_back({&arrived_[i], nullptr, this->watermark()});
      }
      have_turns();
    }
    return realigned;
  }

  /// Gives the records of the chunk their turns. What they need is looked up ahead: the memory of
  /// many keys is far away, and not to wait for it each time saves half of the time.
  void have_turns() {
    const std::size_t size = chunk_.size();
    const bool far = table_.prefetch_pays();
    for (std::size_t step = 0; step < size + 3 * ahead; ++step) {
      if (far && step < size) table_.prefetch(chunk_[step].record->hash);
      if (step >= ahead && step - ahead < size) {
        turn& next = chunk_[step - ahead];
        guarded(next, [&] { find_history(next); });
      }
      if (step >= 2 * ahead && step - 2 * ahead < size) {
        const turn& next = chunk_[step - 2 * ahead];
        if (next.kept != nullptr) next.kept->prefetch();
      }
      if (step >= 3 * ahead) have_turn(chunk_[step - 3 * ahead]);
    }
  }

  void have_turn(turn& now) {
    if (now.kept != nullptr) {
      guarded(now, [&] { add_row(now); });
    } else {
      operator_counters::add(this->context().counters->late, 1);
      if (late_.connected()) {
        late_rows_.values.push_back(std::move(now.record->value));
        put_columns(late_rows_, *now.record);
      }
    }
    if (rows_.size() >= batch_rows_max || late_rows_.size() >= batch_rows_max) flush();
  }

  /// Calls `f`, in which an exception is the record's fault.
  template <class F>
  void guarded(const turn& at, F&& f) {
    try {
      f();
    } catch (...) {
      fail_in_user_function(this->context().place, at.record->where);
    }
  }

  void find_history(turn& at) {
    const turn_record<T>& record = *at.record;
    if (record.behind && plan_.is_late(record.at, record.turn)) return;
    at.kept = table_
                  .get_or_insert(record.hash, key_of_record(key_of_, record.value),
                                 [this] { return new_history(); })
                  .first->get();
    for (std::size_t byte = 0; byte < history::front_bytes(); byte += cache_line_bytes) {
      __builtin_prefetch(reinterpret_cast<const char*>(at.kept) + byte);
    }
  }

  typename history::tools tools() { return {plan_, items_, pool_}; }

  history_handle new_history() {
    return history_handle(::new (pool_.allocate(sizeof(history))) history(pool_));
  }

  void add_row(const turn& at) {
    turn_record<T>& record = *at.record;
    history& kept = *at.kept;
    const order_key order = record.order();
    item of_record = items_.make(record.value, order);
    values& seen = rows_.values.emplace_back().trailing;
    if (plan_.options().include_self) {
      const std::size_t own = kept.insert(tools(), order, std::move(of_record), at.promised);
      fill(seen, kept, record.at, own + 1);
    } else {
      fill(seen, kept, record.at, kept.end_before(record.at));
      kept.insert(tools(), order, std::move(of_record), at.promised);
    }
    arm(record.hash, record.value, kept);
    static_cast<T&>(rows_.values.back()) = std::move(record.value);
    put_columns(rows_, record);
  }

  void fill(values& to, history& from, timestamp at, std::size_t end) {
    for (std::size_t span = 0; span < Spans; ++span) {
      to[span] = items_.result(from.fold(tools(), plan_.spans()[span], at, end));
    }
  }

  /// All but the value of the row about a record.
  template <class Out>
  static void put_columns(batch<Out>& to, const turn_record<T>& record) {
    if (record.behind) {
      to.behind.push_back({static_cast<std::uint32_t>(to.positions.size()), record.turn});
    }
    to.positions.push_back(record.where);
    to.times.push_back(record.at);
  }

  /// Makes sure that the key is looked at when panes close or everything has expired.
  void arm(std::uint64_t hash, const key& of, history& kept) {
    const timestamp at = kept.next_deadline(tools());
    if (kept.armed <= at) return;
    kept.armed = at;
    deadlines_[at].push_back({hash, of});
  }
  /// The same for the key of a record that has just been added.
  void arm(std::uint64_t hash, const T& record, history& kept) {
    // A key without panes is due when its first record has expired, and then looked at again.
    if (kept.armed != timestamp_max && plan_.resolutions().empty()) return;
    arm(hash, key(key_of_record(key_of_, record)), kept);
  }

  /// Closes panes and drops keys that are due; false when the slice is over before.
  bool forget_until(timestamp frontier, std::size_t work) {
    if (frontier == timestamp_max) {
      // Nothing follows: all of it has expired.
      deadlines_.clear();
      table_.sweep([](std::uint64_t, const key&, history_handle&) { return row_fate::forget; });
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
    history_handle* found = table_.find(due.hash, due.of);
    if (found == nullptr || (*found)->armed != at)
      return;  // An earlier deadline replaced this one.
    history& kept = **found;
    if (kept.expires_at(tools()) <= frontier) {
      table_.erase(due.hash, due.of);
      return;
    }
    if (kept.advance(tools(), frontier)) table_.mark_dirty(found);
    kept.armed = timestamp_max;
    arm(due.hash, due.of, kept);
  }

  void restore_row(std::uint64_t hash, std::string_view bytes, std::string_view value,
                   const state_reader& from) {
    state_key<key> which;
    if (!parse(bytes, which)) from.fail("a row of a key that trailing does not write");
    history_handle* kept = table_.find(hash, which.of);
    if (kept == nullptr) {
      table_.insert_restored(hash, which.of, new_history());
      kept = table_.find(hash, which.of);
    }
    const bool in_order = which.tag == record_tag ? restore_record(**kept, which, value, from)
                                                  : restore_pane(**kept, which, value, from);
    if (!in_order) from.fail("rows of a key out of order");
  }

  bool restore_record(history& to, const state_key<key>& which, std::string_view value,
                      const state_reader& from) {
    auto of_record = from_bytes<item>(value);
    if (!of_record.ok()) from.fail(of_record.status());
    return to.restore_record(tools(), which.order, which.copy, std::move(*of_record));
  }

  bool restore_pane(history& to, const state_key<key>& which, std::string_view value,
                    const state_reader& from) {
    auto fold = from_bytes<state>(value);
    if (!fold.ok()) from.fail(fold.status());
    const auto& all = plan_.resolutions();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const auto& each) { return each.width == which.width; });
    if (found == all.end()) from.fail("a pane of another resolution");
    const auto resolution = static_cast<std::size_t>(found - all.begin());
    return to.restore_pane(tools(), resolution, which.order.at, std::move(*fold));
  }

  KeyOf key_of_;
  trailing_plan plan_;
  items items_;
  ordered_buffer<T> buffer_;
  block_pool pool_;  ///< Outlives the table.
  keyed_table<key, history_handle> table_;
  table_meter<key, history_handle> meter_;
  row_bytes bytes_;
  std::map<timestamp, std::vector<due_key>> deadlines_;
  std::vector<turn> chunk_;
  std::vector<turn_record<T>> arrived_;
  batch<row> rows_;
  batch<T> late_rows_;
  outlet<T> late_;
};

}  // namespace freshet::detail
