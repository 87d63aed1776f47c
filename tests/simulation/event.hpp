// The one row type of the simulation, and the functions that random pipelines apply to it: those of
// a user, which the library and the oracle both call.
//
// Times are ticks of 1 us. All functions are pure, but for the state that they are given.
#pragma once

#include <freshet/core/time.hpp>

#include <boost/describe/class.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace freshet::simulated {

using ticks = std::int64_t;

constexpr timestamp at_tick(ticks count) {
  return timestamp{duration{count}};
}
constexpr ticks tick_of(timestamp at) {
  return at.time_since_epoch().count();
}

/// A record, and a row of every operator: `at` is its event time everywhere.
struct event {
  std::int64_t key = 0;
  std::int64_t value = 0;
  timestamp at;

  friend auto operator<=>(const event&, const event&) = default;
};
BOOST_DESCRIBE_STRUCT(event, (), (key, value, at))

/// A small number, not negative, that other numbers in another order hardly have.
class digest {
 public:
  digest& add(std::int64_t number) {
    bits_ = (bits_ ^ static_cast<std::uint64_t>(number)) * 0x9e3779b97f4a7c15U;
    bits_ ^= bits_ >> 29U;
    return *this;
  }
  digest& add(const std::vector<std::int64_t>& numbers) {
    for (const std::int64_t each : numbers) add(each);
    return add(static_cast<std::int64_t>(numbers.size()));
  }
  std::int64_t value() const { return static_cast<std::int64_t>(bits_ >> 44U); }

 private:
  std::uint64_t bits_ = 0x243f6a8885a308d3U;
};

/// What a row of a window says of it: everything.
inline std::int64_t window_value(ticks begin, ticks end, std::int64_t count, std::int64_t sum,
                                 std::int64_t first, std::int64_t last,
                                 const std::vector<std::int64_t>& all, std::int64_t pane) {
  return digest()
      .add(begin)
      .add(end)
      .add(count)
      .add(sum)
      .add(first)
      .add(last)
      .add(all)
      .add(pane)
      .value();
}

// --- record by record: `a` and `b` are the parameters of the plan

inline event mapped(const event& of, std::int64_t a, std::int64_t b) {
  return {of.key, (of.value * a + b) % 1000, of.at};
}
inline event rekeyed(const event& of, std::int64_t keys) {
  return {(of.key + of.value) % keys, of.value, of.at};
}
inline bool passes(const event& of, std::int64_t a, std::int64_t b) {
  return of.value % a != b;
}
/// No row, one, or up to `a`; and `burst` more for a record in ten.
inline std::vector<event> fanned_out(const event& of, std::int64_t a, std::int64_t burst) {
  std::vector<event> rows;
  const std::int64_t count = of.value % (a + 1) + (of.value % 10 == 3 ? burst : 0);
  for (std::int64_t i = 0; i < count; ++i) {
    rows.push_back({of.key, (of.value * 3 + 7 * i) % 1000, of.at});
  }
  return rows;
}

// --- with state and timers

/// What is kept of one key: which records have come, in which order.
struct fold_state {
  std::int64_t fold = 0;
  std::vector<ticks> fired;
};
BOOST_DESCRIBE_STRUCT(fold_state, (), (fold, fired))

/// Sets no timer for a time at which one has fired: the rows of both would have one place, so that
/// nothing decides which of them is the first.
template <class Out>
void set_once(ticks when, const fold_state& kept, Out& out) {
  if (std::find(kept.fired.begin(), kept.fired.end(), when) == kept.fired.end()) {
    out.set_timer(when);
  }
}

/// `out` has `emit(event)`, `emit_aside(event)`, and `set_timer(ticks)`. `burst`: how many more
/// rows some records and timers have.
template <class Out>
void fold_record(const event& of, fold_state& kept, std::int64_t a, std::int64_t burst, Out& out) {
  kept.fold = digest().add(kept.fold).add(of.value).value();
  if (of.value % 5 != 0) out.emit({of.key, kept.fold, of.at});
  if (of.value % 3 == 0) out.emit_aside({of.key, kept.fold % 100, of.at});
  if (of.value % 7 == 0) out.emit({of.key, kept.fold % 100, of.at});
  if (of.value % 4 == 0) set_once(tick_of(of.at) + a, kept, out);
  if (of.value % 11 == 0) set_once(tick_of(of.at) - a, kept, out);  // It may be over already.
  if (of.value % 10 != 3) return;
  for (std::int64_t i = 0; i < burst; ++i) out.emit({of.key, (kept.fold + i) % 1000, of.at});
}

template <class Out>
void fold_timer(ticks when, std::int64_t key, fold_state& kept, std::int64_t a, std::int64_t burst,
                Out& out) {
  kept.fold = digest().add(kept.fold).add(when).value();
  kept.fired.push_back(when);
  const event made{key, kept.fold, at_tick(when - 1)};
  out.emit(made);
  if (kept.fold % 3 == 0) out.emit_aside(made);
  // Timers that set timers: for later, and now and then for what is over.
  if (kept.fired.size() % 3 == 0) set_once(kept.fold % 4 == 0 ? when - 1 : when + a, kept, out);
  if (kept.fold % 4 != 1) return;
  for (std::int64_t i = 0; i < burst; ++i) out.emit({key, (kept.fold + i) % 1000, made.at});
}

}  // namespace freshet::simulated
