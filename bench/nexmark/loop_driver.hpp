// Feeds a loop with events, from memory or as they are generated, and takes its time. Internal to
// the loops.
//
// A loop is a struct with `on(const bid&)`, `on(const auction&)`, `on(const person&)` for the
// events it wants, and `finish()`; its rows go to `out`.
#pragma once

#include "loops.hpp"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nexmark {

inline double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Loop>
constexpr kinds wanted_by() {
  return {.persons = requires(Loop loop, const person& one){loop.on(one);
}
, .auctions = requires(Loop loop, const auction& one) { loop.on(one); },
    .bids = requires(Loop loop, const bid& one) { loop.on(one); }
};  // namespace nexmark
}

template <class Loop>
void feed(Loop& loop, const segment& part) {
  constexpr kinds wanted = wanted_by<Loop>();
  if constexpr (wanted.only_bids()) {
    for (const bid& one : part.bids.events) loop.on(one);
  } else {
    const person* next_person = part.persons.events.data();
    const auction* next_auction = part.auctions.events.data();
    const bid* next_bid = part.bids.events.data();
    for (const kind what : part.order) {
      if (what == kind::bid) {
        if constexpr (wanted.bids) loop.on(*next_bid++);
      } else if (what == kind::auction) {
        if constexpr (wanted.auctions) loop.on(*next_auction++);
      } else {
        if constexpr (wanted.persons) loop.on(*next_person++);
      }
    }
  }
}

template <class Loop>
loop_result drive(const log_options& log, const segment* pregenerated) {
  // What fits beside everything else into the first cache.
  constexpr std::uint64_t chunk_events = 256;
  constexpr kinds wanted = wanted_by<Loop>();
  const generator events(log);
  segment chunk;
  const double start = thread_seconds();
  Loop loop(log);
  if (pregenerated != nullptr) {
    feed(loop, *pregenerated);
  } else {
    for (std::uint64_t next = 0; next < log.events;) {
      chunk.clear();
      chunk.append(events, next, std::min(log.events, next + chunk_events), 1, wanted);
      feed(loop, chunk);
    }
  }
  loop.finish();
  return {loop.out.all, thread_seconds() - start};
}

/// A loop in the table of all loops.
struct loop_entry {
  std::string_view query;
  kinds wanted;
  loop_result (*digested)(const log_options&, const segment*);
  loop_result (*hashed)(const log_options&, const segment*);
};

template <template <class> class Loop>
constexpr loop_entry entry_of(std::string_view query) {
  return {query, wanted_by<Loop<tally<false>>>(), &drive<Loop<tally<false>>>,
          &drive<Loop<tally<true>>>};
}

std::vector<loop_entry> stateless_loops();
std::vector<loop_entry> window_loops();
std::vector<loop_entry> table_loops();
std::vector<loop_entry> join_loops();

/// What loops have in common.
template <class Out>
struct loop_base {
  explicit loop_base(const log_options&) {}
  void finish() {}
  Out out;
};

inline std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  return value / step * step;  // Times after the epoch.
}
inline std::int64_t microseconds_of(fr::timestamp at) {
  return at.time_since_epoch().count();
}
inline fr::timestamp time_at(std::int64_t microseconds) {
  return fr::timestamp{fr::duration{microseconds}};
}
inline constexpr std::int64_t second = 1'000'000;

}  // namespace nexmark
