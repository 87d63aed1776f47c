// From what a window holds to its next pane: accumulating, discarding, or taking back. Internal.
//
// An immutable value over the aggregates and the mode; what has to be remembered stands in the
// window. Threads: one task.
#pragma once

#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/row_collector.hpp>
#include <freshet/pipeline/detail/window_list.hpp>
#include <freshet/pipeline/pane.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

namespace freshet::detail {

template <class Row, class Key, class Aggregates, bool WithPanes>
class pane_emitter {
 public:
  using state = typename Aggregates::state;
  using window = open_window<state, WithPanes>;

  pane_emitter(Aggregates parts, accumulation mode) : parts_(std::move(parts)), mode_(mode) {}

  const Aggregates& parts() const { return parts_; }

  /// Emits what `of` holds, after taking back what that replaces. `promised`: what downstream may
  /// have been promised by now.
  void emit(std::uint64_t hash, const Key& key, window& of, pane_timing timing,
            std::optional<timestamp> promised, row_collector<Row>& to) const {
    if constexpr (WithPanes) {
      for (const auto& old : of.emitted) {
        to.add({key, old.span, parts_.result(old.state), {old.timing, old.index, true}}, hash,
               promised);
      }
      of.emitted.clear();
    }
    to.add({key, of.span, parts_.result(of.state), {timing, of.panes, false}}, hash, promised);
    if constexpr (WithPanes) {
      if (mode_ == accumulation::retract) {
        of.emitted.push_back({of.span, timing, of.panes, of.state});
      }
      if (mode_ == accumulation::discard) of.state = state{};
      of.since = 0;
    }
    ++of.panes;
  }

  /// Emits a pane that no end of a window causes: early, or late where it comes behind what has
  /// been promised.
  void emit_unasked(std::uint64_t hash, const Key& key, window& of,
                    std::optional<timestamp> promised, row_collector<Row>& to) const {
    const timestamp at = saturating_subtract(of.span.end, duration{1});
    const bool behind = promised && at < *promised;
    emit(hash, key, of, behind ? pane_timing::late : pane_timing::early, promised, to);
  }

  /// Whether a window that fires has something to say: always, unless panes hold only what is new.
  bool has_news(const window& of) const {
    if constexpr (WithPanes) {
      return mode_ != accumulation::discard || of.since > 0;
    } else {
      return true;
    }
  }

  /// Makes one window of two.
  void absorb(window& into, window& from) const {
    parts_.merge(into.state, from.state);
    into.panes += from.panes;
    if constexpr (WithPanes) {
      into.since += from.since;
      std::move(from.emitted.begin(), from.emitted.end(), std::back_inserter(into.emitted));
    }
  }

 private:
  Aggregates parts_;
  accumulation mode_;
};

}  // namespace freshet::detail
