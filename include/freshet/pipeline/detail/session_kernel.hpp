// Windows that grow together: spans of one key that overlap become one session. Internal.
//
// One slot per key with its sessions, and one lazily kept deadline per key: a session that grows
// moves nothing until its old deadline comes. Threads: one task. Cost: one table update per record,
// plus O(log keys) per session; a key's sessions are written together when one of them has changed.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>
#include <freshet/pipeline/window_options.hpp>
#include <freshet/state/keyed_table.hpp>
#include <freshet/window/assigner.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class State>
struct open_session {
  window_span span;
  bool fired = false;  ///< Its rows are out; a late record that changes it fires it again.
  State state{};
  BOOST_DESCRIBE_CLASS(open_session, (), (span, fired, state), (), ())
};

/// The open sessions of one key: disjoint, ascending, those that have fired before the others
/// (their ends lie behind the watermark). Finding is O(log n); closing the earliest one amortised
/// O(1).
template <class State>
class session_list {
 public:
  using iterator = typename std::vector<open_session<State>>::iterator;

  iterator begin() { return all_.begin() + static_cast<std::ptrdiff_t>(closed_); }
  iterator end() { return all_.end(); }
  bool empty() const { return closed_ == all_.size(); }

  /// The first session that ends after `at`.
  iterator first_ending_after(timestamp at) {
    return std::partition_point(begin(), end(),
                                [at](const auto& each) { return each.span.end <= at; });
  }
  iterator first_not_fired() {
    return std::partition_point(begin(), end(), [](const auto& each) { return each.fired; });
  }
  iterator insert(iterator before, open_session<State> fresh) {
    return all_.insert(before, std::move(fresh));
  }
  void erase(iterator from, iterator until) { all_.erase(from, until); }

  /// Drops the sessions before `until`.
  void close_before(iterator until) {
    for (iterator each = begin(); each != until; ++each) *each = open_session<State>{};
    closed_ = static_cast<std::size_t>(until - all_.begin());
    if (2 * closed_ < all_.size()) return;
    all_.erase(all_.begin(), until);
    closed_ = 0;
  }

  const open_session<State>& last() const { return all_.back(); }
  std::vector<open_session<State>> copy() const {
    return {all_.begin() + static_cast<std::ptrdiff_t>(closed_), all_.end()};
  }
  void restore(std::vector<open_session<State>> sessions) { all_ = std::move(sessions); }

  std::optional<timestamp> armed;  ///< The deadline in the queue at which the key is looked at.

 private:
  std::vector<open_session<State>> all_;
  std::size_t closed_ = 0;  ///< How many at the front are gone.
};

template <class T, class Key, class Assigner, class Aggregates>
class session_kernel;

template <class T, class Key, class Assigner, class... A>
class session_kernel<T, Key, Assigner, aggregate_set<T, A...>> {
 public:
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = window_row<Key, aggregate_result<A, T>...>;

  session_kernel(Assigner assigner, window_options options, aggregates parts)
      : assigner_(std::move(assigner)), options_(options), parts_(std::move(parts)) {}

  bool add(std::uint64_t hash, const Key& key, const T& value, const order_key& order) {
    const std::optional<window_span> span = span_of(order.at);
    if (!span) return false;
    sessions& of_key = *table_.get_or_insert(hash, key).first;
    open_session<state>& grown = grow(of_key, *span);
    parts_.add(grown.state, value, order);
    arm(hash, key, of_key, fires_at(grown.span));
    return true;
  }

  late_outcome add_behind(std::uint64_t hash, const Key& key, const T& value,
                          const order_key& order, timestamp entry_frontier,
                          row_collector<row>& to) {
    const std::optional<window_span> span = span_of(order.at);
    if (!span) return late_outcome::unassigned;
    // Sessions closed by `entry_frontier` are gone already. Whatever the record still touches is
    // open and keeps it; on its own it is judged by its own span.
    sessions* known = table_.find(hash, key);
    const bool joins = known != nullptr && first_overlapping(*known, *span) != known->end();
    if (!joins && closes_at(*span) <= entry_frontier) return late_outcome::late;

    sessions& of_key = *table_.get_or_insert(hash, key).first;
    open_session<state>& grown = grow(of_key, *span);
    parts_.add(grown.state, value, order);
    grown.fired = fires_at(grown.span) <= entry_frontier;
    if (grown.fired) {
      to.add({key, grown.span, parts_.result(grown.state)}, hash, entry_frontier);
      arm(hash, key, of_key, closes_at(grown.span));
    } else {
      arm(hash, key, of_key, fires_at(grown.span));
    }
    return late_outcome::accepted;
  }

  bool fire_until(timestamp frontier, row_collector<row>& to) {
    while (!deadlines_.empty() && deadlines_.front().at <= frontier) {
      std::pop_heap(deadlines_.begin(), deadlines_.end());
      const deadline due = std::move(deadlines_.back());
      deadlines_.pop_back();
      sessions* of_key = table_.find(due.hash, due.key);
      // Only the deadline that the key is armed with counts; an earlier one replaced the others.
      if (of_key == nullptr || of_key->armed != due.at) continue;
      fire_key(due, *of_key, to);
      if (to.slice_is_full()) return false;
    }
    return true;
  }

  timestamp downstream_frontier(timestamp watermark) const {
    if (options_.fire == firing::on_time || watermark == timestamp_max) return watermark;
    return saturating_subtract(watermark, options_.allowed_lateness);
  }

  void snapshot(state_writer& to) {
    table_.take_changes(
        [&](std::uint64_t hash, const Key& key, const sessions& of_key) {
          to.put(hash, to_bytes(key), closes_at(of_key.last().span), to_bytes(of_key.copy()));
        },
        [&](std::uint64_t hash, const Key& key) { to.erase(hash, to_bytes(key)); });
  }

  void restore(state_reader& from, timestamp) {
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto key = from_bytes<Key>(key_bytes);
      if (!key.ok()) from.fail(key.status());
      auto restored = from_bytes<std::vector<open_session<state>>>(value);
      if (!restored.ok()) from.fail(restored.status());
      if (restored->empty()) from.fail("a key without sessions");
      sessions of_key;
      of_key.restore(std::move(*restored));
      of_key.armed = next_deadline(of_key);
      push_deadline({*of_key.armed, hash, *key});
      table_.insert_restored(hash, std::move(*key), std::move(of_key));
    });
  }

 private:
  using sessions = session_list<state>;

  struct deadline {
    timestamp at;
    std::uint64_t hash = 0;
    Key key;
    /// Turns a vector into a heap with the earliest deadline on top.
    friend bool operator<(const deadline& a, const deadline& b) {
      if (a.at != b.at) return a.at > b.at;
      if (a.hash != b.hash) return a.hash > b.hash;
      return b.key < a.key;
    }
  };

  timestamp closes_at(const window_span& span) const {
    return saturating_add(span.end, options_.allowed_lateness);
  }
  timestamp fires_at(const window_span& span) const {
    return options_.fire == firing::on_time ? span.end : closes_at(span);
  }

  /// Half-open spans: exactly touching is not overlapping. A span cut off by the end of time has no
  /// end, so that two records at the last timestamp share a session.
  static bool overlap(const window_span& a, const window_span& b) {
    const auto begins_before_end = [](const window_span& x, const window_span& y) {
      return x.begin < y.end || y.end == timestamp_max;
    };
    return begins_before_end(a, b) && begins_before_end(b, a);
  }

  std::optional<window_span> span_of(timestamp at) {
    spans_.clear();
    assigner_.assign(at, spans_);
    if (spans_.empty()) return std::nullopt;
    return spans_.front();
  }

  /// The first session that overlaps `span`, or the end.
  static typename sessions::iterator first_overlapping(sessions& of_key, const window_span& span) {
    auto first = of_key.first_ending_after(span.begin);
    // A session cut off by the end of time, and a record at the very last timestamp.
    if (first == of_key.end() && !of_key.empty() && overlap(std::prev(first)->span, span)) --first;
    return first != of_key.end() && overlap(first->span, span) ? first : of_key.end();
  }

  /// The session that `span` belongs to, merged from all that it touches, or a new one.
  open_session<state>& grow(sessions& of_key, const window_span& span) {
    const auto first = first_overlapping(of_key, span);
    if (first == of_key.end()) {
      return *of_key.insert(of_key.first_ending_after(span.begin),
                            open_session<state>{span, false, state{}});
    }
    window_span merged{std::min(first->span.begin, span.begin),
                       std::max(first->span.end, span.end)};
    auto next = first + 1;
    for (; next != of_key.end() && overlap(next->span, span); ++next) {
      merged.end = std::max(merged.end, next->span.end);
      parts_.merge(first->state, next->state);
    }
    of_key.erase(first + 1, next);
    first->span = merged;
    return *first;
  }

  /// When the next of the key's sessions fires or closes.
  /// \pre there is one.
  timestamp next_deadline(sessions& of_key) const {
    const auto not_fired = of_key.first_not_fired();
    timestamp next = timestamp_max;
    if (not_fired != of_key.end()) next = fires_at(not_fired->span);
    if (not_fired != of_key.begin()) next = std::min(next, closes_at(of_key.begin()->span));
    return next;
  }

  /// Makes sure that the key is looked at when the frontier reaches `at`.
  void arm(std::uint64_t hash, const Key& key, sessions& of_key, timestamp at) {
    if (of_key.armed && *of_key.armed <= at) return;
    of_key.armed = at;
    push_deadline({at, hash, key});
  }

  void push_deadline(deadline due) {
    deadlines_.push_back(std::move(due));
    std::push_heap(deadlines_.begin(), deadlines_.end());
  }

  /// Fires and closes what is due for one key, and arms the key for what remains.
  void fire_key(const deadline& due, sessions& of_key, row_collector<row>& to) {
    auto each = of_key.first_not_fired();
    const bool fires = each != of_key.end() && fires_at(each->span) <= due.at;
    for (; each != of_key.end() && fires_at(each->span) <= due.at; ++each) {
      to.add({due.key, each->span, parts_.result(each->state)}, due.hash, std::nullopt);
      each->fired = true;
    }
    auto open = of_key.begin();
    while (open != each && closes_at(open->span) <= due.at) ++open;
    const bool closes = open != of_key.begin();
    if (closes) of_key.close_before(open);
    if (of_key.empty()) {
      table_.erase(due.hash, due.key);
      return;
    }
    if (fires || closes) table_.mark_dirty(&of_key);
    of_key.armed = next_deadline(of_key);
    push_deadline({*of_key.armed, due.hash, due.key});
  }

  Assigner assigner_;
  window_options options_;
  aggregates parts_;
  keyed_table<Key, sessions> table_;
  std::vector<deadline> deadlines_;  ///< A heap: the earliest on top.
  std::vector<window_span> spans_;
};

}  // namespace freshet::detail
