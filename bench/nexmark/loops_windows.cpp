// q5, q7, q8, q11, q12: windows and sessions.
#include "loop_driver.hpp"
#include "rows.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace nexmark {

namespace {

/// A value for each window; the one that was asked for last is at hand.
template <class State>
class windows {
 public:
  explicit windows(std::int64_t size) : size_(size) {}

  State& at(fr::timestamp when) {
    const std::int64_t at = microseconds_of(when);
    if (at < begin_ || at >= begin_ + size_ || current_ == nullptr) {
      begin_ = floor_to(at, size_);
      current_ = &all_[begin_];
    }
    return *current_;
  }
  std::map<std::int64_t, State>& all() { return all_; }

 private:
  std::int64_t size_;
  std::map<std::int64_t, State> all_;
  std::int64_t begin_ = 0;
  State* current_ = nullptr;
};

/// Counts per pane of 2 s; a window is the sum of five, from which the oldest is taken back.
template <class Out>
struct q5 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  static constexpr std::int64_t size = 10 * second, slide = 2 * second;
  using counts = absl::flat_hash_map<std::int64_t, std::uint64_t>;

  void on(const bid& b) { ++panes.at(b.at)[b.auction]; }

  void finish() {
    counts window;
    if (panes.all().empty()) return;
    // Between two panes that are far apart, windows are empty.
    std::int64_t end = 0;
    for (auto next = panes.all().begin(); next != panes.all().end() || !window.empty();
         end += slide) {
      if (window.empty()) end = next->first + slide;
      if (next != panes.all().end() && next->first == end - slide) {
        for (const auto& [auction, bids] : next->second) window[auction] += bids;
        ++next;
      }
      put(window, end);
      const auto oldest = panes.all().find(end - size);
      if (oldest == panes.all().end()) continue;
      for (const auto& [auction, bids] : oldest->second) {
        const auto left = window.find(auction);
        if ((left->second -= bids) == 0) window.erase(left);
      }
    }
  }

  void put(const counts& window, std::int64_t end) {
    std::uint64_t most = 0;
    for (const auto& [auction, bids] : window) most = std::max(most, bids);
    for (const auto& [auction, bids] : window) {
      if (bids == most) this->out(q5_row{time_at(end - size), time_at(end), auction, bids});
    }
  }

  windows<counts> panes{slide};
};

template <class Out>
struct q7 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct best {
    std::int64_t price = 0;
    std::vector<bid> bids;
  };

  void on(const bid& b) {
    best& window = all.at(b.at);
    if (b.price < window.price) return;
    if (b.price > window.price) window.bids.clear();
    window.price = b.price;
    window.bids.push_back(b);
  }
  void finish() {
    for (const auto& [begin, window] : all.all()) {
      for (const bid& b : window.bids) {
        this->out(q7_row{b.auction, b.price, b.bidder, b.at, b.extra});
      }
    }
  }

  windows<best> all{10 * second};
};

template <class Out>
struct q8 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct both {
    std::vector<std::pair<std::int64_t, text>> persons;
    absl::flat_hash_set<std::int64_t> sellers;
  };

  void on(const person& p) { all.at(p.at).persons.emplace_back(p.id, p.name); }
  void on(const auction& a) { all.at(a.at).sellers.insert(a.seller); }
  void finish() {
    for (const auto& [begin, window] : all.all()) {
      for (const auto& [id, name] : window.persons) {
        if (window.sellers.contains(id)) this->out(q8_row{id, name, time_at(begin)});
      }
    }
  }

  windows<both> all{10 * second};
};

/// Most bids prolong the newest session of their bidder; the others go where they belong. A bid
/// less than `Gap` + `Touch` behind the last one belongs to its session.
template <class Out, std::int64_t Gap, std::int64_t Touch>
struct sessions : loop_base<Out> {
  using loop_base<Out>::loop_base;
  struct session {
    std::int64_t first = 0, last = 0;
    std::uint64_t bids = 0;
  };
  struct of_bidder {
    session newest;
    std::vector<session> earlier;  // Ascending, further apart than the gap.
  };

  static constexpr std::int64_t reach = Gap + Touch;

  void on(const bid& b) {
    const std::int64_t at = microseconds_of(b.at);
    of_bidder& own = all[b.bidder];
    if (own.newest.bids == 0) {
      own.newest = {at, at, 1};
    } else if (at >= own.newest.first && at < own.newest.last + reach) {
      own.newest.last = std::max(own.newest.last, at);
      ++own.newest.bids;
    } else if (at >= own.newest.last + reach) {
      own.earlier.push_back(own.newest);
      own.newest = {at, at, 1};
    } else {
      insert(own, {at, at, 1});
    }
  }

  /// Before the newest session begins: a session that may bring others together.
  void insert(of_bidder& own, session fresh) {
    own.earlier.push_back(own.newest);
    const auto meets = [&fresh](const session& each) {
      return each.first < fresh.last + reach && fresh.first < each.last + reach;
    };
    for (const session& each : own.earlier) {
      if (!meets(each)) continue;
      fresh = {std::min(fresh.first, each.first), std::max(fresh.last, each.last),
               fresh.bids + each.bids};
    }
    std::erase_if(own.earlier, [&](const session& each) {
      return each.first >= fresh.first && each.last <= fresh.last;
    });
    const auto after = [](const session& a, const session& b) { return a.first < b.first; };
    own.earlier.insert(std::upper_bound(own.earlier.begin(), own.earlier.end(), fresh, after),
                       fresh);
    own.newest = own.earlier.back();
    own.earlier.pop_back();
  }

  void put(std::int64_t bidder, const session& one) {
    this->out(bidder_row{bidder, one.bids, time_at(one.first), time_at(one.last + Gap)});
  }
  void finish() {
    for (const auto& [bidder, own] : all) {
      for (const session& each : own.earlier) put(bidder, each);
      put(bidder, own.newest);
    }
  }

  absl::flat_hash_map<std::int64_t, of_bidder> all;
};

template <class Out>
struct q11 : sessions<Out, 10 * second, 0> {
  using sessions<Out, 10 * second, 0>::sessions;
};
/// Sessions that touch are one.
template <class Out>
struct q11c : sessions<Out, second, 1> {
  using sessions<Out, second, 1>::sessions;
};

template <class Out>
struct q12 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  static constexpr std::int64_t size = 10 * second;

  void on(const bid& b) { ++all.at(b.at)[b.bidder]; }
  void finish() {
    for (const auto& [begin, window] : all.all()) {
      for (const auto& [bidder, bids] : window) {
        this->out(bidder_row{bidder, bids, time_at(begin), time_at(begin + size)});
      }
    }
  }

  windows<absl::flat_hash_map<std::int64_t, std::uint64_t>> all{size};
};

}  // namespace

std::vector<loop_entry> window_loops() {
  return {entry_of<q5>("q5"),   entry_of<q7>("q7"),     entry_of<q8>("q8"),
          entry_of<q11>("q11"), entry_of<q11c>("q11c"), entry_of<q12>("q12")};
}

}  // namespace nexmark
