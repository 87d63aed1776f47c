// The operators behind map, filter, flat_map and merge. Internal.
//
// Threads: one task. Memory: one scratch batch each, and what waits while a flat_map pauses;
// nothing but the frontier of a merge is in checkpoints.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/entry_frontiers.hpp>
#include <freshet/pipeline/detail/frontier_combiner.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/pipeline/detail/row_position.hpp>
#include <freshet/window/watermark.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Out, class F>
class map_operator final : public unary_operator<T, Out> {
 public:
  explicit map_operator(F f) : f_(std::move(f)) {}

  void consume(batch<T>& rows) override {
    // What is not wanted any more may be moved into the row.
    if constexpr (stays_in_place) {
      this->count_in(rows);
      transform_in_place(rows);
      this->count_out(rows);
      this->out().emit(rows);
      return;
    } else if constexpr (takes_over) {
      transform(rows, [](T& record) -> T&& { return std::move(record); });
    } else {
      transform(rows, [](const T& record) -> const T& { return record; });
    }
    rows_.swap_columns(rows);
    send();
  }
  void share(const batch<T>& rows) override {
    transform(rows, [](const T& record) -> const T& { return record; });
    rows_.copy_columns(rows);
    send();
  }

 private:
  static constexpr bool takes_over = [] {
    if constexpr (std::is_invocable_v<F&, T&&>) {
      return std::is_same_v<std::remove_cvref_t<std::invoke_result_t<F&, T&&>>, Out>;
    }
    return false;
  }();

  /// The batch goes on as it is, with other values.
  static constexpr bool stays_in_place = std::is_same_v<T, Out> && std::is_move_assignable_v<T>;

  void transform_in_place(batch<T>& rows) {
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        T& record = rows.values[row];
        if constexpr (takes_over) {
          record = T(std::invoke(f_, std::move(record)));
        } else {
          record = T(std::invoke(f_, std::as_const(record)));
        }
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
  }

  template <class Rows, class Given>
  void transform(Rows& rows, Given given) {
    this->count_in(rows);
    rows_.values.reserve(rows.size());
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        rows_.values.push_back(std::invoke(f_, given(rows.values[row])));
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
  }
  void send() {
    this->count_out(rows_);
    this->out().emit(rows_);
  }

  F f_;
  batch<Out> rows_;
};

template <class T, class F>
class filter_operator final : public unary_operator<T, T> {
 public:
  explicit filter_operator(F f) : f_(std::move(f)) {}

  void consume(batch<T>& rows) override {
    this->count_in(rows);
    std::size_t at = 0;
    try {
      rows.keep_rows([&](std::size_t row) {
        at = row;
        return static_cast<bool>(std::invoke(f_, std::as_const(rows.values[row])));
      });
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[at]);
    }
    this->count_out(rows);
    this->out().emit(rows);
  }

 private:
  F f_;
};

/// What a function given to `flat_map` calls for every row.
template <class Out>
class emitter {
 public:
  virtual void operator()(Out row) = 0;

 protected:
  ~emitter() = default;
};

template <class T, class Out, class F>
class flat_map_operator final : public pausable_operator<T, Out>, private emitter<Out> {
 public:
  explicit flat_map_operator(F f) : f_(std::move(f)) {}

 protected:
  bool work(const batch<T>& rows, std::size_t& next) override {
    input_ = &rows;
    cursor_ = 0;
    bool pauses = false;
    row_ = next;
    try {
      for (; row_ < rows.size(); ++row_) {
        pauses = this->should_pause();
        if (pauses) break;
        index_ = 0;
        std::invoke(f_, rows.values[row_], static_cast<emitter<Out>&>(*this));
        if (failure_) std::rethrow_exception(failure_);
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row_]);
    }
    next = row_;
    flush();
    return !pauses;
  }

  bool move_to(timestamp) override { return true; }
  void flush() override {
    this->count_out(rows_);
    this->out().emit(rows_);
  }

 private:
  void operator()(Out value) override {
    if (failure_) std::rethrow_exception(failure_);
    rows_.append_row(*input_, row_, std::move(value), cursor_);
    rows_.positions.back() = position_of_row(input_->positions[row_], index_++);
    if (rows_.size() < batch_rows_max) return;
    try {
      flush();
    } catch (...) {
      // The user's function stands in between and may catch it: the job must end all the same.
      failure_ = std::current_exception();
      throw;
    }
  }

  F f_;
  batch<Out> rows_;
  const batch<T>* input_ = nullptr;
  std::size_t row_ = 0;
  std::size_t cursor_ = 0;
  std::uint32_t index_ = 0;     ///< Of the next row among those of its record.
  std::exception_ptr failure_;  ///< Of an operator below, on its way through the user's function.
};

/// Hands on what it gets.
template <class T>
class pass_operator final : public unary_operator<T, T> {
 public:
  void consume(batch<T>& rows) override {
    this->count_in(rows);
    this->count_out(rows);
    this->out().emit(rows);
  }
  void share(const batch<T>& rows) override {
    this->count_in(rows);
    this->count_out(rows);
    this->out().share(rows);
  }
};

struct merge_state {
  timestamp combined = timestamp_min;
  std::vector<timestamp> inputs;  ///< The end of time for one that has ended.
};
BOOST_DESCRIBE_STRUCT(merge_state, (), (combined, inputs))

template <class T>
class merge_operator final : public runtime_operator, public frontier_combiner {
 public:
  explicit merge_operator(std::size_t ports) : minimum_(ports), ended_(0), barriers_(0) {
    for (std::size_t port = 0; port < ports; ++port) {
      ports_.push_back(std::make_unique<port_inlet>(*this, port));
    }
  }

  inlet_base& input(std::size_t port) override { return *ports_[port]; }
  outlet_base& output(std::size_t) override { return out_; }
  const frontier_minimum& combined() const override { return minimum_; }

  static state_layout layout() { return {schema_of<merge_state>()}; }

  void snapshot(state_writer& to) override {
    merge_state state{minimum_.frontier(), {}};
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      state.inputs.push_back(minimum_.is_finished(port) ? timestamp_max
                                                        : minimum_.frontier_of(port));
    }
    to.summary(to_bytes(state), minimum_.frontier());
  }
  /// What holds for every instance's part of an input holds for the input. Inputs that are idle
  /// again say so by themselves.
  void restore(state_reader& from) override {
    merge_state all{timestamp_max, std::vector<timestamp>(ports_.size(), timestamp_max)};
    for (const merge_state& each : read_summaries<merge_state>(from)) {
      if (each.inputs.size() != ports_.size()) from.fail("it knows other inputs");
      all.combined = std::min(all.combined, each.combined);
      std::transform(each.inputs.begin(), each.inputs.end(), all.inputs.begin(), all.inputs.begin(),
                     [](timestamp a, timestamp b) { return std::min(a, b); });
    }
    minimum_.restore(all.combined, all.inputs);
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      if (all.inputs[port] == timestamp_max) (void)minimum_.finish(port);
    }
  }

 private:
  class port_inlet final : public inlet<T> {
   public:
    port_inlet(merge_operator& owner, std::size_t port) : owner_(owner), port_(port) {}
    void consume(batch<T>& rows) override {
      operator_counters& counters = *owner_.context().counters;
      counters.take(rows.size(), bytes_of(rows));
      if (!owner_.minimum_.counts(port_)) {
        operator_counters::add(counters.realigned,
                               raise_entry_frontiers(rows, owner_.minimum_.frontier()));
      }
      counters.give(rows.size(), bytes_of(rows));
      owner_.out_.emit(rows);
    }
    void signal(const control& what) override { owner_.signal(port_, what); }

   private:
    merge_operator& owner_;
    std::size_t port_;
  };

  void signal(std::size_t port, const control& what) {
    switch (what.what) {
      case control::kind::watermark:
        publish(minimum_.advance(port, what.frontier));
        return;
      case control::kind::idle:
        publish(minimum_.set_idle(port));
        return;
      case control::kind::active:
        publish(minimum_.set_active(port));
        return;
      case control::kind::end:
        publish(minimum_.finish(port));
        if (++ended_ == ports_.size()) out_.signal(what);
        return;
      case control::kind::barrier:
        // The task aligns barriers before it lets them in, so no data comes between the ports'.
        if (++barriers_ == ports_.size()) {
          barriers_ = 0;
          this->context().task->take_snapshot(*this);
          out_.signal(what);
        }
        return;
      case control::kind::latency_marker:
        out_.signal(what);
        return;
      default:
        return;  // Signals of a source to its event_time end above a merge.
    }
  }

  void publish(const frontier_change& change) {
    if (change.frontier) {
      out_.signal({.what = control::kind::watermark, .frontier = *change.frontier});
    }
    if (change.became_idle) out_.signal({.what = control::kind::idle});
    if (change.became_active) out_.signal({.what = control::kind::active});
  }

  std::vector<std::unique_ptr<port_inlet>> ports_;
  outlet<T> out_;
  frontier_minimum minimum_;
  std::size_t ended_;
  std::size_t barriers_;
};

}  // namespace freshet::detail
