// The operator behind windows: what is on time is applied as it comes, what is behind its frontier
// is held until the order of the log is known. The kernel holds the windows themselves. Internal.
//
// Why results do not depend on batches or schedules: an on-time record cannot be late for any of
// its windows, and such records commute. A record behind its entry frontier `ef` is applied when
// the watermark has passed `ef`, in the order (ef, position), after the windows that `ef` closes
// have fired. So every window fires with the same records, and every record meets the same windows.
//
// Threads: one task. Memory: the kernel's windows and the held records.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/pipeline/detail/readable.hpp>
#include <freshet/pipeline/detail/row_collector.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A record that waits for its turn: one behind its entry frontier, or one that must not overtake
/// such a record.
template <class T>
struct held_record {
  timestamp entry_frontier = timestamp_min;
  std::uint64_t arrival = 0;  ///< Counts up where arrival decides; 0 elsewhere.
  timestamp at = timestamp_min;
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  std::uint64_t hash = 0;
  T value{};

  position where() const { return {sequence, split, fanout}; }
  /// Turns a vector into a heap with the earliest turn on top.
  friend bool operator<(const held_record& a, const held_record& b) {
    return std::tuple(a.entry_frontier, a.arrival, a.where()) >
           std::tuple(b.entry_frontier, b.arrival, b.where());
  }
  BOOST_DESCRIBE_CLASS(held_record, (),
                       (entry_frontier, arrival, at, sequence, split, fanout, hash, value), (), ())
};

template <class T>
struct window_operator_state {
  timestamp watermark = timestamp_min;
  std::vector<held_record<T>> held;
  BOOST_DESCRIBE_CLASS(window_operator_state, (), (watermark, held), (), ())
};

/// The second input of a window operator whose kernel can merge.
template <class Partial>
class partials_inlet : public inlet<Partial> {
 public:
  /// Time and end come with the rows.
  void signal(const control&) final {}
  /// What the operator has been promised, and has done.
  virtual timestamp done() const = 0;
};

template <class Owner, class Partial>
class merging_inlet final : public partials_inlet<Partial> {
 public:
  explicit merging_inlet(Owner& owner) : owner_(owner) {}
  void consume(batch<Partial>& partials) override { owner_.merge(partials); }
  timestamp done() const override { return owner_.done(); }

 private:
  Owner& owner_;
};

/// Where the kernel cannot merge.
template <class Owner>
struct no_merging_inlet {
  explicit no_merging_inlet(Owner&) {}
};

template <class Owner, class Kernel>
struct merging_inlet_of {
  using type = no_merging_inlet<Owner>;
};
template <class Owner, class Kernel>
  requires requires { typename Kernel::partial; }
struct merging_inlet_of<Owner, Kernel> {
  using type = merging_inlet<Owner, typename Kernel::partial>;
};

/// `Kernel` offers: `row`, `times`, `own`, `emits_early`, `wants_log_order`, `prefetch_pays`,
/// `prefetch`, `add`, `add_behind`, `fire_until`, `snapshot`, `restore`, and perhaps `partial` and
/// `merge`; and `limit` with what belongs to it, where it can keep to a limit of memory. See
/// fixed_window_kernel.hpp and keyed_window_kernel.hpp.
template <class T, class KeyOf, class Kernel>
class window_operator final : public pausable_operator<T, typename Kernel::row>,
                              public readable_rows<key_of_t<KeyOf, T>, typename Kernel::row> {
 public:
  window_operator(KeyOf key_of, Kernel kernel)
      : key_of_(std::move(key_of)),
        kernel_(std::move(kernel)),
        collector_(this->out(), this->context()),
        partials_(*this) {}

  /// Port 1: partial aggregates of records that are on time, where there is an exchange above that
  /// carries them.
  inlet_base& input(std::size_t port) override {
    if constexpr (merges) {
      if (port == 1) return partials_;
    }
    return pausable_operator<T, typename Kernel::row>::input(port);
  }
  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return late_;
  }

  void open(const operator_context& context) override {
    this->runtime_operator::open(context);
    kernel_.own(context.groups);
    if constexpr (keeps_to_limit) kernel_.limit(this->context());
  }

  void note_durable() override {
    if constexpr (keeps_to_limit) kernel_.note_durable();
  }

  void read(std::uint64_t hash, const key_of_t<KeyOf, T>& key,
            std::vector<typename Kernel::row>& into) const override {
    kernel_.read(hash, key, into);
  }
  timestamp reads_at() const override { return this->watermark(); }

  template <class Partial>
  void merge(batch<Partial>& partials) {
    this->catch_up();
    std::uint64_t folded = 0;
    const std::uint64_t arrived = bytes_of(partials);
    try {
      for (std::size_t row = 0; row < partials.size(); ++row) {
        Partial& each = partials.values[row];
        assert(kernel_.times().fires_at(each.span) > this->watermark());
        folded += each.rows;
        kernel_.merge(partials.hashes[row], each);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, "while partial aggregates were merged");
    }
    this->context().counters->take(folded, arrived);
  }

  timestamp done() const { return this->watermark(); }

  /// Whether it can drop rows and read them back.
  static constexpr bool keeps_to_limit =
      requires(Kernel& kernel, const operator_context& context) { kernel.limit(context); };

  std::optional<state_size> held_state() override {
    state_size all = kernel_.held_state();
    all += {held_.size(), held_.capacity() * sizeof(held_record<T>)};
    if (!held_.empty()) all.bytes += held_.size() * owned_bytes(held_.front().value);
    return all;
  }

  static state_layout layout() {
    return {schema_of<window_operator_state<T>>(), {{"", Kernel::row_schema()}}};
  }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(window_operator_state<T>{this->watermark(), held_}), this->watermark());
    kernel_.snapshot(to);
  }
  bool continue_snapshot(std::size_t& rows) override { return kernel_.continue_snapshot(rows); }

  void restore(state_reader& from) override {
    std::vector<timestamp> watermarks;
    for (auto& each : read_summaries<window_operator_state<T>>(from)) {
      watermarks.push_back(each.watermark);
      std::copy_if(std::make_move_iterator(each.held.begin()),
                   std::make_move_iterator(each.held.end()), std::back_inserter(held_),
                   [&](const held_record<T>& record) { return from.owns(record.hash); });
    }
    const timestamp done = this->restore_watermark(watermarks);
    std::make_heap(held_.begin(), held_.end());
    for (const auto& each : held_) {
      held_frontier_ = std::max(held_frontier_, each.entry_frontier);
      arrivals_ = std::max(arrivals_, each.arrival);
    }
    kernel_.restore(from, done);
    ask_for_call();
  }

 protected:
  bool work(const batch<T>& rows, std::size_t& next) override {
    look_at_clock();
    read_back(rows, next);
    std::uint64_t unassigned = 0;
    auto sparse =
        std::lower_bound(rows.behind.begin(), rows.behind.end(), next,
                         [](const behind_row& each, std::size_t row) { return each.row < row; });
    const bool far = kernel_.prefetch_pays();
    bool pauses = false;
    std::size_t row = next;
    try {
      for (; row < rows.size(); ++row) {
        if constexpr (Kernel::emits_early) {
          pauses = this->should_pause();
          if (pauses) break;
        }
        if (far && row + ahead < rows.size()) kernel_.prefetch(rows.hashes[row + ahead]);
        if (sparse != rows.behind.end() && sparse->row == row) {
          hold(rows, row, sparse++->entry_frontier);
          continue;
        }
        if (rows.times[row] < this->watermark()) {
          // Merges and event times mark such a record as behind. Whoever did not: what is promised
          // holds for it.
          hold(rows, row, this->watermark());
          operator_counters::add(this->context().counters->realigned, 1);
          continue;
        }
        if (keeps_log_order() && !held_.empty()) {
          hold(rows, row, held_frontier_);  // Behind none, and yet not before those that are.
          continue;
        }
        const bool assigned = kernel_.add(
            rows.hashes[row], key_of_record(key_of_, rows.values[row]), rows.values[row],
            order_key{rows.times[row], rows.positions[row]}, collector_);
        if (!assigned) ++unassigned;
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    next = row;
    if (unassigned > 0) operator_counters::add(this->context().counters->unassigned, unassigned);
    collector_.flush();
    if (pauses) return false;
    apply_settled();
    ask_for_call();
    return true;
  }

  bool meet_deadline(timestamp now) override {
    if constexpr (with_clock) {
      clock_target_ = now;
      this->on_watermark(this->watermark());
    }
    return true;
  }

  bool move_to(timestamp frontier) override {
    look_at_clock();
    if (!fire_by_clock()) return false;
    std::size_t applied = 0;
    while (!held_.empty() && settled(held_.front().entry_frontier, frontier)) {
      if (!fire_until(held_.front().entry_frontier)) return false;
      std::pop_heap(held_.begin(), held_.end());
      apply_held(held_.back());
      held_.pop_back();
      // Each may emit a pane of every window it belongs to, or be late.
      if (collector_.slice_is_full() || ++applied == 4 * batch_rows_max) return false;
    }
    if (!fire_until(frontier)) return false;
    ask_for_call();
    return true;
  }
  void flush() override {
    collector_.flush();
    send_late();
  }
  timestamp promised_at(timestamp frontier) const override {
    return kernel_.times().promised(frontier);
  }
  void signal_outputs(const control& what) override {
    this->out().signal(what);
    late_.signal(what);
  }

 private:
  /// How many rows before its turn memory for a row is asked for.
  static constexpr std::size_t ahead = 16;
  static constexpr bool merges = requires { typename Kernel::partial; };
  /// Whether the kernel knows of processing time.
  static constexpr bool with_clock = requires(Kernel& kernel) { kernel.next_by_clock(); };

  /// Where the log has one order, and the order of records shows in the rows, all that follows a
  /// held record is held with it.
  bool keeps_log_order() const { return this->context().single_split && kernel_.wants_log_order(); }

  /// Where memory is limited: makes room, and reads the keys of the batch from `first` on.
  void read_back(const batch<T>& rows, std::size_t first) {
    if constexpr (keeps_to_limit) {
      if (!kernel_.is_limited()) return;
      kernel_.make_room();
      for (std::size_t row = first; row < rows.size(); ++row) {
        try {
          kernel_.want(rows.hashes[row], key_of_record(key_of_, rows.values[row]));
        } catch (...) {
          fail_in_user_function(this->context().place, rows.positions[row]);
        }
      }
      kernel_.read_wanted();
    }
  }

  /// The same for a record that was held, and for some of the others.
  void read_back(const held_record<T>& record) {
    if constexpr (keeps_to_limit) {
      if (!kernel_.is_limited()) return;
      constexpr std::size_t others = 256;
      kernel_.want(record.hash, key_of_record(key_of_, record.value));
      if (kernel_.read_wanted() == 0) return;
      for (std::size_t i = 0; i < std::min(others, held_.size()); ++i) {
        kernel_.want(held_[i].hash, key_of_record(key_of_, held_[i].value));
      }
      kernel_.read_wanted();
    }
  }

  void hold(const batch<T>& rows, std::size_t row, timestamp entry_frontier) {
    held_frontier_ = std::max(held_frontier_, entry_frontier);
    const position& where = rows.positions[row];
    const std::uint64_t arrival = keeps_log_order() ? ++arrivals_ : 0;
    held_.push_back({entry_frontier, arrival, rows.times[row], where.sequence, where.split,
                     where.fanout, rows.hashes[row], rows.values[row]});
    std::push_heap(held_.begin(), held_.end());
  }

  /// Whether no record can come any more that would have to be applied before one that entered at
  /// `entry_frontier`. With one split the log's own order settles equal frontiers.
  bool settled(timestamp entry_frontier, timestamp frontier) const {
    return this->context().single_split ? entry_frontier <= frontier : entry_frontier < frontier;
  }

  /// Applies what was held in this batch and need not wait for another watermark, which might not
  /// come for long: a record from the far future leaves everything after it behind.
  void apply_settled() {
    if (held_.empty() || !settled(held_.front().entry_frontier, this->watermark())) return;
    this->on_watermark(this->watermark());
  }

  bool fire_until(timestamp frontier) {
    try {
      return kernel_.fire_until(frontier, collector_);
    } catch (...) {
      fail_in_user_function(this->context().place, "while a window fired");
    }
  }

  void look_at_clock() {
    if constexpr (with_clock) {
      if (kernel_.wants_clock()) kernel_.set_clock(this->context().task->now());
    }
  }
  bool fire_by_clock() {
    if constexpr (with_clock) {
      try {
        return kernel_.fire_by_clock(clock_target_, collector_);
      } catch (...) {
        fail_in_user_function(this->context().place, "while a window fired");
      }
    }
    return true;
  }
  void ask_for_call() {
    if constexpr (with_clock) {
      if (kernel_.wants_clock()) this->context().task->call_at(*this, kernel_.next_by_clock());
    }
  }

  void apply_held(held_record<T>& record) {
    late_outcome outcome = late_outcome::accepted;
    const order_key order{record.at, record.where()};
    try {
      read_back(record);
      const auto& key = key_of_record(key_of_, std::as_const(record.value));
      if (record.at >= record.entry_frontier) {
        if (!kernel_.add(record.hash, key, record.value, order, collector_)) {
          outcome = late_outcome::unassigned;
        }
      } else {
        outcome = kernel_.add_behind(record.hash, key, record.value, order, record.entry_frontier,
                                     collector_);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, record.where());
    }
    if (outcome == late_outcome::unassigned) {
      operator_counters::add(this->context().counters->unassigned, 1);
    } else if (outcome == late_outcome::late) {
      operator_counters::add(this->context().counters->late, 1);
      if (!late_.connected()) return;
      late_rows_.behind.push_back(
          {static_cast<std::uint32_t>(late_rows_.size()), record.entry_frontier});
      late_rows_.positions.push_back(record.where());
      late_rows_.times.push_back(record.at);
      late_rows_.values.push_back(std::move(record.value));
      if (late_rows_.size() >= batch_rows_max) send_late();
    }
  }

  void send_late() { late_.emit(late_rows_); }

  KeyOf key_of_;
  Kernel kernel_;
  row_collector<typename Kernel::row> collector_;
  [[no_unique_address]]
  typename merging_inlet_of<window_operator, Kernel>::type partials_;
  outlet<T> late_;
  batch<T> late_rows_;
  std::vector<held_record<T>> held_;         ///< A heap: the earliest turn on top.
  timestamp held_frontier_ = timestamp_min;  ///< The largest entry frontier that was ever held.
  std::uint64_t arrivals_ = 0;               ///< How many were held where arrival decides.
  timestamp clock_target_ = timestamp_min;   ///< The processing time that called last.
};

}  // namespace freshet::detail
