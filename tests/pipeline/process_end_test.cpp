// Process functions at the end of the input: every key is called once more, then its state goes.
#include "pipeline/process_support.hpp"

namespace fr = freshet;
using namespace freshet::test;

namespace {

/// Counts the records of a key, and tells at the end, after its timer.
struct counting {
  struct state {
    std::int64_t records = 0;
    std::int64_t fired = 0;
  };
  void process(const event& each, state& mine, auto& context) {
    ++mine.records;
    if (each.key == "b") context.set_event_timer(tick(1000));
  }
  void on_timer(const fr::timer&, state& mine, auto&) { ++mine.fired; }
  void on_end(state& mine, auto& context) {
    context.emit(mine.records * 10 + mine.fired);
    context.emit_at(tick(3), -mine.records);
  }
};
BOOST_DESCRIBE_STRUCT(counting::state, (), (records, fired))

}  // namespace

TEST_CASE("every key is called at the end of the input, after the last timers",
          "[pipeline][process]") {
  const rows_of_text rows = rows_of<std::int64_t>({e("a", 1), e("b", 2), e("a", 5)}, counting{});
  const std::string end = "@" + cell_text(fr::timestamp_max - fr::duration{1});
  REQUIRE(sorted(rows) == sorted({"20" + end, "-2@3", "11" + end, "-1@3"}));
}

TEST_CASE("nothing is left of the keys when the job has finished", "[pipeline][process]") {
  const auto rows = keeper();
  fr::pipeline p("process");
  p.from("events", scripted<event>({{e("a", 1), e("b", 2)}})) |
      fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key) |
      fr::process<std::int64_t>("p", counting{}) | fr::to("rows", keep_rows_in(rows));
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  const fr::run_summary summary = run_to_end(p, committing_to(commits));
  REQUIRE(rows->visible().size() == 4);
  REQUIRE(summary.metrics.of("process", "p").state_entries == 0);
}

TEST_CASE("an exception at the end of the input names the operator", "[pipeline][process]") {
  struct throwing {
    using state = std::int64_t;
    void process(const event&, state&, context_for<std::int64_t>&) {}
    void on_end(state&, context_for<std::int64_t>&) { throw std::runtime_error("boom"); }
  };
  fr::pipeline p("process");
  p.from("events", scripted<event>({{e("a", 1)}})) |
      fr::event_time(&event::at, fr::bounded_disorder{}) | fr::key_by(&event::key) |
      fr::process<std::int64_t>("p", throwing{}) | fr::to("rows", keep_rows_in(keeper()));
  REQUIRE_THAT(
      message_of(p.run({})),
      Catch::Matchers::Contains("process 'p': the function given to it threw (boom) at the "
                                "end of the input"));
}

TEST_CASE("a function with on_end is refused where records have no event times",
          "[pipeline][process]") {
  REQUIRE(refusal_of([] {
            fr::pipeline p("process");
            p.from("events", scripted<event>({{e("a", 1)}})) | fr::key_by(&event::key) |
                fr::process<std::int64_t>("p", counting{});
          }).find("process 'p'") == 0);
}
