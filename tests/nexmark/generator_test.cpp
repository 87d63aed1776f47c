// Events against values worked out by hand from the specification, and what must hold of any log.
#include "catch.hpp"

#include <freshet/core/codec.hpp>

#include <generator.hpp>
#include <log.hpp>
#include <rows.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fr = freshet;
using namespace nexmark;

template <class Event>
Event made(const generator& events, std::uint64_t n) {
  Event one;
  events.make(n, one);
  return one;
}

}  // namespace

TEST_CASE("nexmark prices are 100 * 10^(6u), in integers", "[nexmark][generator]") {
  CHECK(price_of(0) == 100);
  CHECK(price_of(~0ULL) ==
        100'000'000 - 10);                 // u is 2^-27 below 1, and 1e8 * 6 ln(10) / 2^27 is 10.3.
  CHECK(price_of(1ULL << 63) == 100'000);  // u = 1/2
}

TEST_CASE("nexmark events have kinds, ids and times by their number", "[nexmark][generator]") {
  const generator events({.rate_per_second = 10'000});
  const auto base = std::chrono::sys_days{std::chrono::year{2015} / 7 / 15};
  CHECK(generator::kind_of_number(0) == kind::person);
  CHECK(generator::kind_of_number(53) == kind::auction);
  CHECK(generator::kind_of_number(54) == kind::bid);
  CHECK(generator::kind_of_number(99) == kind::bid);
  CHECK(made<person>(events, 0).id == 1000);
  CHECK(made<person>(events, 100).id == 1002);
  CHECK(made<auction>(events, 1).id == 1000);
  CHECK(made<auction>(events, 53).id == 1005);
  CHECK(events.time(9) == base);
  CHECK(events.time(10) == base + std::chrono::milliseconds(1));
  CHECK(generator({.rate_per_second = 3}).time(3) == base + std::chrono::milliseconds(999));
}

TEST_CASE("nexmark groups hold the same events in another order", "[nexmark][generator]") {
  constexpr std::uint64_t group = 1000;
  const generator events({.events = 3000, .rate_per_second = 10'000, .group = group});
  std::set<std::uint64_t> numbers;
  fr::timestamp highest = events.time(0);
  bool disordered = false;
  for (std::uint64_t k = 0; k < 3000; ++k) {
    const std::uint64_t n = events.number(k);
    CHECK(n / group == k / group);
    numbers.insert(n);
    // The promise of the source: nothing is further behind than this.
    CHECK(events.time(n) >= highest - events.disorder());
    disordered |= events.time(n) < highest;
    highest = std::max(highest, events.time(n));
  }
  CHECK(numbers.size() == 3000);
  CHECK(disordered);
}

TEST_CASE("nexmark splits hold every event once", "[nexmark][generator]") {
  const log_options log{.events = 5000, .seed = 3, .group = 1000};
  constexpr kinds all{true, true, true};
  const segment whole = pregenerate(log, 0, 1, all);
  std::set<std::uint64_t> sequences;
  for (std::size_t split = 0; split < 3; ++split) {
    const segment part = pregenerate(log, split, 3, all);
    for (const std::uint64_t k : part.bids.sequences) {
      CHECK(k % 3 == split);
      sequences.insert(k);
    }
  }
  CHECK(whole.order.size() == 5000);
  CHECK(sequences == std::set(whole.bids.sequences.begin(), whole.bids.sequences.end()));
  CHECK(sequences.size() == 5000 / 50 * 46);
}

TEST_CASE("nexmark sellers, bidders and auctions may be ahead of what exists",
          "[nexmark][generator]") {
  const generator events({.rate_per_second = 1'000'000, .seed = 9});
  std::int64_t ahead_most = 0;
  std::uint64_t hot_auction = 0;
  std::uint64_t bids = 0;
  for (std::uint64_t n = 1'000'000; n < 1'020'000; ++n) {
    if (generator::kind_of_number(n) != kind::bid) continue;
    const bid b = made<bid>(events, n);
    const std::int64_t newest = 1000 + static_cast<std::int64_t>(n / 50) * 3 + 2;
    ahead_most = std::max(ahead_most, b.auction - newest);
    CHECK(b.auction >= newest - 102);
    ++bids;
    if ((b.auction - 1000) % 100 == 0) ++hot_auction;
    CHECK(b.extra.size >= 54);
    CHECK(b.extra.size <= 81);
  }
  CHECK(ahead_most == 10);
  // Half, and one cold one in a hundred: 5 standard deviations to each side.
  CHECK(static_cast<double>(hot_auction) / static_cast<double>(bids) > 0.505 - 0.019);
  CHECK(static_cast<double>(hot_auction) / static_cast<double>(bids) < 0.505 + 0.019);
}

TEST_CASE("nexmark texts are checkpointed as slices, and refused beyond the pools",
          "[nexmark][generator]") {
  const pools& all = prepare_pools();
  CHECK(all.names[0].view() == "Peter Shultz");
  CHECK(all.names[98].view() == "Walter Noris");
  CHECK(all.cold_channels[9999].view() == "channel-9999");
  CHECK(all.cold_urls[1].view().starts_with("https://www.nexmark.com/"));
  // The bits of 2 reversed are 2^30. Nine channels in ten say theirs.
  CHECK(all.cold_urls[2].view().ends_with("item.htm?query=1&channel_id=1073741824"));
  CHECK(all.cards[0].size == 19);
  const auto read = fr::from_bytes<text>(fr::to_bytes(all.names[3]));
  REQUIRE(read.ok());
  CHECK(*read == all.names[3]);
  CHECK(fr::from_bytes<text>(fr::to_bytes(text{arena_bytes, 1})).ok() == false);
  CHECK(fr::from_bytes<text>(fr::to_bytes(text{1, arena_bytes})).ok() == false);
  CHECK(fr::from_bytes<text>(fr::to_bytes(text{~0U, ~0U})).ok() == false);
}

TEST_CASE("nexmark options out of range are refused with their name", "[nexmark][generator]") {
  const auto wrong = [](const log_options& log) { return log.check(); };
  CHECK(wrong({}).empty());
  CHECK(wrong({.events = 2000, .group = 1000}).empty());
  CHECK(wrong({.events = 0}).starts_with("--events: found 0"));
  CHECK(wrong({.rate_per_second = 0}).starts_with("--rate: found 0"));
  CHECK(wrong({.rate_per_second = 2'000'000'000}).starts_with("--rate: found 2000000000"));
  CHECK(wrong({.events = 1ULL << 62}).starts_with("--events: 4611686018427387904 at --rate"));
  CHECK(wrong({.events = 1000, .group = 0}).starts_with("--ooo: found 0"));
  CHECK(wrong({.events = 953 * 2, .group = 953 * 2}).starts_with("--ooo: found 1906"));
  CHECK(wrong({.events = 1500, .group = 1000}).ends_with("give 1000"));
}
