// Payments of cards, computed: the input of the card_velocity example when no file is given.
//
// Payment k is a function of k alone, so that a restarted job reads the same ones again. Time: 200
// payments per second of event time from 2026-03-14 on; most arrive up to 30 s late, one in 2,000
// comes 2 minutes late, and one in 20,000 comes 12 minutes late, from a terminal without network.
// Cards 16 to 2047 are used in proportion to 1 / number: the hottest 16 make a seventh of all
// payments. 1 % of the payments are fraud, with larger amounts. Integer arithmetic throughout, so
// that every machine computes the same payments.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>

struct payment {
  std::string card;
  double amount = 0;  ///< In euros, whole cents.
  bool fraud = false;
  freshet::timestamp at;
};
BOOST_DESCRIBE_STRUCT(payment, (), (card, amount, fraud, at))

/// Payment `k`, in the order in which payments arrive.
payment payment_at(std::uint64_t k);
