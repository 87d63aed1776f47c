// q15 to q19: tables that grow until the end.
#include "functions.hpp"
#include "loop_driver.hpp"
#include "rows.hpp"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace nexmark {

namespace {

void count(by_rank& counts, std::int64_t price) {
  ++counts[0];
  ++counts[1 + rank_of(price)];
}

/// Counts a value that has come with this rank before once only. `seen`: the ranks it came with.
void count_once(by_rank& counts, std::uint8_t& seen, std::int64_t price) {
  const std::size_t rank = rank_of(price);
  const auto bit = static_cast<std::uint8_t>(1U << rank);
  if ((seen & bit) != 0) return;
  if (seen == 0) ++counts[0];
  ++counts[1 + rank];
  seen |= bit;
}

/// Two numbers below 2^32 in one.
std::uint64_t packed(std::int64_t high, std::int64_t low) {
  return static_cast<std::uint64_t>(high) << 32 | static_cast<std::uint64_t>(low);
}

using ranks_seen = absl::flat_hash_map<std::uint64_t, std::uint8_t>;

template <class Out>
struct q15 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct of_day {
    by_rank bids{}, bidders{}, auctions{};
    ranks_seen seen_bidders, seen_auctions;
  };

  void on(const bid& b) {
    const std::int64_t day = day_of(b.at);
    if (current == nullptr || day != current_day) {
      std::unique_ptr<of_day>& own = days[day];
      if (!own) own = std::make_unique<of_day>();
      current = own.get();
      current_day = day;
    }
    count(current->bids, b.price);
    count_once(current->bidders, current->seen_bidders[packed(0, b.bidder)], b.price);
    count_once(current->auctions, current->seen_auctions[packed(0, b.auction)], b.price);
  }
  void finish() {
    for (const auto& [day, own] : days) {
      this->out(q15_row{day, own->bids, own->bidders, own->auctions});
    }
  }

  absl::flat_hash_map<std::int64_t, std::unique_ptr<of_day>> days;
  of_day* current = nullptr;
  std::int64_t current_day = 0;
};

template <class Out>
struct q16 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct of_channel {
    text channel;
    std::int64_t day = 0;
    std::int64_t minute = 0;
    by_rank bids{}, bidders{}, auctions{};
  };

  void on(const bid& b) {
    const std::int64_t day = day_of(b.at);
    const auto [found, fresh] = numbers.try_emplace(std::pair(b.channel.view(), day), all.size());
    const std::size_t number = found->second;
    if (fresh) all.push_back({b.channel, day});
    of_channel& own = all[number];
    own.minute = std::max(own.minute, minute_of_day(b.at));
    count(own.bids, b.price);
    const auto prefix = static_cast<std::int64_t>(number);
    count_once(own.bidders, seen_bidders[packed(prefix, b.bidder)], b.price);
    count_once(own.auctions, seen_auctions[packed(prefix, b.auction)], b.price);
  }
  void finish() {
    for (const of_channel& own : all) {
      this->out(q16_row{own.channel, own.day, own.minute, own.bids, own.bidders, own.auctions});
    }
  }

  absl::flat_hash_map<std::pair<std::string_view, std::int64_t>, std::size_t> numbers;
  std::vector<of_channel> all;
  ranks_seen seen_bidders, seen_auctions;  // By number of the channel, and id.
};

template <class Out>
struct q17 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct totals {
    by_rank bids{};
    std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
    std::int64_t highest = 0, sum = 0;
  };

  void on(const bid& b) {
    totals& own = all[packed(day_of(b.at), b.auction)];
    count(own.bids, b.price);
    own.lowest = std::min(own.lowest, b.price);
    own.highest = std::max(own.highest, b.price);
    own.sum += b.price;
  }
  void finish() {
    for (const auto& [key, own] : all) {
      const auto auction = static_cast<std::int64_t>(key & 0xffffffff);
      const auto bids = static_cast<std::int64_t>(own.bids[0]);
      this->out(q17_row{auction, static_cast<std::int64_t>(key >> 32), own.bids, own.lowest,
                        own.highest, own.sum / bids, own.sum});
    }
  }

  absl::flat_hash_map<std::uint64_t, totals> all;
};

template <class Out>
struct q18 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    const auto [found, fresh] = all.try_emplace(packed(b.bidder, b.auction), b);
    if (!fresh && b.at >= found->second.at) found->second = b;
  }
  void finish() {
    for (const auto& [key, last] : all) this->out(row_of(last));
  }

  absl::flat_hash_map<std::uint64_t, bid> all;
};

template <class Out>
struct q19 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct highest {
    std::array<bid, 10> bids;
    std::size_t size = 0;
  };

  void on(const bid& b) {
    highest& own = all[b.auction];
    // One that is equal in price and time arrived earlier, and stays ahead.
    const auto before = [](const bid& x, const bid& y) {
      return x.price != y.price ? x.price > y.price : x.at < y.at;
    };
    if (own.size == own.bids.size() && !before(b, own.bids.back())) return;
    std::size_t place = own.size < own.bids.size() ? own.size++ : own.size - 1;
    for (; place > 0 && before(b, own.bids[place - 1]); --place) {
      own.bids[place] = own.bids[place - 1];
    }
    own.bids[place] = b;
  }
  void finish() {
    for (const auto& [auction, own] : all) {
      for (std::size_t i = 0; i < own.size; ++i) {
        this->out(ranked(own.bids[i], static_cast<std::int64_t>(i + 1)));
      }
    }
  }

  absl::flat_hash_map<std::int64_t, highest> all;
};

}  // namespace

std::vector<loop_entry> table_loops() {
  return {entry_of<q15>("q15"), entry_of<q16>("q16"), entry_of<q17>("q17"), entry_of<q18>("q18"),
          entry_of<q19>("q19")};
}

}  // namespace nexmark
