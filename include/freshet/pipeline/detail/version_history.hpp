// The versions of one row of a table over event time. Internal.
//
// Threads: one. Memory: the versions that may still be asked for, see `forget`. Cost: O(log n) to
// ask, beside what versions that were behind their frontier add.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/join_buffer.hpp>
#include <freshet/state/ttl.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

/// What a row is from `at` on.
template <class R>
struct table_version {
  timestamp at = timestamp_min;
  timestamp from = timestamp_min;  ///< The later of `at` and its entry frontier.
  std::uint64_t sequence = 0;
  std::uint32_t split = 0;
  std::uint32_t fanout = 0;
  std::optional<R> row;  ///< Nothing: deleted.

  void put_at(const position& where) {
    sequence = where.sequence;
    split = where.split;
    fanout = where.fanout;
  }
  order_key order() const { return {at, {sequence, split, fanout}}; }
  BOOST_DESCRIBE_CLASS(table_version, (), (at, from, sequence, split, fanout, row), (), ())
};

template <class R>
class version_history {
 public:
  using version = table_version<R>;

  bool empty() const { return versions_.empty(); }
  std::size_t size() const { return versions_.size(); }
  const version& front() const { return versions_.front(); }

  void insert(version fresh) {
    const auto later = [&](const version& each) { return !(fresh.order() < each.order()); };
    const auto place = versions_.empty() || later(versions_.back())
                           ? versions_.end()
                           : std::partition_point(versions_.begin(), versions_.end(), later);
    versions_.insert(place, std::move(fresh));
  }

  /// The row at `at`, for a record of which nothing was known before `from`; null: there is none.
  const R* as_of(timestamp at, timestamp from) const {
    auto next = std::partition_point(versions_.begin(), versions_.end(),
                                     [at](const version& each) { return each.at <= at; });
    while (next != versions_.begin()) {
      --next;
      if (next->from <= from) return next->row ? &*next->row : nullptr;
    }
    return nullptr;
  }

  /// Forgets what no record can ask for any more when the watermark is `frontier`: those who ask
  /// have event times from `frontier` - `lateness` on, and see what was known by `frontier`.
  void forget(timestamp frontier, duration lateness) {
    const timestamp oldest = saturating_subtract(frontier, lateness);
    std::size_t needless = 0;
    for (std::size_t i = 0; i < versions_.size() && versions_[i].at <= oldest; ++i) {
      if (versions_[i].from > frontier) continue;
      // Nothing that was deleted before is as good as deleted.
      const bool is_gone = !versions_[i].row && versions_[i].at < oldest;
      needless = is_gone ? i + 1 : i;
    }
    versions_.erase(versions_.begin(), versions_.begin() + static_cast<std::ptrdiff_t>(needless));
  }

  /// From which watermark on `forget` would forget more.
  std::optional<timestamp> next_forgetting(duration lateness) const {
    // The first version goes when another one is in its place, or, deleted, when it is past.
    const std::size_t next = !versions_.empty() && versions_.front().row ? 1 : 0;
    if (next >= versions_.size()) return std::nullopt;
    const version& each = versions_[next];
    const timestamp past = each.row ? each.at : end_after(each.at);
    return std::max(saturating_add(past, lateness), each.from);
  }

 private:
  friend struct codec<version_history>;
  std::vector<version> versions_;  ///< Ascending by event time, then place in the log.
};

template <class R>
struct owned_rule<version_history<R>> {
  static std::uint64_t bytes(const version_history<R>& all) {
    if (all.empty()) return 0;
    return all.size() * (sizeof(table_version<R>) + owned_bytes(all.front().row));
  }
};

/// The state of a key of a temporal join.
template <class L, class R>
struct temporal_state {
  join_buffer<L> waiting;  ///< `last`: until when the record waits.
  version_history<R> versions;
  timestamp armed = timestamp_max;  ///< The next timer.

  // What process asks of the state of a key. Timers of the function clean up.
  void bind(const state_times&) {}
  void drop_expired() {}
  timestamp next_expiry() const { return timestamp_max; }
  const ttl& rule() const {
    static constexpr ttl by_event_time{};
    return by_event_time;
  }
  bool holds_nothing() const { return waiting.empty() && versions.empty(); }
};

template <class L, class R>
struct owned_rule<temporal_state<L, R>> {
  static std::uint64_t bytes(const temporal_state<L, R>& all) {
    return owned_bytes(all.waiting) + owned_bytes(all.versions);
  }
};

}  // namespace freshet::detail

namespace freshet {

template <class R>
struct codec<detail::version_history<R>> {
  using versions = std::vector<detail::table_version<R>>;
  using parts = detail::type_list<detail::table_version<R>>;

  static void encode(byte_writer& writer, const detail::version_history<R>& all) {
    freshet::encode(writer, all.versions_);
  }
  static bool decode(byte_reader& reader, detail::version_history<R>& all) {
    if (!freshet::decode(reader, all.versions_)) return false;
    const auto by_order = [](const auto& a, const auto& b) { return a.order() < b.order(); };
    if (std::is_sorted(all.versions_.begin(), all.versions_.end(), by_order)) return true;
    reader.fail("versions of a row are not in order");
    return false;
  }
  static void format(detail::format_context& context) { detail::append_format<versions>(context); }
};

template <class L, class R>
struct codec<detail::temporal_state<L, R>> {
  using parts = detail::type_list<detail::join_buffer<L>, detail::version_history<R>>;

  static void encode(byte_writer& writer, const detail::temporal_state<L, R>& state) {
    freshet::encode(writer, state.waiting);
    freshet::encode(writer, state.versions);
  }
  static bool decode(byte_reader& reader, detail::temporal_state<L, R>& state) {
    return freshet::decode(reader, state.waiting) && freshet::decode(reader, state.versions);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<detail::join_buffer<L>, detail::version_history<R>>(context,
                                                                                       "tuple");
  }
};

}  // namespace freshet
