// The semantics of windows, expressed with process: tumbling and session windows written by hand
// give the rows and late records of the library's own, on seeded random logs of one split, however
// the log is cut and wherever the job is resumed.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// A row as windows have it.
struct span_sum {
  std::string key;
  fr::timestamp begin;
  fr::timestamp end;
  std::int64_t sum = 0;
};
BOOST_DESCRIBE_STRUCT(span_sum, (), (key, begin, end, sum))

constexpr fr::side_output<"late", event> late_events;

struct own_tumbling {
  struct state {
    fr::map_state<fr::timestamp, std::int64_t> sums;  // By the begin of the span.
  };
  fr::tumbling windows;

  void process(const event& e, state& mine, auto& context) {
    const fr::window_span span = windows.span_of(e.at);
    if (span.end <= context.entry_frontier()) return context.emit(late_events, e);
    mine.sums.set(span.begin, mine.sums.value_or(span.begin, 0) + e.value);
    context.set_event_timer(span.end);
  }
  void on_timer(const fr::timer& due, state& mine, auto& context) {
    const fr::timestamp begin = windows.span_of(due.when - 1us).begin;
    context.emit({context.key(), begin, due.when, *mine.sums.get(begin)});
    mine.sums.erase(begin);
  }
};
BOOST_DESCRIBE_STRUCT(own_tumbling::state, (), (sums))

struct own_session {
  struct open {
    fr::timestamp end;
    std::int64_t sum = 0;
  };
  struct state {
    fr::map_state<fr::timestamp, open> sessions;  // By their begin.
  };
  fr::duration gap{0};

  void process(const event& e, state& mine, auto& context) {
    fr::window_span span{e.at, fr::saturating_add(e.at, gap)};
    open merged{span.end, e.value};
    std::vector<fr::window_span> joined;
    mine.sessions.for_each([&](fr::timestamp begin, const open& each) {
      if (begin >= span.end || span.begin >= each.end) return;
      joined.push_back({begin, each.end});
      merged.sum += each.sum;
    });
    if (joined.empty() && span.end <= context.entry_frontier()) {
      return context.emit(late_events, e);
    }
    for (const fr::window_span& each : joined) {
      span.begin = std::min(span.begin, each.begin);
      merged.end = std::max(merged.end, each.end);
      mine.sessions.erase(each.begin);
      context.delete_event_timer(each.end);
    }
    mine.sessions.set(span.begin, merged);
    context.set_event_timer(merged.end);
  }
  void on_timer(const fr::timer& due, state& mine, auto& context) {
    std::optional<fr::timestamp> done;
    mine.sessions.for_each([&](fr::timestamp begin, const open& each) {
      if (each.end != due.when) return;
      done = begin;
      context.emit({context.key(), begin, each.end, each.sum});
    });
    mine.sessions.erase(*done);
  }
};
BOOST_DESCRIBE_STRUCT(own_session::open, (), (end, sum))
BOOST_DESCRIBE_STRUCT(own_session::state, (), (sessions))

struct outcome {
  rows_of_text rows;
  rows_of_text late;
  friend bool operator==(const outcome&, const outcome&) = default;
};

std::vector<event> random_split(std::mt19937_64& random) {
  std::vector<event> all;
  std::int64_t now = static_cast<std::int64_t>(random() % 100) - 50;
  const std::uint64_t back = 1 + random() % 40;
  for (std::size_t i = 0; i < 60; ++i) {
    now += static_cast<std::int64_t>(random() % 6);
    const std::string key(1, static_cast<char>('a' + random() % 3));
    all.push_back({key, static_cast<std::int64_t>(random() % 100),
                   tick(now - static_cast<std::int64_t>(random() % back))});
  }
  return all;
}

/// Runs `add(keyed)`, a tuple of rows and late records, over the log as `from` cuts it.
template <class Add>
outcome run(const script_handle<event>& from, fr::duration disorder, const fr::run_options& options,
            const Add& add) {
  const auto rows = keeper();
  const auto late = keeper();
  absl::Status done = absl::AbortedError("");
  // Runs that a scripted crash ends are resumed.
  while (done.code() == absl::StatusCode::kAborted) {
    fr::pipeline p("windows by hand");
    auto [sums, too_late] =
        add(p.from("events", scripted<event>(from)) |
            fr::event_time(&event::at, fr::bounded_disorder{disorder}) | fr::key_by(&event::key));
    sums | fr::to("rows", keep_rows_in(rows));
    too_late | fr::to("late", keep_rows_in(late));
    done = p.run(options);
  }
  REQUIRE(done.ok());
  return {sorted(rows->rows), sorted(late->rows)};
}

template <class Own>
void compare(std::uint64_t seed, const Own& make_own, const auto& make_assigner) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    INFO("seed " << seed << ", round " << round);
    const std::vector<event> log = random_split(random);
    const fr::duration length{1 + static_cast<std::int64_t>(random() % 30)};
    const fr::duration disorder{static_cast<std::int64_t>(random() % 20)};
    const outcome wanted = run(script_of({log}), disorder, {}, [&](const auto& keyed) {
      const auto windows = keyed | fr::window(make_assigner(length)) |
                           fr::aggregate("windows", fr::sum("sum", &event::value));
      return std::tuple{windows, windows.late()};
    });
    REQUIRE(wanted.rows.size() > 0);
    const auto by_hand = [&](const auto& keyed) {
      return keyed | fr::process<span_sum>("windows", make_own(length), late_events);
    };
    for (const std::size_t chunk : {1U, 2U, 7U, 256U}) {
      INFO("chunks of " << chunk);
      auto from = script_of({log});
      from->chunk_max = chunk;
      from->chunks_vary = false;
      REQUIRE(run(from, disorder, {}, by_hand) == wanted);
    }
    INFO("resumed after every few records");
    auto from = script_of({log});
    from->seed = seed;
    from->chunk_max = 5;
    from->crash_after = 3 + random() % 20;
    REQUIRE(run(from, disorder, committing_to(std::make_shared<fr::memory_checkpoint>()),
                by_hand) == wanted);
  }
}

}  // namespace

TEST_CASE("tumbling windows written with process are the library's", "[semantics][process]") {
  compare(
      1, [](fr::duration length) { return own_tumbling{{length}}; },
      [](fr::duration length) { return fr::tumbling{length}; });
}

TEST_CASE("session windows written with process are the library's", "[semantics][process]") {
  compare(
      2, [](fr::duration length) { return own_session{length}; },
      [](fr::duration length) { return fr::session{length}; });
}
