// The rows of the queries. Their fields stand in the order in which checksums take them.
//
// Where a query updates its result, the rows are those of the final table.
#pragma once

#include "model.hpp"

#include <array>
#include <cstdint>

namespace nexmark {

/// q0, and q1 with the price in thousandths of a euro cent.
struct bid_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  fr::timestamp at;
  text extra;
  BOOST_DESCRIBE_CLASS(bid_row, (), (auction, bidder, price, at, extra), (), ())
};

struct q2_row {
  std::int64_t auction = 0, price = 0;
  BOOST_DESCRIBE_CLASS(q2_row, (), (auction, price), (), ())
};

struct q3_row {
  text name, city, state;
  std::int64_t auction = 0;
  BOOST_DESCRIBE_CLASS(q3_row, (), (name, city, state, auction), (), ())
};

struct q4_row {
  std::int64_t category = 0, average = 0;
  BOOST_DESCRIBE_CLASS(q4_row, (), (category, average), (), ())
};

struct q5_row {
  fr::timestamp begin, end;
  std::int64_t auction = 0;
  std::uint64_t bids = 0;
  BOOST_DESCRIBE_CLASS(q5_row, (), (begin, end, auction, bids), (), ())
};

struct q6_row {
  std::int64_t seller = 0, average = 0;
  BOOST_DESCRIBE_CLASS(q6_row, (), (seller, average), (), ())
};

struct q7_row {
  std::int64_t auction = 0, price = 0, bidder = 0;
  fr::timestamp at;
  text extra;
  BOOST_DESCRIBE_CLASS(q7_row, (), (auction, price, bidder, at, extra), (), ())
};

struct q8_row {
  std::int64_t person = 0;
  text name;
  fr::timestamp begin;
  BOOST_DESCRIBE_CLASS(q8_row, (), (person, name, begin), (), ())
};

struct q9_row {
  std::int64_t id = 0;
  text item, description;
  std::int64_t initial_bid = 0, reserve = 0;
  fr::timestamp opened, expires;
  std::int64_t seller = 0, category = 0;
  text auction_extra;
  std::int64_t auction = 0, bidder = 0, price = 0;
  fr::timestamp at;
  text extra;
  BOOST_DESCRIBE_CLASS(q9_row, (),
                       (id, item, description, initial_bid, reserve, opened, expires, seller,
                        category, auction_extra, auction, bidder, price, at, extra),
                       (), ())
};

/// q11: a session, to 10 s after its last bid. q12: a window.
struct bidder_row {
  std::int64_t bidder = 0;
  std::uint64_t bids = 0;
  fr::timestamp begin, end;
  BOOST_DESCRIBE_CLASS(bidder_row, (), (bidder, bids, begin, end), (), ())
};

struct q13_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  fr::timestamp at;
  text value;
  BOOST_DESCRIBE_CLASS(q13_row, (), (auction, bidder, price, at, value), (), ())
};

struct q14_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text time_of_day;
  fr::timestamp at;
  text extra;
  std::int64_t c_count = 0;
  BOOST_DESCRIBE_CLASS(q14_row, (), (auction, bidder, price, time_of_day, at, extra, c_count), (),
                       ())
};

/// How many: of all bids, and of those below 100.00, below 10,000.00, and from there on.
using by_rank = std::array<std::uint64_t, 4>;

struct q15_row {
  std::int64_t day = 0;  ///< Since the epoch.
  by_rank bids{}, bidders{}, auctions{};
  BOOST_DESCRIBE_CLASS(q15_row, (), (day, bids, bidders, auctions), (), ())
};

struct q16_row {
  text channel;
  std::int64_t day = 0;
  std::int64_t minute = 0;  ///< Of the day: that of the last bid.
  by_rank bids{}, bidders{}, auctions{};
  BOOST_DESCRIBE_CLASS(q16_row, (), (channel, day, minute, bids, bidders, auctions), (), ())
};

struct q17_row {
  std::int64_t auction = 0, day = 0;
  by_rank bids{};
  std::int64_t lowest = 0, highest = 0, average = 0, sum = 0;
  BOOST_DESCRIBE_CLASS(q17_row, (), (auction, day, bids, lowest, highest, average, sum), (), ())
};

/// q18, and q10, whose rows are those of its files.
struct q18_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text channel, url;
  fr::timestamp at;
  text extra;
  BOOST_DESCRIBE_CLASS(q18_row, (), (auction, bidder, price, channel, url, at, extra), (), ())
};

struct q19_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text channel, url;
  fr::timestamp at;
  text extra;
  std::int64_t rank = 0;  ///< From 1.
  BOOST_DESCRIBE_CLASS(q19_row, (), (auction, bidder, price, channel, url, at, extra, rank), (), ())
};

struct q20_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text channel, url;
  fr::timestamp at;
  text extra, item, description;
  std::int64_t initial_bid = 0, reserve = 0;
  fr::timestamp opened, expires;
  std::int64_t seller = 0, category = 0;
  text auction_extra;
  BOOST_DESCRIBE_CLASS(q20_row, (),
                       (auction, bidder, price, channel, url, at, extra, item, description,
                        initial_bid, reserve, opened, expires, seller, category, auction_extra),
                       (), ())
};

struct q21_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text channel, channel_id;
  BOOST_DESCRIBE_CLASS(q21_row, (), (auction, bidder, price, channel, channel_id), (), ())
};

struct q22_row {
  std::int64_t auction = 0, bidder = 0, price = 0;
  text channel, first, second, third;
  BOOST_DESCRIBE_CLASS(q22_row, (), (auction, bidder, price, channel, first, second, third), (), ())
};

// Rows that are made in several places.

inline q9_row winner_of(const auction& sold, const bid& best) {
  return {sold.id,      sold.item,    sold.description, sold.initial_bid, sold.reserve,
          sold.at,      sold.expires, sold.seller,      sold.category,    sold.extra,
          best.auction, best.bidder,  best.price,       best.at,          best.extra};
}

inline q18_row row_of(const bid& b) {
  return {b.auction, b.bidder, b.price, b.channel, b.url, b.at, b.extra};
}

inline q19_row ranked(const bid& b, std::int64_t rank) {
  return {b.auction, b.bidder, b.price, b.channel, b.url, b.at, b.extra, rank};
}

inline q20_row joined(const bid& b, const auction& a) {
  return {b.auction, b.bidder, b.price,       b.channel,     b.url,     b.at,
          b.extra,   a.item,   a.description, a.initial_bid, a.reserve, a.at,
          a.expires, a.seller, a.category,    a.extra};
}

}  // namespace nexmark
