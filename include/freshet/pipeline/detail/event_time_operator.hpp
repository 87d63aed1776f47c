// The operator behind event_time. Internal.
//
// Threads: one task. Cost: O(1) per record and O(splits) per batch. State: one generator per split.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/optional.hpp>
#include <freshet/pipeline/dead_letter.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/frontier_combiner.hpp>
#include <freshet/pipeline/detail/jump_guard.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/split_board.hpp>
#include <freshet/window/watermark.hpp>

#include <fmt/format.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// An `event_time` seen by the engine, which connects it with its source.
class split_listener {
 public:
  virtual ~split_listener() = default;
  virtual void listen(split_board& board) = 0;
};

/// One split's part of the state of an `event_time`.
template <class GeneratorState>
struct split_frontier {
  GeneratorState generator{};
  timestamp promised = timestamp_min;  ///< The furthest that the generator has gone.
  jump_guard::state guard;
  bool ended = false;
  BOOST_DESCRIBE_CLASS(split_frontier, (), (generator, promised, guard, ended), (), ())
};

template <class GeneratorState>
struct event_time_state {
  timestamp combined = timestamp_min;
  std::vector<bool> mine;  ///< Which splits the instance had read; it knows nothing of the others.
  std::vector<split_frontier<GeneratorState>> splits;
  BOOST_DESCRIBE_CLASS(event_time_state, (), (combined, mine, splits), (), ())
};

template <class T, class Time, class Generator>
class event_time_operator final : public unary_operator<T, T>,
                                  public split_listener,
                                  public frontier_combiner {
 public:
  event_time_operator(Time time, Generator generator, duration idle_after, jump_guard guard,
                      std::string source)
      : time_(std::move(time)),
        generator_(std::move(generator)),
        idle_after_(idle_after),
        guard_(guard),
        source_(std::move(source)),
        minimum_(0) {}

  outlet_base& output(std::size_t port) override {
    if (port == 0) return this->out();
    return dead_;
  }

  void listen(split_board& board) override {
    board_ = &board;
    board_->timed = true;
    state_.mine = board.mine;
    state_.splits.resize(board.names.size());
    start_minimum();
    silent_since_.resize(board.names.size());
    only_refused_.assign(board.names.size(), false);
  }

  const frontier_minimum& combined() const override { return minimum_; }

  void restore(state_reader& from) override {
    // An instance whose splits have all ended has promised everything, for those alone.
    state_.combined = timestamp_max;
    std::vector<bool> known(state_.splits.size(), false);
    for (auto& each : read_summaries<event_time_state<typename Generator::state>>(from)) {
      if (each.splits.size() > state_.splits.size()) from.fail("it knows more splits");
      if (each.mine.size() != each.splits.size()) from.fail("it has splits of nobody");
      state_.combined = std::min(state_.combined, each.combined);
      for (std::size_t split = 0; split < each.splits.size(); ++split) {
        if (!each.mine[split]) continue;
        if (known[split]) from.fail("a split was read twice");
        known[split] = true;
        if (state_.mine[split]) state_.splits[split] = std::move(each.splits[split]);
      }
    }
    for (std::size_t split = 0; split < state_.splits.size(); ++split) {
      board_->frontiers[split] = state_.splits[split].promised;
    }
    start_minimum();
  }

  static state_layout layout() {
    return {schema_of<event_time_state<typename Generator::state>>()};
  }

  void snapshot(state_writer& to) override {
    state_.combined = minimum_.frontier();
    to.summary(to_bytes(state_), minimum_.frontier());
  }

  void share(const batch<T>& rows) override {
    batch<T> copy = rows;
    consume(copy);
  }

  void consume(batch<T>& rows) override {
    if (rows.empty()) return;
    this->count_in(rows);
    const std::size_t split = rows.positions.front().split % splits_per_source_max;
    stamp(rows, split);
    if (!refused_.empty()) send_refused(rows);
    only_refused_[split] = rows.empty();
    if (rows.empty()) {
      // Nothing is known from it, so that it must not be waited for longer than for a silent one.
      fall_idle();
      return;
    }
    wake(split);
    this->count_out(rows);
    this->out().emit(rows);
    report(split);
  }

  void signal(const control& what) override {
    switch (what.what) {
      case control::kind::split_ended:
        state_.splits[what.split].ended = true;
        publish(minimum_.finish(what.split));
        return;
      case control::kind::start:
        if (minimum_.frontier() > timestamp_min) {
          forward({.what = control::kind::watermark, .frontier = minimum_.frontier()});
        }
        return;
      case control::kind::tick:
        fall_idle();
        return;
      case control::kind::split_frontier:
        promise(what.split, what.frontier);
        return;
      case control::kind::split_idle:
        set_idle(what.split);
        return;
      case control::kind::split_active:
        wake(what.split);
        return;
      case control::kind::end:
        for (std::size_t split = 0; split < state_.splits.size(); ++split) {
          if (!state_.mine[split]) continue;
          state_.splits[split].ended = true;
          publish(minimum_.finish(split));
        }
        forward(what);
        return;
      default:
        unary_operator<T, T>::signal(what);
    }
  }

 protected:
  void forward(const control& what) override {
    this->out().signal(what);
    dead_.signal(what);
  }

 private:
  /// A row that becomes a dead letter.
  struct refusal {
    std::size_t row = 0;
    std::string reason;
  };
  using own_frontier = split_frontier<typename Generator::state>;
  /// What `stamp` works on: in registers where it can be, because the rows it writes might
  /// otherwise be a part of it.
  using working_frontier =
      std::conditional_t<std::is_trivially_copyable_v<own_frontier>, own_frontier, own_frontier&>;

  // The end of time is the promise of the end of input alone: a record that stands there must not
  // finish its split, or those after it would wait for a watermark that never comes.
  static constexpr timestamp last_frontier{timestamp_max.time_since_epoch() - duration{1}};

  static constexpr bool may_lack_time =
      is_optional<std::remove_cvref_t<std::invoke_result_t<const Time&, const T&>>>;

  /// Fills in the times and the rows behind their frontier; `refused_` lists rows without a usable
  /// time.
  void stamp(batch<T>& rows, std::size_t split) {
    working_frontier own = state_.splits[split];
    const std::size_t count = rows.size();
    rows.times.resize(count);
    rows.behind.clear();
    const bool guarded = guard_.enabled();
    const bool dense = board_->wants_entry_frontiers;
    if (dense) rows.entry_frontiers.resize(count);
    refused_.clear();
    // A split that others have not waited for enters at what has been promised without it.
    const timestamp floor = minimum_.counts(split) ? timestamp_min : minimum_.frontier();
    timestamp frontier = std::max(floor, own.promised);
    std::size_t row = 0;
    try {
      for (; row < count; ++row) {
        const T& record = rows.values[row];
        const auto& given = std::invoke(time_, record);
        if constexpr (may_lack_time) {
          if (!given) {
            refused_.push_back({row, "the record has no event time"});
            continue;
          }
        }
        const timestamp at = time_of(given);
        if (guarded && !guard_.admit(own.guard, at)) {
          refused_.push_back({row, too_far_ahead(own.guard, at)});
          continue;
        }
        rows.times[row] = at;
        if (dense) rows.entry_frontiers[row] = frontier;
        if (at < frontier) {
          rows.behind.push_back({static_cast<std::uint32_t>(row), frontier});
          if (at < floor && own.promised < floor) {
            operator_counters::add(this->context().counters->realigned, 1);
          }
        }
        if (!observe(own, at, record)) {
          operator_counters::add(this->context().counters->regressed, 1);
        }
        frontier = std::max(floor, own.promised);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    if constexpr (!std::is_reference_v<working_frontier>) state_.splits[split] = own;
  }

  /// Shows an accepted record to the split's generator. \return false when its promise was ignored.
  bool observe(own_frontier& own, timestamp at, const T& record) {
    bool kept = false;
    if constexpr (observes_records<Generator, T>) {
      if (guard_.enabled()) {
        // A promise comes from the record, and so may be as wrong as its event time.
        auto after = own.generator;
        kept = observe_record(generator_, after, at, record);
        if (generator_.frontier(after) > std::max(own.promised, guard_.limit(own.guard))) {
          return false;
        }
        own.generator = std::move(after);
      } else {
        kept = observe_record(generator_, own.generator, at, record);
      }
    } else {
      kept = observe_record(generator_, own.generator, at, record);
    }
    const timestamp promise = std::min(last_frontier, generator_.frontier(own.generator));
    own.promised = std::max(own.promised, promise);
    return kept;
  }

  std::string too_far_ahead(const jump_guard::state& guard, timestamp at) const {
    return fmt::format(
        "its event time {} is {} ahead of {}, the latest of its split, and jump_max allows {}",
        to_iso_8601(at), freshet::to_text(saturating_between(guard.latest, at)),
        to_iso_8601(guard.latest), freshet::to_text(guard_.jump_max()));
  }

  template <class Given>
  static timestamp time_of(const Given& given) {
    if constexpr (may_lack_time) {
      return *given;
    } else {
      return given;
    }
  }

  /// Takes the rows in `refused_` out of `rows` and sends them to the dead letters.
  void send_refused(batch<T>& rows) {
    batch<dead_letter> letters;
    for (refusal& each : refused_) {
      const position& where = rows.positions[each.row];
      letters.values.push_back({source_,
                                board_->names[where.split % splits_per_source_max],
                                where.sequence,
                                0,
                                std::move(each.reason),
                                {}});
      letters.positions.push_back(where);
    }
    operator_counters::add(this->context().counters->dead, letters.size());
    dead_.emit(letters);
    std::size_t next = 0;
    rows.keep_rows([&](std::size_t row) {
      if (next < refused_.size() && refused_[next].row == row) {
        ++next;
        return false;
      }
      return true;
    });
  }

  /// Begins with what the state says. Splits that have ended, or that others read, have no say.
  void start_minimum() {
    minimum_ = frontier_minimum(state_.splits.size());
    minimum_.restore(state_.combined, board_->frontiers);
    for (std::size_t split = 0; split < state_.splits.size(); ++split) {
      if (!state_.mine[split] || state_.splits[split].ended) (void)minimum_.finish(split);
    }
  }

  void wake(std::size_t split) {
    silent_since_[split].reset();
    publish(minimum_.set_active(split));
  }

  /// Marks splits idle that have been silent for too long: found to have nothing, and found so
  /// again after the timeout, with nothing in between. So neither a job that was stopped for long,
  /// nor a split that was not read because others were, or because a sink is slow, is taken for
  /// idle.
  void fall_idle() {
    if (idle_after_ == duration::zero()) return;
    for (std::size_t split = 0; split < silent_since_.size(); ++split) {
      if (minimum_.is_finished(split) || minimum_.is_idle(split)) continue;
      const std::optional<timestamp> silent = silent_at(split);
      if (!silent) {
        silent_since_[split].reset();
      } else if (!silent_since_[split]) {
        silent_since_[split] = silent;
      } else if (saturating_between(*silent_since_[split], *silent) > idle_after_) {
        set_idle(split);
      }
    }
  }

  /// When a split was last known to have nothing of use, unless it has something.
  std::optional<timestamp> silent_at(std::size_t split) const {
    if (only_refused_[split]) return this->context().task->now();
    return board_->silent_at[split];
  }

  void set_idle(std::size_t split) {
    publish(minimum_.set_idle(split));
    board_->frontiers[split] = minimum_.frontier();
  }

  /// A promise of the source itself. An idle split has no say.
  void promise(std::size_t split, timestamp frontier) {
    if (minimum_.is_idle(split)) return;
    timestamp& promised = state_.splits[split].promised;
    promised = std::max(promised, std::min(last_frontier, frontier));
    report(split);
  }

  void report(std::size_t split) {
    board_->frontiers[split] = state_.splits[split].promised;
    publish(minimum_.advance(split, state_.splits[split].promised));
  }

  void publish(const frontier_change& change) {
    if (change.became_active) forward({.what = control::kind::active});
    if (change.frontier) {
      forward({.what = control::kind::watermark, .frontier = *change.frontier});
    }
    if (change.became_idle) forward({.what = control::kind::idle});
  }

  Time time_;
  Generator generator_;
  duration idle_after_;
  jump_guard guard_;
  std::string source_;
  split_board* board_ = nullptr;
  event_time_state<typename Generator::state> state_;
  frontier_minimum minimum_;
  std::vector<std::optional<timestamp>> silent_since_;  ///< In processing time.
  std::vector<bool> only_refused_;  ///< Whether the last batch of a split had no usable record.
  std::vector<refusal> refused_;
  outlet<dead_letter> dead_;
};

}  // namespace freshet::detail
