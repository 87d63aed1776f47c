// Keyed operators other than windows whose keys move between instances: the rows are those of one
// instance that stays.
#include "runtime/handover_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/moments.hpp>
#include <freshet/pipeline/count_windowing.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/pipeline/windowing.hpp>

using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// Keeps one of everything that a process function can keep.
struct keeps_everything {
  struct state {
    fr::value_state<std::int64_t> last{fr::ttl{.after = 20us}};
    fr::list_state<std::int64_t> recent{
        fr::ttl{.after = 15us, .time = fr::time_domain::processing_time}};
    fr::map_state<std::int64_t, std::int64_t> counts{fr::ttl{.after = 30us}};
    std::int64_t seen = 0;
  };
  struct shared {
    std::int64_t factor = 1;
  };
  void on_broadcast(const event& each, shared& all, const fr::broadcast_context&) {
    all.factor = each.value;
  }
  void process(const event& each, state& mine, const shared& all, auto& context) {
    context.emit(fmt::format("{} seen {} last {} recent {} counts {} times {}", each.key,
                             ++mine.seen, mine.last.value_or(-1), mine.recent.size(),
                             mine.counts.size(), all.factor));
    mine.last.set(each.value);
    mine.recent.push_back(each.value);
    mine.counts.set(each.value % 3, mine.seen);
    if (each.value % 2 == 0) context.set_event_timer(each.at + ticks_long(each.value % 17));
    if (each.value % 5 == 0) {
      context.set_processing_timer(context.processing_time() + ticks_long(each.value % 13));
    }
    if (each.value % 7 == 0) context.delete_event_timer(each.at + 4us);
  }
  void on_timer(const fr::timer& due, state& mine, const shared& all, auto& context) {
    context.emit(fmt::format("{} timer {} seen {} last {} recent {} counts {} times {} at {}",
                             context.key(), cell_text(due.when), mine.seen, mine.last.value_or(-1),
                             mine.recent.size(), mine.counts.size(), all.factor,
                             cell_text(context.watermark())));
  }
};
BOOST_DESCRIBE_STRUCT(keeps_everything::state, (), (last, recent, counts, seen))
BOOST_DESCRIBE_STRUCT(keeps_everything::shared, (), (factor))

}  // namespace

TEST_CASE("keys of count windows move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    const auto size = static_cast<std::int64_t>(1 + random() % 5);
    const fr::count_window windows{.size = size,
                                   .slide = static_cast<std::int64_t>(1 + random() % 6),
                                   .partial = random() % 2 == 0};
    of.events() | fr::key_by(&event::key) | fr::window(windows) |
        fr::aggregate("op", fr::count("n"), fr::sum("sum", &event::value)) |
        fr::to("rows", of.into("row"));
  });
}

TEST_CASE("keys of trailing move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    fr::trailing_options options;
    options.allowed_lateness = ticks_long(static_cast<std::int64_t>(random() % 20));
    options.include_self = random() % 2 == 0;
    if (random() % 3 == 0) options.emit = fr::emit::on_arrival;
    const auto third = [](const event& each) { return static_cast<double>(each.value) / 3; };
    const auto rows = of.events() | fr::key_by(&event::key) |
                      fr::trailing("op", {10us, {60us, {.resolution = 8us}}}, options,
                                   fr::count("n"), fr::stddev("deviation", third));
    rows | fr::to("rows", of.into("row"));
    rows.late() | fr::to("late", of.into("late"));
  });
}

TEST_CASE("keys of a process function move without a trace, timers and lives included",
          "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64&) {
    of.with_broadcast = true;
    const auto control = of.p.from("control", scripted<event>(event_splits{{}}));
    fr::connect(of.events() | fr::key_by(&event::key), control) |
        fr::process<std::string>("op", keeps_everything{}) | fr::to("rows", of.into("row"));
  });
}

TEST_CASE("records that wait for their order move without a trace", "[runtime][handover]") {
  check_movable(
      [](composed& of, std::mt19937_64&) {
        of.events() | fr::ordered("op") | fr::to("rows", of.into("row"));
      },
      true);
}
