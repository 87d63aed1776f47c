// The process functions behind emit_changes and emit_every: rows, and what becomes of them.
// Internal.
//
// See updating.hpp for the fold, and emission.hpp for what is a function of the log.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>
#include <freshet/pipeline/process_context.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace freshet::detail {

template <class T, class Fold>
class changes_function {
 public:
  using row = change<typename Fold::row>;

  struct content {
    timestamp newest = timestamp_min;
    typename Fold::state kept{};
    bool empty() const { return kept.empty(); }
    BOOST_DESCRIBE_CLASS(content, (), (newest, kept), (), ())
  };
  using state = kept_state<content>;

  changes_function(Fold fold, const emit_changes& when) : fold_(std::move(fold)), when_(when) {}

  template <class Context>
  void process(const T& record, state& mine, Context& context) {
    const placed where = place_of(context);
    content& all = mine.content;
    if (forgets() && !all.empty() && where.turn > saturating_add(all.newest, when_.forget_after)) {
      all = {};
    }
    const bool fresh = all.empty();
    change_writer<typename Fold::row, Context> changes(context, when_.retract);
    fold_.change(context.key(), all.kept, record, where, changes);
    if (all.empty()) {
      all = {};
      return;
    }
    all.newest = std::max(all.newest, where.turn);
    if (fresh && forgets()) set_timer(all.newest, context);
  }

  void on_timer(const timer& due, state& mine, auto& context) {
    content& all = mine.content;
    if (all.empty()) return;
    if (forgotten_at(all.newest, when_.forget_after) <= due.when) {
      all = {};
    } else {
      set_timer(all.newest, context);
    }
  }

 private:
  bool forgets() const { return when_.forget_after != never_forgotten; }
  void set_timer(timestamp newest, auto& context) const {
    const timestamp when = forgotten_at(newest, when_.forget_after);
    if (when != timestamp_max) context.set_event_timer(when);
  }

  Fold fold_;
  emit_changes when_;
};

template <class T, class Fold>
class every_function {
 public:
  using row = change<typename Fold::row>;

  struct content {
    timestamp newest = timestamp_min;
    typename Fold::state kept{};
    std::vector<typename Fold::row> said;
    std::optional<timestamp> says_at;     ///< Where something has changed.
    std::optional<timestamp> forgets_at;  ///< When the question is asked next.
    bool empty() const { return kept.empty() && !says_at; }
    BOOST_DESCRIBE_CLASS(content, (), (newest, kept, said, says_at, forgets_at), (), ())
  };
  using state = kept_state<content>;

  every_function(Fold fold, const emit_every& when) : fold_(std::move(fold)), when_(when) {}

  void process(const T& record, state& mine, auto& context) {
    const placed where = place_of(context);
    content& all = mine.content;
    if (forgets() && !all.empty() && where.turn > saturating_add(all.newest, when_.forget_after)) {
      if (all.says_at) say(all, context);
      all = {};
    }
    fold_.add(all.kept, record, where);
    all.newest = std::max(all.newest, where.turn);
    if (!all.says_at) all.says_at = ask_for_moment(where.turn, context);
    if (forgets() && !all.forgets_at) ask_for_end(all, context);
  }

  void on_timer(const timer& due, state& mine, auto& context) {
    content& all = mine.content;
    if (due.time == when_.time && all.says_at == due.when) say(all, context);
    if (due.time != time_domain::event_time || all.forgets_at != due.when) return;
    all.forgets_at.reset();
    if (forgotten_at(all.newest, when_.forget_after) > due.when) {
      ask_for_end(all, context);
    } else {
      if (all.says_at) say(all, context);
      all = {};
    }
  }

  void on_end(state& mine, auto& context) {
    if (mine.content.says_at) say(mine.content, context);
  }

 private:
  bool forgets() const { return when_.forget_after != never_forgotten; }

  timestamp ask_for_moment(timestamp turn, auto& context) const {
    if (when_.time == time_domain::processing_time) {
      const timestamp when = next_moment(context.processing_time(), when_.period);
      context.set_processing_timer(when);
      return when;
    }
    const bool promised = context.watermark() != timestamp_min;
    const timestamp when = next_moment(promised ? context.watermark() : turn, when_.period);
    context.set_event_timer(when);
    return when;
  }
  void ask_for_end(content& all, auto& context) const {
    const timestamp when = forgotten_at(all.newest, when_.forget_after);
    if (when == timestamp_max) return;
    all.forgets_at = when;
    context.set_event_timer(when);
  }

  template <class Context>
  void say(content& all, Context& context) const {
    using table_row = typename Fold::row;
    std::vector<table_row> now;
    if (!all.kept.empty()) {
      fold_.rows(context.key(), all.kept,
                 [&](table_row&& each) { now.push_back(std::move(each)); });
    }
    change_writer<table_row, Context> changes(context, when_.retract);
    for (std::size_t i = 0; i < std::max(now.size(), all.said.size()); ++i) {
      if (i >= all.said.size()) {
        changes.insert(now[i]);
      } else if (i >= now.size()) {
        changes.erase(all.said[i]);
      } else if (!same_row(all.said[i], now[i])) {
        changes.update([&] { return all.said[i]; }, now[i]);
      }
    }
    all.said = std::move(now);
    all.says_at.reset();
  }

  Fold fold_;
  emit_every when_;
};

}  // namespace freshet::detail
