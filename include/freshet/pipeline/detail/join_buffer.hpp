// Records of one side of a join that wait for those of the other. Internal.
//
// Every record has a last moment: the latest time at which something can still be matched with it.
// Records are kept ascending by it, so that those that can match something are behind one binary
// search, and those whose time is over are in front.
//
// Threads: one. Memory: the records, and at most as many places again. Cost: O(log n) to search,
// amortised O(1) to drop; inserting moves the records with a later last moment, few where records
// come nearly in order.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/state/ttl.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

/// The first moment after `last`: from this watermark on, what had `last` is over.
constexpr timestamp end_after(timestamp last) {
  return saturating_add(last, duration{1});
}

/// A record, and what decides about its matches: all of it is from the log.
template <class T>
struct waiting_record {
  timestamp at = timestamp_min;    ///< Its event time.
  timestamp from = timestamp_min;  ///< The later of event time and entry frontier.
  timestamp last = timestamp_max;  ///< The last moment at which it can be matched.
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  bool matched = false;
  T row{};

  position where() const { return {sequence, split, fanout}; }
  /// Where it was behind, else no frontier at all.
  timestamp entry_frontier() const { return from > at ? from : timestamp_min; }

  BOOST_DESCRIBE_CLASS(waiting_record, (), (at, from, last, sequence, split, fanout, matched, row),
                       (), ())
};

/// A place of its own for the row of two records: by `base`, ties by the other.
constexpr position position_of_pair(const position& base, const position& other) {
  std::uint64_t mixed = combine_hashes(base.fanout, other.sequence);
  mixed = combine_hashes(mixed, std::uint64_t{other.split} << 32U | other.fanout);
  return {base.sequence, base.split, static_cast<std::uint32_t>(mixed >> 32U)};
}

template <class T>
class join_buffer {
 public:
  using record = waiting_record<T>;
  using iterator = typename std::vector<record>::iterator;

  std::size_t size() const { return records_.size() - first_; }
  iterator begin() { return records_.begin() + static_cast<std::ptrdiff_t>(first_); }
  iterator end() { return records_.end(); }
  const record* data() const { return records_.data() + first_; }

  /// The first record that is not over at `moment`.
  iterator open_at(timestamp moment) {
    if (size() == 0 || begin()->last >= moment) return begin();
    return std::partition_point(begin(), end(),
                                [moment](const record& each) { return each.last < moment; });
  }

  void insert(record fresh) {
    const auto not_after = [&fresh](const record& each) {
      return each.last != fresh.last ? each.last < fresh.last : each.at <= fresh.at;
    };
    const auto place = records_.empty() || not_after(records_.back())
                           ? end()
                           : std::partition_point(begin(), end(), not_after);
    const auto index = static_cast<std::uint32_t>(place - records_.begin());
    if (index < settled_ && !fresh.matched) settled_ = index;
    records_.insert(place, std::move(fresh));
  }

  /// Forgets what is over when the watermark is `frontier`.
  void drop_before(timestamp frontier) {
    while (first_ < records_.size() && end_after(records_[first_].last) <= frontier) ++first_;
    if (first_ == records_.size()) {
      records_.clear();
      first_ = settled_ = 0;
    } else if (2 * first_ > records_.size() && first_ > 8) {
      records_.erase(records_.begin(), begin());
      settled_ -= std::min(settled_, first_);
      first_ = 0;
    }
  }

  /// Calls `f` for the records without a match that are over at `moment`, and forgets what is over.
  /// \return when the next record without a match is over.
  template <class F>
  std::optional<timestamp> release(timestamp moment, F&& f) {
    for (settled_ = std::max(settled_, first_); settled_ < records_.size(); ++settled_) {
      record& each = records_[settled_];
      if (each.matched) continue;
      if (end_after(each.last) > moment) break;
      f(each);
    }
    std::optional<timestamp> next;
    if (settled_ < records_.size()) next = end_after(records_[settled_].last);
    armed_ = next.value_or(timestamp_max);
    drop_before(moment);
    return next;
  }
  /// Whether a timer for `moment` is missing; there is one now.
  bool arm(timestamp moment) {
    if (armed_ <= moment && armed_ != timestamp_max) return false;
    armed_ = moment;
    return true;
  }

  /// When all are over; the end of time where there are none, or never.
  timestamp end_of_all() const {
    return records_.empty() ? timestamp_max : end_after(records_.back().last);
  }
  bool empty() const { return records_.empty(); }

 private:
  friend struct codec<join_buffer>;

  std::vector<record>
      records_;  ///< Ascending by `last`, then `at`; those before `first_` are over.
  std::uint32_t first_ = 0;
  std::uint32_t settled_ = 0;  ///< Every record before it has a match, or its row without one.
  timestamp armed_ = timestamp_max;  ///< The next timer for records without a match, if any.
};

template <class T>
struct owned_rule<join_buffer<T>> {
  static std::uint64_t bytes(const join_buffer<T>& all) {
    if (all.size() == 0) return 0;
    return all.size() * (sizeof(waiting_record<T>) + owned_bytes(all.data()->row));
  }
};

/// The state of a key of a join. What is over is dropped when the key is next seen; or, where it is
/// not, once both sides are over, or a side of more than a few records: so that there is about one
/// cleanup per key, and not one per record.
template <class L, class R>
class join_state {
 public:
  join_buffer<L> left;
  join_buffer<R> right;

  // What process asks of the state of a key.
  void bind(const state_times& times) { times_ = &times; }
  void drop_expired() {
    left.drop_before(times_->event_time);
    right.drop_before(times_->event_time);
  }
  timestamp next_expiry() const {
    const timestamp of_left = left.end_of_all();
    const timestamp of_right = right.end_of_all();
    const auto [first, second] = std::minmax(of_left, of_right);
    const std::size_t held = first == of_left ? left.size() : right.size();
    return second == timestamp_max || held > few ? first : second;
  }
  const ttl& rule() const {
    static constexpr ttl by_event_time{};
    return by_event_time;
  }
  bool holds_nothing() const { return left.empty() && right.empty(); }

 private:
  static constexpr std::size_t few = 8;
  const state_times* times_ = nullptr;
};

template <class L, class R>
struct owned_rule<join_state<L, R>> {
  static std::uint64_t bytes(const join_state<L, R>& all) {
    return owned_bytes(all.left) + owned_bytes(all.right);
  }
};

}  // namespace freshet::detail

namespace freshet {

template <class T>
struct codec<detail::join_buffer<T>> {
  using records = std::vector<detail::waiting_record<T>>;
  using parts = detail::type_list<detail::waiting_record<T>>;

  static void encode(byte_writer& writer, const detail::join_buffer<T>& all) {
    writer.write_count(all.size());
    const detail::nested level = writer.nest();
    for (std::size_t i = 0; i < all.size(); ++i) freshet::encode(writer, all.data()[i]);
  }
  static bool decode(byte_reader& reader, detail::join_buffer<T>& all) {
    all.first_ = all.settled_ = 0;
    if (!freshet::decode(reader, all.records_)) return false;
    const auto by_last = [](const auto& a, const auto& b) { return a.last < b.last; };
    if (std::is_sorted(all.records_.begin(), all.records_.end(), by_last)) return true;
    reader.fail("records that wait for a join are not in order");
    return false;
  }
  static void format(detail::format_context& context) { detail::append_format<records>(context); }
};

template <class L, class R>
struct codec<detail::join_state<L, R>> {
  using parts = detail::type_list<detail::join_buffer<L>, detail::join_buffer<R>>;

  static void encode(byte_writer& writer, const detail::join_state<L, R>& state) {
    freshet::encode(writer, state.left);
    freshet::encode(writer, state.right);
  }
  static bool decode(byte_reader& reader, detail::join_state<L, R>& state) {
    return freshet::decode(reader, state.left) && freshet::decode(reader, state.right);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<detail::join_buffer<L>, detail::join_buffer<R>>(context,
                                                                                   "tuple");
  }
};

}  // namespace freshet
