// The source below a harness input: reads what the test allows, and says what the test said.
// Internal.
//
// Watermarks that a test gives between two records of one batch travel with the record before them,
// so that `event_time` gives every record the frontier that its split had been given before it; all
// others are signals. Threads: one task.
#pragma once

#include <freshet/pipeline/detail/source_head.hpp>
#include <freshet/testing/detail/hand_queue.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A record of an input with event times, on its way to `event_time`.
template <class T>
struct handed {
  T value;
  timestamp at;
  timestamp promised_after = timestamp_min;  ///< The watermark between this record and the next.
};

/// The watermarks that the test gives, as a generator for `event_time`.
struct by_hand {
  struct state {
    timestamp promised = timestamp_min;
    BOOST_DESCRIBE_CLASS(state, (), (promised), (), ())
  };

  template <class T>
  void observe(state& of, timestamp, const handed<T>& record) const {
    of.promised = std::max(of.promised, record.promised_after);
  }
  timestamp frontier(const state& of) const { return of.promised; }
  std::string describe() const { return "watermarks by hand"; }
  std::string check() const { return {}; }
};

/// One split's place in the queue.
class hand_cursor final : public split_cursor {
 public:
  hand_cursor(std::shared_ptr<hand_queue_base> queue, std::size_t split, hand_position at)
      : queue_(std::move(queue)), split_(split), at_(at) {}

  std::string position() const override { return to_bytes(at_); }
  void wake_with(std::function<void()> wake) override {
    queue_->wake_with(split_, std::move(wake));
  }
  void committed(std::string_view position) override;

  std::size_t split() const { return split_; }
  hand_position& at() { return at_; }

 private:
  std::shared_ptr<hand_queue_base> queue_;
  std::size_t split_;
  hand_position at_;
};

/// The source as far as its rows do not matter.
class hand_source final : public source_base {
 public:
  explicit hand_source(std::shared_ptr<hand_queue_base> queue) : queue_(std::move(queue)) {}
  std::vector<std::string> splits() const override;
  void committed(std::size_t split, std::string_view position) override;
  absl::StatusOr<std::unique_ptr<hand_cursor>> open(std::size_t split,
                                                    std::optional<std::string_view> position);

 private:
  std::shared_ptr<hand_queue_base> queue_;
};

/// `timed`: whether the rows go to an `event_time` and carry what it needs.
template <class T, bool timed>
class hand_head final : public head {
 public:
  using row = std::conditional_t<timed, handed<T>, T>;

  explicit hand_head(std::shared_ptr<hand_queue<T>> queue)
      : queue_(std::move(queue)), source_(queue_), idle_at_start_(queue_->splits()) {}

 private:
  absl::StatusOr<source_base*> open_description() override { return &source_; }
  source_base* open_shared(head&) override { return &source_; }

  absl::StatusOr<std::unique_ptr<split_cursor>> open_reader(
      std::size_t split, std::optional<std::string_view> position) override {
    auto reader = source_.open(split, position);
    if (!reader.ok()) return reader.status();
    idle_at_start_[split] = (*reader)->at().idle;
    return *std::move(reader);
  }

  absl::StatusOr<read_state> read(split_cursor& reader, std::vector<dead_letter>&) override {
    auto& from = static_cast<hand_cursor&>(reader);
    const std::uint64_t until = queue_->allowed(from.split());
    rows_.clear();
    promised_before_ = timestamp_min;
    change_.reset();
    if (from.at().items >= until) return read_state::idle;
    while (from.at().items < until) {
      const hand_item<T>& next = queue_->item(from.split(), from.at().items);
      const bool is_change = next.what == hand_kind::idle || next.what == hand_kind::active;
      if (is_change && (!rows_.empty() || promised_before_ > timestamp_min)) break;
      ++from.at().items;
      if (next.what == hand_kind::end) return read_state::end;
      if (is_change) {
        from.at().idle = next.what == hand_kind::idle;
        change_ = next.what;
        break;
      }
      take(next, from.at());
    }
    return read_state::more;
  }

  void take(const hand_item<T>& item, hand_position& at) {
    if (item.what == hand_kind::watermark) {
      if constexpr (timed) {
        timestamp& promised = rows_.empty() ? promised_before_ : rows_.values.back().promised_after;
        promised = std::max(promised, item.at);
      }
      return;
    }
    at.idle = false;
    rows_.positions.push_back({at.records++, 0, 0});
    if constexpr (timed) {
      rows_.values.push_back({*item.value, item.at});
    } else {
      rows_.values.push_back(*item.value);
    }
  }

  std::size_t rows_read() const override { return rows_.size(); }
  std::uint64_t row_bytes_read() const override { return bytes_of(rows_); }

  void deliver_rows(std::uint32_t number) override {
    const std::uint32_t split = number % splits_per_source_max;
    if (promised_before_ > timestamp_min) {
      out_.signal(
          {.what = control::kind::split_frontier, .frontier = promised_before_, .split = split});
    }
    for (freshet::position& where : rows_.positions) where.split = number;
    out_.emit(rows_);
    if (change_) {
      out_.signal({.what = *change_ == hand_kind::idle ? control::kind::split_idle
                                                       : control::kind::split_active,
                   .split = split});
    }
  }

  void signal_rows(const control& what) override {
    out_.signal(what);
    if (what.what != control::kind::start) return;
    // That a split is idle is known here alone: no checkpoint of `event_time` holds it.
    for (std::uint32_t split = 0; split < idle_at_start_.size(); ++split) {
      if (idle_at_start_[split]) {
        out_.signal({.what = control::kind::split_idle, .split = split});
      }
    }
  }

  outlet_base& rows_output() override { return out_; }

  std::shared_ptr<hand_queue<T>> queue_;
  hand_source source_;
  std::vector<bool> idle_at_start_;
  outlet<row> out_;
  batch<row> rows_;
  timestamp promised_before_ = timestamp_min;  ///< The watermark above the first row of the batch.
  std::optional<hand_kind> change_;
};

}  // namespace freshet::detail
