// q0, q1, q2, q10, q13, q14, q21, q22: one bid after the other.
#include "functions.hpp"
#include "loop_driver.hpp"
#include "rows.hpp"

namespace nexmark {

namespace {

template <class Out>
struct q0 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) { this->out(bid_row{b.auction, b.bidder, b.price, b.at, b.extra}); }
};

template <class Out>
struct q1 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) { this->out(bid_row{b.auction, b.bidder, euros(b.price), b.at, b.extra}); }
};

template <class Out>
struct q2 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    if (b.auction % 123 == 0) this->out(q2_row{b.auction, b.price});
  }
};

/// Without files: what they cost is not a matter of loops.
template <class Out>
struct q10 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) { this->out(row_of(b)); }
};

template <class Out>
struct q13 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    const text& value = words.numbers[static_cast<std::size_t>(b.auction) % number_count];
    this->out(q13_row{b.auction, b.bidder, b.price, b.at, value});
  }
  const pools& words = prepare_pools();
};

template <class Out>
struct q14 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    const std::int64_t price = euros(b.price);
    if (price <= 1'000'000'000 || price >= 50'000'000'000) return;
    this->out(q14_row{b.auction, b.bidder, price, time_of_day(words, b.at), b.at, b.extra,
                      count_of('c', b.extra)});
  }
  const pools& words = prepare_pools();
};

template <class Out>
struct q21 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    if (const auto id = channel_id(words, b)) {
      this->out(q21_row{b.auction, b.bidder, b.price, b.channel, *id});
    }
  }
  const pools& words = prepare_pools();
};

template <class Out>
struct q22 : loop_base<Out> {
  using loop_base<Out>::loop_base;
  void on(const bid& b) {
    this->out(q22_row{b.auction, b.bidder, b.price, b.channel, part_of(b.url, 3), part_of(b.url, 4),
                      part_of(b.url, 5)});
  }
};

}  // namespace

std::vector<loop_entry> stateless_loops() {
  return {entry_of<q0>("q0"),   entry_of<q1>("q1"),   entry_of<q2>("q2"),   entry_of<q10>("q10"),
          entry_of<q13>("q13"), entry_of<q14>("q14"), entry_of<q21>("q21"), entry_of<q22>("q22")};
}

}  // namespace nexmark
