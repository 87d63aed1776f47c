// Panes by their definition, for one split whose frontier moves after every record, and what the
// library makes of the same case.
//
// Time: ticks of 1 us. Order: rows of one key come in order; how keys follow each other is not
// compared. Memory: every record, for as long as its window is open.
#pragma once

#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>

#include <functional>
#include <map>
#include <tuple>

namespace freshet::test {

struct pane_case {
  event_splits splits;  ///< The definition takes the first one.
  duration disorder{0};
  window_options options;
  panes when;
};

/// Rows by key in the order of their emission, and late records.
struct pane_outcome {
  std::map<std::string, rows_of_text> rows;
  rows_of_text late;

  friend bool operator==(const pane_outcome&, const pane_outcome&) = default;
};

/// A window of one key. Retractions repeat the text of what was `emitted`.
struct naive_window {
  std::string key;
  window_span span;
  std::vector<event> records;
  std::uint64_t since = 0;
  std::uint32_t panes = 0;
  bool fired = false;
  rows_of_text emitted;

  auto order() const { return std::tie(key, span.end, span.begin); }
};

/// The definition. Every window is looked at for every moment.
template <class Assigner>
class naive_panes {
 public:
  naive_panes(const pane_case& of, const Assigner& assigner) : of_(of), assigner_(assigner) {
    for (const event& each : of.splits.front()) {
      apply(each);
      move_to(std::max(frontier_, saturating_subtract(each.at, of.disorder)));
    }
    move_to(timestamp_max);
  }

  pane_outcome outcome() const { return outcome_; }

 private:
  bool fires() const { return of_.options.fire != firing::never; }
  timestamp closes(const window_span& span) const {
    return saturating_add(span.end, of_.options.allowed_lateness);
  }
  timestamp fires_at(const window_span& span) const {
    return of_.options.fire == firing::on_time ? span.end : closes(span);
  }

  void apply(const event& record) {
    const bool behind = record.at < frontier_;
    bool wanted = false;
    std::vector<window_span> spans;
    assign_record(assigner_, record.at, record, spans);
    for (const window_span& span : spans) {
      const auto [window, is_known] = window_of(record.key, span);
      if (behind && !is_known && closes(span) <= frontier_) {
        windows_.erase(window);
        continue;
      }
      wanted = true;
      window->records.push_back(record);
      ++window->since;
      window->fired = behind && fires() && fires_at(window->span) <= frontier_;
      if (window->fired) {
        if (of_.when.late == late_firing::each_record) emit(*window, "late");
      } else if (of_.when.every_count != 0 && window->since >= of_.when.every_count) {
        const bool after_end = !fires() && window->span.end <= frontier_;
        emit(*window, behind && after_end ? "late" : "early");
      }
    }
    if (!wanted && !spans.empty()) outcome_.late.push_back(row_text(record, record.at));
  }

  /// The window that a span of this key belongs to, and whether it was there before.
  std::pair<typename std::vector<naive_window>::iterator, bool> window_of(const std::string& key,
                                                                          const window_span& span) {
    naive_window grown;
    grown.key = key;
    grown.span = span;
    bool is_known = false;
    std::erase_if(windows_, [&](naive_window& other) {
      const bool same = other.span == span;
      const bool meets = other.span.begin < span.end && span.begin < other.span.end;
      if (other.key != key || !(Assigner::merges ? meets : same)) return false;
      is_known = true;
      grown.span = {std::min(grown.span.begin, other.span.begin),
                    std::max(grown.span.end, other.span.end)};
      grown.records.insert(grown.records.end(), other.records.begin(), other.records.end());
      grown.since += other.since;
      grown.panes += other.panes;
      grown.emitted.insert(grown.emitted.end(), other.emitted.begin(), other.emitted.end());
      return true;
    });
    const auto before = std::find_if(windows_.begin(), windows_.end(), [&](const auto& other) {
      return grown.order() < other.order();
    });
    return {windows_.insert(before, std::move(grown)), is_known};
  }

  /// Goes through every moment until `target` at which something is due.
  void move_to(timestamp target) {
    if (frontier_ == timestamp_min) {
      frontier_ = target;
      return;
    }
    while (true) {
      timestamp next = timestamp_max;
      for (const naive_window& each : windows_) next = std::min(next, due(each));
      if (windows_.empty() || next > target) break;
      pass(next);
      frontier_ = next;
    }
    frontier_ = target;
  }

  timestamp due(const naive_window& each) const {
    timestamp next = closes(each.span);
    if (!each.fired && fires()) next = std::min(next, fires_at(each.span));
    if (wants_early(each)) {
      const duration past = distance_past_multiple(frontier_, of_.when.every, duration{0});
      next = std::min(next, saturating_add(frontier_, of_.when.every - past));
    }
    return next;
  }

  bool wants_early(const naive_window& each) const {
    return !each.fired && each.since > 0 && of_.when.every > duration::zero();
  }

  void pass(timestamp moment) {
    for (naive_window& each : windows_) {
      if (each.fired || !fires() || fires_at(each.span) > moment) continue;
      each.fired = true;
      if (of_.when.mode != accumulation::discard || each.since > 0) emit(each, "on_time");
    }
    for (naive_window& each : windows_) {
      if (!wants_early(each)) continue;
      if (distance_past_multiple(moment, of_.when.every, duration{0}) != duration{0}) continue;
      emit(each, !fires() && each.span.end < moment ? "late" : "early");
    }
    for (naive_window& each : windows_) {
      if (each.fired && each.since > 0 && closes(each.span) <= moment) emit(each, "late");
    }
    std::erase_if(windows_, [&](const auto& each) { return closes(each.span) <= moment; });
  }

  void emit(naive_window& of, const std::string& timing) {
    const std::string at = "@" + cell_text(saturating_subtract(of.span.end, duration{1}));
    rows_of_text& to = outcome_.rows[of.key];
    for (std::string old : of.emitted) to.push_back(old.insert(old.find('@'), "|true"));
    std::sort(of.records.begin(), of.records.end(), [](const event& a, const event& b) {
      return std::tie(a.at, a.value) < std::tie(b.at, b.value);
    });
    std::vector<std::int64_t> values;
    for (const event& each : of.records) values.push_back(each.value);
    const std::string text = of.key + "|" + cell_text(of.span.begin) + "|" +
                             cell_text(of.span.end) + "|" + std::to_string(values.size()) + "|" +
                             cell_text(values) + "|" + timing + "|" + std::to_string(of.panes++);
    to.push_back(text + "|false" + at);
    of.emitted.clear();
    if (of_.when.mode == accumulation::retract) of.emitted.push_back(text + at);
    if (of_.when.mode == accumulation::discard) of.records.clear();
    of.since = 0;
  }

  pane_case of_;
  Assigner assigner_;
  timestamp frontier_ = timestamp_min;
  std::vector<naive_window> windows_;
  pane_outcome outcome_;
};

/// What the library makes of a case, read in chunks of up to, or exactly, `chunk` records.
/// `make_windows(keyed)`: the windows, with or without panes; `prepare(events)`: what comes before.
template <class MakeWindows, class Prepare = std::identity>
pane_outcome computed_panes(const pane_case& of, const MakeWindows& make_windows, std::size_t chunk,
                            std::optional<std::uint64_t> seed = std::nullopt,
                            const Prepare& prepare = {}) {
  auto from = script_of(of.splits);
  from->chunk_max = chunk;
  from->chunks_vary = seed.has_value();
  from->seed = seed.value_or(0);
  const auto rows = keeper();
  const auto late = keeper();
  pipeline p("panes");
  const stream<event> events = p.from("events", scripted<event>(from)) |
                               event_time(&event::at, bounded_disorder{of.disorder});
  const auto keyed = prepare(events) | key_by(&event::key);
  const auto windows =
      make_windows(keyed) | aggregate("windows", count("count"), collect("all", &event::value));
  windows | with_panes() | to("rows", keep_rows_in(rows));
  windows.late() | to("late", keep_rows_in(late));
  (void)run_to_end(p);
  pane_outcome found;
  for (std::string& row : rows->rows) {
    found.rows[row.substr(0, row.find('|'))].push_back(std::move(row));
  }
  found.late = late->rows;
  return found;
}

/// A case in words, for a test that fails.
inline std::string described(const pane_case& of) {
  constexpr std::array<const char*, 3> fire = {"on time", "at close", "never"};
  std::string text = "disorder " + to_text(of.disorder) + ", lateness " +
                     to_text(of.options.allowed_lateness) + ", " +
                     fire[static_cast<std::size_t>(of.options.fire)] + ", " + of.when.describe();
  for (const auto& split : of.splits) {
    text += "\nsplit:";
    for (const event& each : split) {
      text += " " + each.key + std::to_string(each.value) + "@" + cell_text(each.at);
    }
  }
  return text;
}

/// One of several values.
template <class T>
T one_of(std::mt19937_64& random, std::initializer_list<T> from) {
  return *(from.begin() + random() % from.size());
}

/// A time that wanders forward from `start`, with equal times, disorder and, now and then, a jump.
/// Values are the numbers of the records.
inline std::vector<event> wandering_split(std::mt19937_64& random, std::int64_t start) {
  std::vector<event> split;
  const auto behind = one_of<std::uint64_t>(random, {1, 6, 25, 60});
  timestamp now = tick(start);
  const std::uint64_t count = random() % 50;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto step = static_cast<std::int64_t>(random() % 4) + (random() % 25 == 0 ? 90 : 0);
    now = saturating_add(now, duration{step});
    const std::string key(1, static_cast<char>('a' + random() % 3));
    const duration back{static_cast<std::int64_t>(random() % behind)};
    split.push_back({key, static_cast<std::int64_t>(i), saturating_subtract(now, back)});
  }
  return split;
}

inline pane_case random_pane_case(std::mt19937_64& random, std::size_t splits = 1,
                                  std::initializer_list<std::int64_t> starts = {-40, 0, 1000}) {
  pane_case of;
  const auto start = one_of(random, starts);
  for (std::size_t i = 0; i < splits; ++i) of.splits.push_back(wandering_split(random, start));
  of.disorder = duration{one_of<std::int64_t>(random, {0, 0, 3, 20})};
  of.options.allowed_lateness = duration{
      one_of<std::int64_t>(random, {0, 4, 15, 50, std::numeric_limits<std::int64_t>::max()})};
  of.options.fire =
      one_of(random, {firing::on_time, firing::on_time, firing::at_close, firing::never});
  of.when.every = duration{one_of<std::int64_t>(random, {0, 1, 5, 7, 100})};
  of.when.every_count = one_of<std::uint64_t>(random, {0, 0, 1, 2, 3});
  of.when.late = one_of(random, {late_firing::each_record, late_firing::at_close});
  of.when.mode =
      one_of(random, {accumulation::accumulate, accumulation::discard, accumulation::retract});
  if (!of.when.early()) of.options.fire = firing::on_time;
  return of;
}

}  // namespace freshet::test
