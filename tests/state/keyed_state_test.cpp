// State with a time to live, held against the cases of the project's list of semantics. Times are
// ticks of 1 us, moved by hand.
#include "catch.hpp"

#include <freshet/state/keyed_state.hpp>

#include <boost/describe/class.hpp>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

fr::timestamp tick(std::int64_t at) {
  return fr::timestamp{fr::duration{at}};
}

constexpr fr::ttl on_write{.after = 10us};
constexpr fr::ttl on_read{.after = 10us, .refresh = fr::ttl_refresh::on_read_and_write};

/// A state with the times it goes by.
template <class State>
struct at_times {
  explicit at_times(State given) : state(std::move(given)) { state.bind(times); }
  at_times(const at_times&) = delete;

  /// The state, at a tick of event time.
  State& at(std::int64_t now) {
    times.event_time = tick(now);
    return state;
  }

  fr::state_times times;
  State state;
};

/// What a checkpoint makes of it: the bytes, read into a state of the same rules.
template <class State>
State restored(const State& from, State into) {
  const std::string bytes = fr::to_bytes(from);
  fr::byte_reader reader(bytes);
  REQUIRE(fr::decode(reader, into));
  REQUIRE(reader.remaining() == 0);
  return into;
}

}  // namespace

TEST_CASE("case 83: each write restarts the clock, and an expired value is invisible and goes",
          "[state][ttl]") {
  at_times value(fr::value_state<int>{on_write});
  value.at(0).set(1);
  REQUIRE(*value.at(9).get() == 1);
  value.at(9).set(2);
  REQUIRE(*value.at(18).get() == 2);  // Reading at 9 restarted nothing, writing did.
  REQUIRE(value.at(19).get() == nullptr);
  REQUIRE(value.state.holds_nothing());
}

TEST_CASE("case 83: what expires is removed without being asked for", "[state][ttl]") {
  at_times value(fr::value_state<int>{on_write});
  value.at(0).set(1);
  REQUIRE(value.state.next_expiry() == tick(10));
  value.at(9).drop_expired();
  REQUIRE_FALSE(value.state.holds_nothing());
  value.at(10).drop_expired();
  REQUIRE(value.state.holds_nothing());
  REQUIRE(value.state.next_expiry() == fr::timestamp_max);
}

TEST_CASE("case 84: each read restarts the clock, too, where the rule says so", "[state][ttl]") {
  at_times value(fr::value_state<int>{on_read});
  value.at(0).set(1);
  REQUIRE(value.at(9).get() != nullptr);
  REQUIRE(value.at(18).get() != nullptr);
  REQUIRE(value.at(28).get() == nullptr);
}

TEST_CASE("case 85: an expired value is seen until it is removed, in relaxed visibility alone",
          "[state][ttl]") {
  fr::ttl rule = on_write;
  rule.visibility = fr::ttl_visibility::relaxed;
  at_times value(fr::value_state<int>{rule});
  value.at(0).set(1);
  REQUIRE(*value.at(50).get() == 1);
  value.state.drop_expired();
  REQUIRE(value.state.get() == nullptr);
}

TEST_CASE("case 86: the longest time to live does not overflow, and setting nothing clears",
          "[state][ttl]") {
  for (const fr::duration after : {fr::duration::max(), fr::duration::max() - 1us}) {
    at_times value(fr::value_state<int>{fr::ttl{.after = after}});
    value.at(1'000'000).set(1);
    value.times.event_time = fr::timestamp_max;
    value.state.drop_expired();
    REQUIRE(value.state.get() != nullptr);
    value.state.set(std::nullopt);
    REQUIRE(value.state.holds_nothing());
  }
}

TEST_CASE("case 86: state without a time to live never expires, whenever it was written",
          "[state][ttl]") {
  at_times value(fr::value_state<int>{});
  value.times.event_time = fr::timestamp_min;  // Before there is any watermark.
  value.state.set(1);
  REQUIRE(value.state.next_expiry() == fr::timestamp_max);
  value.at(1'000'000).drop_expired();
  REQUIRE(value.state.get() != nullptr);
}

TEST_CASE("case 87: an entry expires at exactly its last refresh plus the time to live",
          "[state][ttl]") {
  at_times map(fr::map_state<int, int>{on_write});
  map.at(5).set(1, 100);
  REQUIRE(map.at(14).contains(1));
  REQUIRE_FALSE(map.at(15).contains(1));
}

TEST_CASE("case 88: elements of lists and maps live and expire one by one", "[state][ttl]") {
  at_times list(fr::list_state<int>{on_write});
  list.at(0).push_back(1);
  list.at(6).push_back(2);
  REQUIRE(list.at(9).all() == std::vector{1, 2});
  REQUIRE(list.at(10).all() == std::vector{2});
  REQUIRE(list.at(16).empty());

  at_times map(fr::map_state<std::string, int>{on_write});
  map.at(0).set("a", 1);
  map.at(6).set("b", 2);
  REQUIRE(map.at(10).size() == 1);
  REQUIRE(map.at(10).value_or("a", -1) == -1);
  REQUIRE(map.at(10).value_or("b", -1) == 2);
  REQUIRE(map.state.next_expiry() == tick(16));
}

TEST_CASE("case 88: the time in which a job is down counts", "[state][ttl]") {
  fr::ttl rule = on_write;
  rule.time = fr::time_domain::processing_time;
  at_times value(fr::value_state<int>{rule});
  value.times.processing_time = tick(50);
  value.state.set(7);
  at_times later(restored(value.state, fr::value_state<int>{rule}));
  later.times.processing_time = tick(59);
  REQUIRE(*later.state.get() == 7);
  later.times.processing_time = tick(180);
  REQUIRE(later.state.get() == nullptr);
}

TEST_CASE("case 88: a time to live may come and go from one run to the next", "[state][ttl]") {
  fr::list_state<int> endless;
  endless.push_back(1);
  endless.push_back(2);
  at_times mortal(restored(endless, fr::list_state<int>{on_write}));
  REQUIRE(mortal.at(100).size() == 2);  // Their lives begin with the first look.
  REQUIRE(mortal.at(109).size() == 2);
  REQUIRE(mortal.at(110).empty());

  mortal.at(200).push_back(3);
  at_times again(restored(mortal.state, fr::list_state<int>{}));
  REQUIRE(again.at(10'000).all() == std::vector{3});
}

TEST_CASE("a record out of order does not shorten a life", "[state][ttl]") {
  at_times value(fr::value_state<int>{on_write});
  value.at(20).set(1);
  value.at(15).set(2);
  REQUIRE(value.at(29).get() != nullptr);
  REQUIRE(value.at(30).get() == nullptr);
}

TEST_CASE("lists take values out by condition and as a whole, and keep the stamps of the others",
          "[state]") {
  at_times list(fr::list_state<int>{on_write});
  for (int i = 0; i < 6; ++i) list.at(i).push_back(i);
  list.state.remove_if([](int value) { return value % 2 == 0; });
  REQUIRE(list.at(10).all() == std::vector{1, 3, 5});
  REQUIRE(list.at(11).all() == std::vector{3, 5});
  list.state.assign({8, 9});
  REQUIRE(list.at(20).all() == std::vector{8, 9});
  list.state.clear();
  REQUIRE(list.state.holds_nothing());
}

TEST_CASE("damaged bytes of a list are refused", "[state][hostile]") {
  std::string bytes;
  fr::byte_writer writer(bytes);
  fr::encode(writer, std::vector<int>{1, 2, 3});
  fr::encode(writer, std::vector<fr::timestamp>{tick(1)});
  fr::byte_reader reader(bytes);
  fr::list_state<int> state{on_write};
  REQUIRE_FALSE(fr::decode(reader, state));
  REQUIRE_THAT(std::string(reader.status().message()), Catch::Matchers::Contains("1 stamps for 3"));
}

TEST_CASE("map state does what a map of stamped values does, for random uses", "[state][oracle]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const fr::ttl rule = seed % 2 == 0 ? on_write : on_read;
    at_times map(fr::map_state<int, int>{rule});
    std::map<int, std::pair<int, std::int64_t>> naive;  // Value and when it expires.
    std::int64_t now = 0;
    for (int step = 0; step < 300; ++step) {
      now += static_cast<std::int64_t>(random() % 4);
      const int key = static_cast<int>(random() % 5);
      std::erase_if(naive, [now](const auto& each) { return each.second.second <= now; });
      switch (random() % 5) {
        case 0:
          map.at(now).set(key, step);
          naive[key] = {step, now + 10};
          break;
        case 1:
          map.at(now).erase(key);
          naive.erase(key);
          break;
        case 2:
          map.at(now).drop_expired();
          REQUIRE(map.state.next_expiry() > tick(now));
          break;
        case 3: {
          fr::map_state<int, int> copy = restored(map.state, fr::map_state<int, int>{rule});
          copy.bind(map.times);
          map.state = std::move(copy);
          break;
        }
        default: {
          const int* found = map.at(now).get(key);
          REQUIRE((found != nullptr) == naive.contains(key));
          if (found == nullptr) break;
          REQUIRE(*found == naive[key].first);
          if (rule.refresh == fr::ttl_refresh::on_read_and_write) naive[key].second = now + 10;
        }
      }
    }
    REQUIRE(map.at(now).size() ==
            static_cast<std::size_t>(std::count_if(naive.begin(), naive.end(), [now](auto& each) {
              return each.second.second > now;
            })));
  }
}
