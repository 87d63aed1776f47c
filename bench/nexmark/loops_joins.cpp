// q3, q4, q6, q9, q20: what belongs together may come in any order.
#include "loop_driver.hpp"
#include "rows.hpp"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace nexmark {

namespace {

template <class Out>
struct q3 : loop_base<Out> {
  using loop_base<Out>::loop_base;

  void on(const person& p) {
    const std::string_view state = p.state.view();
    const bool wanted = state == "OR" || state == "ID" || state == "CA";
    persons[p.id] = {wanted, {p.name, p.city, p.state, 0}};
    const auto early = waiting.find(p.id);
    if (early == waiting.end()) return;
    for (const std::int64_t auction : early->second) put(persons[p.id], auction);
    waiting.erase(early);
  }
  void on(const auction& a) {
    if (a.category != 10) return;
    const auto seller = persons.find(a.seller);
    if (seller == persons.end()) {
      waiting[a.seller].push_back(a.id);
    } else {
      put(seller->second, a.id);
    }
  }

  void put(std::pair<bool, q3_row>& seller, std::int64_t auction) {
    if (!seller.first) return;
    seller.second.auction = auction;
    this->out(seller.second);
  }

  absl::flat_hash_map<std::int64_t, std::pair<bool, q3_row>> persons;
  absl::flat_hash_map<std::int64_t, std::vector<std::int64_t>> waiting;
};

/// Auctions and the best of their valid bids. Bids that are ahead of their auction wait for it.
template <class Out>
struct auction_house : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct lot {
    auction what;
    bid best;  ///< Price 0: none yet.
  };

  void on(const auction& a) {
    lot& own = lots[a.id];
    own.what = a;
    const auto early = waiting.find(a.id);
    if (early == waiting.end()) return;
    for (const bid& b : early->second) offer(own, b);
    waiting.erase(early);
  }
  void on(const bid& b) {
    const auto found = lots.find(b.auction);
    if (found == lots.end()) {
      waiting[b.auction].push_back(b);
    } else {
      offer(found->second, b);
    }
  }

  static void offer(lot& own, const bid& b) {
    if (b.at < own.what.at || b.at > own.what.expires) return;
    if (b.price < own.best.price || (b.price == own.best.price && b.at >= own.best.at)) return;
    own.best = b;
  }

  absl::flat_hash_map<std::int64_t, lot> lots;
  absl::flat_hash_map<std::int64_t, std::vector<bid>> waiting;
};

template <class Out>
struct q4 : auction_house<Out> {
  using auction_house<Out>::auction_house;

  void finish() {
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> totals;  // Sum and number.
    for (const auto& [id, own] : this->lots) {
      if (own.best.price == 0) continue;
      auto& [sum, number] = totals[own.what.category];
      sum += own.best.price;
      ++number;
    }
    for (const auto& [category, total] : totals) {
      this->out(q4_row{category, total.first / total.second});
    }
  }
};

/// The last ten by when they closed, then by id.
template <class Out>
struct q6 : auction_house<Out> {
  using auction_house<Out>::auction_house;

  void finish() {
    using sale = std::tuple<fr::timestamp, std::int64_t, std::int64_t>;
    std::map<std::int64_t, std::vector<sale>> sales;
    for (const auto& [id, own] : this->lots) {
      if (own.best.price == 0) continue;
      sales[own.what.seller].emplace_back(own.what.expires, id, own.best.price);
    }
    for (auto& [seller, all] : sales) {
      std::sort(all.begin(), all.end(), std::greater<>());
      if (all.size() > 10) all.resize(10);
      std::int64_t sum = 0;
      for (const sale& each : all) sum += std::get<2>(each);
      this->out(q6_row{seller, sum / static_cast<std::int64_t>(all.size())});
    }
  }
};

template <class Out>
struct q9 : auction_house<Out> {
  using auction_house<Out>::auction_house;

  void finish() {
    for (const auto& [id, own] : this->lots) {
      if (own.best.price > 0) this->out(winner_of(own.what, own.best));
    }
  }
};

template <class Out>
struct q20 : loop_base<Out> {
  using loop_base<Out>::loop_base;

  void on(const auction& a) {
    // Those of other categories are known, too, so that their bids need not wait.
    auto& own = auctions[a.id];
    if (a.category == 10) own = std::make_unique<auction>(a);
    const auto early = waiting.find(a.id);
    if (early == waiting.end()) return;
    if (own) {
      for (const bid& b : early->second) this->out(joined(b, *own));
    }
    waiting.erase(early);
  }
  void on(const bid& b) {
    const auto found = auctions.find(b.auction);
    if (found == auctions.end()) {
      waiting[b.auction].push_back(b);
    } else if (found->second) {
      this->out(joined(b, *found->second));
    }
  }

  absl::flat_hash_map<std::int64_t, std::unique_ptr<auction>> auctions;
  absl::flat_hash_map<std::int64_t, std::vector<bid>> waiting;
};

}  // namespace

std::vector<loop_entry> join_loops() {
  return {entry_of<q3>("q3"), entry_of<q4>("q4"), entry_of<q6>("q6"), entry_of<q9>("q9"),
          entry_of<q20>("q20")};
}

}  // namespace nexmark
