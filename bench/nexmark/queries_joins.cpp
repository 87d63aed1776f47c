// q3, q20: joins without bounds, in which either side may come first.
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/pipeline/join.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>

#include <string_view>

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

// The bids on auctions of category 10.
void q20(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto auctions = timed<auction>(job, "auctions", from) | fr::filter(is_of_category_10);
  timed<bid>(job, "bids", from) | fr::key_by(&bid::auction) |
      fr::join("bidding", auctions | fr::key_by(&auction::id), joined) | fr::to("rows", to);
}

}  // namespace

std::vector<query> join_queries() {
  return {{"q3", "what persons of three states sell", persons_and_auctions, q3},
          {"q20", "the bids on auctions of a category", auctions_and_bids, q20}};
}

}  // namespace nexmark
