// What stands outside of "same log in, same rows out" is named by the summary of a run, and nothing
// else is.
#include "semantics/cases.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/ordering.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/sampling.hpp>
#include <freshet/pipeline/trailing.hpp>
#include <freshet/sampling/loss.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/window/count.hpp>
#include <freshet/window/processing_time.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/tumbling.hpp>
#include <freshet/window/watermark.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using events = fr::stream<event>;
using names = std::vector<std::string>;

/// What the summary names for the pipeline that `compose` makes of an input of so many splits.
template <class Compose>
names unpromised(const Compose& compose, std::size_t splits = 1) {
  frt::harness h;
  (void)h.collect(compose(h.input<event>("events", {.splits = splits}).stream()));
  return h.summary().unpromised;
}

/// The summary's names for windows with these options, and panes of their own.
template <class... Panes>
names of_windows(fr::window_options options, Panes... when) {
  return unpromised(
      [&](const events& in) {
        return in | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}, options, when...) |
               fr::aggregate("w", fr::count("n"));
      },
      3);
}

/// Passes records on; keeps the last one, for as long as it is told.
struct passing {
  struct state {
    fr::value_state<std::int64_t> last;
  };
  fr::ttl rule;
  state initial_state() const { return {fr::value_state<std::int64_t>{rule}}; }
  void process(const event& each, state& mine, auto& context) {
    mine.last.set(each.value);
    context.emit(each);
  }
};
BOOST_DESCRIBE_STRUCT(passing::state, (), (last))

struct listening {
  struct shared {
    std::int64_t rows = 0;
  };
  void on_broadcast(const event&, shared& all, const fr::broadcast_context&) { ++all.rows; }
  void process(const event& each, const shared&, auto& context) { context.emit(each); }
};
BOOST_DESCRIBE_STRUCT(listening::shared, (), (rows))

auto process(fr::ttl rule = {}) {
  return [rule](const events& in) {
    return in | fr::key_by(&event::key) | fr::process<event>("p", passing{rule});
  };
}
events counted(const events& in) {
  return in | fr::key_by(&event::key) | fr::window(fr::count_window{.size = 3}) |
         fr::aggregate("c", fr::count("n")) |
         fr::map([](const auto& row) { return event{row.key, 0, row.window.begin}; });
}

}  // namespace

TEST_CASE("windows of event time are promised whatever their options, over any number of splits",
          "[semantics][promise]") {
  REQUIRE(of_windows({}).empty());
  REQUIRE(of_windows({.allowed_lateness = 5us, .fire = fr::firing::at_close}).empty());
  REQUIRE(
      of_windows({.allowed_lateness = 5us}, fr::panes{.mode = fr::accumulation::retract}).empty());
  REQUIRE(of_windows({}, fr::panes{.late = fr::late_firing::at_close}).empty());
  REQUIRE(unpromised(
              [](const events& in) {
                return in | fr::sample("s", fr::rarity(&event::key, {.rate = 0.5})) |
                       fr::map([](const auto& kept) { return kept.value; });
              },
              3)
              .empty());
  REQUIRE(unpromised([](const events& in) {
            const fr::sampler_feedback losses;
            return in | fr::sample("s", fr::rarity(&event::key, {.rate = 0.5}).with_loss(losses)) |
                   fr::map([](const auto& kept) { return kept.value; });
          }) == names{"live feedback"});
}

TEST_CASE("early panes are named, of whatever kind", "[semantics][promise]") {
  REQUIRE(of_windows({}, fr::panes{.every = 3us}) == names{"early panes"});
  REQUIRE(of_windows({}, fr::panes{.every_count = 3}) == names{"early panes"});
  REQUIRE(of_windows({}, fr::panes{.every_processing_time = 3us}) == names{"early panes"});
}

TEST_CASE("an idle timeout is named, and a split that ends or waits is not",
          "[semantics][promise]") {
  const auto named = [](fr::duration idle_after) {
    frt::harness h;
    (void)h.collect(h.untimed_input<event>("events", 2).stream() |
                    fr::event_time(&event::at, fr::ascending{}, {.idle_after = idle_after}));
    return h.summary().unpromised;
  };
  REQUIRE(named(1s) == names{"idle timeout"});
  REQUIRE(named(0s).empty());
}

TEST_CASE("windows and state that go by the clock are named", "[semantics][promise]") {
  REQUIRE(unpromised([](const events& in) {
            return in | fr::key_by(&event::key) |
                   fr::window(fr::processing_time(fr::session{10us})) |
                   fr::aggregate("w", fr::count("n"));
          }) == names{"processing time"});
  REQUIRE(unpromised(process({.after = 1s, .time = fr::time_domain::processing_time})) ==
          names{"processing time"});
  REQUIRE(unpromised(process({.after = 1s})).empty());
}

TEST_CASE("process functions and count windows are promised in one order, and named in none",
          "[semantics][promise]") {
  REQUIRE(unpromised(process()).empty());
  REQUIRE(unpromised(process(), 2) == names{"process in the order of arrival"});
  REQUIRE(unpromised(counted).empty());
  REQUIRE(unpromised(counted, 2) == names{"count window over several splits"});
  const auto in_order = [](auto compose) {
    return [compose](const events& in) { return compose(in | fr::ordered("o")); };
  };
  REQUIRE(unpromised(in_order(process()), 2).empty());
  REQUIRE(unpromised(in_order(counted), 2).empty());
}

TEST_CASE("streams that come together without an order are named where it matters",
          "[semantics][promise]") {
  const auto merged = [](auto compose) {
    return unpromised([&](const events& in) {
      const auto one = in | fr::filter([](const event& each) { return each.value > 0; });
      return compose(fr::merge(static_cast<const events&>(one), in));
    });
  };
  REQUIRE(merged(process()) == names{"process in the order of arrival"});
  REQUIRE(merged(counted) == names{"count window over several splits"});
  REQUIRE(merged([](const events& in) {
            return in | fr::key_by(&event::key) | fr::window(fr::session{10us}) |
                   fr::aggregate("w", fr::count("n"));
          }).empty());
}

TEST_CASE("below windows of one split the order of rows is promised, that of timers among them not",
          "[semantics][promise]") {
  const auto below_windows = [](auto compose) {
    return unpromised([&](const events& in) {
      return compose(in | fr::key_by(&event::key) | fr::window(fr::tumbling{10us}) |
                     fr::aggregate("w", fr::count("n")) |
                     fr::map([](const auto& row) { return event{row.key, 0, row.window.begin}; }));
    });
  };
  REQUIRE(below_windows(counted).empty());
  REQUIRE(below_windows(process()) == names{"process in the order of arrival"});
}

TEST_CASE("a control stream is named", "[semantics][promise]") {
  frt::harness h;
  const auto in = h.input<event>("events");
  const auto control = h.untimed_input<event>("control");
  (void)h.collect(fr::connect(in.stream() | fr::key_by(&event::key), control.stream()) |
                  fr::process<event>("p", listening{}));
  REQUIRE(h.summary().unpromised == names{"broadcast"});
}

TEST_CASE("trailing rows on arrival are named over several splits, those on the watermark never",
          "[semantics][promise]") {
  const auto named = [](fr::emit when, std::size_t splits) {
    return unpromised(
        [when](const events& in) {
          return in | fr::key_by(&event::key) |
                 fr::trailing("t", {10us}, {.emit = when}, fr::count("n"));
        },
        splits);
  };
  REQUIRE(named(fr::emit::on_watermark, 2).empty());
  REQUIRE(named(fr::emit::on_arrival, 2) == names{"rows on arrival"});
  REQUIRE(named(fr::emit::on_arrival, 1).empty());
}

TEST_CASE("everything that is not promised is named, and the summary's text says what it means",
          "[semantics][promise]") {
  frt::harness h;
  const auto in = h.untimed_input<event>("events");
  (void)h.collect(
      process({.after = 1s, .time = fr::time_domain::processing_time})(
          in.stream() | fr::event_time(&event::at, fr::ascending{}, {.idle_after = 1s})) |
      fr::key_by(&event::key) | fr::window(fr::tumbling{10us}, {}, fr::panes{.every_count = 2}) |
      fr::aggregate("w", fr::count("n")));
  h.finish();
  REQUIRE(h.summary().unpromised == names{"idle timeout", "processing time", "early panes"});
  for (const std::string& name : h.summary().unpromised) {
    REQUIRE_THAT(h.summary().to_text(),
                 Catch::Matchers::Contains("results may differ between runs because of: " + name));
  }
}
