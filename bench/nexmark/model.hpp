// The events of Nexmark: an auction house in which persons open auctions and bid.
//
// Plain trivially copyable values. Prices are in cents. Ids and prices as in the benchmark's
// schemas; the kind of an event follows from its number, so that there is no tag.
#pragma once

#include "text.hpp"

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>

namespace nexmark {

namespace fr = freshet;

struct person {
  std::int64_t id = 0;
  text name;
  text mail;
  text credit_card;
  text city;
  text state;
  fr::timestamp at;
  text extra;
};
BOOST_DESCRIBE_STRUCT(person, (), (id, name, mail, credit_card, city, state, at, extra))

struct auction {
  std::int64_t id = 0;
  text item;
  text description;
  std::int64_t initial_bid = 0;
  std::int64_t reserve = 0;
  fr::timestamp at;
  fr::timestamp expires;  ///< The last moment at which it takes bids.
  std::int64_t seller = 0;
  std::int64_t category = 0;
  text extra;
};
BOOST_DESCRIBE_STRUCT(auction, (),
                      (id, item, description, initial_bid, reserve, at, expires, seller, category,
                       extra))

struct bid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  text channel;
  text url;
  fr::timestamp at;
  text extra;
};
BOOST_DESCRIBE_STRUCT(bid, (), (auction, bidder, price, channel, url, at, extra))

enum class kind : std::uint8_t { person, auction, bid };

template <class Event>
inline constexpr kind kind_of = kind::bid;
template <>
inline constexpr kind kind_of<person> = kind::person;
template <>
inline constexpr kind kind_of<auction> = kind::auction;

}  // namespace nexmark
