// The process functions behind operators whose results are updated: one for each emission mode.
// Internal.
//
// A fold says what is kept of a key and which rows that makes:
//
//     struct fold {
//       using state;                                 // has `bool empty() const`: nothing stands
//       using row;
//       void add(state&, const T&, const placed&) const;
//       void merge(state& into, const state& from) const;             // for emit_complete
//       void rows(const Key&, state, emit(row)) const;                // what stands; may move it
//       void change(const Key&, state&, const T&, const placed&, change_writer&) const;
//     };
//
// Each function is a function of the log as far as emission.hpp says. A record's place in time is
// its turn: its event time, or the entry frontier that it is behind. At its turn every record with
// an earlier one has arrived, because no watermark passes a frontier before the records that were
// read before it.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/detail/owned_bytes.hpp>
#include <freshet/core/record.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/change.hpp>
#include <freshet/pipeline/emission.hpp>
#include <freshet/pipeline/process_context.hpp>
#include <freshet/state/ttl.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::detail {

inline constexpr ttl no_ttl{};

/// Content of a key's state that decides itself when it holds nothing, so that the key goes.
template <class Content>
struct kept_state {
  Content content;

  void bind(const state_times&) {}
  void drop_expired() {}
  timestamp next_expiry() const { return timestamp_max; }
  const ttl& rule() const { return no_ttl; }
  bool holds_nothing() const { return content.empty(); }
};

template <class Content>
struct owned_rule<kept_state<Content>> {
  static std::uint64_t bytes(const kept_state<Content>& of) { return owned_bytes(of.content); }
};

/// A record's place in the log.
struct placed {
  order_key order;
  timestamp turn;

  bool behind() const { return order.at < turn; }
};

template <class Context>
placed place_of(const Context& context) {
  const order_key order = context.order();
  return {order, std::max(order.at, context.entry_frontier())};
}

/// The first multiple of `period` after `after`; the end of time, if there is none. \pre period > 0
timestamp next_moment(timestamp after, duration period);

/// When the watermark has passed `newest` by more than `forget_after`.
inline timestamp forgotten_at(timestamp newest, duration forget_after) {
  return saturating_add(saturating_add(newest, forget_after), duration{1});
}

template <class Row>
bool same_row(const Row& a, const Row& b) {
  if constexpr (std::equality_comparable<Row>) {
    return a == b;
  } else {
    return to_bytes(a) == to_bytes(b);
  }
}

/// A part of `of`, moved from there where `Of` may be moved from.
template <class Of, class Part>
auto part_of(Part& part) {
  if constexpr (std::is_lvalue_reference_v<Of>) {
    return std::remove_const_t<Part>(part);
  } else {
    return std::remove_const_t<Part>(std::move(part));
  }
}

/// Emits changes the way they were asked for.
template <class Row, class Context>
class change_writer {
 public:
  change_writer(Context& context, bool retract) : context_(context), retract_(retract) {}

  bool retracts() const { return retract_; }

  void insert(Row row) {
    put(std::move(row), retract_ ? change_kind::insert : change_kind::upsert);
  }
  /// `before`: returns the row that stood, if it is asked for.
  template <std::invocable Before>
  void update(Before&& before, Row after) {
    if (retract_) put(before(), change_kind::update_before);
    put(std::move(after), retract_ ? change_kind::update_after : change_kind::upsert);
  }
  void erase(Row row) { put(std::move(row), change_kind::erase); }

 private:
  void put(Row row, change_kind how) { context_.emit(change<Row>{std::move(row), how}); }

  Context& context_;
  bool retract_;
};

// --- emit_final, emit_complete
// -------------------------------------------------------------------

template <class T, class Fold>
class final_function {
 public:
  using row = typename Fold::row;
  using state = kept_state<typename Fold::state>;

  final_function(Fold fold, const emit_final&) : fold_(std::move(fold)) {}

  void process(const T& record, state& mine, auto& context) {
    fold_.add(mine.content, record, place_of(context));
  }
  void on_end(state& mine, auto& context) {
    if (mine.content.empty()) return;
    fold_.rows(context.key(), std::move(mine.content),
               [&](row&& each) { context.emit(std::move(each)); });
  }

 private:
  Fold fold_;
};

/// Records of a key that are no more than `after` apart belong together, as in a session; rows come
/// when nothing can join them any more. Several such parts wait where `after` is shorter than the
/// disorder.
template <class T, class Fold>
class complete_function {
 public:
  using row = typename Fold::row;

  struct part {
    timestamp begin = timestamp_min;  ///< Turns of its first and its newest record.
    timestamp end = timestamp_min;
    typename Fold::state kept{};
    BOOST_DESCRIBE_CLASS(part, (), (begin, end, kept), (), ())
  };
  struct content {
    std::vector<part> parts;  ///< In no order; those that have a record.
    bool empty() const { return parts.empty(); }
    BOOST_DESCRIBE_CLASS(content, (), (parts), (), ())
  };
  using state = kept_state<content>;

  complete_function(Fold fold, const emit_complete& when) : fold_(std::move(fold)), when_(when) {}

  void process(const T& record, state& mine, auto& context) {
    const placed where = place_of(context);
    part& to = part_for(mine.content.parts, where.turn, context);
    fold_.add(to.kept, record, where);
    std::erase_if(mine.content.parts, [](const part& each) { return each.kept.empty(); });
  }

  void on_timer(const timer& due, state& mine, auto& context) {
    std::erase_if(mine.content.parts, [&](const part& each) {
      if (forgotten_at(each.end, when_.after) > due.when) return false;
      emit(each, context);
      return true;
    });
    for (const part& each : mine.content.parts) set_timer(each, context);
  }

  void on_end(state& mine, auto& context) {
    for (const part& each : mine.content.parts) emit(each, context);
  }

 private:
  bool is_near(const part& of, timestamp turn) const {
    return saturating_add(turn, when_.after) >= of.begin &&
           turn <= saturating_add(of.end, when_.after);
  }
  void set_timer(const part& of, auto& context) const {
    const timestamp when = forgotten_at(of.end, when_.after);
    if (when != timestamp_max) context.set_event_timer(when);  // Else the end of the input.
  }
  void emit(const part& of, auto& context) const {
    fold_.rows(context.key(), of.kept, [&](row&& each) { context.emit(std::move(each)); });
  }

  /// The part that a record of `turn` belongs to, in which it brings others together.
  part& part_for(std::vector<part>& parts, timestamp turn, auto& context) const {
    std::size_t first = parts.size();
    for (std::size_t i = parts.size(); i-- > 0;) {
      if (!is_near(parts[i], turn)) continue;
      if (first < parts.size()) {
        fold_.merge(parts[i].kept, parts[first].kept);
        parts[i].begin = std::min(parts[i].begin, parts[first].begin);
        parts[i].end = std::max(parts[i].end, parts[first].end);
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(first));
      }
      first = i;
    }
    if (first == parts.size()) {
      parts.push_back({turn, turn, {}});
      set_timer(parts.back(), context);
    }
    part& to = parts[first];
    to.begin = std::min(to.begin, turn);
    to.end = std::max(to.end, turn);
    return to;
  }

  Fold fold_;
  emit_complete when_;
};

// --- emit_changes
// --------------------------------------------------------------------------------

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

// --- emit_every
// ----------------------------------------------------------------------------------

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

template <class T, class Fold>
auto function_for(Fold fold, const emit_final& when) {
  return final_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_complete& when) {
  return complete_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_changes& when) {
  return changes_function<T, Fold>(std::move(fold), when);
}
template <class T, class Fold>
auto function_for(Fold fold, const emit_every& when) {
  return every_function<T, Fold>(std::move(fold), when);
}

}  // namespace freshet::detail

namespace freshet {

template <class Content>
struct codec<detail::kept_state<Content>> {
  using parts = detail::type_list<Content>;
  static void encode(byte_writer& writer, const detail::kept_state<Content>& state) {
    freshet::encode(writer, state.content);
  }
  static bool decode(byte_reader& reader, detail::kept_state<Content>& state) {
    return freshet::decode(reader, state.content);
  }
  static void format(detail::format_context& context) {
    detail::append_format_of_parts<Content>(context, "kept");
  }
};

}  // namespace freshet
