// The panes of sliding windows: per pane a table of keys with what their records come to, each
// record in one. Internal.
//
// Threads: one task. Memory: one table per pane that has records. Cost: one table update per
// record; a look into a map where records change from one pane to another.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/sliding_plan.hpp>
#include <freshet/pipeline/detail/spare_tables.hpp>
#include <freshet/state/keyed_table.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

namespace freshet::detail {

template <class Key, class State>
class sliding_panes {
 public:
  using table = keyed_table<Key, State>;
  using whole = sliding_plan::whole;
  struct keys_until {
    timestamp end;
    table keys;
  };
  using map = std::map<timestamp, keys_until>;  ///< By begin.
  using iterator = typename map::iterator;
  using const_iterator = typename map::const_iterator;

  explicit sliding_panes(const sliding& windows) : plan_(windows) {}

  const sliding_plan& plan() const { return plan_; }
  spare_tables<Key, State>& spare() { return spare_; }

  bool empty() const { return all_.empty(); }
  iterator begin() { return all_.begin(); }
  iterator end() { return all_.end(); }
  const_iterator begin() const { return all_.begin(); }
  const_iterator end() const { return all_.end(); }
  iterator behind(timestamp begin) { return all_.upper_bound(begin); }

  /// The first pane that begins at `moment` or behind it.
  iterator first_from(whole moment) {
    if (moment > sliding_plan::exact(timestamp_max)) return all_.end();
    return all_.lower_bound(sliding_plan::cut(moment));
  }
  const_iterator first_from(whole moment) const {
    if (moment > sliding_plan::exact(timestamp_max)) return all_.end();
    return all_.lower_bound(sliding_plan::cut(moment));
  }
  static bool begins_before(const_iterator pane, whole moment) {
    return sliding_plan::exact(pane->first) < moment;
  }
  static window_span span_of(const_iterator pane) { return {pane->first, pane->second.end}; }

  /// The keys of the pane that holds `at`; null where no window does.
  table* holding(timestamp at) {
    if (cached_ != nullptr && cached_span_.begin <= at && at < cached_span_.end) return cached_;
    return look_up(at);
  }
  /// The keys of a pane, made when it is asked for first.
  table& of(const window_span& span) {
    const auto known = all_.lower_bound(span.begin);
    const bool is_new = known == all_.end() || known->first != span.begin;
    const auto found =
        is_new ? all_.emplace_hint(known, span.begin, keys_until{span.end, spare_.take()}) : known;
    cached_ = &found->second.keys;
    cached_span_ = span;
    return *cached_;
  }
  /// That of the record that came last, if there is one.
  const table* latest() const { return cached_; }

  /// Forgets a pane, and gives its keys away.
  table take(iterator pane) {
    if (cached_ == &pane->second.keys) cached_ = nullptr;
    table keys = std::move(pane->second.keys);
    all_.erase(pane);
    return keys;
  }

 private:
  [[gnu::noinline]] table* look_up(timestamp at) {
    const auto behind = all_.upper_bound(at);
    if (behind != all_.begin()) {
      const auto before = std::prev(behind);
      if (at < before->second.end) {
        cached_ = &before->second.keys;
        cached_span_ = span_of(before);
        return cached_;
      }
    }
    if (plan_.windows_of(at).empty()) return nullptr;
    return &of(plan_.pane_of(at));
  }

  sliding_plan plan_;
  map all_;
  spare_tables<Key, State> spare_;
  table* cached_ = nullptr;
  window_span cached_span_;
};

}  // namespace freshet::detail
