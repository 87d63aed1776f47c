// What stands above the exchange and has instances of its own: event_time, whose splits move, and
// merge. Instances together promise what one does that stays.
#include "runtime/handover_support.hpp"

#include <freshet/pipeline/detail/event_time_operator.hpp>
#include <freshet/pipeline/transform.hpp>

using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

using fr::detail::control;

/// What an operator has promised on one output.
struct promise_recorder final : fr::detail::inlet<event> {
  fr::timestamp promised = fr::timestamp_min;
  bool ended = false;

  void consume(fr::batch<event>&) override {}
  void signal(const control& what) override {
    if (what.what == control::kind::watermark) {
      REQUIRE(what.frontier >= promised);
      promised = what.frontier;
    }
    ended |= what.what == control::kind::end;
  }
};

fr::detail::node_id node_of_kind(const composed& of, std::string_view kind) {
  for (fr::detail::node_id id = 0; id < of.graph().nodes().size(); ++id) {
    if (of.graph().nodes()[id].kind == kind) return id;
  }
  FAIL("no node of this kind");
  return 0;
}

struct observed_instance {
  observed_instance(const composed& of, std::string_view kind)
      : instance(of.graph(), node_of_kind(of, kind), {}, tick(0), false) {
    instance.op().output(0).attach(promises);
  }
  driven_instance instance;
  promise_recorder promises;
};

// --- event_time

struct split_step {
  std::size_t split = 0;
  fr::batch<event> rows;
  bool ends = false;
};

/// Batches of several splits; some records lie far ahead, and splits end one after the other.
std::vector<split_step> random_splits(std::mt19937_64& random, std::size_t splits) {
  std::vector<split_step> log;
  std::vector<std::int64_t> now(splits, 0);
  std::vector<std::uint64_t> sequences(splits, 0);
  std::vector<std::size_t> open;
  for (std::size_t split = 0; split < splits; ++split) open.push_back(split);
  while (!open.empty()) {
    split_step next;
    const std::size_t which = random() % open.size();
    next.split = open[which];
    for (std::uint64_t count = random() % 8; count > 0; --count) {
      now[next.split] += static_cast<std::int64_t>(random() % 7);
      const auto off = static_cast<std::int64_t>(random() % 15 == 0 ? 40 + random() % 9 : 0) -
                       static_cast<std::int64_t>(random() % 12);
      const fr::timestamp at = tick(now[next.split] + off);
      next.rows.values.push_back({"a", static_cast<std::int64_t>(random() % 100), at});
      next.rows.positions.push_back(
          {++sequences[next.split], static_cast<std::uint32_t>(next.split), 0});
    }
    next.ends = random() % 15 == 0;
    if (next.ends) open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    log.push_back(std::move(next));
  }
  return log;
}

/// Instances of an event_time, each with some of the splits.
class split_readers {
 public:
  split_readers(const composed& of, std::size_t splits) : of_(of), splits_(splits) {
    add(std::vector<bool>(splits, true));
  }

  void apply(const split_step& next) {
    for (const auto& each : readers_) {
      if (!each->board.mine[next.split]) continue;
      each->seen.instance.feed(next.rows);
      const auto split = static_cast<std::uint32_t>(next.split);
      if (next.ends) {
        each->seen.instance.signal({.what = control::kind::split_ended, .split = split});
      }
    }
  }

  /// Deals the splits out to `count` fresh instances; some may get none.
  void move_to(std::size_t count, std::mt19937_64& random) {
    std::vector<fr::detail::full_state> states;
    for (const auto& each : readers_) {
      states.push_back(fr::detail::take_full_state(each->seen.instance.op(), {}));
    }
    readers_.clear();
    std::vector<std::vector<bool>> mine(count, std::vector<bool>(splits_, false));
    for (std::size_t split = 0; split < splits_; ++split) mine[random() % count][split] = true;
    for (const std::vector<bool>& own : mine) {
      add(own);
      fr::detail::handover_reader handed_over(states, {}, "event_time");
      readers_.back()->seen.instance.op().restore(handed_over);
      readers_.back()->seen.instance.signal({.what = control::kind::start});
    }
  }

  /// What a receiver of all instances has been promised.
  fr::timestamp promised() const {
    fr::timestamp least = fr::timestamp_max;
    for (const auto& each : readers_) least = std::min(least, each->seen.promises.promised);
    return least;
  }

 private:
  struct reader {
    explicit reader(const composed& of) : seen(of, "event_time") {}
    observed_instance seen;
    fr::detail::split_board board;
  };

  void add(std::vector<bool> mine) {
    readers_.push_back(std::make_unique<reader>(of_));
    fr::detail::split_board& board = readers_.back()->board;
    board.names.resize(splits_);
    board.mine = std::move(mine);
    board.frontiers.assign(splits_, fr::timestamp_min);
    board.silent_at.resize(splits_);
    board.wants_entry_frontiers = true;
    auto& op = readers_.back()->seen.instance.op();
    dynamic_cast<fr::detail::split_listener&>(op).listen(board);
  }

  const composed& of_;
  std::size_t splits_;
  std::vector<std::unique_ptr<reader>> readers_;
};

}  // namespace

TEST_CASE("splits move between instances of event_time without a trace", "[runtime][handover]") {
  std::size_t moves = 0;
  for (std::uint64_t round = 0; round < 300; ++round) {
    INFO("round " << round);
    std::mt19937_64 random(round);
    composed of;
    of.p.from("events", scripted<event>(event_splits{{}})) |
        fr::event_time(&event::at, fr::bounded_disorder{5us},
                       {.jump_max = 30us, .jump_confirmations = 2}) |
        fr::to("rows", of.into("row"));
    const std::size_t splits = 1 + random() % 6;
    const std::vector<split_step> log = random_splits(random, splits);
    split_readers staying(of, splits);
    std::vector<fr::timestamp> promises;
    for (const split_step& next : log) {
      staying.apply(next);
      promises.push_back(staying.promised());
    }
    REQUIRE(promises.back() == fr::timestamp_max);
    const rows_of_text wanted = sorted(std::exchange(*of.rows, {}));

    split_readers moving(of, splits);
    for (std::size_t i = 0; i < log.size(); ++i) {
      INFO("step " << i);
      moving.apply(log[i]);
      REQUIRE(moving.promised() == promises[i]);
      if (random() % 5 != 0) continue;
      ++moves;
      moving.move_to(1 + random() % 4, random);
      REQUIRE(moving.promised() == promises[i]);
    }
    REQUIRE(sorted(std::move(*of.rows)) == wanted);
  }
  REQUIRE(moves > 1'000);
}

TEST_CASE("a split that two instances claim is damage", "[runtime][handover]") {
  composed of;
  of.events() | fr::to("rows", of.into("row"));
  observed_instance first(of, "event_time");
  fr::detail::split_board board{.names = {"a"},
                                .mine = {true},
                                .frontiers = {fr::timestamp_min},
                                .silent_at = {std::nullopt}};
  dynamic_cast<fr::detail::split_listener&>(first.instance.op()).listen(board);
  std::vector<fr::detail::full_state> states;
  for (int i = 0; i < 2; ++i) {
    states.push_back(fr::detail::take_full_state(first.instance.op(), {}));
  }
  fr::detail::handover_reader reader(states, {}, "event_time 'events'");
  try {
    first.instance.op().restore(reader);
    FAIL("it was taken");
  } catch (const fr::detail::job_failure& failure) {
    REQUIRE(message_of(failure.status()) ==
            "event_time 'events': what its instances handed over is not what they write (a split "
            "was read twice)");
  }
}

TEST_CASE("instances of a merge become one that promises for all of them", "[runtime][handover]") {
  composed of;
  const auto other = of.p.from("others", scripted<event>(event_splits{{}})) |
                     fr::event_time(&event::at, fr::bounded_disorder{});
  fr::merge(of.events(), other) | fr::to("rows", of.into("row"));
  const auto watermark = [](std::int64_t at) {
    return control{.what = control::kind::watermark, .frontier = tick(at)};
  };
  const control end{.what = control::kind::end};

  // The first input has ended at 50 for one instance, and stands at 90 for the other.
  observed_instance one(of, "merge");
  one.instance.signal(watermark(50), 0);
  one.instance.signal(end, 0);
  one.instance.signal(watermark(95), 1);
  observed_instance two(of, "merge");
  two.instance.signal(watermark(90), 0);
  two.instance.signal(watermark(100), 1);
  // A third one has had all of its input.
  observed_instance three(of, "merge");
  three.instance.signal(end, 0);
  three.instance.signal(end, 1);

  std::vector<fr::detail::full_state> states;
  for (observed_instance* each : {&one, &two, &three}) {
    states.push_back(fr::detail::take_full_state(each->instance.op(), {}));
  }
  fr::detail::handover_reader reader(states, {}, "merge");
  observed_instance all(of, "merge");
  all.instance.op().restore(reader);
  all.instance.signal(watermark(200), 1);
  REQUIRE(all.promises.promised == fr::timestamp_min);  // 90 is not news.
  all.instance.signal(watermark(93), 0);
  REQUIRE(all.promises.promised == tick(93));
  all.instance.signal(end, 0);
  REQUIRE(all.promises.promised == tick(200));
  all.instance.signal(end, 1);
  REQUIRE(all.promises.promised == fr::timestamp_max);
  REQUIRE(all.promises.ended);
}

TEST_CASE("an input of a merge that has ended for all of its instances is not waited for",
          "[runtime][handover]") {
  composed of;
  const auto other = of.p.from("others", scripted<event>(event_splits{{}})) |
                     fr::event_time(&event::at, fr::bounded_disorder{});
  fr::merge(of.events(), other) | fr::to("rows", of.into("row"));
  observed_instance one(of, "merge");
  one.instance.signal({.what = control::kind::watermark, .frontier = tick(50)}, 0);
  one.instance.signal({.what = control::kind::end}, 0);
  one.instance.signal({.what = control::kind::watermark, .frontier = tick(70)}, 1);
  const std::array states{fr::detail::take_full_state(one.instance.op(), {}),
                          fr::detail::take_full_state(one.instance.op(), {})};
  fr::detail::handover_reader reader(states, {}, "merge");
  observed_instance all(of, "merge");
  all.instance.op().restore(reader);
  all.instance.signal({.what = control::kind::watermark, .frontier = tick(80)}, 1);
  REQUIRE(all.promises.promised == tick(80));
  // It says again that it has ended.
  all.instance.signal({.what = control::kind::end}, 0);
  all.instance.signal({.what = control::kind::end}, 1);
  REQUIRE(all.promises.promised == fr::timestamp_max);
  REQUIRE(all.promises.ended);
}
