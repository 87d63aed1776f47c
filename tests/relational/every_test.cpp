// Updated results at regular moments: what has changed since the last one, and nothing else.
#include "relational/support.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/group_aggregate.hpp>
#include <freshet/testing/harness.hpp>

namespace fr = freshet;
namespace frt = freshet::testing;
using namespace freshet::test;

namespace {

auto greatest(fr::emit_every when) {
  return [when](const auto& keyed) {
    return keyed | fr::group_aggregate("g", when, fr::max("max", &event::value));
  };
}

/// One key: what it is now, what was said, and when it is to be said.
struct said_key {
  std::optional<std::int64_t> now;
  std::optional<std::int64_t> said;
  std::optional<fr::timestamp> due;
  fr::timestamp newest = fr::timestamp_min;
};

class every_oracle {
 public:
  explicit every_oracle(fr::emit_every when) : when_(when) {}

  rows_of_text rows_of(const log_case& of) {
    std::vector<logged> log = turns_of(of);
    std::sort(log.begin(), log.end(),
              [](const auto& a, const auto& b) { return a.order.where < b.order.where; });
    for (const logged& each : log) {
      reach(each.entry);
      said_key& mine = keys_[each.value.key];
      if (mine.now && each.turn() > fr::saturating_add(mine.newest, when_.forget_after)) {
        if (mine.due) say(each.value.key, mine, each.value.at);
        mine = {};
      }
      mine.now = std::max(mine.now.value_or(each.value.value), each.value.value);
      mine.newest = std::max(mine.newest, each.turn());
      if (mine.due) continue;
      fr::timestamp moment = each.entry == fr::timestamp_min ? each.turn() : each.entry;
      do moment += fr::duration{1};
      while (moment.time_since_epoch() % when_.period != fr::duration{0});
      mine.due = moment;
    }
    reach(fr::timestamp_max);
    return rows_;
  }

 private:
  void reach(fr::timestamp frontier) {
    for (auto& [key, mine] : keys_) {
      const fr::timestamp end =
          fr::saturating_add(fr::saturating_add(mine.newest, when_.forget_after), fr::duration{1});
      if (mine.due && *mine.due <= std::min(frontier, end)) {
        say(key, mine, *mine.due - fr::duration{1});
      }
      if (!mine.now || end > frontier || end == fr::timestamp_max) continue;
      if (mine.due) say(key, mine, end - fr::duration{1});
      mine = {};
    }
  }
  void say(const std::string& key, said_key& mine, fr::timestamp at) {
    const auto put = [&](std::int64_t value, const char* how) {
      rows_.push_back(key + "|" + std::to_string(value) + "|" + how + "@" + cell_text(at));
    };
    mine.due.reset();
    if (mine.said == mine.now) return;
    if (mine.said && when_.retract) put(*mine.said, "update_before");
    put(*mine.now, !when_.retract ? "upsert" : mine.said ? "update_after" : "insert");
    mine.said = mine.now;
  }

  fr::emit_every when_;
  std::map<std::string, said_key> keys_;
  rows_of_text rows_;
};

}  // namespace

TEST_CASE("at each moment a key that has changed says so", "[relational][emit_every]") {
  for (const bool retract : {false, true}) {
    for (const std::int64_t after : {-1, 0, 17, 70}) {
      fr::emit_every when{.period = ticks_long(7), .retract = retract};
      if (after >= 0) when.forget_after = ticks_long(after);
      INFO("forget after " << after);
      std::mt19937_64 random(41);
      for (int round = 0; round < 25; ++round) {
        const log_case of = random_log(random, 1);
        INFO("round " << round << ", " << described(of));
        const rows_of_text wanted = sorted(every_oracle(when).rows_of(of));
        for (const way& how : all_ways(random, false)) {
          INFO("chunks " << how.chunk << ", crashes " << how.crashes);
          REQUIRE(sorted(run_way(of, how, greatest(when))) == wanted);
        }
      }
    }
  }
}

TEST_CASE("moments of the clock say what has changed, the end of the input the rest",
          "[relational][emit_every]") {
  frt::harness h;
  const auto in = h.input<event>("events");
  const auto rows = h.collect(
      greatest({.period = std::chrono::seconds(10), .time = fr::time_domain::processing_time})(
          in.stream() | fr::key_by(&event::key)));
  h.clock().move_to(frt::at(std::chrono::seconds(3)));
  in.push({"a", 1, tick(1)}, tick(1));
  in.push({"a", 2, tick(2)}, tick(2));
  REQUIRE(rows.take().empty());
  h.snapshot_and_restore();
  h.clock().move_to(frt::at(std::chrono::seconds(10)));
  REQUIRE(rows.take_values().size() == 1);
  in.push({"a", 1, tick(3)}, tick(3));
  h.clock().move_to(frt::at(std::chrono::seconds(20)));
  REQUIRE(rows.take().empty());
  in.push({"a", 5, tick(4)}, tick(4));
  h.finish();
  REQUIRE(rows.take_text() ==
          rows_of_text{"a|5|upsert@" + cell_text(fr::timestamp_max - fr::duration{1})});
  REQUIRE(h.status().ok());
}
