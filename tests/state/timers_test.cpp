// Timers: each time once per key, in one order. Times are ticks of 1 us.
#include "catch.hpp"

#include <freshet/state/timers.hpp>

#include <set>
#include <string>
#include <vector>

namespace fr = freshet;

namespace {

fr::timestamp tick(std::int64_t at) {
  return fr::timestamp{fr::duration{at}};
}

using queue = fr::timer_queue<std::string>;

}  // namespace

TEST_CASE(
    "case 66: a key has a timer once for each time, and deleting what is not there is nothing",
    "[state][timers]") {
  fr::timer_set timers;
  REQUIRE(timers.insert(tick(5)));
  REQUIRE_FALSE(timers.insert(tick(5)));
  REQUIRE(timers.insert(tick(3)));
  REQUIRE(timers.size() == 2);
  REQUIRE_FALSE(timers.erase(tick(4)));
  REQUIRE(timers.erase(tick(5)));
  REQUIRE_FALSE(timers.erase(tick(5)));
  REQUIRE(std::vector(timers.begin(), timers.end()) == std::vector{tick(3)});
}

TEST_CASE("case 67: timers come by time, whatever the order in which they were set",
          "[state][timers]") {
  queue all;
  REQUIRE(all.next() == fr::timestamp_max);
  for (const std::int64_t at : {7, 3, 9, 3, 1}) {
    all.push({tick(at), fr::timer_kind::function, static_cast<std::uint64_t>(at), "k"});
  }
  std::vector<std::int64_t> order;
  while (all.due(tick(8))) order.push_back(all.pop().when.time_since_epoch().count());
  REQUIRE(order == std::vector<std::int64_t>{1, 3, 3, 7});
  REQUIRE(all.next() == tick(9));
}

TEST_CASE("timers of one time come by kind, hash and key", "[state][timers]") {
  queue all;
  all.push({tick(1), fr::timer_kind::cleanup, 1, "a"});
  all.push({tick(1), fr::timer_kind::function, 2, "b"});
  all.push({tick(1), fr::timer_kind::function, 2, "a"});
  all.push({tick(1), fr::timer_kind::function, 1, "z"});
  std::string order;
  while (all.due(tick(1))) order += all.pop().key;
  REQUIRE(order == "zaba");
}

TEST_CASE("timers that are not ascending are refused when read", "[state][timers][hostile]") {
  for (const auto& times : {std::vector{tick(2), tick(1)}, std::vector{tick(1), tick(1)}}) {
    const std::string bytes = fr::to_bytes(times);
    fr::byte_reader reader(bytes);
    fr::timer_set timers;
    REQUIRE_FALSE(fr::decode(reader, timers));
  }
  const std::string bytes = fr::to_bytes(std::vector{tick(1), tick(4)});
  fr::byte_reader reader(bytes);
  fr::timer_set timers;
  REQUIRE(fr::decode(reader, timers));
  REQUIRE(timers.contains(tick(4)));
}
