// q3, q20: joins without bounds, in which either side may come first.
#include "market.hpp"
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/pipeline/join.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/process.hpp>
#include <freshet/pipeline/transform.hpp>

#include <string_view>
#include <variant>

namespace nexmark {

namespace {

using input_ptr = std::shared_ptr<const input>;

bool is_of_category_10(const auction& a) {
  return a.category == 10;
}

// What persons of three states sell in category 10.
void q3(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto sellers = timed<person>(job, "persons", from) | fr::filter([](const person& p) {
                   const std::string_view state = p.state.view();
                   return state == "OR" || state == "ID" || state == "CA";
                 });
  timed<auction>(job, "auctions", from) | fr::filter(is_of_category_10) |
      fr::key_by(&auction::seller) |
      fr::join(
          "selling", sellers | fr::key_by(&person::id),
          [](const auction& a, const person& p) { return q3_row{p.name, p.city, p.state, a.id}; }) |
      fr::to("rows", to);
}

/// Bids on other categories need not be kept, as a `join` would: their auction is known, too.
struct bidding {
  struct state {
    fr::value_state<auction> lot;
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
    if (is_of_category_10(lot)) now.emit(joined(b, lot));
  }
};

// The bids on auctions of category 10.
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
