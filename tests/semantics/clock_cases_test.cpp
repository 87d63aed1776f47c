// Timers and state that go by processing time, in process functions: cases of the project's list of
// stream processing semantics, by number, in every mode. The clock is the harness's; times are
// ticks of 1 us. More of them stand in timer_cases_test.cpp, those of event time in
// tests/pipeline/process_test.cpp and tests/state/keyed_state_test.cpp.
#include "semantics/cases.hpp"

#include <freshet/pipeline/process.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Sets a timer for the tick that a record says, deletes it where that is negative. The timer of a
/// multiple of 100 sets another one, five ticks later.
struct waking {
  void process(const event& each, auto& context) {
    if (each.value < 0) {
      context.delete_processing_timer(tick(-each.value));
    } else {
      context.set_processing_timer(tick(each.value));
    }
  }
  void on_timer(const fr::timer& due, auto& context) {
    context.emit(context.key() + " " + cell_text(due.when) + " at " + cell_text(context.at()));
    if (due.when.time_since_epoch() % 100us == 0us) context.set_processing_timer(due.when + 5us);
  }
};

/// A job of `f`, with what it emits.
template <class F>
struct clocked {
  frt::harness h;
  frt::hand_input<event> in;
  frt::collected<std::string> rows;

  clocked(const frt::harness_options& options, const F& f)
      : h(options),
        in(h.input<event>("events")),
        rows(h.collect(in.stream() | fr::key_by(&event::key) | fr::process<std::string>("p", f))) {}

  void push(const std::string& key, std::int64_t value) { in.push({key, value, {}}, tick(0)); }
  void move_to(std::int64_t at) { h.clock().move_to(tick(at)); }
};

/// A value that is forgotten ten ticks after it was written, or read, where the rule says so.
struct remembering {
  struct state {
    fr::value_state<std::int64_t> last;
  };
  fr::ttl rule;
  state initial_state() const { return {fr::value_state<std::int64_t>{rule}}; }
  /// Writes what is not negative, and tells what was there before.
  void process(const event& each, state& mine, auto& context) {
    context.emit(cell_text(mine.last.value_or(-1)));
    if (each.value >= 0) mine.last.set(each.value);
  }
};
BOOST_DESCRIBE_STRUCT(remembering::state, (), (last))

constexpr fr::ttl ten_ticks{.after = 10us, .time = fr::time_domain::processing_time};

}  // namespace

TEST_CASE("case 68: timers of the clock fire by time, the earliest also when it is set last",
          "[semantics][timers]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    clocked run(options, waking{});
    run.push("a", 30);
    run.push("b", 10);
    run.push("a", 20);
    run.push("c", 25);
    run.push("c", -25);
    run.push("c", -26);
    run.move_to(9);
    REQUIRE(run.rows.empty());
    run.push("a", 9);  // An earlier one than all before: it is due already.
    run.move_to(20);
    REQUIRE(run.rows.take_values() == rows_of_text{"a 9 at none", "b 10 at none", "a 20 at none"});
    run.move_to(1000);
    REQUIRE(run.rows.take_values() == rows_of_text{"a 30 at none"});
  });
}

TEST_CASE("case 66, 68: a timer of the clock that is set twice fires once", "[semantics][timers]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    clocked run(options, waking{});
    run.push("a", 10);
    run.push("a", 10);
    run.push("b", 10);
    run.move_to(10);
    REQUIRE(sorted(run.rows.take_values()) == rows_of_text{"a 10 at none", "b 10 at none"});
    run.move_to(500);

    REQUIRE(run.rows.take_values().empty());
  });
}

TEST_CASE("case 68: a timer set by a timer fires in the same pass, when its time has come",
          "[semantics][timers]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    clocked run(options, waking{});
    run.push("a", 100);
    run.push("a", 103);
    run.push("a", 200);
    run.move_to(202);
    REQUIRE(run.rows.take_values() ==
            rows_of_text{"a 100 at none", "a 103 at none", "a 105 at none", "a 200 at none"});
    run.move_to(204);
    REQUIRE(run.rows.take_values().empty());
    run.move_to(205);
    REQUIRE(run.rows.take_values() == rows_of_text{"a 205 at none"});
  });
}

TEST_CASE("case 34, 69: timers of the clock survive a stop, and fire at once when overdue",
          "[semantics][timers]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    clocked before(options, waking{});
    before.push("a", 30);
    before.push("b", 600);
    before.h.stop();
    REQUIRE(before.rows.empty());
    frt::harness_options later = options;
    later.checkpoint = before.h.checkpoint();
    later.clock_start = tick(500);
    clocked after(later, waking{});
    REQUIRE(after.rows.take_values() == rows_of_text{"a 30 at none"});
    after.move_to(600);
    REQUIRE(after.rows.take_values() == rows_of_text{"b 600 at none"});
  });
}

TEST_CASE("case 83, 87: state of the clock lives so long after its last write, and not a tick more",
          "[semantics][ttl]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    clocked run(options, remembering{ten_ticks});
    run.push("a", 1);
    run.move_to(9);
    run.push("a", 2);
    run.move_to(18);
    run.push("a", -1);
    run.move_to(19);
    run.push("a", -1);
    REQUIRE(run.rows.take_values() == rows_of_text{"-1", "1", "2", "-1"});
  });
}

TEST_CASE("case 84: a read keeps state of the clock alive, where the rule says so",
          "[semantics][ttl]") {
  frt::in_every_mode([](const frt::harness_options& options) {
    fr::ttl rule = ten_ticks;
    rule.refresh = fr::ttl_refresh::on_read_and_write;
    clocked run(options, remembering{rule});
    run.push("a", 1);
    for (const std::int64_t at : {9, 18, 27, 37}) {
      run.move_to(at);
      run.push("a", -1);
    }
    REQUIRE(run.rows.take_values() == rows_of_text{"-1", "1", "1", "1", "-1"});
  });
}

TEST_CASE("case 88: the time in which a job is stopped counts, and each key by itself",
          "[semantics][ttl]") {
  for (const std::int64_t restart : {13, 14}) {
    frt::in_every_mode([restart](const frt::harness_options& options) {
      clocked before(options, remembering{ten_ticks});
      before.push("a", 1);
      before.move_to(4);
      before.push("b", 2);
      before.h.stop();
      frt::harness_options later = options;
      later.checkpoint = before.h.checkpoint();
      later.clock_start = tick(restart);
      clocked after(later, remembering{ten_ticks});
      after.push("a", -1);
      after.push("b", -1);
      REQUIRE(after.rows.take_values() == rows_of_text{"-1", restart == 13 ? "2" : "-1"});
    });
  }
}
