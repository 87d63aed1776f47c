#include "explanation.hpp"

#include <absl/status/status.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace freshet {

namespace detail {

namespace {

/// `frontier`, less what `of` holds back of it. The end of time is never held back.
timestamp let_through(const node& of, timestamp frontier) {
  if (frontier == timestamp_max) return frontier;
  return saturating_subtract(frontier, of.holds_back);
}

/// What has to arrive at a node so that it sends `needed` on.
timestamp before_holding_back(const node& of, timestamp needed) {
  return saturating_add(needed, of.holds_back);
}

duration missing(timestamp from, timestamp until) {
  return from >= until ? duration::zero() : saturating_between(from, until);
}

input_state state_of(const frontier_minimum& minimum, std::size_t input) {
  if (minimum.is_finished(input)) return input_state::finished;
  if (minimum.is_idle(input)) return input_state::idle;
  if (minimum.frontier_of(input) == timestamp_min) return input_state::waiting;
  return minimum.counts(input) ? input_state::active : input_state::catching_up;
}

/// Walks from a window up to the splits that feed it.
class search {
 public:
  search(const graph& in, const time_state& at) : graph_(in), at_(at) {}

  /// The watermark that a node sends down.
  timestamp watermark_below(node_id here) const {
    if (const auto found = at_.find(here); found != at_.end()) {
      return found->second.minimum.frontier();
    }
    const node& of = graph_.nodes()[here];
    if (of.inputs.empty()) return timestamp_min;
    return let_through(of, watermark_below(of.inputs.front().node));
  }

  /// Collects the splits above and at `here`, which has to send `needed` down. `waited_for`:
  /// whether what comes from here is.
  void collect(node_id here, timestamp needed, bool waited_for) {
    const node& of = graph_.nodes()[here];
    const auto found = at_.find(here);
    if (found == at_.end()) {
      // Rows of a second input, as of control streams, play no part in time.
      if (!of.inputs.empty()) {
        collect(of.inputs.front().node, before_holding_back(of, needed), waited_for);
      }
      return;
    }
    const combined_frontiers& combined = found->second;
    const std::size_t inputs = combined.splits.empty() ? of.inputs.size() : combined.splits.size();
    for (std::size_t input = 0; input < inputs; ++input) {
      const bool holds_back = waited_for && holds(combined.minimum, inputs, input, needed);
      if (combined.splits.empty()) {
        collect(of.inputs[input].node, needed, holds_back);
      } else {
        add(combined, input, needed, holds_back);
      }
    }
  }

  std::vector<window_input> found() && { return std::move(found_); }

 private:
  /// Inputs that are catching up are waited for only where all are.
  static bool holds(const frontier_minimum& minimum, std::size_t inputs, std::size_t input,
                    timestamp needed) {
    if (minimum.is_finished(input) || minimum.is_idle(input)) return false;
    if (minimum.frontier_of(input) >= needed) return false;
    if (minimum.counts(input)) return true;
    for (std::size_t other = 0; other < inputs; ++other) {
      if (minimum.counts(other)) return false;
    }
    return true;
  }

  /// A split that comes down two ways is one, with the further of the two ways to go.
  void add(const combined_frontiers& of, std::size_t split, timestamp needed, bool holds_back) {
    const auto known = std::find_if(found_.begin(), found_.end(), [&](const window_input& each) {
      return each.source == of.source && each.split == of.splits[split];
    });
    window_input& into = known == found_.end() ? found_.emplace_back() : *known;
    into.source = of.source;
    into.split = of.splits[split];
    into.state = state_of(of.minimum, split);
    into.frontier = of.minimum.frontier_of(split);
    into.needed = std::max(into.needed, needed);
    into.lacks = missing(into.frontier, into.needed);
    into.holds_back |= holds_back;
  }

  const graph& graph_;
  const time_state& at_;
  std::vector<window_input> found_;
};

}  // namespace

absl::StatusOr<node_id> find_window(const graph& in, std::string_view name,
                                    const window_span& span) {
  std::string names;
  for (node_id id = 0; id < in.nodes().size(); ++id) {
    const node& each = in.nodes()[id];
    if (each.kind != "window" || each.name.empty()) continue;
    if (each.name != name) {
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", each.name);
      continue;
    }
    if (!each.fires_after_end) {
      return absl::InvalidArgumentError(fmt::format(
          "window '{}': its rows do not wait for a watermark; ask about a window of event time "
          "that fires at its end",
          name));
    }
    if (span.begin >= span.end) {
      return absl::InvalidArgumentError(
          fmt::format("window '{}': the span [{}, {}) holds no time; give the span of a window",
                      name, to_iso_8601(span.begin), to_iso_8601(span.end)));
    }
    return id;
  }
  return absl::NotFoundError(
      fmt::format("pipeline '{}': it has no window '{}'; {}", in.name(), name,
                  names.empty() ? std::string("it has no windows at all") : "there are " + names));
}

window_explanation explain_window(const graph& in, const time_state& at, node_id window,
                                  const window_span& span) {
  const node& of = in.nodes()[window];
  window_explanation told;
  told.name = of.name;
  told.span = span;
  told.needed = saturating_add(span.end, *of.fires_after_end);
  const node_id above = of.inputs.front().node;
  search splits(in, at);
  // A job that was finished before it began has closed every window.
  told.watermark = at.empty() ? timestamp_max : splits.watermark_below(above);
  told.fired = told.watermark >= told.needed;
  told.lacks = missing(told.watermark, told.needed);
  splits.collect(above, told.needed, !told.fired);
  told.inputs = std::move(splits).found();
  return told;
}

}  // namespace detail

namespace {

std::string needed_text(timestamp needed) {
  return needed == timestamp_max ? std::string("the end of its input")
                                 : "a watermark of " + to_iso_8601(needed);
}

std::string short_of(timestamp needed, duration lacks) {
  return needed == timestamp_max ? std::string() : ", " + to_text(lacks) + " short";
}

std::string line_of(const window_input& input) {
  const std::string place = fmt::format("source '{}' split '{}'", input.source, input.split);
  const std::string promised = to_iso_8601(input.frontier);
  const std::string lacks = short_of(input.needed, input.lacks);
  const char* waits = input.holds_back ? " holds it back" : "";
  switch (input.state) {
    case input_state::waiting:
      return fmt::format("{}{}: it has promised nothing yet", place, waits);
    case input_state::active:
      return fmt::format("{}{}: it has promised {}{}", place, waits, promised,
                         input.lacks == duration::zero() ? ", enough" : lacks);
    case input_state::catching_up:
      return fmt::format("{}{}: it is catching up at {}{}", place, waits, promised, lacks);
    case input_state::idle:
      return input.frontier == timestamp_min
                 ? place + ": idle, it has promised nothing"
                 : fmt::format("{}: idle at {}, not waited for", place, promised);
    case input_state::finished:
      break;
  }
  return place + ": finished";
}

}  // namespace

std::string window_explanation::to_text() const {
  std::string text =
      fmt::format("window '{}' [{}, {})", name, to_iso_8601(span.begin), to_iso_8601(span.end));
  if (fired) return text + " has fired: it needed " + needed_text(needed) + "\n";
  text += " has not fired: it needs " + needed_text(needed);
  text += watermark == timestamp_min ? std::string(", and there is no watermark yet\n")
                                     : fmt::format(", and the watermark is {}{}\n",
                                                   to_iso_8601(watermark), short_of(needed, lacks));
  if (job_ended) text += "  the job has ended; this is how it stood\n";
  for (const bool holding : {true, false}) {
    for (const window_input& input : inputs) {
      if (input.holds_back == holding) text += "  " + line_of(input) + "\n";
    }
  }
  const bool held = std::any_of(inputs.begin(), inputs.end(),
                                [](const window_input& each) { return each.holds_back; });
  if (!held) text += "  nothing holds it back, and nothing moves time until a record comes\n";
  return text;
}

}  // namespace freshet
