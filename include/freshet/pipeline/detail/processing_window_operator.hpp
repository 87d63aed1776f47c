// The operator behind windows of processing time: the clock takes the place of the watermark.
// Internal.
//
// Threads: one task. Memory: the kernel's windows.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/resumable_operator.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace freshet::detail {

/// `Kernel`: as for `window_operator`; moments are those of the clock.
template <class T, class KeyOf, class Kernel>
class processing_window_operator final : public resumable_operator<T, typename Kernel::row> {
 public:
  processing_window_operator(KeyOf key_of, Kernel kernel)
      : key_of_(std::move(key_of)),
        kernel_(std::move(kernel)),
        collector_(this->out(), this->context()) {}

  void open(const operator_context& context) override {
    this->runtime_operator::open(context);
    kernel_.own(context.groups);
  }

  void consume(batch<T>& rows) override { share(rows); }

  void share(const batch<T>& rows) override {
    this->catch_up();
    this->count_in(rows);
    follow_clock(this->context().task->now());
    std::uint64_t unassigned = 0;
    std::size_t row = 0;
    try {
      for (; row < rows.size(); ++row) {
        const bool assigned =
            kernel_.add(rows.hashes[row], key_of_record(key_of_, rows.values[row]),
                        rows.values[row], order_key{now_, rows.positions[row]}, collector_);
        if (!assigned) ++unassigned;
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[row]);
    }
    operator_counters::add(this->context().counters->unassigned, unassigned);
    collector_.flush();
    arm();
  }

  std::optional<state_size> held_state() override { return kernel_.held_state(); }

  void on_processing_time(timestamp now) override {
    this->catch_up();
    follow_clock(now);
    arm();
  }

  void signal(const control& what) override {
    switch (what.what) {
      case control::kind::end:
        this->catch_up();
        this->context().task->call_at(*this, timestamp_max);
        operator_counters::add(this->context().counters->dropped, kernel_.size());
        this->forward({.what = control::kind::watermark, .frontier = timestamp_max});
        this->forward(what);
        return;
      case control::kind::barrier:
        resumable_operator<T, typename Kernel::row>::signal(what);
        return;
      case control::kind::start:
        if (now_ > timestamp_min) follow_clock(now_);  // What is promised already.
        this->forward(what);
        return;
      case control::kind::latency_marker:
        this->forward(what);
        return;
      default:
        return;  // Event time, and what it waits for, end here.
    }
  }

  static state_layout layout() { return {schema_of<timestamp>(), {{"", Kernel::row_schema()}}}; }

  void snapshot(state_writer& to) override {
    to.summary(to_bytes(now_), now_);
    kernel_.snapshot(to);
  }
  bool continue_snapshot(std::size_t& rows) override { return kernel_.continue_snapshot(rows); }

  void restore(state_reader& from) override {
    const timestamp done = this->restore_watermark(read_summaries<timestamp>(from));
    now_ = this->watermark();
    kernel_.restore(from, done);
    arm();
  }

 protected:
  bool move_to(timestamp frontier) override {
    try {
      return kernel_.fire_until(frontier, collector_);
    } catch (...) {
      fail_in_user_function(this->context().place, "while a window fired");
    }
  }
  void flush() override { collector_.flush(); }

 private:
  /// A clock that went back while the job was down stands still until it has caught up.
  void follow_clock(timestamp now) {
    now_ = std::max(now, now_);
    this->on_watermark(now_);
  }

  void arm() { this->context().task->call_at(*this, kernel_.next_deadline()); }

  KeyOf key_of_;
  Kernel kernel_;
  row_collector<typename Kernel::row> collector_;
  timestamp now_ = timestamp_min;  ///< Processing time, as it was last looked at.
};

}  // namespace freshet::detail
