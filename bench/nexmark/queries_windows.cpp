// q5, q7, q8, q11, q12: windows of 10 s, and sessions.
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/ordered.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/top_n.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/session.hpp>
#include <freshet/window/sliding.hpp>
#include <freshet/window/tumbling.hpp>

#include <optional>
#include <tuple>

namespace nexmark {

namespace {

using namespace std::chrono_literals;
using input_ptr = std::shared_ptr<const input>;
using counted = fr::window_row<std::int64_t, std::uint64_t>;  // A key's bids in a window.

// --- q5: the auctions with the most bids of the last 10 s, every 2 s ----------------------------

std::uint64_t bids_of(const counted& row) {
  return std::get<0>(row.values);
}

void q5(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) | fr::key_by(&bid::auction) | fr::window(fr::sliding{10s, 2s}) |
      fr::aggregate("activity", fr::count("bids")) |
      fr::key_by([](const counted& row) { return row.window.end; }) |
      fr::top_n("hottest", 1, bids_of, fr::emit_complete{}, {.ranks = fr::ranking::rank}) |
      fr::map([](const fr::ranked<counted>& row) {
        return q5_row{row.window.begin, row.window.end, row.key, bids_of(row)};
      }) |
      fr::to("rows", to);
}

// --- q7: the highest bids of every 10 s ----------------------------------------------------------

struct highest {
  struct state {
    fr::value_state<std::int64_t> price;
    fr::list_state<q7_row> bids;
    BOOST_DESCRIBE_CLASS(state, (), (price, bids), (), ())
  };

  void process(const bid& b, state& mine, auto& now) {
    const std::int64_t* price = mine.price.get();
    if (price == nullptr) now.set_event_timer(now.key() + 10s);
    if (price != nullptr && b.price < *price) return;
    if (price != nullptr && b.price > *price) mine.bids.clear();
    mine.price.set(b.price);
    mine.bids.push_back({b.auction, b.price, b.bidder, b.at, b.extra});
  }
  void on_timer(const fr::timer&, state& mine, auto& now) {
    for (const q7_row& each : mine.bids.all()) now.emit(each);
    mine.price.clear();
    mine.bids.clear();
  }
};

void q7(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) |
      fr::key_by([](const bid& b) { return fr::tumbling{10s}.span_of(b.at).begin; }) |
      fr::process<q7_row>("highest", highest{}) | fr::to("rows", to);
}

// --- q8: the persons who opened an auction in the 10 s in which they registered ------------------

/// A person, or the seller of an auction.
struct activity {
  std::int64_t person = 0;
  std::optional<text> registered;  ///< Under this name.
  bool sells = false;
  BOOST_DESCRIBE_CLASS(activity, (), (person, registered, sells), (), ())
};

void q8(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto registered = timed<person>(job, "persons", from) |
                    fr::map([](const person& p) { return activity{p.id, p.name, false}; });
  auto sold = timed<auction>(job, "auctions", from) |
              fr::map([](const auction& a) { return activity{a.seller, std::nullopt, true}; });
  auto both = fr::merge(registered, sold) | fr::key_by(&activity::person) |
              fr::window(fr::tumbling{10s}) |
              fr::aggregate("activity", fr::first("name", &activity::registered),
                            fr::count("auctions", &activity::sells));
  both | fr::flat_map<q8_row>([](const auto& row, auto& emit) {
    const auto& [name, auctions] = row.values;
    if (name && auctions > 0) emit(q8_row{row.key, *name, row.window.begin});
  }) | fr::to("rows", to);
}

// --- q11, q12: the bids of a bidder in sessions, and in windows ----------------------------------

bidder_row of_bidder(const counted& row) {
  const auto& [bids] = row.values;
  return {row.key, bids, row.window.begin, row.window.end};
}

void q11(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) | fr::key_by(&bid::bidder) | fr::window(fr::session{10s}) |
      fr::aggregate("sessions", fr::count("bids")) | fr::map(of_bidder) | fr::to("rows", to);
}

// With a gap of 1 s, where sessions that touch are one: they are less than 1 s and a tick apart.
void q11c(fr::pipeline& job, const input_ptr& from, const summing& to) {
  static constexpr fr::duration tick{1};
  timed<bid>(job, "bids", from) | fr::key_by(&bid::bidder) | fr::window(fr::session{1s + tick}) |
      fr::aggregate("sessions", fr::count("bids")) | fr::map([](const counted& row) {
        bidder_row made = of_bidder(row);
        made.end -= tick;
        return made;
      }) |
      fr::to("rows", to);
}

// In event time, so that the answer does not depend on the clock.
void q12(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) | fr::key_by(&bid::bidder) | fr::window(fr::tumbling{10s}) |
      fr::aggregate("windows", fr::count("bids")) | fr::map(of_bidder) | fr::to("rows", to);
}

}  // namespace

std::vector<query> window_queries() {
  return {{"q5", "the auctions with most bids in 10 s, every 2 s", bids_alone, q5},
          {"q7", "the highest bids of every 10 s", bids_alone, q7},
          {"q8", "new persons who sell at once", persons_and_auctions, q8},
          {"q11", "bids of a bidder in sessions", bids_alone, q11},
          {"q11c", "the same with a gap of 1 s", bids_alone, q11c},
          {"q12", "bids of a bidder in every 10 s", bids_alone, q12}};
}

}  // namespace nexmark
