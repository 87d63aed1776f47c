// Windows whose spans do not depend on other records: tumbling, sliding, an application's own.
// Internal.
//
// One table of keys per open span, so that a span fires and is forgotten as a whole. Threads: one
// task. Cost: one table update per record and span; a fire visits the span's keys in canonical
// order.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/detail/aggregate_set.hpp>
#include <freshet/pipeline/detail/window_operator.hpp>
#include <freshet/pipeline/window_options.hpp>
#include <freshet/state/keyed_table.hpp>
#include <freshet/window/assigner.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Key, class Assigner, class Aggregates>
class fixed_window_kernel;

template <class T, class Key, class Assigner, class... A>
class fixed_window_kernel<T, Key, Assigner, aggregate_set<T, A...>> {
 public:
  using aggregates = aggregate_set<T, A...>;
  using state = typename aggregates::state;
  using row = window_row<Key, aggregate_result<A, T>...>;

  fixed_window_kernel(Assigner assigner, window_options options, aggregates parts)
      : assigner_(std::move(assigner)), options_(options), parts_(std::move(parts)) {}

  /// Applies a record that is on time; false when no window wants it.
  bool add(std::uint64_t hash, const Key& key, const T& value, const order_key& order) {
    spans_.clear();
    assigner_.assign(order.at, spans_);
    for (const window_span& span : spans_) {
      parts_.add(*table_of(span).get_or_insert(hash, key).first, value, order);
    }
    return !spans_.empty();
  }

  /// Applies a record at the moment when the log had reached `entry_frontier`.
  late_outcome add_behind(std::uint64_t hash, const Key& key, const T& value,
                          const order_key& order, timestamp entry_frontier,
                          row_collector<row>& to) {
    spans_.clear();
    assigner_.assign(order.at, spans_);
    if (spans_.empty()) return late_outcome::unassigned;
    late_outcome outcome = late_outcome::late;
    for (const window_span& span : spans_) {
      if (closes_at(span) <= entry_frontier) continue;
      outcome = late_outcome::accepted;
      if (fires_at(span) > entry_frontier) {
        parts_.add(*table_of(span).get_or_insert(hash, key).first, value, order);
        continue;
      }
      // Fired already, or nothing had come for it by then: fires for this key at once.
      table& late_for = fired_[span];
      state& of_key = *late_for.get_or_insert(hash, key).first;
      parts_.add(of_key, value, order);
      to.add({key, span, parts_.result(of_key)}, hash, entry_frontier);
    }
    return outcome;
  }

  /// Fires every window that `frontier` completes and forgets those that it closes.
  /// \return false when a slice was emitted and there is more to fire.
  bool fire_until(timestamp frontier, row_collector<row>& to) {
    while (!open_.empty() && fires_at(open_.begin()->first) <= frontier) {
      auto fired = open_.extract(open_.begin());
      if (cached_ == &fired.mapped()) cached_ = nullptr;
      const window_span span = fired.key();
      fired.mapped().for_each([&](std::uint64_t hash, const Key& key, state& of_key) {
        to.add({key, span, parts_.result(of_key)}, hash, std::nullopt);
      });
      if (closes_at(span) > frontier) {
        fired_.insert(std::move(fired));
      } else {
        recycle(std::move(fired.mapped()));
      }
      if (to.slice_is_full()) return false;
    }
    while (!fired_.empty() && closes_at(fired_.begin()->first) <= frontier) {
      recycle(std::move(fired_.extract(fired_.begin()).mapped()));
    }
    return true;
  }

  /// What may be promised downstream at `watermark`: rows that fire only when their window closes
  /// come a lateness after their event time.
  timestamp downstream_frontier(timestamp watermark) const {
    if (options_.fire == firing::on_time || watermark == timestamp_max) return watermark;
    return saturating_subtract(watermark, options_.allowed_lateness);
  }

  void snapshot(state_writer& to) {
    for (auto* windows : {&open_, &fired_}) {
      for (auto& window : *windows) {
        const window_span& span = window.first;
        window.second.take_changes(
            [&](std::uint64_t hash, const Key& key, const state& of_key) {
              to.put(hash, row_key(key, span), closes_at(span), to_bytes(of_key));
            },
            [&](std::uint64_t hash, const Key& key) { to.erase(hash, row_key(key, span)); });
      }
    }
  }

  void restore(state_reader& from, timestamp watermark) {
    from.rows([&](std::uint64_t hash, std::string_view key_bytes, std::string_view value) {
      auto key = from_bytes<std::pair<Key, window_span>>(key_bytes);
      if (!key.ok()) from.fail(key.status());
      auto of_key = from_bytes<state>(value);
      if (!of_key.ok()) from.fail(of_key.status());
      const window_span& span = key->second;
      auto& windows = fires_at(span) <= watermark ? fired_ : open_;
      windows[span].insert_restored(hash, std::move(key->first), std::move(*of_key));
    });
  }

 private:
  using table = keyed_table<Key, state>;

  timestamp closes_at(const window_span& span) const {
    return saturating_add(span.end, options_.allowed_lateness);
  }
  timestamp fires_at(const window_span& span) const {
    return options_.fire == firing::on_time ? span.end : closes_at(span);
  }

  static std::string row_key(const Key& key, const window_span& span) {
    std::string bytes;
    byte_writer writer(bytes);
    encode(writer, key);
    encode(writer, span);
    return bytes;
  }

  table& table_of(const window_span& span) {
    // Neighbouring records mostly share their window.
    if (cached_ != nullptr && cached_span_ == span) return *cached_;
    auto found = open_.find(span);
    if (found == open_.end()) {
      table fresh;
      if (!spare_.empty()) {
        fresh = std::move(spare_.back());
        spare_.pop_back();
      }
      found = open_.emplace(span, std::move(fresh)).first;
    }
    cached_ = &found->second;
    cached_span_ = span;
    return *cached_;
  }

  /// Keeps the memory of a table for a later span, unless it is much too large for what it held.
  void recycle(table done) {
    constexpr std::size_t row_bytes = sizeof(Key) + sizeof(state) + sizeof(std::uint64_t);
    if (spare_.size() >= spare_tables_max) return;
    if (done.memory_bytes() > 16 * (row_bytes * done.size() + 1024)) return;
    done.sweep([](std::uint64_t, const Key&, state&) { return row_fate::forget; });
    spare_.push_back(std::move(done));
  }

  static constexpr std::size_t spare_tables_max = 4;

  Assigner assigner_;
  window_options options_;
  aggregates parts_;
  std::map<window_span, table> open_;   ///< Not fired yet, by end.
  std::map<window_span, table> fired_;  ///< Fired, and still open to late records.
  table* cached_ = nullptr;
  window_span cached_span_;
  std::vector<window_span> spans_;
  std::vector<table> spare_;
};

}  // namespace freshet::detail
