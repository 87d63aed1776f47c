// Windows whose keys move between instances: the rows are those of one instance that stays.
#include "runtime/handover_support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/processing_windowing.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/pipeline/with_panes.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

/// From `least` to `most` ticks.
fr::duration random_ticks(std::mt19937_64& random, std::int64_t least, std::int64_t most) {
  return ticks_long(std::uniform_int_distribution(least, most)(random));
}

fr::window_options random_options(std::mt19937_64& random) {
  fr::window_options options;
  if (random() % 2 == 0) options.allowed_lateness = random_ticks(random, 1, 30);
  if (random() % 4 == 0) options.fire = fr::firing::at_close;
  return options;
}

fr::panes random_panes(std::mt19937_64& random) {
  constexpr std::array modes{fr::accumulation::accumulate, fr::accumulation::discard,
                             fr::accumulation::retract};
  fr::panes when{.mode = modes[random() % modes.size()]};
  // By count the log decides alone, and only where nothing else asks for early panes: then records
  // of one key may have to wait for those of another.
  if (random() % 3 == 0) {
    when.every_count = 2 + random() % 3;
  } else {
    if (random() % 2 == 0) when.every = random_ticks(random, 3, 10);
    if (random() % 2 == 0) when.every_processing_time = random_ticks(random, 3, 10);
  }
  if (random() % 3 == 0) when.late = fr::late_firing::at_close;
  return when;
}

/// Counts and sums over the windows `how`, and what is late for them.
template <class How>
void add_windows(composed& of, const How& how) {
  const auto rows = of.events() | fr::key_by(&event::key) | how |
                    fr::aggregate("op", fr::count("n"), fr::sum("sum", &event::value));
  rows | fr::to("rows", of.into("row"));
  if constexpr (requires { rows.late(); }) rows.late() | fr::to("late", of.into("late"));
}

}  // namespace

TEST_CASE("keys of tumbling windows move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    add_windows(of, fr::window(fr::tumbling{random_ticks(random, 5, 24)}, random_options(random)));
  });
}

TEST_CASE("keys of sliding windows move without a trace, late records included",
          "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    const auto slide = static_cast<std::int64_t>(3 + random() % 5);
    add_windows(
        of, fr::window(fr::sliding{.size = ticks_long(3 * slide + 1), .slide = ticks_long(slide)},
                       random_options(random)));
  });
}

TEST_CASE("keys of sessions move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    add_windows(of, fr::window(fr::session{random_ticks(random, 2, 11)}, random_options(random)));
  });
}

TEST_CASE("keys of windows with panes move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    fr::window_options options = random_options(random);
    options.fire = fr::firing::on_time;
    const fr::panes when = random_panes(random);
    of.told = when.describe();
    // Where the first frontier comes to a key, by which panes are armed, depends on records of
    // other keys that are behind.
    if (when.every > 0us) (random() % 2 == 0 ? of.in_order : of.begins_with_frontier) = true;
    add_windows(of, fr::window(fr::session{random_ticks(random, 2, 11)}, options, when));
  });
}

TEST_CASE("keys of windows of processing time move without a trace", "[runtime][handover]") {
  check_movable([](composed& of, std::mt19937_64& random) {
    add_windows(of, fr::window(fr::processing_time(fr::tumbling{random_ticks(random, 5, 24)})));
  });
}
