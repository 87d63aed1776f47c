// An exchange that carries partial aggregates of hot keys beside rows. Internal.
//
// The sender folds the records of hot keys into a kernel of its own, as the window operator below
// would, and sends what they come to instead of them. All else travels as it does elsewhere:
// records of other keys, records behind their frontier, and those that no window wants.
//
// Why rows stay the same: only records that are on time are folded, and they commute. Their partial
// aggregates go into the channel before the watermark at which their window fires, so that the
// window operator, which waits for the watermark of every channel that counts, has them by then.
// After a channel was idle it may not count for a while; the receiver tells when it does again, and
// nothing is folded until then. Partials are sent before every barrier, too, so that they are part
// of no checkpoint.
//
// Threads: a sender belongs to the task above, a receiver to the one below. Memory of a sender:
// some thousand partial aggregates.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/counters.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>
#include <freshet/pipeline/detail/exchange.hpp>
#include <freshet/pipeline/detail/graph.hpp>
#include <freshet/pipeline/detail/hot_keys.hpp>
#include <freshet/pipeline/detail/key_operator.hpp>
#include <freshet/pipeline/detail/key_texts.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>
#include <freshet/pipeline/window_options.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class KeyOf, class Kernel>
class pre_aggregating_sender final : public exchange_sender, public inlet<T> {
 public:
  pre_aggregating_sender(const std::vector<channel_end*>& targets, const key_group_owners& owners,
                         KeyOf key_of, Kernel kernel, bool always, std::string place)
      : rows_(targets, spread::by_key, owners),
        owners_(owners),
        key_of_(std::move(key_of)),
        kernel_(std::move(kernel)),
        place_(std::move(place)) {
    if (!always) hot_.emplace();
    for (channel_end* each : targets) targets_.push_back({each, nullptr});
  }

  inlet_base& input() override { return *this; }

  void consume(batch<T>& rows) override {
    texts_.look_at(rows, key_of_);
    if (!folds(rows)) {
      rows_.consume(rows);
    } else {
      fold(rows);
    }
  }
  void share(const batch<T>& rows) override {
    texts_.look_at(rows, key_of_);
    if (!folds(rows)) {
      rows_.share(rows);
    } else {
      fold(rows);
    }
  }

  void signal(const control& what) override {
    // A marker does not wait for partials: they are windows' already.
    if (what.what == control::kind::latency_marker) {
      rows_.signal(what);
      return;
    }
    if (what.what == control::kind::watermark) {
      watermark_ = std::max(watermark_, what.frontier);
      send_partials(watermark_);
    } else {
      send_partials(timestamp_max);
    }
    if (what.what == control::kind::idle) {
      ++idles_;
      counted_ = false;
    }
    rows_.signal(what);
  }

  /// Windows do not need partials before they fire; who looks at an open one from outside does.
  void flush() override {
    send_partials(timestamp_max);
    rows_.flush();
  }
  bool holds() const override { return holds_partials_ || rows_.holds(); }
  std::optional<state_size> held_state() override { return kernel_.held_state(); }
  heavy_keys find_heavy_keys() override {
    if (!hot_) return {};
    heavy_keys found = hot_->heaviest();
    texts_.name(found.keys);
    return found;
  }

  void set_owners(const key_group_owners& owners) override {
    send_partials(timestamp_max);
    owners_ = owners;
    rows_.set_owners(owners);
    // Until the tasks below have counted again, as after idleness: see `raise_frontier`.
    ++idles_;
    counted_ = false;
  }
  const key_group_load* load() const override { return rows_.load(); }

 private:
  using partial = typename Kernel::partial;
  struct one_target {
    channel_end* to = nullptr;
    std::unique_ptr<carried_batch<partial>> filling;
  };
  /// How often the size of the kernel is looked at, and from which size on it is emptied.
  static constexpr std::uint64_t records_between = 4096;
  static constexpr std::size_t partials_max = 4096;

  /// Whether some of the rows may be folded.
  bool folds(const batch<T>& rows) {
    if (hot_) {
      hot_->look_at(rows.hashes);
      if (!hot_->any()) return false;
    }
    if (!counted_) {
      counted_ = std::all_of(targets_.begin(), targets_.end(), [this](const one_target& each) {
        return each.to->counted_after() == idles_;
      });
    }
    return counted_;
  }

  template <class Rows>
  void fold(Rows& rows) {
    choose(rows);
    std::uint64_t folded = 0;
    std::uint32_t at = 0;
    try {
      for (const std::uint32_t row : folding_) {
        at = row;
        const T& value = rows.values[row];
        const order_key order{rows.times[row], rows.positions[row]};
        if (kernel_.add(rows.hashes[row], key_of_record(key_of_, value), value, order)) {
          ++folded;
        } else {
          folds_[row] = 0;  // No window wants it, which is for the window operator to count.
        }
      }
    } catch (...) {
      fail_in_user_function(place_, rows.positions[at]);
    }
    rows_.split_rest(rows, folds_);
    folded_ += folded;
    holds_partials_ |= folded > 0;
    if (folded_ < look_again_at_) return;
    look_again_at_ = folded_ + records_between;
    if (kernel_.size() > partials_max) send_partials(timestamp_max);
  }

  /// Marks and lists the rows to be folded. Without a branch: which rows they are cannot be
  /// foreseen.
  void choose(const batch<T>& rows) {
    const std::size_t count = rows.size();
    folds_.resize(count);
    for (std::size_t row = 0; row < count; ++row) {
      // What has come after its time is for the window operator to deal with.
      folds_[row] = rows.times[row] >= watermark_ ? 1 : 0;
    }
    if (hot_) {
      for (std::size_t row = 0; row < count; ++row) {
        folds_[row] &= static_cast<std::uint8_t>(hot_->contains(rows.hashes[row]));
      }
    }
    for (const behind_row& each : rows.behind) folds_[each.row] = 0;
    folding_.resize(count);
    std::size_t folding = 0;
    for (std::uint32_t row = 0; row < count; ++row) {
      folding_[folding] = row;
      folding += folds_[row];
    }
    folding_.resize(folding);
  }

  /// Sends what windows that are due at `frontier` have come to.
  void send_partials(timestamp frontier) {
    std::uint64_t partials = 0;
    std::uint64_t records = folded_;
    kernel_.take_partials(frontier, [&](std::uint64_t hash, partial&& each) {
      // Until the next ones are sent, those of other windows stay, and count for nothing.
      each.rows = std::exchange(folded_, 0);
      one_target& target = targets_[owners_[key_group_of(hash)]];
      if (target.filling == nullptr) target.filling = std::make_unique<carried_batch<partial>>();
      target.filling->rows.values.push_back(std::move(each));
      target.filling->rows.hashes.push_back(hash);
      ++partials;
      if (target.filling->rows.size() >= batch_rows_max) target.to->send(std::move(target.filling));
    });
    if (frontier == timestamp_max) holds_partials_ = false;
    if (partials == 0) return;
    look_again_at_ = records_between;
    if (hot_) hot_->note_sent(records, partials);
    for (one_target& each : targets_) {
      if (each.filling != nullptr) each.to->send(std::move(each.filling));
    }
  }

  sending_exchange<T> rows_;
  key_group_owners owners_;
  std::vector<one_target> targets_;
  KeyOf key_of_;
  Kernel kernel_;
  std::string place_;
  std::optional<hot_keys> hot_;  ///< None where every key counts as hot.
  key_texts texts_;
  std::vector<std::uint8_t> folds_;     ///< By row of a batch: 1 where it is to be folded.
  std::vector<std::uint32_t> folding_;  ///< The numbers of these rows.
  timestamp watermark_ = timestamp_min;
  std::uint64_t folded_ = 0;  ///< Records that no partial that was sent has counted.
  bool holds_partials_ = false;
  std::uint64_t look_again_at_ = records_between;
  std::uint64_t idles_ = 0;  ///< How often idleness was sent, and owners were changed.
  bool counted_ = false;     ///< Whether all tasks below wait for this one's watermark.
};

template <class T, class Partial>
class pre_aggregating_receiver final : public exchange_receiver {
 public:
  pre_aggregating_receiver(std::size_t channels, operator_counters& counters)
      : rows_(channels, counters), idles_(channels, 0) {}

  outlet_base& output() override { return rows_.output(); }
  void attach_partials(inlet_base& to) override {
    partials_ = static_cast<partials_inlet<Partial>*>(static_cast<inlet<Partial>*>(&to));
  }

  void take(std::size_t from, carried_rows& carried) override {
    auto* partials = carried_batch<Partial>::of(&carried);
    if (partials == nullptr) {
      rows_.take(from, carried);
      return;
    }
    assert(rows_.counts(from));
    partials_->consume(partials->rows);
  }
  void take(std::size_t from, const control& what) override {
    if (what.what == control::kind::idle) ++idles_[from];
    rows_.take(from, what);
  }
  void send(const control& what) override { rows_.send(what); }
  timestamp frontier() const override { return rows_.frontier(); }
  void raise_frontier(timestamp frontier) override {
    rows_.raise_frontier(frontier);
    // The other ends have done so, too, at the same barrier.
    for (std::uint64_t& each : idles_) ++each;
  }
  bool ended() const override { return rows_.ended(); }

  /// A restored operator may be ahead of what all channels have promised.
  std::optional<std::uint64_t> counted_after(std::size_t channel) const override {
    if (!rows_.counts(channel) || rows_.frontier() < partials_->done()) return std::nullopt;
    return idles_[channel];
  }

 private:
  receiving_exchange<T> rows_;
  std::vector<std::uint64_t> idles_;  ///< By channel: how often the other end has counted.
  partials_inlet<Partial>* partials_ = nullptr;
};

/// The exchange above a window operator whose kernel is like those that `make_kernel()` makes.
template <class T, class KeyOf, class MakeKernel>
std::optional<pre_aggregated_exchange> pre_aggregate(const KeyOf& key_of,
                                                     const MakeKernel& make_kernel,
                                                     pre_aggregation when) {
  using kernel = std::invoke_result_t<const MakeKernel&>;
  if (when == pre_aggregation::never) return std::nullopt;
  const bool always = when == pre_aggregation::always;
  pre_aggregated_exchange made;
  made.always = always;
  made.make_sender = [=](std::vector<channel_end*> targets, const key_group_owners& owners,
                         const std::string& place) {
    return std::make_unique<pre_aggregating_sender<T, KeyOf, kernel>>(targets, owners, key_of,
                                                                      make_kernel(), always, place);
  };
  made.make_receiver = [](std::size_t channels, operator_counters& counters) {
    return std::make_unique<pre_aggregating_receiver<T, typename kernel::partial>>(channels,
                                                                                   counters);
  };
  return made;
}

}  // namespace freshet::detail
