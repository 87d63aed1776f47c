// match: finds sequences of records of one key, in event-time order.
//
//     const auto testing = begin("small", [](const payment& p) { return p.amount < 1; })
//                              .followed_by("large", [](const payment& p) { return p.amount > 500;
//                              }) .within(1min);
//     auto found = payments | key_by(&payment::card) | match("testing", testing);
//     found             | ...      // matched<payment>: found.first("small"), found.last("large")
//     found.timed_out() | ...      // the same of sequences that ran out of time
//
// Order: a record waits until the watermark has passed it, and then has its turn among those of its
// key: by event time, ties by the order key. One that is behind its entry frontier has it when that
// is passed, and counts as if it were of that time. So rows are a function of the log, at any
// parallelism. Time: a match has the event time of its last record; what is over at t + D, the last
// moment before.
//
// State per key: the records that wait; the records of sequences that are under way, and for each
// sequence 80 bytes and 16 for each of its records. A key without any is forgotten. Conditions are
// asked for every record and every sequence under way, once or twice: patterns without `within`,
// or with steps that many records satisfy, cost accordingly; `partial_matches_max` bounds it.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/pipeline/deduplicate.hpp>
#include <freshet/pipeline/detail/add_updating.hpp>
#include <freshet/pipeline/detail/automaton.hpp>
#include <freshet/pipeline/detail/ordered_buffer.hpp>
#include <freshet/pipeline/detail/updating.hpp>
#include <freshet/pipeline/pattern.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/stream.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet {

/// Options of `match`.
struct match_options {
  after_match after = after_match::no_skip();
  /// Of one key. Where there are more, those that began first are given up, and come out as if
  /// their time were over. Positive.
  std::size_t partial_matches_max = 10000;
};

/// The sequences that were found, and those that ran out of time.
template <class T>
class match_stream : public stream<matched<T>> {
 public:
  using stream<matched<T>>::stream;

  /// Sequences that were under way when the time of `within` was over, each once, with the records
  /// they had. Those that were left out after a match are not among them.
  stream<matched<T>> timed_out() const { return {this->graph(), {this->from().node, 1}}; }
};

namespace detail {

template <class T>
class match_function {
 public:
  static constexpr side_output<"timed out", matched<T>> timed_out{};

  struct numbered {
    std::uint64_t index = 0;
    T value{};
    BOOST_DESCRIBE_CLASS(numbered, (), (index, value), (), ())
  };
  struct content {
    std::vector<waiting_row<T>> waiting;  ///< By turn. Those before `gone` have had it.
    std::uint64_t gone = 0;
    sequence_runs sequences;
    std::vector<numbered> records;  ///< What sequences under way have, ascending.
    bool empty() const { return waiting.empty() && sequences.runs.empty(); }
    BOOST_DESCRIBE_CLASS(content, (), (waiting, gone, sequences, records), (), ())
  };
  using state = kept_state<content>;

  match_function(const pattern<T>& wanted, const match_options& options)
      : wanted_(wanted),
        automaton_(wanted.plan(), options.after.how(), options.after.step(),
                   options.partial_matches_max) {}

  void process(const T& record, state& mine, auto& context) {
    const placed where = place_of(context);
    content& all = mine.content;
    waiting_row<T> fresh = waiting(record, where);
    const auto begin = all.waiting.begin() + static_cast<std::ptrdiff_t>(all.gone);
    all.waiting.insert(std::upper_bound(begin, all.waiting.end(), fresh, is_earlier<T>),
                       std::move(fresh));
    context.set_event_timer(saturating_add(where.turn, duration{1}));
  }

  void on_timer(const timer& due, state& mine, auto& context) {
    content& all = mine.content;
    for (; all.gone < all.waiting.size(); ++all.gone) {
      waiting_row<T>& next = all.waiting[all.gone];
      if (saturating_add(turn_of(next), duration{1}) > due.when) break;
      take(next, due, all, context);
    }
    sequence_outcome outcome;
    automaton_.expire(all.sequences, due.when, outcome);
    emit(outcome, all, context);
    tidy(all);
  }

 private:
  void take(waiting_row<T>& next, const timer& due, content& all, auto& context) const {
    const timestamp turn = turn_of(next);
    const typename so_far<T>::record_at record_at = [&all](std::uint64_t index) -> const T& {
      return find(all, index);
    };
    const auto holds = [&](std::size_t condition, const sequence_run& run) {
      return wanted_.conditions()[condition](next.value,
                                             so_far<T>(automaton_.plan(), run, record_at));
    };
    const std::uint64_t index = all.sequences.next;
    sequence_outcome outcome;
    if (automaton_.advance(all.sequences, turn, holds, outcome)) {
      all.records.push_back({index, std::move(next.value)});
    }
    emit(outcome, all, context);
    if (all.sequences.runs.empty() || all.sequences.runs.back().began != turn) return;
    const timestamp end = automaton_.ends_at(all.sequences.runs.back());
    if (automaton_.plan().ends() && end > due.when) context.set_event_timer(end);
  }

  static const T& find(const content& all, std::uint64_t index) {
    return std::lower_bound(
               all.records.begin(), all.records.end(), index,
               [](const numbered& each, std::uint64_t wanted) { return each.index < wanted; })
        ->value;
  }

  matched<T> row_of(const sequence_run& run, const content& all) const {
    matched<T> row;
    for (const sequence_step& each : automaton_.plan().steps())
      row.steps.push_back({each.name, {}});
    for (const taken_record& each : run.path) {
      row.steps[each.step].records.push_back(find(all, each.index));
    }
    return row;
  }
  void emit(const sequence_outcome& outcome, const content& all, auto& context) const {
    for (const sequence_run& each : outcome.matches) context.emit(row_of(each, all));
    for (const sequence_run& each : outcome.timed_out) context.emit(timed_out, row_of(each, all));
  }

  /// Drops what no sequence can ask for any more.
  static void tidy(content& all) {
    const auto drop = [](auto& from, std::size_t count) {
      from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    };
    if (2 * all.gone >= all.waiting.size()) {
      drop(all.waiting, all.gone);
      all.gone = 0;
    }
    std::uint64_t first = all.sequences.next;
    for (const sequence_run& each : all.sequences.runs) first = std::min(first, each.start());
    std::size_t dropped = 0;
    while (dropped < all.records.size() && all.records[dropped].index < first) ++dropped;
    drop(all.records, dropped);
  }

  pattern<T> wanted_;
  automaton automaton_;
};

/// Throws `std::invalid_argument` for what cannot be meant.
void require_usable_match(const std::string& place, const sequence_plan& plan, skipping how,
                          const std::string& skip_to, std::size_t partial_matches_max);
std::string describe_match(const sequence_plan& plan, skipping how, const std::string& skip_to);

}  // namespace detail

/// Looks for `wanted` among the records of each key. `name` identifies the state across restarts.
/// \return the sequences that were found; `.timed_out()` of it: those whose time was over.
/// Throws `std::invalid_argument` when the records have no event times, when the pattern or an
/// option cannot be meant, or another one has the name.
template <class P>
auto match(std::string name, pattern<P> wanted, match_options options = {}) {
  return detail::keyed_only([name = std::move(name), wanted = std::move(wanted),
                             options]<class T, class KeyOf>(const keyed_stream<T, KeyOf>& keyed) {
    static_assert(std::is_same_v<P, T>,
                  "freshet: this pattern is of another type than the records; give its conditions "
                  "records of the stream, or write begin<record>(name, condition)");
    detail::require_records<T>();
    const stream<T>& records = keyed.records();
    const std::string place = "match '" + name + "'";
    const detail::skipping how = options.after.how();
    detail::require_usable_match(place, wanted.plan(), how, options.after.step(),
                                 options.partial_matches_max);
    records.graph()->require_timed(records.from(), place);
    using function = detail::match_function<T>;
    const detail::process_look look{
        "match", name, " | " + detail::describe_match(wanted.plan(), how, options.after.step()),
        ""};
    using tag = std::remove_const_t<decltype(function::timed_out)>;
    const auto rows = std::get<0>(detail::add_process<matched<T>, void, T, KeyOf, function, tag>(
        look, function(wanted, options), keyed, {records.from()}));
    return match_stream<T>(rows.graph(), rows.from());
  });
}

}  // namespace freshet
