// Process functions in the world: backlogs, control streams, what goes wrong.
#include "pipeline/process_support.hpp"

#include <map>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// What one run comes to, when it is to fail.
template <class Out, class F>
std::string failure_of(const std::vector<event>& log, F f, bool timed = true) {
  fr::pipeline p("failing");
  const auto events = p.from("events", scripted<event>(script_of({log})));
  const auto consume = [&](const auto& rows) {
    rows | fr::key_by(&event::key) | fr::process<Out>("p", f) |
        fr::to("rows", keep_rows_in(keeper()));
  };
  if (timed) {
    consume(events | fr::event_time(&event::at, fr::bounded_disorder{0us}));
  } else {
    consume(static_cast<const fr::stream<event>&>(events));
  }
  return message_of(p.run());
}

/// Waits until `condition` holds, as long as the job runs.
void wait_for(fr::job& job, const std::function<bool()>& condition) {
  while (!condition()) REQUIRE_FALSE(job.wait_for(1ms));
}

}  // namespace

TEST_CASE("case 70: a large backlog of timers is worked off in slices, and the watermark follows",
          "[semantics][process][timers]") {
  constexpr std::int64_t count = 100'000;
  struct many {
    void process(const event& each, context_for<fr::timestamp>& context) {
      for (std::int64_t i = 0; each.key == "a" && i < count; ++i)
        context.set_event_timer(tick(i + 1));
    }
    void on_timer(const fr::timer& due, context_for<fr::timestamp>& context) {
      if (due.when.time_since_epoch().count() % 1000 == 0) context.emit(due.when);
    }
  };
  const auto add = [](const auto& keyed) {
    const fr::stream<fr::timestamp> rows = keyed | fr::process<fr::timestamp>("p", many{});
    return std::tuple{rows, rows | fr::filter([](fr::timestamp at) { return at == tick(1000); })};
  };
  auto from = script_of({{e("a", 0), w(count + 1), w(count + 2)}});
  const process_rows got = run_cut(from, {}, add);
  REQUIRE(got.rows.size() == 100);
  REQUIRE(got.rows.front() == "1000@999");
  REQUIRE(got.rows.back() == "100000@99999");
}

TEST_CASE("an exception in a function names the operator and the record", "[process][failure]") {
  struct throwing {
    void process(const event& each, context_for<std::int64_t>& context) {
      if (each.value == 3) throw std::runtime_error("three");
      context.emit(each.value);
    }
  };
  REQUIRE(failure_of<std::int64_t>({e("a", 1, 1), e("a", 2, 2), e("a", 3, 3)}, throwing{}) ==
          "process 'p': the function given to it threw (three) at record 2 of split 0 of source 0; "
          "catch it there, or filter such records out before");
}

TEST_CASE("an exception in a timer names the operator and the timer", "[process][failure]") {
  struct throwing {
    void process(const event&, context_for<int>& context) {
      context.set_event_timer(tick(2'000'000));
    }
    void on_timer(const fr::timer&, context_for<int>&) { throw 7; }
  };
  REQUIRE(failure_of<int>({e("a", 1)}, throwing{}) ==
          "process 'p': the function given to it threw (not a std::exception) in its timer of "
          "1970-01-01T00:00:02Z; catch it there, or filter such records out before");
}

TEST_CASE("timers that cannot be are refused with what to do", "[process][failure]") {
  struct careless {
    void process(const event& each, context_for<int>& context) {
      context.set_event_timer(each.at + 1us);
    }
    void on_timer(const fr::timer& due, context_for<int>& context) {
      context.set_event_timer(due.when);
    }
  };
  struct deaf {
    void process(const event& each, context_for<int>& context) { context.set_event_timer(each.at); }
  };
  using Catch::Matchers::Contains;
  REQUIRE_THAT(failure_of<int>({e("a", 1)}, careless{}), Contains("would fire for ever"));
  REQUIRE_THAT(failure_of<int>({e("a", 1)}, deaf{}), Contains("the function has no on_timer"));
  REQUIRE_THAT(failure_of<int>({e("a", 1)}, careless{}, false), Contains("needs event times"));
}

namespace {

struct limit {
  std::string key;
  std::int64_t most = 0;
};
BOOST_DESCRIBE_STRUCT(limit, (), (key, most))

struct limiting {
  struct state {
    std::int64_t over = 0;
  };
  struct shared {
    std::map<std::string, std::int64_t> limits;
  };
  void on_broadcast(const limit& each, shared& all, const fr::broadcast_context&) {
    all.limits[each.key] = each.most;
  }
  void process(const event& each, state& mine, const shared& all, auto& context) {
    const auto found = all.limits.find(each.key);
    if (found == all.limits.end() || each.value <= found->second) return;
    context.emit(each.key + " " + std::to_string(++mine.over) + " over " +
                 std::to_string(found->second));
  }
};
BOOST_DESCRIBE_STRUCT(limiting::state, (), (over))
BOOST_DESCRIBE_STRUCT(limiting::shared, (), (limits))

}  // namespace

TEST_CASE("connect shows a control stream to the function, changing while the job runs",
          "[process][broadcast]") {
  // Without event times the sources take turns: a limit, then an event, and so on.
  const std::vector<limit> limits{{"a", 10}, {"b", 5}, {"a", 50}};
  auto from = script_of({{e("a", 1, 20), e("b", 2, 3), e("a", 3, 20), e("b", 4, 9)}});
  auto control = std::make_shared<script<limit>>();
  control->splits = {limits};
  for (const bool crashes : {false, true}) {
    from->chunk_max = control->chunk_max = 1;
    from->chunks_vary = control->chunks_vary = false;
    if (crashes) from->crash_after = 1;
    const auto rows = keeper();
    const fr::run_options options = committing_to(std::make_shared<fr::memory_checkpoint>());
    absl::Status done = absl::AbortedError("not yet");
    fr::run_summary summary;
    while (done.code() == absl::StatusCode::kAborted) {
      fr::pipeline p("limits");
      const auto known = p.from("limits", scripted<limit>(control));
      const auto events = p.from("events", scripted<event>(from)) |
                          fr::event_time(&event::at, fr::bounded_disorder{});
      fr::connect(events | fr::key_by(&event::key), known) |
          fr::process<std::string>("limiting", limiting{}) | fr::to("rows", keep_rows_in(rows));
      done = p.run(options, &summary);
    }
    INFO(done.ToString());
    REQUIRE(done.ok());
    REQUIRE(rows->rows == rows_of_text{"a 1 over 10@1", "b 1 over 5@4"});
    REQUIRE(summary.unpromised == std::vector<std::string>{"broadcast"});
  }
}

TEST_CASE("a silent control stream does not hold the watermark back", "[process][broadcast]") {
  auto control = std::make_shared<script<limit>>();
  control->splits = {{{"a", 10}}};
  control->pause_after = 0;
  control->is_bounded = false;
  auto from = script_of({{e("a", 1, 20), w(50)}});
  from->is_bounded = false;
  const auto rows = keeper();
  fr::pipeline p("silent");
  const auto known = p.from("limits", scripted<limit>(control));
  const auto events =
      p.from("events", scripted<event>(from)) | fr::event_time(&event::at, fr::bounded_disorder{});
  const auto waking = fr::stateful<limiting::state>(
      [](const event& each, limiting::state&, auto& context) {
        if (each.key == "a") context.set_event_timer(tick(40));
      },
      [](const fr::timer&, limiting::state&, auto& context) { context.emit(context.key()); });
  struct both {
    using state = limiting::state;
    using shared = limiting::shared;
    std::remove_const_t<decltype(waking)> inner;
    void on_broadcast(const limit&, shared&, const fr::broadcast_context&) {}
    void process(const event& each, state& mine, const shared&, context_for<std::string>& c) {
      inner.process(each, mine, c);
    }
    void on_timer(const fr::timer& due, state& mine, const shared&, context_for<std::string>& c) {
      inner.on_timer(due, mine, c);
    }
  };
  fr::connect(events | fr::key_by(&event::key), known) |
      fr::process<std::string>("p", both{waking}) | fr::to("rows", keep_rows_in(rows));
  absl::StatusOr<fr::job> job = p.start();
  REQUIRE(job.ok());
  wait_for(*job, [&] { return job->metrics().rows() == 1; });
  job->stop();
  REQUIRE(job->wait().ok());
  REQUIRE(rows->rows == rows_of_text{"a@39"});
}

TEST_CASE("streams of two pipelines cannot be connected", "[process][broadcast]") {
  fr::pipeline one("one"), other("other");
  const auto events =
      one.from("events", scripted<event>(event_splits{{}})) | fr::key_by(&event::key);
  const auto limits = other.from("limits", scripted<limit>(std::vector<std::vector<limit>>{{}}));
  REQUIRE_THAT(refusal_of([&] { fr::connect(events, limits); }),
               Catch::Matchers::Contains("different pipelines"));
}

namespace {

struct last_value {
  fr::value_state<std::int64_t> value;
};
BOOST_DESCRIBE_STRUCT(last_value, (), (value))

}  // namespace

TEST_CASE("a time to live that cannot be meant is refused while composing", "[process][ttl]") {
  fr::pipeline p("hasty");
  const auto keyed = p.from("events", scripted<event>(event_splits{{}})) | fr::key_by(&event::key);
  const auto initial = last_value{fr::value_state<std::int64_t>{fr::ttl{.after = -1us}}};
  struct with_initial {
    using state = last_value;
    last_value first;
    last_value initial_state() const { return first; }
    void process(const event&, state&, context_for<int>&) {}
  };
  REQUIRE(refusal_of([&] { keyed | fr::process<int>("p", with_initial{initial}); }) ==
          "process 'p': ttl of -1us is not positive; give .after a positive duration");
}
