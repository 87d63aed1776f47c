// q0, q1, q2, q10, q13, q14, q21, q22: what can be said of one bid alone, or with a table beside
// it.
#include "functions.hpp"
#include "minute_files.hpp"
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/pipeline/transform.hpp>

namespace nexmark {

namespace {

using input_ptr = std::shared_ptr<const input>;

// Every bid.
void q0(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) |
      fr::map([](const bid& b) { return bid_row{b.auction, b.bidder, b.price, b.at, b.extra}; }) |
      fr::to("rows", to);
}

// Every bid, in euros.
void q1(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) | fr::map([](const bid& b) {
    return bid_row{b.auction, b.bidder, euros(b.price), b.at, b.extra};
  }) | fr::to("rows", to);
}

// The bids on some auctions.
void q2(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) |
      fr::filter([](const bid& b) { return b.auction % 123 == 0; }) |
      fr::map([](const bid& b) { return q2_row{b.auction, b.price}; }) | fr::to("rows", to);
}

// Every bid, in files by the minute.
void q10(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto rows = job.from("bids", log_events<bid>{from}) | fr::map(row_of);
  rows | fr::to("files", minute_files{to.folder});
  rows | fr::to("rows", to);
}

// Every bid with what a table says of its auction.
void q13(fr::pipeline& job, const input_ptr& from, const summing& to) {
  const auto& table = prepare_pools().numbers;
  job.from("bids", log_events<bid>{from}) | fr::map([&table](const bid& b) {
    const auto key = static_cast<std::size_t>(b.auction) % table.size();
    return q13_row{b.auction, b.bidder, b.price, b.at, table[key]};
  }) | fr::to("rows", to);
}

// The bids of a range of prices, with the time of day and how often there is a c in their text.
void q14(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) | fr::filter([](const bid& b) {
    return euros(b.price) > 1'000'000'000 && euros(b.price) < 50'000'000'000;
  }) | fr::map([&words = prepare_pools()](const bid& b) {
    return q14_row{b.auction, b.bidder, euros(b.price),        time_of_day(words, b.at),
                   b.at,      b.extra,  count_of('c', b.extra)};
  }) | fr::to("rows", to);
}

// The bids whose channel has a number, in its name or in the url.
void q21(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) |
      fr::flat_map<q21_row>([&words = prepare_pools()](const bid& b, auto& emit) {
        const auto id = channel_id(words, b);
        if (id) emit(q21_row{b.auction, b.bidder, b.price, b.channel, *id});
      }) |
      fr::to("rows", to);
}

// Every bid with the three folders of its url.
void q22(fr::pipeline& job, const input_ptr& from, const summing& to) {
  job.from("bids", log_events<bid>{from}) | fr::map([](const bid& b) {
    return q22_row{b.auction,         b.bidder,          b.price,          b.channel,
                   part_of(b.url, 3), part_of(b.url, 4), part_of(b.url, 5)};
  }) | fr::to("rows", to);
}

}  // namespace

std::vector<query> stateless_queries() {
  return {{"q0", "every bid", bids_alone, q0},
          {"q1", "every bid, in euros", bids_alone, q1},
          {"q2", "the bids on some auctions", bids_alone, q2},
          {"q10", "every bid, in files by the minute", bids_alone, q10},
          {"q13", "bids with a side table", bids_alone, q13},
          {"q14", "bids of a range of prices, by time of day", bids_alone, q14},
          {"q21", "the channel's number, from name or url", bids_alone, q21},
          {"q22", "the folders of the url", bids_alone, q22}};
}

}  // namespace nexmark
