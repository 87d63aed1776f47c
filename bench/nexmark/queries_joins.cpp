// q3, q20: joins without bounds, in which either side may come first.
#include "market.hpp"
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>

#include <string_view>
#include <variant>

namespace nexmark {

namespace {

using input_ptr = std::shared_ptr<const input>;

// --- q3: what persons of three states sell in category 10 ----------------------------------------

using trade_event = std::variant<person, auction>;

struct selling {
  struct state {
    fr::value_state<q3_row> seller;
    fr::list_state<std::int64_t> early;
    BOOST_DESCRIBE_CLASS(state, (), (seller, early), (), ())
  };

  void process(const trade_event& event, state& mine, auto& now) {
    if (const auto* p = std::get_if<person>(&event)) {
      mine.seller.set(q3_row{p->name, p->city, p->state, 0});
      for (const std::int64_t auction : mine.early.all()) emit(auction, mine, now);
      mine.early.clear();
    } else if (mine.seller.empty()) {
      mine.early.push_back(std::get<auction>(event).id);
    } else {
      emit(std::get<auction>(event).id, mine, now);
    }
  }
  static void emit(std::int64_t auction, state& mine, auto& now) {
    q3_row row = *mine.seller.get();
    row.auction = auction;
    now.emit(row);
  }
};

void q3(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto sellers = timed<person>(job, "persons", from) | fr::filter([](const person& p) {
                   const std::string_view state = p.state.view();
                   return state == "OR" || state == "ID" || state == "CA";
                 }) |
                 fr::map([](const person& p) { return trade_event(p); });
  auto sold = timed<auction>(job, "auctions", from) |
              fr::filter([](const auction& a) { return a.category == 10; }) |
              fr::map([](const auction& a) { return trade_event(a); });
  fr::merge(sellers, sold) | fr::key_by([](const trade_event& event) {
    const auto* p = std::get_if<person>(&event);
    return p != nullptr ? p->id : std::get<auction>(event).seller;
  }) | fr::process<q3_row>("selling", selling{}) |
      fr::to("rows", to);
}

// --- q20: the bids on auctions of category 10 ----------------------------------------------------

struct bidding {
  struct state {
    fr::value_state<auction> lot;  ///< Of any category, so that bids on others need not wait.
    fr::list_state<bid> early;
    BOOST_DESCRIBE_CLASS(state, (), (lot, early), (), ())
  };

  void process(const market_event& event, state& mine, auto& now) {
    if (const auto* opened = std::get_if<auction>(&event)) {
      mine.lot.set(*opened);
      for (const bid& b : mine.early.all()) emit(b, *opened, now);
      mine.early.clear();
    } else if (const auction* lot = mine.lot.get()) {
      emit(std::get<bid>(event), *lot, now);
    } else {
      mine.early.push_back(std::get<bid>(event));
    }
  }
  static void emit(const bid& b, const auction& lot, auto& now) {
    if (lot.category == 10) now.emit(joined(b, lot));
  }
};

void q20(fr::pipeline& job, const input_ptr& from, const summing& to) {
  market(job, from) | fr::key_by(auction_of) | fr::process<q20_row>("bidding", bidding{}) |
      fr::to("rows", to);
}

}  // namespace

std::vector<query> join_queries() {
  return {{"q3", "what persons of three states sell", persons_and_auctions, q3},
          {"q20", "the bids on auctions of a category", auctions_and_bids, q20}};
}

}  // namespace nexmark
