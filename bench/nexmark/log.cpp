#include "log.hpp"

#include <fmt/format.h>

#include <exception>
#include <stdexcept>

namespace nexmark {

namespace {

template <class Event>
void append_event(const generator& events, std::uint64_t n, std::uint64_t k, column<Event>& to) {
  to.sequences.push_back(k);
  events.make(n, to.events.emplace_back());
}

template <class Event>
void reserve(column<Event>& column, std::uint64_t count) {
  column.events.reserve(count);
  column.sequences.reserve(count);
}

void reserve(segment& made, std::uint64_t epochs, kinds wanted) {
  if (wanted.persons) reserve(made.persons, epochs);
  if (wanted.auctions) reserve(made.auctions, 3 * epochs);
  if (wanted.bids) reserve(made.bids, 46 * epochs);
}

}  // namespace

void segment::clear() {
  persons.clear();
  auctions.clear();
  bids.clear();
  order.clear();
}

void segment::append(const generator& events, std::uint64_t& next, std::uint64_t end,
                     std::uint64_t stride, kinds wanted) {
  for (; next < end; next += stride) {
    const std::uint64_t n = events.number(next);
    const kind what = generator::kind_of_number(n);
    if (!wanted.has(what)) continue;
    if (what == kind::bid) {
      append_event(events, n, next, bids);
    } else if (what == kind::auction) {
      append_event(events, n, next, auctions);
    } else {
      append_event(events, n, next, persons);
    }
    if (!wanted.only_bids()) order.push_back(what);
  }
}

segment pregenerate(const log_options& log, std::size_t split, std::size_t splits, kinds wanted) {
  segment made;
  // A little more than its share, so that columns do not grow to twice of what they need.
  const std::uint64_t share = log.events / splits + log.events / splits / 16 + epoch_events;
  try {
    reserve(made, share / epoch_events + 1, wanted);
  } catch (const std::exception&) {
    throw std::length_error(fmt::format(
        "--events: {} do not fit into memory before anything runs; give fewer, or --mode inline",
        log.events));
  }
  std::uint64_t next = split;
  made.append(generator(log), next, log.events, splits, wanted);
  return made;
}

}  // namespace nexmark
