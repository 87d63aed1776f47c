// The operator behind sample. Internal.
//
// Threads: one task. Memory: the sampler's state, and the records of epochs not entered yet.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/sampling/sampler.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

/// A record of an epoch that the watermark has not entered.
template <class T>
struct early_record {
  std::int64_t epoch = 0;
  timestamp at = timestamp_min;
  std::optional<timestamp> behind;  ///< Its entry frontier, where it is behind it.
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  T value{};

  position where() const { return {sequence, split, fanout}; }
  BOOST_DESCRIBE_CLASS(early_record, (), (epoch, at, behind, sequence, split, fanout, value), (),
                       ())
};

template <class T, class SamplerState>
struct sample_operator_state {
  timestamp watermark = timestamp_min;
  SamplerState sampler{};
  std::vector<early_record<T>> early;
  BOOST_DESCRIBE_CLASS(sample_operator_state, (), (watermark, sampler, early), (), ())
};

template <class T, class Sampler>
class sample_operator final : public pausable_operator<T, sampled<T>> {
 public:
  explicit sample_operator(Sampler sampler) : sampler_(std::move(sampler)) {
    state_.sampler = sampler_.start();
    enter(sampler_.epoch_of(timestamp_min));
  }

  std::optional<state_size> held_state() override {
    return state_size{state_.early.size(), sizeof(state_) + owned_bytes(state_)};
  }

  static state_layout layout() {
    return {schema_of<sample_operator_state<T, typename Sampler::state>>()};
  }

  void snapshot(state_writer& to) override {
    state_.watermark = this->watermark();
    to.summary(to_bytes(state_), state_.watermark);
  }

  void restore(state_reader& from) override {
    auto restored = read_summaries<sample_operator_state<T, typename Sampler::state>>(from);
    if (restored.size() != 1) from.fail("a sampler has one instance");
    if (!sampler_.valid(restored[0].sampler)) from.fail("the sampler's state is not possible");
    state_ = std::move(restored[0]);
    this->restore_watermark(state_.watermark);
    enter(sampler_.epoch_of(state_.watermark));
  }

 protected:
  /// No more rows than records: it never pauses.
  bool work(const batch<T>& rows, std::size_t& next) override {
    std::size_t cursor = 0;
    try {
      for (; next < rows.size(); ++next) {
        std::optional<timestamp> behind;
        if (cursor < rows.behind.size() && rows.behind[cursor].row == next) {
          behind = rows.behind[cursor++].entry_frontier;
        }
        // Rows that windows derived carry no entry frontier: their event time stands for it.
        const timestamp entry = !rows.entry_frontiers.empty() ? rows.entry_frontiers[next]
                                                              : behind.value_or(rows.times[next]);
        const position& where = rows.positions[next];
        if (entry < epoch_end_) {
          judge(rows.values[next], where, rows.times[next], behind);
        } else {
          state_.early.push_back({sampler_.epoch_of(entry), rows.times[next], behind,
                                  where.sequence, where.split, where.fanout, rows.values[next]});
        }
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[next]);
    }
    flush();
    return true;
  }

  bool move_to(timestamp frontier) override { return admit(sampler_.epoch_of(frontier)); }

  void flush() override {
    this->count_out(kept_);
    this->out().emit(kept_);
  }

 private:
  static constexpr std::size_t slice_records = 4 * batch_rows_max;

  void enter(std::int64_t epoch) {
    sampler_.enter(state_.sampler, epoch);
    epoch_end_ = std::max(epoch_end_, sampler_.epoch_end(epoch));
  }

  /// Judges what waited for epochs up to `epoch`, one epoch after the other. \return false when a
  /// slice is done and there is more to judge; nothing else happens until that is done.
  bool admit(std::int64_t epoch) {
    auto& early = state_.early;
    if (admitted_ == 0) {
      const auto before = [](const early_record<T>& a, const early_record<T>& b) {
        return a.epoch != b.epoch ? a.epoch < b.epoch : a.where() < b.where();
      };
      // With one split they nearly always are sorted.
      if (!std::is_sorted(early.begin(), early.end(), before)) {
        std::sort(early.begin(), early.end(), before);
      }
    }
    const std::size_t slice_end = admitted_ + slice_records;
    for (; admitted_ < early.size() && early[admitted_].epoch <= epoch; ++admitted_) {
      if (admitted_ == slice_end) return false;
      early_record<T>& record = early[admitted_];
      const position where = record.where();
      try {
        enter(record.epoch);
        judge(record.value, where, record.at, record.behind);
      } catch (...) {
        fail_in_user_function(this->context().place, where);
      }
    }
    early.erase(early.begin(), early.begin() + static_cast<std::ptrdiff_t>(admitted_));
    admitted_ = 0;
    enter(epoch);
    return true;
  }

  void judge(const T& value, const position& where, timestamp at,
             const std::optional<timestamp>& behind) {
    const sample_decision decision = sampler_.decide(state_.sampler, value, where);
    if (!decision.keep) return;
    if (behind) kept_.behind.push_back({static_cast<std::uint32_t>(kept_.size()), *behind});
    kept_.positions.push_back(where);
    kept_.times.push_back(at);
    kept_.values.push_back(make_sampled(sampler_, value, decision));
    if (kept_.size() >= batch_rows_max) flush();
  }

  Sampler sampler_;
  sample_operator_state<T, typename Sampler::state> state_;
  timestamp epoch_end_ = timestamp_min;  ///< The first entry frontier after the current epoch.
  std::size_t admitted_ = 0;             ///< How many of the early ones the slices have judged.
  batch<sampled<T>> kept_;
};

}  // namespace freshet::detail
