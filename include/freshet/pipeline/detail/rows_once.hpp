// The process functions behind emit_final and emit_complete: rows that come once. Internal.
//
// See updating.hpp for the fold, and emission.hpp for what is a function of the log.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/emission.hpp>
#include <freshet/pipeline/process_context.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace freshet::detail {

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

}  // namespace freshet::detail
