#include "simulation/oracle.hpp"

#include <freshet/core/hash.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace freshet::simulated {

namespace {

constexpr ticks never = std::numeric_limits<ticks>::max();
constexpr ticks nothing_promised = std::numeric_limits<ticks>::min();

/// Marks what an operator of this name makes by itself.
std::uint32_t number_of(std::size_t node) {
  return static_cast<std::uint32_t>(stable_hash(name_of(node)));
}

void sort_by_turns(std::vector<row>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const row& a, const row& b) { return a.turn_order() < b.turn_order(); });
}

std::map<std::int64_t, std::vector<row>> by_key(const std::vector<row>& rows) {
  std::map<std::int64_t, std::vector<row>> keys;
  for (const row& each : rows) keys[each.value.key].push_back(each);
  return keys;
}

/// What an event_time makes of one source: a split's frontier is what it has promised so far.
outcome read_source(const source_log& log, std::size_t node, std::uint32_t source) {
  outcome made;
  flow& out = made.outputs.emplace_back();
  out.in_log_order = out.in_key_order = log.splits.size() == 1;
  out.numbered_by = node;
  for (std::uint32_t split = 0; split < log.splits.size(); ++split) {
    ticks frontier = nothing_promised;
    std::optional<ticks> latest;
    for (std::uint64_t i = 0; i < log.splits[split].size(); ++i) {
      const event& each = log.splits[split][i];
      const ticks at = tick_of(each.at);
      if (log.drops != 0 && each.value % log.drops == 0) continue;
      if (log.jump_max > 0 && latest && at > *latest + log.jump_max) {
        ++made.dead;
        continue;
      }
      latest = std::max(latest.value_or(at), at);
      out.rows.push_back({each, frontier, {i, (source << 24U) + split, {}}});
      frontier = std::max(frontier, at - log.disorder);
    }
  }
  return made;
}

/// Rows made of each row, in its place; `numbers`: they are told apart by their index.
template <class F>
flow each_row(const flow& in, F rows_of, bool numbers) {
  flow out = in;
  out.rows.clear();
  for (const row& each : in.rows) {
    std::uint32_t index = 0;
    for (const event& made : rows_of(each.value)) {
      row& next = out.rows.emplace_back(row{made, each.entry, each.where});
      if (numbers) next.where.path.push_back(index++);
    }
  }
  return out;
}

flow merged(const std::vector<const flow*>& inputs, std::size_t node) {
  flow out;
  std::set<std::pair<std::uint64_t, std::uint32_t>> records;
  std::size_t distinct = 0;
  for (const flow* each : inputs) {
    std::set<std::pair<std::uint64_t, std::uint32_t>> own;
    for (const row& of : each->rows) own.emplace(of.where.sequence, of.where.split);
    distinct += own.size();
    records.merge(own);
    out.rows.insert(out.rows.end(), each->rows.begin(), each->rows.end());
  }
  const bool share = distinct != records.size();
  out.numbered_by = share ? inputs.front()->numbered_by : node;
  return out;
}

flow in_order(const flow& in) {
  flow out = in;
  sort_by_turns(out.rows);
  for (row& each : out.rows) each.entry = each.turn();
  out.in_log_order = out.in_key_order = true;
  return out;
}

// --- windows. Among their rows of equal times the library orders by hashes, the same in every run.

/// An open window of one key.
struct open_window {
  ticks begin = 0;
  ticks end = 0;
  std::vector<row> rows = {};
  bool fired = false;
  std::uint32_t panes = 0;
};

std::vector<open_window> spans_of(const plan_node& of, ticks at) {
  if (of.what == op::session) return {{at, at + of.a}};
  const ticks slide = of.what == op::sliding ? of.b : of.a;
  std::vector<open_window> spans;
  for (ticks begin = at - of.a + 1; begin <= at; ++begin) {
    if (begin % slide == 0) spans.push_back({begin, begin + of.a});
  }
  return spans;
}

std::int64_t value_of(const open_window& of) {
  std::vector<const row*> rows;
  for (const row& each : of.rows) rows.push_back(&each);
  std::sort(rows.begin(), rows.end(),
            [](const row* a, const row* b) { return a->order_key() < b->order_key(); });
  std::vector<std::int64_t> values;
  std::int64_t sum = 0;
  for (const row* each : rows) {
    values.push_back(each->value.value);
    sum += each->value.value;
  }
  return window_value(of.begin, of.end, static_cast<std::int64_t>(values.size()), sum,
                      values.front(), values.back(), values, of.panes);
}

/// The windows of one key: `rows` in the order of their turns.
class key_windows {
 public:
  key_windows(const plan_node& of, std::size_t node, std::int64_t key, outcome& to)
      : of_(of), node_(node), key_(key), to_(to) {}

  void apply(const std::vector<row>& rows) {
    for (const row& each : rows) {
      pass_until(each.turn());
      apply(each);
    }
    pass_until(never);
  }

 private:
  ticks closes(const open_window& of) const { return of.end + of_.lateness; }
  ticks fires(const open_window& of) const { return of_.at_close ? closes(of) : of.end; }

  void pass_until(ticks now) {
    std::sort(open_.begin(), open_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.end, a.begin) < std::tie(b.end, b.begin);
    });
    for (open_window& each : open_) {
      if (each.fired || fires(each) > now) continue;
      each.fired = true;
      emit(each, each.end - 1);
    }
    std::erase_if(open_, [&](const open_window& each) { return closes(each) <= now; });
  }

  void apply(const row& each) {
    const std::vector<open_window> spans = spans_of(of_, each.at());
    bool wanted = spans.empty();
    to_.unassigned += spans.empty() ? 1U : 0U;
    for (const open_window& span : spans) {
      open_window found = taken(span);
      if (each.behind() && found.rows.empty() && closes(span) <= each.entry) continue;
      wanted = true;
      found.rows.push_back(each);
      found.fired = each.behind() && fires(found) <= each.entry;
      if (found.fired) emit(found, each.entry);
      open_.push_back(std::move(found));
    }
    if (wanted) return;
    ++to_.late;
    to_.outputs[1].rows.push_back(each);
  }

  /// Takes out the windows that are one with `span`, as one window.
  open_window taken(const open_window& span) {
    open_window all = span;
    for (auto other = open_.begin(); other != open_.end();) {
      const bool meets = other->begin < span.end && span.begin < other->end;
      const bool same = other->begin == span.begin && other->end == span.end;
      if (of_.what == op::session ? !meets : !same) {
        ++other;
        continue;
      }
      all.begin = std::min(all.begin, other->begin);
      all.end = std::max(all.end, other->end);
      if (all.rows.empty()) all.rows.swap(other->rows);
      all.rows.insert(all.rows.end(), other->rows.begin(), other->rows.end());
      all.panes += other->panes;
      other = open_.erase(other);
    }
    return all;
  }

  void emit(open_window& of, ticks entry) {
    const std::uint64_t sequence =
        combine_hashes(combine_hashes(stable_hash(key_), static_cast<std::uint64_t>(of.begin)),
                       static_cast<std::uint64_t>(of.end));
    to_.outputs[0].rows.push_back({{key_, value_of(of), at_tick(of.end - 1)},
                                   entry,
                                   {sequence, number_of(node_), {of.panes++}}});
  }

  const plan_node& of_;
  std::size_t node_;
  std::int64_t key_;
  outcome& to_;
  std::vector<open_window> open_;
};

outcome windows_over(const plan_node& of, std::size_t node, const flow& in) {
  outcome made;
  made.outputs.resize(2);
  made.outputs[0].in_key_order = made.outputs[1].in_key_order = true;
  made.outputs[0].numbered_by = node;
  made.outputs[1].numbered_by = in.numbered_by;
  for (auto& [key, rows] : by_key(in.rows)) {
    std::vector<row> turns = rows;
    sort_by_turns(turns);
    key_windows(of, node, key, made).apply(turns);
  }
  return made;
}

/// Windows of so many records, in the order of arrival.
outcome count_windows_over(const plan_node& of, std::size_t node, const flow& in) {
  outcome made;
  flow& out = made.outputs.emplace_back();
  out.in_key_order = true;
  out.numbered_by = node;
  for (const auto& [key, rows] : by_key(in.rows)) {
    for (std::int64_t seen = 1; seen <= static_cast<std::int64_t>(rows.size()); ++seen) {
      if ((seen - 1) % of.b >= of.a) ++made.unassigned;
      if (seen < of.a || (seen - of.a) % of.b != 0) continue;
      open_window fired;
      fired.rows.assign(rows.begin() + (seen - of.a), rows.begin() + seen);
      fired.begin = never;
      fired.end = nothing_promised;
      for (const row& each : fired.rows) {
        fired.begin = std::min(fired.begin, each.at());
        fired.end = std::max(fired.end, each.at() + 1);
      }
      const row& last = fired.rows.back();
      const std::uint64_t sequence =
          combine_hashes(stable_hash(key), static_cast<std::uint64_t>(seen));
      out.rows.push_back({{key, value_of(fired), at_tick(fired.end - 1)},
                          last.behind() ? last.entry : last.at(),
                          {sequence, number_of(node), {}}});
    }
  }
  return made;
}

// --- trailing

std::int64_t trailing_over(const plan_node& of, const row& now, const std::vector<row>& been) {
  digest all;
  for (const ticks length : {of.a, 3 * of.a}) {
    ticks begin = now.at() - length;
    if (length > of.a && of.b > 0) {
      while (begin % of.b != 0) --begin;
    }
    std::vector<row> seen;
    for (const row& each : been) {
      const bool before = of.include_self ? each.order_key() <= now.order_key()  //
                                          : each.at() < now.at();
      if (before && each.at() >= begin) seen.push_back(each);
    }
    std::sort(seen.begin(), seen.end(),
              [](const row& a, const row& b) { return a.order_key() < b.order_key(); });
    std::int64_t sum = 0;
    for (const row& each : seen) sum += each.value.value;
    all.add(static_cast<std::int64_t>(seen.size())).add(sum);
    all.add(seen.empty() ? 0 : seen.front().value.value);
    all.add(seen.empty() ? 0 : seen.back().value.value);
  }
  return all.value();
}

outcome trailing_rows(const plan_node& of, const flow& in) {
  outcome made;
  made.outputs.resize(2);
  for (flow& each : made.outputs) {
    each.in_key_order = true;
    each.numbered_by = in.numbered_by;
  }
  for (auto& [key, rows] : by_key(in.rows)) {
    std::vector<row> turns = rows;
    if (!of.on_arrival) sort_by_turns(turns);
    std::vector<row> been;
    for (const row& each : turns) {
      if (each.behind() && each.at() + of.lateness < each.entry) {
        ++made.late;
        made.outputs[1].rows.push_back(each);
        continue;
      }
      been.push_back(each);
      row out = each;
      out.value.value = trailing_over(of, each, been);
      made.outputs[0].rows.push_back(out);
    }
  }
  return made;
}

// --- process

/// One key of a process function, called as the log goes.
class key_process {
 public:
  key_process(const plan_node& of, std::size_t node, std::int64_t key, outcome& to)
      : of_(of), node_(node), key_(key), to_(to) {}

  void apply(const std::vector<row>& rows) {
    for (const row& each : rows) {
      fire_until(each.entry);
      begin(each.where, each.behind() ? each.entry : each.at());
      fold_record(each.value, kept_, of_.a, of_.b, *this);
    }
    fire_until(never);
  }

  void emit(const event& made) { put(0, made); }
  void emit_aside(const event& made) { put(1, made); }
  void set_timer(ticks when) { timers_.insert(when); }

 private:
  void begin(place where, ticks entry) {
    where_ = std::move(where);
    index_ = 0;
    entry_ = entry;
  }
  void put(std::size_t port, const event& made) {
    row& out = to_.outputs[port].rows.emplace_back(row{made, entry_, where_});
    out.where.path.push_back(index_++);
  }

  /// Timers fire before the next record of the key. A row of one that was set for what was over is
  /// behind what had been promised by then.
  void fire_until(ticks frontier) {
    while (!timers_.empty() && (*timers_.begin() <= std::max(frontier, reached_))) {
      const ticks when = *timers_.begin();
      timers_.erase(timers_.begin());
      const bool over = when <= reached_;
      reached_ = std::max(reached_, when);
      begin({combine_hashes(stable_hash(key_), static_cast<std::uint64_t>(when)),
             number_of(node_),
             {}},
            over ? reached_ : when - 1);
      fold_timer(when, key_, kept_, of_.a, of_.b, *this);
    }
    reached_ = std::max(reached_, frontier);
  }

  const plan_node& of_;
  std::size_t node_;
  std::int64_t key_;
  outcome& to_;
  fold_state kept_;
  std::set<ticks> timers_;
  ticks reached_ = nothing_promised;
  place where_;
  std::uint32_t index_ = 0;
  ticks entry_ = 0;
};

outcome processed(const plan_node& of, std::size_t node, const flow& in) {
  outcome made;
  made.outputs.resize(2);
  for (flow& each : made.outputs) {
    each.in_key_order = true;
    each.numbered_by = node;
  }
  for (const auto& [key, rows] : by_key(in.rows)) key_process(of, node, key, made).apply(rows);
  return made;
}

outcome one_output(flow out) {
  outcome made;
  made.outputs.push_back(std::move(out));
  return made;
}

}  // namespace

outcome outcome_of_last(const plan& all, const input_log& input,
                        const std::vector<outcome>& before) {
  const plan_node& of = all.back();
  const std::size_t node = all.size() - 1;
  std::vector<const flow*> in;
  for (const outlet_of& from : of.inputs) in.push_back(&before[from.node].outputs[from.port]);
  const auto one = [](const event& made) { return std::vector<event>{made}; };
  switch (of.what) {
    case op::source:
      return read_source(input[static_cast<std::size_t>(of.a)], node,
                         static_cast<std::uint32_t>(of.a));
    case op::map:
      return one_output(
          each_row(*in[0], [&](const event& e) { return one(mapped(e, of.a, of.b)); }, false));
    case op::rekey: {
      flow out = each_row(*in[0], [&](const event& e) { return one(rekeyed(e, of.a)); }, false);
      // Rows of a new key may come from several keys before it, on several ways.
      out.in_key_order = out.in_log_order;
      return one_output(std::move(out));
    }
    case op::filter:
      return one_output(each_row(
          *in[0],
          [&](const event& e) { return passes(e, of.a, of.b) ? one(e) : std::vector<event>{}; },
          false));
    case op::flat_map: {
      flow out = each_row(*in[0], [&](const event& e) { return fanned_out(e, of.a, of.b); }, true);
      out.numbered_by = node;
      return one_output(std::move(out));
    }
    case op::merge:
      return one_output(merged(in, node));
    case op::ordered:
      return one_output(in_order(*in[0]));
    case op::counting:
      return count_windows_over(of, node, *in[0]);
    case op::tumbling:
    case op::sliding:
    case op::session:
      return windows_over(of, node, *in[0]);
    case op::trailing:
      return trailing_rows(of, *in[0]);
    case op::process:
      return processed(of, node, *in[0]);
  }
  return {};
}

std::vector<outcome> outcomes_of(const plan& all, const input_log& input) {
  std::vector<outcome> outcomes;
  plan so_far;
  for (const plan_node& each : all) {
    so_far.push_back(each);
    outcomes.push_back(outcome_of_last(so_far, input, outcomes));
  }
  return outcomes;
}

bool may_merge(const std::vector<const flow*>& inputs) {
  std::set<std::pair<std::uint64_t, std::uint32_t>> records;
  std::set<place> places;
  std::size_t distinct = 0;
  std::size_t rows = 0;
  bool same_numbers = true;
  for (const flow* each : inputs) {
    std::set<std::pair<std::uint64_t, std::uint32_t>> own;
    for (const row& of : each->rows) {
      own.emplace(of.where.sequence, of.where.split);
      places.insert(of.where);
    }
    rows += each->rows.size();
    distinct += own.size();
    records.merge(own);
    same_numbers &= each->numbered_by == inputs.front()->numbered_by;
  }
  return places.size() == rows && (records.size() == distinct || same_numbers);
}

}  // namespace freshet::simulated
