// interval_join of bids with their auctions, against a table of auctions written by hand.
//
// One auction in 16 records, half of all bids for the newest hundredth auction, as in Nexmark; a
// bid is valid while its auction is open. The loop keeps open auctions in a hash table and knows
// that an auction comes before its bids; the pipeline knows nothing of the kind. Both compute their
// records on the fly, and their results are compared. Both run in turn, on the CPU time of
// this thread. Counters: ns per record of each, and their ratio; one for each repetition, of which
// `--benchmark_repetitions=5` makes five.
#include "measuring.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/generate.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/interval_join.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/pipeline.hpp>

#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

namespace fr = freshet;
using measuring::thread_seconds;

struct auction {
  std::uint64_t id = 0;
  std::uint64_t reserve = 0;
  fr::timestamp at;
  fr::timestamp expires;
};
BOOST_DESCRIBE_STRUCT(auction, (), (id, reserve, at, expires))

struct bid {
  std::uint64_t auction = 0;
  std::uint64_t price = 0;
  fr::timestamp at;
  std::string extra;
};
BOOST_DESCRIBE_STRUCT(bid, (), (auction, price, at, extra))

constexpr std::uint64_t per_auction = 16;

/// A tick of 100 us per record of the whole stream.
fr::timestamp time_of(std::uint64_t k) {
  return fr::timestamp{fr::duration{static_cast<std::int64_t>(100 * k)}};
}
auction auction_of(std::uint64_t number) {
  const std::uint64_t bits = fr::mix_bits(~number);
  const fr::timestamp at = time_of(per_auction * number);
  return {number, bits >> 40, at,
          at + fr::duration{1000 + static_cast<std::int64_t>(bits % 332'000)}};
}
bid bid_of(std::uint64_t k, std::size_t text) {
  const std::uint64_t bits = fr::mix_bits(k);
  const std::uint64_t newest = k / per_auction;
  const std::uint64_t hot = newest / 100 * 100;
  const std::uint64_t cold = newest - std::min(newest, bits % 100);
  return {(bits >> 8 & 1) != 0 ? hot : cold, bits >> 40, time_of(k), std::string(text, 'x')};
}

struct answer {
  std::uint64_t rows = 0;
  std::uint64_t mixed = 0;
  void add(const auction& of, const bid& by) {
    ++rows;
    mixed += fr::mix_bits(of.id * 31 + by.price + by.extra.size() + of.reserve);
  }
  bool operator==(const answer&) const = default;
};

answer by_hand(std::uint64_t count, std::size_t text) {
  absl::flat_hash_map<std::uint64_t, auction> open;
  std::vector<std::uint64_t> order;  // By beginning; none is open for longer than 333 ms.
  std::size_t oldest = 0;
  answer all;
  for (std::uint64_t k = 0; k < count; ++k) {
    if (k % per_auction == 0) {
      const auction fresh = auction_of(k / per_auction);
      open[fresh.id] = fresh;
      order.push_back(fresh.id);
      while (open[order[oldest]].expires < fresh.at) open.erase(order[oldest++]);
      continue;
    }
    const bid one = bid_of(k, text);
    const auto found = open.find(one.auction);
    if (found == open.end() || one.at > found->second.expires) continue;
    all.add(found->second, one);
  }
  return all;
}

answer by_pipeline(std::uint64_t count, std::size_t text) {
  answer all;
  fr::pipeline p("join_bench");
  const auto auctions =
      p.from("auctions",
             fr::generate(auction_of, {.count = (count + per_auction - 1) / per_auction})) |
      fr::event_time(&auction::at, fr::ascending{});
  const auto bids = p.from("bids", fr::generate(
                                       [text](std::uint64_t k) {
                                         return bid_of(k / (per_auction - 1) * per_auction +
                                                           k % (per_auction - 1) + 1,
                                                       text);
                                       },
                                       {.count = count / per_auction * (per_auction - 1)})) |
                    fr::event_time(&bid::at, fr::ascending{});
  struct row {
    auction of;
    bid by;
  };
  auctions | fr::key_by(&auction::id) |
      fr::interval_join("valid bids", bids | fr::key_by(&bid::auction),
                        fr::until(&auction::expires, {.unique = {.left = true}}),
                        [](const auction& of, const bid& by) { return row{of, by}; }) |
      fr::to("answer", fr::callback([&all](const row& each) { all.add(each.of, each.by); }));
  const absl::Status done = p.run();
  if (!done.ok()) all.rows = 0;
  return all;
}

/// \param range length of a bid's text.
void interval_join_of_bids(benchmark::State& state) {
  constexpr std::uint64_t count = per_auction << 16U;
  const auto text = static_cast<std::size_t>(state.range(0));
  double loop = 0;
  double library = 0;
  const auto timed = [&](double& ns, auto run) {
    const double start = thread_seconds();
    const answer result = run(count, text);
    ns = (thread_seconds() - start) * 1e9 / static_cast<double>(count);
    return result;
  };
  for (auto unused : state) {
    static_cast<void>(unused);
    const answer expected = timed(loop, by_hand);
    if (!(timed(library, by_pipeline) == expected)) state.SkipWithError("the results disagree");
    state.SetIterationTime(library * 1e-9 * static_cast<double>(count));
  }
  state.counters["loop_ns_per_event"] = loop;
  state.counters["ns_per_event"] = library;
  state.counters["ratio"] = library / loop;
}

BENCHMARK(interval_join_of_bids)
    ->ArgName("text")
    ->Arg(0)
    ->Arg(60)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
