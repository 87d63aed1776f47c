// What a sender that aggregates puts into its channels, and when.
#include "pipeline/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/detail/fixed_window_kernel.hpp>
#include <freshet/pipeline/detail/pre_aggregation.hpp>
#include <freshet/window/tumbling.hpp>

using namespace freshet::test;
namespace fr = freshet;
namespace detail = freshet::detail;

namespace {

using kernel = detail::fixed_window_kernel<event, std::string, fr::tumbling,
                                           detail::aggregate_set<event, fr::count_aggregate>>;
using key_of = std::string event::*;
using sender_type = detail::pre_aggregating_sender<event, key_of, kernel>;
using control = detail::control;

/// A channel that writes down what it gets: `row`, `partial 3` (of 3 records), `watermark 5`.
class noting_channel final : public detail::channel_end {
 public:
  void send(std::unique_ptr<detail::carried_rows> rows) override {
    if (const auto* plain = detail::carried_batch<event>::of(rows.get())) {
      for (const event& each : plain->rows.values) notes.push_back("row " + each.key);
      if (plain->promised) send({.what = control::kind::watermark, .frontier = *plain->promised});
      return;
    }
    const auto& partials = detail::carried_batch<kernel::partial>::of(rows.get())->rows;
    for (const auto& each : partials.values) {
      notes.push_back("partial " + each.key + " " + std::to_string(std::get<0>(each.state).rows));
      counted += each.rows;
    }
  }
  void send(const control& what) override {
    constexpr const char* names[] = {"start", "watermark", "idle", "active"};
    const auto kind = static_cast<std::size_t>(what.what);
    std::string note = kind < std::size(names) ? names[kind] : "other";
    if (what.what == control::kind::barrier) note = "barrier";
    if (what.what == control::kind::end) note = "end";
    if (what.what == control::kind::watermark) {
      note += " " + std::to_string(what.frontier.time_since_epoch().count());
    }
    notes.push_back(note);
  }
  std::unique_ptr<detail::carried_rows> used() override { return nullptr; }
  std::uint64_t counted_after() const override { return after; }

  rows_of_text notes;
  std::uint64_t counted = 0;
  std::uint64_t after = 0;
};

struct sending {
  noting_channel channel;
  sender_type sender{{&channel},
                     fr::detail::key_group_owners{},
                     &event::key,
                     kernel(fr::tumbling{ticks_long(10)}, {},
                            detail::aggregate_set<event, fr::count_aggregate>(fr::count("n"))),
                     true,
                     "window 'w'"};

  /// Rows of `key` at these ticks; the first of them is behind its frontier if `behind`.
  void rows(const std::string& key, std::initializer_list<std::int64_t> ticks,
            bool behind = false) {
    fr::batch<event> some;
    for (const std::int64_t at : ticks) {
      some.values.push_back({key, 1, tick(at)});
      some.positions.push_back({some.size(), 0, 0});
      some.times.push_back(tick(at));
      some.hashes.push_back(fr::stable_hash(key));
    }
    if (behind) some.behind.push_back({0, tick(1000)});
    sender.consume(some);
  }
  void watermark(std::int64_t at) {
    sender.signal({.what = control::kind::watermark, .frontier = tick(at)});
  }
  void signal(control::kind what) { sender.signal({.what = what}); }
};

}  // namespace

TEST_CASE("a partial aggregate goes before the watermark at which its window fires",
          "[pre_aggregation]") {
  sending to;
  to.rows("a", {1, 2, 3});
  to.rows("b", {12});
  to.watermark(9);
  CHECK(to.channel.notes.empty());
  to.watermark(10);
  CHECK(to.channel.notes == rows_of_text{"partial a 3"});
  REQUIRE(to.sender.holds());
  to.sender.flush();
  CHECK(to.channel.notes == rows_of_text{"partial a 3", "partial b 1", "watermark 10"});
  CHECK_FALSE(to.sender.holds());
  CHECK(to.channel.counted == 4);
}

TEST_CASE("nothing is held back over a barrier, idleness, or the end", "[pre_aggregation]") {
  for (const auto what : {control::kind::barrier, control::kind::idle, control::kind::end}) {
    sending to;
    to.rows("a", {1, 2});
    to.signal(what);
    REQUIRE(to.channel.notes.size() == 2);
    CHECK(to.channel.notes.front() == "partial a 2");
  }
}

TEST_CASE("rows behind the frontier travel as they are", "[pre_aggregation]") {
  sending to;
  to.watermark(100);
  to.rows("a", {101, 102}, true);
  to.rows("b", {99});  // Not marked, and yet before what was promised.
  to.signal(control::kind::barrier);
  CHECK(to.channel.notes ==
        rows_of_text{"partial a 1", "row a", "row b", "watermark 100", "barrier"});
}

TEST_CASE("nothing is aggregated until the task below waits for this one again",
          "[pre_aggregation]") {
  sending to;
  to.signal(control::kind::idle);
  to.signal(control::kind::active);
  to.rows("a", {1});
  to.signal(control::kind::barrier);
  CHECK(to.channel.notes == rows_of_text{"idle", "active", "row a", "barrier"});
  to.channel.after = 1;
  to.rows("a", {1});
  to.signal(control::kind::barrier);
  CHECK(to.channel.notes.size() == 6);
  CHECK(to.channel.notes[4] == "partial a 1");
}

TEST_CASE("a receiver tells that a channel counts only when it has caught up",
          "[pre_aggregation]") {
  detail::operator_counters counters;
  detail::pre_aggregating_receiver<event, kernel::partial> below(2, counters);
  detail::window_operator<event, key_of, kernel> window(
      &event::key, kernel(fr::tumbling{ticks_long(10)}, {},
                          detail::aggregate_set<event, fr::count_aggregate>(fr::count("n"))));
  detail::operator_context context;
  context.counters = &counters;
  window.open(context);
  below.output().attach(window.input(0));
  below.attach_partials(window.input(1));
  const auto watermark = [&](std::size_t channel, std::int64_t at) {
    below.take(channel, {.what = control::kind::watermark, .frontier = tick(at)});
  };
  watermark(0, 5);
  watermark(1, 5);
  CHECK(below.counted_after(1) == 0U);
  below.take(1, {.what = control::kind::idle});
  CHECK(below.counted_after(1) == std::nullopt);
  watermark(0, 50);
  below.take(1, {.what = control::kind::active});
  watermark(1, 20);
  CHECK(below.counted_after(1) == std::nullopt);
  watermark(1, 50);
  CHECK(below.counted_after(1) == 1U);
  CHECK(below.counted_after(0) == 0U);
}

TEST_CASE("the memory of a sender is bounded, however many keys there are", "[pre_aggregation]") {
  sending to;
  std::size_t sent_early = 0;
  for (std::int64_t i = 0; i < 20'000; ++i) to.rows("k" + std::to_string(i), {1});
  for (const std::string& note : to.channel.notes) sent_early += note.starts_with("partial");
  CHECK(sent_early >= 12'000);
  to.signal(control::kind::barrier);
  CHECK(to.channel.counted == 20'000);
}
