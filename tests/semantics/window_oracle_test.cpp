// Windows over several splits against the definition of their results, on seeded random streams.
//
// The definition (docs/reference/time.md): every split has a frontier of its own, the largest event
// time so far minus the disorder. A record's entry frontier is its split's frontier before it. What
// is at or after its entry frontier is on time and counts everywhere. What is behind counts in
// every window that its entry frontier has not closed.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <map>
#include <tuple>

namespace fr = freshet;
using namespace freshet::test;

namespace {

/// A record of the log, with what the definition needs to know about it.
struct logged {
  event value;
  fr::order_key order;
  fr::timestamp entry = fr::timestamp_min;
  bool on_time = true;
};

/// Rows and late records as text, and how many records no window wanted.
struct outcome {
  rows_of_text rows;
  rows_of_text late;
  std::uint64_t unassigned = 0;

  friend bool operator==(const outcome&, const outcome&) = default;
};

struct window_case {
  event_splits splits;
  fr::duration disorder{0};
  fr::window_options options;

  fr::timestamp closes(const fr::window_span& span) const {
    return fr::saturating_add(span.end, options.allowed_lateness);
  }
  fr::timestamp fires(const fr::window_span& span) const {
    return options.fire == fr::firing::on_time ? span.end : closes(span);
  }
};

/// Entry frontiers by definition; those behind come in the order of their turns.
std::vector<logged> log_of(const window_case& of) {
  const fr::timestamp last_frontier = fr::timestamp_max - fr::duration{1};
  std::vector<logged> all;
  for (std::uint32_t split = 0; split < of.splits.size(); ++split) {
    fr::timestamp frontier = fr::timestamp_min;
    for (std::uint64_t i = 0; i < of.splits[split].size(); ++i) {
      const event& value = of.splits[split][i];
      all.push_back({value, {value.at, {i, split, 0}}, frontier, value.at >= frontier});
      frontier = std::max(frontier,
                          std::min(last_frontier, fr::saturating_subtract(value.at, of.disorder)));
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const logged& a, const logged& b) {
    if (a.on_time || b.on_time) return a.on_time && !b.on_time;
    return std::tie(a.entry, a.order.where) < std::tie(b.entry, b.order.where);
  });
  return all;
}

std::string naive_row(const std::string& key, const fr::window_span& span, std::vector<logged> of) {
  std::sort(of.begin(), of.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  std::int64_t sum = 0;
  std::vector<std::int64_t> all;
  for (const logged& each : of) {
    all.push_back(each.value.value);
    sum += each.value.value;
  }
  return key + "|" + cell_text(span.begin) + "|" + cell_text(span.end) + "|" +
         std::to_string(all.size()) + "|" + std::to_string(sum) + "|" + cell_text(all.front()) +
         "|" + cell_text(all.back()) + "|" + cell_text(all) + "@" +
         cell_text(fr::saturating_subtract(span.end, fr::duration{1}));
}

template <class Assigner>
outcome naive_fixed(const window_case& of, const Assigner& assigner) {
  outcome result;
  std::map<std::pair<fr::window_span, std::string>, std::vector<logged>> windows;
  std::vector<std::pair<fr::window_span, std::string>> fired;
  const auto fire_until = [&](fr::timestamp frontier, bool all) {
    for (const auto& [at, records] : windows) {
      if (!all && of.fires(at.first) > frontier) continue;
      if (std::find(fired.begin(), fired.end(), at) != fired.end()) continue;
      fired.push_back(at);
      result.rows.push_back(naive_row(at.second, at.first, records));
    }
  };
  for (const logged& each : log_of(of)) {
    std::vector<fr::window_span> spans;
    assigner.assign(each.value.at, spans);
    if (spans.empty()) ++result.unassigned;
    if (!each.on_time) fire_until(each.entry, false);
    bool late = !spans.empty();
    for (const fr::window_span& span : spans) {
      if (!each.on_time && of.closes(span) <= each.entry) continue;
      late = false;
      windows[{span, each.value.key}].push_back(each);
      if (each.on_time || of.fires(span) > each.entry) continue;
      fired.emplace_back(span, each.value.key);
      result.rows.push_back(naive_row(each.value.key, span, windows[{span, each.value.key}]));
    }
    if (late) result.late.push_back(row_text(each.value, each.value.at));
  }
  fire_until(fr::timestamp_max, true);
  return {sorted(result.rows), sorted(result.late), result.unassigned};
}

struct naive_session {
  std::string key;
  fr::window_span span;
  std::vector<logged> records;
  bool fired = false;
};

/// A span that ends with time itself has no end.
bool share_time(const fr::window_span& a, const fr::window_span& b) {
  return (a.begin < b.end || b.end == fr::timestamp_max) &&
         (b.begin < a.end || a.end == fr::timestamp_max);
}

outcome naive_sessions(const window_case& of, const fr::session& assigner) {
  outcome result;
  std::vector<naive_session> sessions;
  const auto fire = [&](naive_session& each) {
    if (!std::exchange(each.fired, true)) {
      result.rows.push_back(naive_row(each.key, each.span, each.records));
    }
  };
  for (const logged& each : log_of(of)) {
    std::vector<fr::window_span> spans;
    assigner.assign(each.value.at, spans);
    naive_session grown{each.value.key, spans.front(), {each}};
    bool joins = false;
    for (naive_session& known : sessions) {
      if (!each.on_time && of.fires(known.span) <= each.entry) fire(known);
    }
    std::erase_if(sessions, [&](const naive_session& known) {
      if (known.key != grown.key || !share_time(known.span, spans.front())) return false;
      if (!each.on_time && of.closes(known.span) <= each.entry) return false;
      joins = true;
      grown.span = {std::min(grown.span.begin, known.span.begin),
                    std::max(grown.span.end, known.span.end)};
      grown.records.insert(grown.records.end(), known.records.begin(), known.records.end());
      return true;
    });
    if (!each.on_time && !joins && of.closes(grown.span) <= each.entry) {
      result.late.push_back(row_text(each.value, each.value.at));
      continue;
    }
    sessions.push_back(std::move(grown));
    if (!each.on_time && of.fires(sessions.back().span) <= each.entry) fire(sessions.back());
  }
  for (naive_session& each : sessions) fire(each);
  return {sorted(result.rows), sorted(result.late), result.unassigned};
}

outcome naive(const window_case& of, const fr::session& assigner) {
  return naive_sessions(of, assigner);
}
template <class Assigner>
outcome naive(const window_case& of, const Assigner& assigner) {
  return naive_fixed(of, assigner);
}

/// What the library makes of the same case, read in chunks of up to, or exactly, `chunk` records.
template <class Assigner>
outcome computed(const window_case& of, const Assigner& assigner, std::size_t chunk,
                 std::optional<std::uint64_t> seed) {
  auto from = script_of(of.splits);
  from->chunk_max = chunk;
  from->chunks_vary = seed.has_value();
  from->seed = seed.value_or(0);
  auto rows = keeper();
  auto late = keeper();
  fr::pipeline p("oracle");
  auto windows = p.from("events", scripted<event>(from)) |
                 fr::event_time(&event::at, fr::bounded_disorder{of.disorder}) |
                 fr::key_by(&event::key) | fr::window(assigner, of.options) |
                 fr::aggregate("windows", fr::count("count"), fr::sum("sum", &event::value),
                               fr::first("first", &event::value), fr::last("last", &event::value),
                               fr::collect("all", &event::value));
  windows | fr::to("rows", keep_rows_in(rows));
  windows.late() | fr::to("late", keep_rows_in(late));
  const fr::run_summary summary = run_to_end(p);
  REQUIRE(summary.metrics.late() == late->rows.size());
  REQUIRE(summary.metrics.rows() == rows->rows.size() + late->rows.size());
  return {sorted(rows->visible()), sorted(late->visible()), summary.metrics.unassigned()};
}

std::int64_t pick(std::mt19937_64& random, std::initializer_list<std::int64_t> from) {
  return *(from.begin() + random() % from.size());
}

/// A time that wanders forward, with equal times, disorder and, now and then, a jump.
event_splits random_splits(std::mt19937_64& random) {
  constexpr std::int64_t time_min = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t time_max = std::numeric_limits<std::int64_t>::max();
  const std::int64_t start = pick(random, {-100, -100, 0, 1000000, time_min, time_max - 60});
  const std::int64_t step = pick(random, {1, 3, 10});
  const auto back = static_cast<std::uint64_t>(pick(random, {1, 5, 40, 200}));
  const std::uint64_t jumps_one_in = random() % 2 == 0 ? 15 : 1000000;
  event_splits splits(1 + random() % 4);
  for (auto& split : splits) {
    fr::timestamp now = tick(start);
    const std::size_t count = random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      now = fr::saturating_add(now, fr::duration{static_cast<std::int64_t>(random() % 3) * step});
      if (random() % jumps_one_in == 0) now = fr::saturating_add(now, fr::duration{500});
      const fr::duration behind{static_cast<std::int64_t>(random() % back)};
      const std::string key(1, static_cast<char>('a' + random() % 3));
      const auto value = static_cast<std::int64_t>(random() % 100) - 50;
      split.push_back({key, value, fr::saturating_subtract(now, behind)});
    }
  }
  return splits;
}

window_case random_case(std::mt19937_64& random) {
  window_case of;
  of.splits = random_splits(random);
  of.disorder = fr::duration{pick(random, {0, 0, 1, 7, 30, 1000})};
  of.options.allowed_lateness =
      fr::duration{pick(random, {0, 0, 1, 10, 60, std::numeric_limits<std::int64_t>::max()})};
  of.options.fire = random() % 2 == 0 ? fr::firing::on_time : fr::firing::at_close;
  return of;
}

std::string described(const window_case& of) {
  std::string text = "disorder " + fr::to_text(of.disorder) + ", lateness " +
                     fr::to_text(of.options.allowed_lateness) +
                     (of.options.fire == fr::firing::on_time ? ", on time" : ", at close");
  for (const auto& split : of.splits) {
    text += "\nsplit:";
    for (const event& each : split) text += " " + row_text(each);
  }
  return text;
}

/// Compares library and definition on `rounds` cases; `make(random)` gives the assigner.
template <class Make>
void compare_with_definition(std::uint64_t seed, int rounds, Make make) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const window_case of = random_case(random);
    const auto assigner = make(random);
    INFO("round " << round << ", " << assigner.describe() << "\n" << described(of));
    const outcome wanted = naive(of, assigner);
    for (const std::size_t chunk : {1U, 2U, 7U, 256U, 1024U}) {
      INFO("chunks of " << chunk);
      const outcome found = computed(of, assigner, chunk, std::nullopt);
      CHECK(found.rows == wanted.rows);
      CHECK(found.late == wanted.late);
      REQUIRE(found == wanted);
    }
    for (std::uint64_t chunking = 0; chunking < 3; ++chunking) {
      INFO("chunks by seed " << chunking);
      REQUIRE(computed(of, assigner, 1 + random() % 20, chunking) == wanted);
    }
  }
}

}  // namespace

TEST_CASE("case 110: tumbling windows give what their definition says, however the log is cut",
          "[semantics][window][oracle]") {
  compare_with_definition(1, 150, [](std::mt19937_64& random) {
    return fr::tumbling{.size = fr::duration{pick(random, {1, 7, 20, 100})},
                        .offset = fr::duration{0}};
  });
}

TEST_CASE("case 109, 110: sliding windows give what their definition says, however the log is cut",
          "[semantics][window][oracle]") {
  compare_with_definition(2, 150, [](std::mt19937_64& random) {
    const std::int64_t size = pick(random, {2, 10, 30});
    return fr::sliding{.size = fr::duration{size},
                       .slide = fr::duration{pick(random, {3, 7, 40})},
                       .offset = fr::duration{pick(random, {-2, 0, 1})}};
  });
}

TEST_CASE("case 110: session windows give what their definition says, however the log is cut",
          "[semantics][window][oracle]") {
  compare_with_definition(3, 300, [](std::mt19937_64& random) {
    return fr::session{.gap = fr::duration{pick(random, {1, 4, 15, 60})}};
  });
}
