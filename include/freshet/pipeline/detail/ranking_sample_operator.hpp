// The operator behind sample with a ranking sampler. Internal.
//
// Records go into the sample of their epoch as they come, whether the watermark has entered it or
// not: nothing waits, and no order matters. When the watermark enters a later epoch, the sample's
// rows go out, with their own event times; until then no more is promised than the epoch's
// beginning, so that none of them is late below. A sample that is carried over is merged with that
// of each epoch that ends, and goes out as a whole, with the event time of the epoch's last moment.
// Threads: one task. Memory: the samples of the epochs that have begun, at any split.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/weighted.hpp>
#include <freshet/pipeline/detail/operator_state.hpp>
#include <freshet/pipeline/detail/pausable_operator.hpp>
#include <freshet/sampling/ranking.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T>
struct ranking_sample_state {
  timestamp watermark = timestamp_min;
  std::map<std::int64_t, ranked_epoch<T>> epochs;  ///< Those that have begun and not ended.
  ranked_epoch<T> carried;                         ///< Of all that have ended; or empty.
  BOOST_DESCRIBE_CLASS(ranking_sample_state, (), (watermark, epochs, carried), (), ())
};

template <class T, class Sampler>
class ranking_sample_operator final : public pausable_operator<T, sampled<T>> {
 public:
  explicit ranking_sample_operator(Sampler sampler)
      : sampler_(std::move(sampler)),
        capacity_(sampler_.capacity()),
        length_(sampler_.epoch_length()) {}

  std::optional<state_size> held_state() override {
    std::size_t records = state_.carried.size();
    for (const auto& [epoch, sample] : state_.epochs) records += sample.size();
    return state_size{records, sizeof(state_) + owned_bytes(state_)};
  }

  static state_layout layout() { return {schema_of<ranking_sample_state<T>>()}; }

  void snapshot(state_writer& to) override {
    state_.watermark = this->watermark();
    to.summary(to_bytes(state_), state_.watermark);
  }

  void restore(state_reader& from) override {
    auto restored = read_summaries<ranking_sample_state<T>>(from);
    if (restored.size() != 1) from.fail("a sampler has one instance");
    const auto& epochs = restored[0].epochs;
    if (!restored[0].carried.valid(capacity_) ||
        !std::all_of(epochs.begin(), epochs.end(),
                     [this](const auto& each) { return each.second.valid(capacity_); })) {
      from.fail("the sampler's state is not possible");
    }
    state_ = std::move(restored[0]);
    this->restore_watermark(state_.watermark);
  }

 protected:
  /// Nothing is emitted here: it never pauses.
  bool work(const batch<T>& rows, std::size_t& next) override {
    const std::int64_t current = epoch_number(this->watermark(), length_);
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
        const T& value = rows.values[next];
        const sample_rank ranked = sampler_.rank(value, where, rows.times[next]);
        epoch_of(std::max(current, epoch_number(entry, length_)))
            .add(capacity_, ranked, [&]() -> ranked_record<T> {
              return {ranked.rank,      where.sequence, where.split, where.fanout,
                      rows.times[next], behind,         value};
            });
      }
    } catch (...) {
      fail_in_user_function(this->context().place, rows.positions[next]);
    }
    last_ = nullptr;
    return true;
  }

  /// One epoch and one batch of its rows at a time.
  bool move_to(timestamp frontier) override {
    if (!send_ended()) return false;
    if (!has_ended(frontier)) return true;
    auto [epoch, ended] = take_first();
    if constexpr (carries) {
      state_.carried.merge(capacity_, std::move(ended));
      end(state_.carried, epoch);
    } else {
      end(ended, epoch);
    }
    return send_ended() && !has_ended(frontier);
  }

  timestamp promised_at(timestamp frontier) const override {
    if (frontier == timestamp_max) return frontier;
    if (holds_first_of_all()) return timestamp_min;
    return epoch_begin(epoch_number(frontier, length_), length_);
  }

  void flush() override {}

 private:
  static constexpr bool carries = carries_sample<Sampler>;

  ranked_epoch<T>& epoch_of(std::int64_t epoch) {
    if (last_ == nullptr || epoch != last_epoch_) {
      last_ = &state_.epochs[epoch];
      last_epoch_ = epoch;
    }
    return *last_;
  }

  /// Whether there are records that came before any watermark. They are few, and no time passes
  /// between them and the next: so they belong to the first epoch that has records.
  bool holds_first_of_all() const {
    return !state_.epochs.empty() && state_.epochs.begin()->first == epoch_before_all;
  }

  /// Whether the first of the epochs ends at `frontier`. Where time ends, the last epoch does, too.
  bool has_ended(timestamp frontier) const {
    if (frontier == timestamp_max) return !state_.epochs.empty();
    const auto first = std::next(state_.epochs.begin(), holds_first_of_all() ? 1 : 0);
    return first != state_.epochs.end() && first->first < epoch_number(frontier, length_);
  }

  std::pair<std::int64_t, ranked_epoch<T>> take_first() {
    const bool joins = holds_first_of_all() && state_.epochs.size() > 1;
    auto first = state_.epochs.extract(state_.epochs.begin());
    if (!joins) return {first.key(), std::move(first.mapped())};
    state_.epochs.begin()->second.merge(capacity_, std::move(first.mapped()));
    return take_first();
  }

  /// The event time of a carried sample's rows: the last moment of the epoch that has ended.
  static timestamp time_of(ranked_epoch<T>& sample, std::int64_t epoch, duration length) {
    if (epoch != epoch_before_all) return epoch_end(epoch, length) - duration{1};
    // Nothing had any watermark, so that no time is too early: as late as the records are.
    timestamp latest = timestamp_min;
    sample.for_each([&latest](const ranked_record<T>& record, const ranked_total&) {
      latest = std::max(latest, record.at);
    });
    return latest;
  }

  /// Makes the rows of a sample when `epoch` has ended.
  void end(ranked_epoch<T>& sample, std::int64_t epoch) {
    const timestamp carried_at = carries ? time_of(sample, epoch, length_) : timestamp_min;
    sample.for_each([&](ranked_record<T>& record, const ranked_total& total) {
      try {
        const sample_decision decision =
            sampler_.decide(std::as_const(record.value), record.at, total);
        if (record.behind && !carries) {
          ended_.behind.push_back({static_cast<std::uint32_t>(ended_.size()), *record.behind});
        }
        ended_.positions.push_back(record.where());
        ended_.times.push_back(carries ? carried_at : record.at);
        if constexpr (carries) {
          ended_.values.push_back(make_sampled<T>(sampler_, record.value, decision));
        } else {
          ended_.values.push_back(make_sampled<T>(sampler_, std::move(record.value), decision));
        }
      } catch (...) {
        fail_in_user_function(this->context().place, record.where());
      }
    });
  }

  /// Sends a batch of them. \return false when there are more.
  bool send_ended() {
    if (sent_ == ended_.size()) return true;
    const std::size_t until = std::min(ended_.size(), sent_ + batch_rows_max);
    slice_numbers_.clear();
    for (; sent_ < until; ++sent_) slice_numbers_.push_back(static_cast<std::uint32_t>(sent_));
    slice_.clear();
    slice_.append_rows(ended_, slice_numbers_);
    this->count_out(slice_);
    this->out().emit(slice_);
    if (sent_ < ended_.size()) return false;
    ended_.clear();
    sent_ = 0;
    return true;
  }

  Sampler sampler_;
  ranking_capacity capacity_;
  duration length_;
  ranking_sample_state<T> state_;
  ranked_epoch<T>* last_ = nullptr;  ///< Of `last_epoch_`, during `work`.
  std::int64_t last_epoch_ = 0;
  // No barrier comes while there are rows to send, so they are no state.
  batch<sampled<T>> ended_;
  std::size_t sent_ = 0;
  batch<sampled<T>> slice_;
  std::vector<std::uint32_t> slice_numbers_;
};

}  // namespace freshet::detail
