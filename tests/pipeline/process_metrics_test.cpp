// What process functions and samplers tell of their state.
#include "pipeline/process_support.hpp"

#include <freshet/pipeline/sampling.hpp>
#include <freshet/sampling/rarity.hpp>
#include <freshet/state/keyed_state.hpp>
#include <freshet/testing/harness.hpp>

using namespace freshet::test;
namespace frt = freshet::testing;

namespace {

/// Remembers a key until ten ticks after its last record.
struct remembers {
  struct state {
    fr::value_state<std::int64_t> last;
  };
  void process(const event& each, state& mine, auto& context) {
    mine.last.set(each.value);
    context.set_event_timer(each.at + ticks_long(10));
  }
  void on_timer(const fr::timer&, state& mine, auto&) { mine.last.clear(); }
};
BOOST_DESCRIBE_STRUCT(remembers::state, (), (last))

}  // namespace

TEST_CASE("process counts the keys that hold state or timers", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in");
  h.collect(in.stream() | fr::key_by(&event::key) | fr::process<std::int64_t>("p", remembers{}));
  const auto held = [&] { return h.metrics().of("process", "p"); };
  REQUIRE(held().state_entries == 0);
  for (int i = 0; i < 300; ++i) in.push(e(std::to_string(i % 30), i), tick(i));
  REQUIRE(held().state_entries == 30);
  REQUIRE(held().state_bytes > 30 * sizeof(std::string) + 300 * sizeof(fr::timestamp));
  h.snapshot_and_restore();
  REQUIRE(held().state_entries == 30);
  in.watermark(tick(1000));
  REQUIRE(held().state_entries == 0);
}

TEST_CASE("a sampler counts the records of epochs that have not begun", "[pipeline][metrics]") {
  frt::harness h;
  const auto in = h.input<event>("in", {.splits = 2});
  const auto by_key = fr::rarity(&event::key, {.per_second = 10});
  h.collect(in.stream() | fr::sample("s", by_key));
  const auto held = [&] { return h.metrics().of("sample", "s"); };
  in.watermark(frt::at(std::chrono::seconds(1)));
  const fr::timestamp later = frt::at(std::chrono::hours(10));
  // One split is ahead of the other.
  in.split(0).watermark(later);
  for (int i = 0; i < 7; ++i) in.split(0).push({"a", 1, later}, later);
  REQUIRE(held().state_entries == 7);
  REQUIRE(held().state_bytes >= 7 * sizeof(event));
  in.watermark(later);
  REQUIRE(held().state_entries == 0);
  REQUIRE(held().state_bytes > 0);  // What it knows of categories.
}
