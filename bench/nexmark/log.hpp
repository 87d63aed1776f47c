// Events laid out in memory: of one kind each in a column, with the numbers of their arrival.
//
// A segment is a part of a log, or of one of the splits of a log: split w of W has the arrivals
// k = w, w + W, w + 2W, ... Whoever generates inline fills one small segment again and again.
#pragma once

#include "generator.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nexmark {

/// Which kinds of events are wanted.
struct kinds {
  bool persons = false, auctions = false, bids = false;
  constexpr bool has(kind which) const {
    return which == kind::person ? persons : which == kind::auction ? auctions : bids;
  }
  constexpr bool only_bids() const { return bids && !persons && !auctions; }
};

template <class Event>
struct column {
  std::vector<Event> events;
  std::vector<std::uint64_t> sequences;  ///< The k of each, ascending.

  void clear() {
    events.clear();
    sequences.clear();
  }
};

struct segment {
  column<person> persons;
  column<auction> auctions;
  column<bid> bids;
  std::vector<kind> order;  ///< In which order they arrived; left out where only bids are wanted.

  template <class Event>
  const column<Event>& of() const {
    if constexpr (kind_of<Event> == kind::person) {
      return persons;
    } else if constexpr (kind_of<Event> == kind::auction) {
      return auctions;
    } else {
      return bids;
    }
  }
  void clear();

  /// Appends the arrivals `next`, `next + stride`, ... below `end` that are of a wanted kind.
  /// Moves `next` behind them.
  void append(const generator& events, std::uint64_t& next, std::uint64_t end, std::uint64_t stride,
              kinds wanted);
};

/// Of all of split `split` of `splits`.
segment pregenerate(const log_options& log, std::size_t split, std::size_t splits, kinds wanted);

}  // namespace nexmark
