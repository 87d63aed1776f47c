// q4, q6, q9: what auctions were sold for. q18, q19: the newest and the highest bids.
#include "market.hpp"
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/pipeline/deduplicate.hpp>
#include <freshet/pipeline/group_aggregate.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/top_n.hpp>
#include <freshet/pipeline/transform.hpp>

#include <tuple>
#include <utility>
#include <variant>

namespace nexmark {

namespace {

using input_ptr = std::shared_ptr<const input>;

/// A bid, and as which it arrived.
struct offer {
  bid what;
  std::uint64_t arrival = 0;
  BOOST_DESCRIBE_CLASS(offer, (), (what, arrival), (), ())

  /// The higher one; then the earlier one; then the one that arrived earlier.
  bool beats(const offer& other) const {
    return std::tuple(other.what.price, what.at, arrival) <
           std::tuple(what.price, other.what.at, other.arrival);
  }
};

// --- q4, q6, q9 ----------------------------------------------------------------------------------

struct sale {
  auction what;
  bid best;
  BOOST_DESCRIBE_CLASS(sale, (), (what, best), (), ())
};

/// Sells an auction, when it has closed, to the best bid that was made while it was open. A bid may
/// come before its auction; it waits until no auction can come any more that was open at its time.
struct closing {
  struct state {
    fr::value_state<auction> lot;
    fr::value_state<offer> best;
    fr::list_state<offer> early;
    BOOST_DESCRIBE_CLASS(state, (), (lot, best, early), (), ())
  };
  static constexpr fr::duration tick{1};

  void process(const market_event& event, state& mine, auto& now) {
    if (const auto* opened = std::get_if<auction>(&event)) {
      mine.lot.set(*opened);
      for (const offer& each : mine.early.all()) consider(each, *opened, mine);
      mine.early.clear();
      now.set_event_timer(opened->expires + tick);
      return;
    }
    const offer made{std::get<bid>(event), now.order().where.sequence};
    if (const auction* open = mine.lot.get()) {
      consider(made, *open, mine);
    } else if (made.what.at >= now.watermark()) {
      mine.early.push_back(made);
      now.set_event_timer(made.what.at + tick);
    }
  }

  void on_timer(const fr::timer& due, state& mine, auto& now) {
    const auction* open = mine.lot.get();
    if (open == nullptr) {
      mine.early.remove_if([&due](const offer& each) { return each.what.at < due.when; });
    } else if (due.when == open->expires + tick) {
      if (const offer* best = mine.best.get()) now.emit({*open, best->what});
      mine.lot.clear();
      mine.best.clear();
    }
  }

  static void consider(const offer& made, const auction& open, state& mine) {
    if (made.what.at < open.at || made.what.at > open.expires) return;
    const offer* best = mine.best.get();
    if (best == nullptr || made.beats(*best)) mine.best.set(made);
  }
};

fr::stream<sale> sales(fr::pipeline& job, const input_ptr& from) {
  return market(job, from) | fr::key_by(auction_of) | fr::process<sale>("closing", closing{});
}

// The average price of every category.
void q4(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto totals = sales(job, from) | fr::key_by([](const sale& s) { return s.what.category; }) |
                fr::group_aggregate("categories", fr::emit_final{}, fr::count("sales"),
                                    fr::sum("sum", [](const sale& s) { return s.best.price; }));
  totals | fr::map([](const auto& row) {
    const auto& [number, sum] = row.values;
    return q4_row{row.key, sum / static_cast<std::int64_t>(number)};
  }) | fr::to("rows", to);
}

// The average price of a seller's last ten sales, by when they closed.
void q6(fr::pipeline& job, const input_ptr& from, const summing& to) {
  const auto seller_of = [](const sale& s) { return s.what.seller; };
  const auto closed = [](const sale& s) { return std::pair(s.what.expires, s.what.id); };
  auto totals = sales(job, from) | fr::key_by(seller_of) |
                fr::top_n("last", 10, closed, fr::emit_final{}) | fr::key_by(seller_of) |
                fr::group_aggregate("sellers", fr::emit_final{}, fr::count("sales"),
                                    fr::sum("sum", [](const sale& s) { return s.best.price; }));
  totals | fr::map([](const auto& row) {
    const auto& [number, sum] = row.values;
    return q6_row{row.key, sum / static_cast<std::int64_t>(number)};
  }) | fr::to("rows", to);
}

// Every auction that was sold, and the bid that won it.
void q9(fr::pipeline& job, const input_ptr& from, const summing& to) {
  sales(job, from) | fr::map([](const sale& s) { return winner_of(s.what, s.best); }) |
      fr::to("rows", to);
}

// --- q18, q19 ------------------------------------------------------------------------------------

// The last bid of every bidder on every auction: by time, then by arrival.
void q18(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) |
      fr::key_by([](const bid& b) { return std::pair(b.bidder, b.auction); }) |
      fr::deduplicate("newest", fr::keep_last{}, fr::emit_final{}) | fr::map(row_of) |
      fr::to("rows", to);
}

// The ten best bids on every auction, with their rank; of equal ones the earlier, then the one that
// arrived earlier.
void q19(fr::pipeline& job, const input_ptr& from, const summing& to) {
  timed<bid>(job, "bids", from) | fr::key_by(&bid::auction) |
      fr::top_n("top", 10, &bid::price, fr::emit_final{}) | fr::map([](const fr::ranked<bid>& b) {
        return ranked(b.record(), static_cast<std::int64_t>(b.rank));
      }) |
      fr::to("rows", to);
}

}  // namespace

std::vector<query> winner_queries() {
  return {{"q4", "the average price of every category", auctions_and_bids, q4},
          {"q6", "the average price of a seller's last ten", auctions_and_bids, q6},
          {"q9", "the winning bid of every auction", auctions_and_bids, q9},
          {"q18", "the last bid of a bidder on an auction", bids_alone, q18},
          {"q19", "the ten best bids on every auction", bids_alone, q19}};
}

}  // namespace nexmark
