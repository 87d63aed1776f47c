// The event generator of Nexmark: event n of a log is a function of (seed, rate, n) alone.
//
// So the log can be split, read from any place, and read again. Of 50 events the first is a person,
// three are auctions, 46 are bids; ids are dense; half of the bids go to one hot auction of each
// hundred, three quarters come from one hot bidder of each hundred persons. Bids may name auctions
// and persons that are up to ten ids ahead of what exists.
//
// Threads: immutable. Cost: 20 to 40 ns per event, no allocation.
// \source Tucker, Tufte, Papadimos, Maier, "NEXMark - a benchmark for queries over data streams",
//         2002; proportions, skew and order of draws as in the generators of Beam and Flink.
#pragma once

#include "model.hpp"
#include "random.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace nexmark {

/// What defines a log.
struct log_options {
  std::uint64_t events = 1'000'000;
  std::uint64_t rate_per_second = 10'000;  ///< In event time. Decides how much a window holds.
  std::uint64_t seed = 0;
  /// Events are shuffled within groups of so many. 1: in order of event time.
  std::uint64_t group = 1;

  /// What is wrong, in the words of the command line; empty when nothing is.
  std::string check() const;
};

inline constexpr std::uint64_t epoch_events = 50;  ///< A person, three auctions, 46 bids.
inline constexpr std::uint64_t group_stride = 953;

class generator {
 public:
  /// \pre options.check() is empty.
  explicit generator(const log_options& options);

  /// The number of the event that arrives as the k-th.
  std::uint64_t number(std::uint64_t k) const {
    if (group_ == 1) return k;
    const std::uint64_t within = k % group_;
    return k - within + within * group_stride % group_;
  }
  static constexpr kind kind_of_number(std::uint64_t n) {
    const std::uint64_t offset = n % epoch_events;
    return offset == 0 ? kind::person : offset < 4 ? kind::auction : kind::bid;
  }
  fr::timestamp time(std::uint64_t n) const { return at_milliseconds(milliseconds(n)); }
  /// How far an event may lie behind one that arrived before it.
  fr::duration disorder() const;

  /// Event n. \pre it is of that kind.
  void make(std::uint64_t n, person& made) const;
  void make(std::uint64_t n, auction& made) const;
  void make(std::uint64_t n, bid& made) const;

 private:
  static constexpr std::int64_t first_id = 1000;
  static constexpr std::int64_t base_milliseconds = 1436918400000;  // 2015-07-15T00:00:00Z

  static fr::timestamp at_milliseconds(std::int64_t count) {
    return fr::timestamp{fr::duration{count * 1000}};
  }
  std::int64_t milliseconds(std::uint64_t n) const {
    return base_milliseconds + static_cast<std::int64_t>(n * delay_ns_ / 1'000'000);
  }
  random_numbers random_of(std::uint64_t n) const {
    return {mix64(seed_ + (n + 1) * golden_gamma)};
  }

  /// A person among the last 1000, or one of the next ten. Without the first id.
  static std::int64_t any_person(std::int64_t last, random_numbers& random) {
    const std::int64_t count = last + 1;
    const std::int64_t active = std::min<std::int64_t>(count, 1000);
    return count - active + random.below(static_cast<std::uint32_t>(active + 10));
  }

  /// Padding that brings an event of `size` to about `wanted` bytes.
  text padding(std::int64_t size, std::int64_t wanted, random_numbers& random) const {
    std::uint32_t length = 0;
    if (size <= wanted) {
      const auto room = static_cast<std::uint32_t>(wanted - size);
      const std::uint32_t spread = (room + 2) / 5;  // A fifth, rounded.
      length = room - spread + (spread > 0 ? random.below(2 * spread) : 0);
    }
    return slice_of(pools_.extra, length, random);
  }
  static text slice_of(std::uint32_t pool, std::uint32_t length, random_numbers& random) {
    return {pool + random.below(pool_bytes - length), length};
  }

  const pools& pools_;
  std::uint64_t seed_;
  std::uint64_t group_;
  std::uint64_t delay_ns_;
};

inline void generator::make(std::uint64_t n, bid& made) const {
  random_numbers random = random_of(n);
  const auto epoch = static_cast<std::int64_t>(n / epoch_events);
  const std::int64_t last_auction = 3 * epoch + 2;
  if (random.below(2) > 0) {
    made.auction = first_id + last_auction / 100 * 100;
  } else {
    const std::int64_t oldest = std::max<std::int64_t>(last_auction - 100, 0);
    const auto choice = static_cast<std::uint32_t>(last_auction - oldest + 1 + 10);
    made.auction = first_id + oldest + random.below(choice);
  }
  if (random.below(4) > 0) {
    made.bidder = first_id + epoch / 100 * 100 + 1;
  } else {
    made.bidder = first_id + any_person(epoch, random);
  }
  made.price = random.price();
  if (random.below(2) > 0) {
    const std::uint32_t channel = random.below(hot_channel_count);
    made.channel = pools_.hot_channels[channel];
    made.url = pools_.hot_urls[channel];
  } else {
    const std::uint32_t channel = random.below(cold_channel_count);
    made.channel = pools_.cold_channels[channel];
    made.url = pools_.cold_urls[channel];
  }
  made.at = time(n);
  made.extra = padding(32, 100, random);
}

inline void generator::make(std::uint64_t n, auction& made) const {
  random_numbers random = random_of(n);
  const auto epoch = static_cast<std::int64_t>(n / epoch_events);
  made.id = first_id + 3 * epoch + static_cast<std::int64_t>(n % epoch_events) - 1;
  if (random.below(4) > 0) {
    made.seller = first_id + epoch / 100 * 100;
  } else {
    made.seller = first_id + any_person(epoch, random);
  }
  made.category = 10 + random.below(5);
  made.initial_bid = random.price();
  // On average a hundred auctions are open at a time.
  const std::int64_t at = milliseconds(n);
  const std::int64_t horizon = milliseconds(n + 100 * epoch_events / 3) - at;
  const auto choice = static_cast<std::uint32_t>(std::max<std::int64_t>(2 * horizon, 1));
  made.at = at_milliseconds(at);
  made.expires = at_milliseconds(at + 1 + random.below(choice));
  made.reserve = made.initial_bid + random.price();
  const std::uint32_t item = 3 + random.below(17);
  const std::uint32_t description = 3 + random.below(97);
  made.item = slice_of(pools_.words, item, random);
  made.description = slice_of(pools_.words, description, random);
  made.extra = padding(48 + item + description, 500, random);
}

inline void generator::make(std::uint64_t n, person& made) const {
  random_numbers random = random_of(n);
  made.id = first_id + static_cast<std::int64_t>(n / epoch_events);
  made.name = pools_.names[random.below(99)];
  made.mail = pools_.mails[random.below(mail_count)];
  made.credit_card = pools_.cards[random.below(card_count)];
  made.city = pools_.cities[random.below(10)];
  made.state = pools_.states[random.below(6)];
  made.at = time(n);
  const std::uint32_t size = 8 + made.name.size + made.mail.size + made.credit_card.size +
                             made.city.size + made.state.size;
  made.extra = padding(size, 200, random);
}

}  // namespace nexmark
