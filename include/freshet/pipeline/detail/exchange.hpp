// The two ends of an exchange: rows leave one task and enter others. Internal.
//
// A sender spreads rows over the tasks below and holds them in partly filled batches; a receiver
// takes what several tasks above send and combines their watermarks. What lies between is a bounded
// channel for each pair of tasks (src/runtime/channel.hpp), which knows nothing of the rows' type.
//
// A sender may hold a watermark back for as long as it holds rows, so that a batch need not be sent
// for every watermark. That delays windows, and changes no row: records behind their frontier carry
// it with them, and those on time commute.
//
// Threads: a sender belongs to the task above, a receiver to the one below. Cost: one move per row
// and one allocation per batch, as long as batches do not come back for being filled again.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/entry_frontiers.hpp>
#include <freshet/pipeline/detail/target_lists.hpp>
#include <freshet/pipeline/detail/ways.hpp>
#include <freshet/window/watermark.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A batch between two tasks, whatever its rows are.
class carried_rows {
 public:
  virtual ~carried_rows() = default;
  virtual std::size_t size() const = 0;

  /// The sender's watermark after these rows, where it is news: one message instead of two.
  std::optional<timestamp> promised;

 protected:
  /// `kind`: an address that stands for the type of the rows.
  explicit carried_rows(const void* kind) : kind_(kind) {}

 private:
  template <class T>
  friend class carried_batch;
  const void* kind_;
};

template <class T>
class carried_batch final : public carried_rows {
 public:
  carried_batch() : carried_rows(&kind) {}
  std::size_t size() const override { return rows.size(); }
  batch<T> rows;

  /// Null where the rows are of another type.
  static carried_batch* of(carried_rows* any) {
    return any != nullptr && any->kind_ == &kind ? static_cast<carried_batch*>(any) : nullptr;
  }

 private:
  static inline const char kind = 0;
};

/// The sending end of a channel. Nothing is refused: what finds no room waits in the sender's task,
/// which then takes no further input until there is some.
class channel_end {
 public:
  virtual ~channel_end() = default;
  virtual void send(std::unique_ptr<carried_rows> rows) = 0;
  virtual void send(const control& what) = 0;
  /// A batch that the other side is done with, to be filled again; null when there is none.
  virtual std::unique_ptr<carried_rows> used() = 0;
  /// How many times this end had said that it is idle when the other side last let its watermark
  /// count; `never_counted` as long as it does not know. While that is as often as it has been
  /// said, the other side waits for what is sent here before it goes past it.
  virtual std::uint64_t counted_after() const = 0;
  static constexpr std::uint64_t never_counted = std::numeric_limits<std::uint64_t>::max();
};

/// What leaves a task on one way. Rows and signals enter through `input()`.
class exchange_sender {
 public:
  virtual ~exchange_sender() = default;
  virtual inlet_base& input() = 0;
  /// Sends what is partly filled, and the watermark that was held back for it.
  virtual void flush() = 0;
  /// Whether `flush` has something to send.
  virtual bool holds() const = 0;
  /// From here on, rows go by other owners. \pre nothing is held.
  virtual void set_owners(const key_group_owners& owners) = 0;
  /// What has been sent by key group; null where rows do not go by their keys. From any thread.
  virtual const key_group_load* load() const = 0;
  /// What it holds of the state of the operator below; nothing where it never holds any.
  virtual std::optional<state_size> held_state() { return std::nullopt; }
  /// The keys that most of its records have, where it looks for them.
  virtual heavy_keys find_heavy_keys() { return {}; }
};

/// What enters a task on one way.
class exchange_receiver {
 public:
  virtual ~exchange_receiver() = default;
  virtual outlet_base& output() = 0;
  /// Takes the rows of channel `from`, and what is promised after them, and leaves the batch to be
  /// used again.
  virtual void take(std::size_t from, carried_rows& rows) = 0;
  /// Takes a signal of channel `from`, other than a barrier.
  virtual void take(std::size_t from, const control& what) = 0;
  /// Sends a signal that all channels have given, or that concerns none of them.
  virtual void send(const control& what) = 0;
  /// Combined over the channels.
  virtual timestamp frontier() const = 0;
  /// Key groups have gone from one task to another at the barrier before, and with them what was
  /// promised for some: nothing before `frontier` is left to come for any.
  virtual void raise_frontier(timestamp frontier) = 0;
  /// Whether every channel has ended.
  virtual bool ended() const = 0;
  /// Connects the input for partial aggregates, where the exchange carries some.
  virtual void attach_partials(inlet_base&) {}
  /// What `channel_end::counted_after` is to be after what was taken, where the sender asks for it
  /// and the channel counts.
  virtual std::optional<std::uint64_t> counted_after(std::size_t /*channel*/) const {
    return std::nullopt;
  }
};

template <class T>
class sending_exchange final : public exchange_sender, public inlet<T> {
 public:
  sending_exchange(std::vector<channel_end*> targets, spread how, const key_group_owners& owners)
      : how_(how),
        rows_max_(how == spread::whole ? batch_rows_max : rows_for(targets.size())),
        owners_(owners),
        lists_(targets.size()) {
    for (channel_end* each : targets) targets_.push_back({each, nullptr});
  }

  inlet_base& input() override { return *this; }

  /// Spreads rows by key, but for those that `left_out` marks with 1. Values of a batch that is not
  /// const are moved.
  template <class Rows>
  void split_rest(Rows& rows, const std::vector<std::uint8_t>& left_out) {
    lists_.assign(rows.hashes, owners_, left_out);
    append_lists(rows);
  }

  void consume(batch<T>& rows) override {
    if (rows.empty()) return;
    switch (how_) {
      case spread::whole:
        send_whole(rows);
        return;
      case spread::by_key:
        split(rows);
        return;
      case spread::to_everyone:
        share(rows);
        return;
    }
  }

  void share(const batch<T>& rows) override {
    if (rows.empty()) return;
    if (how_ == spread::by_key) {
      split(rows);
      return;
    }
    const std::size_t copies = how_ == spread::to_everyone ? targets_.size() : 1;
    for (std::size_t copy = 0; copy < copies; ++copy) {
      std::size_t cursor = 0;
      for (std::size_t row = 0; row < rows.size(); ++row) {
        one_target& target = targets_[how_ == spread::to_everyone ? copy : turn_];
        append(target, rows, row, rows.values[row], cursor);
      }
    }
  }

  void signal(const control& what) override {
    switch (what.what) {
      case control::kind::watermark:
        // An equal one passes on as well, once: after a restart it repeats what is promised.
        if (promised_ && what.frontier <= *promised_) return;
        promised_ = what.frontier;
        return;
      case control::kind::latency_marker:
        // Waits where a row would.
        for (one_target& each : targets_) each.markers.push_back(what);
        return;
      case control::kind::idle:
      case control::kind::active:
      case control::kind::barrier:
      case control::kind::end:
        flush();
        for (const one_target& each : targets_) each.to->send(what);
        return;
      default:
        return;  // Between a source and its event_time, or sent by every task for itself.
    }
  }

  void flush() override {
    for (one_target& each : targets_) {
      if (each.filling != nullptr && !each.filling->rows.empty()) {
        dispatch(each);
      } else {
        send_markers(each);
        promise(each);
      }
    }
  }

  bool holds() const override {
    for (const one_target& each : targets_) {
      if (each.filling != nullptr && !each.filling->rows.empty()) return true;
      if (!each.markers.empty()) return true;
      if (promised_ && each.promised != promised_) return true;
    }
    return false;
  }

  void set_owners(const key_group_owners& owners) override { owners_ = owners; }
  const key_group_load* load() const override {
    return how_ == spread::by_key ? &lists_.load() : nullptr;
  }

 private:
  struct one_target {
    channel_end* to = nullptr;
    std::unique_ptr<carried_batch<T>> filling;
    std::optional<timestamp> promised = std::nullopt;
    std::vector<control> markers = {};  ///< Behind the rows of `filling`.
  };
  /// How many rows a batch has when it is sent, where several are filled at once: together about as
  /// many as one, so that they leave room in the cache, but not so few that what a message costs
  /// would show.
  static constexpr std::size_t rows_for(std::size_t targets) {
    constexpr std::size_t least = batch_rows_max / 4;
    return std::max(least, batch_rows_max / std::max<std::size_t>(1, targets));
  }

  /// From how many rows on a batch is not worth being copied into another one.
  static constexpr std::size_t whole_rows_min = batch_rows_max / 4;

  template <class Value>
  void append(one_target& target, const batch<T>& rows, std::size_t row, Value&& value,
              std::size_t& cursor) {
    batch<T>& to = open(target);
    to.append_row(rows, row, std::forward<Value>(value), cursor);
    if (to.size() >= rows_max_) dispatch(target);
  }

  batch<T>& open(one_target& target) {
    if (target.filling == nullptr) target.filling = fresh(target);
    return target.filling->rows;
  }
  /// All at once: growing step by step would leave holes, of every batch, in the memory of a
  /// thread.
  void reserve(batch<T>& to, const batch<T>& like) const {
    to.values.reserve(rows_max_);
    to.positions.reserve(rows_max_);
    if (!like.times.empty()) to.times.reserve(rows_max_);
    if (!like.hashes.empty()) to.hashes.reserve(rows_max_);
    if (!like.entry_frontiers.empty()) to.entry_frontiers.reserve(rows_max_);
  }
  static std::unique_ptr<carried_batch<T>> fresh(one_target& target) {
    std::unique_ptr<carried_rows> used = target.to->used();
    // Partial aggregates on the same way come back, too.
    auto* rows = carried_batch<T>::of(used.get());
    if (rows == nullptr) return std::make_unique<carried_batch<T>>();
    (void)used.release();
    return std::unique_ptr<carried_batch<T>>(rows);
  }

  void dispatch(one_target& target) {
    const bool news = promised_ && target.promised != promised_;
    if (news) target.promised = promised_;
    target.filling->promised = news ? promised_ : std::nullopt;
    target.to->send(std::unique_ptr<carried_rows>(std::move(target.filling)));
    send_markers(target);
    if (how_ == spread::whole) turn_ = turn_ + 1 == targets_.size() ? 0 : turn_ + 1;
  }
  void send_markers(one_target& target) {
    for (const control& each : target.markers) target.to->send(each);
    target.markers.clear();
  }
  void promise(one_target& target) {
    if (!promised_ || target.promised == promised_) return;
    target.promised = promised_;
    target.to->send({.what = control::kind::watermark, .frontier = *promised_});
  }

  void send_whole(batch<T>& rows) {
    one_target& target = targets_[turn_];
    const bool none_waits = target.filling == nullptr || target.filling->rows.empty();
    if (none_waits && rows.size() >= whole_rows_min) {
      std::swap(open(target), rows);
      dispatch(target);
      return;
    }
    std::size_t cursor = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      append(targets_[turn_], rows, row, std::move(rows.values[row]), cursor);
    }
  }

  /// In two passes, so that each column of a target is filled in one go: first the rows of each
  /// target are listed, then they are appended. Values of a batch that is not const are moved.
  template <class Rows>
  void split(Rows& rows) {
    lists_.assign(rows.hashes, owners_);
    append_lists(rows);
  }
  template <class Rows>
  void append_lists(Rows& rows) {
    for (std::size_t number = 0; number < targets_.size(); ++number) {
      one_target& target = targets_[number];
      std::span<const std::uint32_t> left = lists_[number];
      while (!left.empty()) {
        batch<T>& to = open(target);
        if (to.empty()) reserve(to, rows);
        const std::size_t fits = std::min(left.size(), rows_max_ - to.size());
        to.append_rows(rows, left.first(fits));
        left = left.subspan(fits);
        if (to.size() >= rows_max_) dispatch(target);
      }
    }
  }

  spread how_;
  std::size_t rows_max_;
  key_group_owners owners_;
  std::vector<one_target> targets_;
  std::size_t turn_ = 0;
  std::optional<timestamp> promised_;
  target_lists lists_;
};

template <class T>
class receiving_exchange final : public exchange_receiver {
 public:
  explicit receiving_exchange(std::size_t channels, operator_counters& counters)
      : counters_(counters), minimum_(channels), ended_(channels, false) {}

  outlet_base& output() override { return out_; }

  void take(std::size_t from, carried_rows& rows) override {
    batch<T>& received = static_cast<carried_batch<T>&>(rows).rows;
    if (!minimum_.counts(from)) {
      operator_counters::add(counters_.realigned,
                             raise_entry_frontiers(received, minimum_.frontier()));
    }
    out_.emit(received);
    if (rows.promised) {
      take(from, {.what = control::kind::watermark, .frontier = *rows.promised});
    }
  }

  void take(std::size_t from, const control& what) override {
    switch (what.what) {
      case control::kind::watermark:
        publish(minimum_.advance(from, what.frontier));
        return;
      case control::kind::idle:
        publish(minimum_.set_idle(from));
        return;
      case control::kind::active:
        publish(minimum_.set_active(from));
        return;
      case control::kind::end:
        ended_[from] = true;
        publish(minimum_.finish(from));
        if (ended()) out_.signal(what);
        return;
      case control::kind::latency_marker:
        out_.signal(what);
        return;
      default:
        return;
    }
  }

  void send(const control& what) override { out_.signal(what); }
  timestamp frontier() const override { return minimum_.frontier(); }
  void raise_frontier(timestamp frontier) override { minimum_.raise(frontier); }
  /// Whether the watermark of a channel takes part in the combined one.
  bool counts(std::size_t from) const { return minimum_.counts(from); }
  bool ended() const override {
    return std::find(ended_.begin(), ended_.end(), false) == ended_.end();
  }

 private:
  void publish(const frontier_change& change) {
    if (change.frontier) {
      out_.signal({.what = control::kind::watermark, .frontier = *change.frontier});
    }
    if (change.became_idle) out_.signal({.what = control::kind::idle});
    if (change.became_active) out_.signal({.what = control::kind::active});
  }

  operator_counters& counters_;
  frontier_minimum minimum_;
  std::vector<bool> ended_;
  outlet<T> out_;
};

template <class T>
std::unique_ptr<exchange_sender> outlet<T>::make_sender(std::vector<channel_end*> targets,
                                                        spread how,
                                                        const key_group_owners& owners) const {
  return std::make_unique<sending_exchange<T>>(std::move(targets), how, owners);
}

template <class T>
std::unique_ptr<exchange_receiver> outlet<T>::make_receiver(std::size_t channels,
                                                            operator_counters& counters) const {
  return std::make_unique<receiving_exchange<T>>(channels, counters);
}

}  // namespace freshet::detail
