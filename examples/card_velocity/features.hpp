// What was known about a card just before each of its payments, and what looks like a trial of a
// stolen card: the rows of the card_velocity example.
//
// Plain rows. Their members are named after the columns of `trailing`: aggregate, then span.
#pragma once

#include "payments.hpp"

#include <freshet/pipeline/pattern.hpp>

#include <boost/describe/class.hpp>

#include <cstdint>
#include <string>

/// A payment, and the payments of its card in the hour, the day and the week before it.
struct velocity : payment {
  std::uint64_t payments_1h = 0, payments_24h = 0, payments_7d = 0;
  double mean_1h = 0, mean_24h = 0, mean_7d = 0;  ///< In euros; NaN where there were none.
  double max_1h = 0, max_24h = 0, max_7d = 0;
};
BOOST_DESCRIBE_STRUCT(velocity, (payment),
                      (payments_1h, payments_24h, payments_7d, mean_1h, mean_24h, mean_7d, max_1h,
                       max_24h, max_7d))

/// The same, and how far the payment lies above the mean of its card, in euros.
struct card_features : velocity {
  double above_mean_1h = 0, above_mean_24h = 0, above_mean_7d = 0;
};
BOOST_DESCRIBE_STRUCT(card_features, (velocity), (above_mean_1h, above_mean_24h, above_mean_7d))

inline card_features with_distances(const velocity& row) {
  return {row, row.amount - row.mean_1h, row.amount - row.mean_24h, row.amount - row.mean_7d};
}

/// A large payment of a card soon after a small one.
struct alert {
  std::string card;
  double small = 0, large = 0;  ///< In euros.
  freshet::timestamp small_at, large_at;
};
BOOST_DESCRIBE_STRUCT(alert, (), (card, small, large, small_at, large_at))

inline alert alert_of(const freshet::matched<payment>& found) {
  const payment& small = found.first("small");
  const payment& large = found.first("large");
  return {small.card, small.amount, large.amount, small.at, large.at};
}
