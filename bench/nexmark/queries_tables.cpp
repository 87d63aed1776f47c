// q15, q16, q17: statistics of a day, of the whole, of every channel, and of every auction.
#include "functions.hpp"
#include "queries.hpp"
#include "rows.hpp"

#include <freshet/aggregate/basic.hpp>
#include <freshet/aggregate/distinct.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/transform.hpp>
#include <freshet/pipeline/windowing.hpp>
#include <freshet/window/tumbling.hpp>

#include <optional>
#include <tuple>

namespace nexmark {

namespace {

using namespace std::chrono_literals;
using input_ptr = std::shared_ptr<const input>;

/// Whether a bid has a price of this rank.
template <std::size_t Rank>
bool in_rank(const bid& b) {
  return rank_of(b.price) == Rank;
}

/// The bidder, or auction, of a bid that has a price of this rank.
template <std::size_t Rank, std::int64_t bid::* Id>
std::optional<std::int64_t> id_in_rank(const bid& b) {
  if (rank_of(b.price) != Rank) return std::nullopt;
  return b.*Id;
}

/// Bids, distinct bidders and distinct auctions, each of all bids and by the rank of the price.
template <class... More>
auto statistics(std::string name, More... more) {
  return fr::aggregate(std::move(name), fr::count("bids"), fr::count("bids_1", in_rank<0>),
                       fr::count("bids_2", in_rank<1>), fr::count("bids_3", in_rank<2>),
                       fr::distinct("bidders", &bid::bidder),
                       fr::distinct("bidders_1", id_in_rank<0, &bid::bidder>),
                       fr::distinct("bidders_2", id_in_rank<1, &bid::bidder>),
                       fr::distinct("bidders_3", id_in_rank<2, &bid::bidder>),
                       fr::distinct("auctions", &bid::auction),
                       fr::distinct("auctions_1", id_in_rank<0, &bid::auction>),
                       fr::distinct("auctions_2", id_in_rank<1, &bid::auction>),
                       fr::distinct("auctions_3", id_in_rank<2, &bid::auction>), more...);
}

void q15(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto days = timed<bid>(job, "bids", from) | fr::key_by([](const bid&) { return 0; }) |
              fr::window(fr::tumbling{24h}) | statistics("days");
  days | fr::map([](const auto& row) {
    const auto& [n, n1, n2, n3, b, b1, b2, b3, a, a1, a2, a3] = row.values;
    return q15_row{day_of(row.window.begin), {n, n1, n2, n3}, {b, b1, b2, b3}, {a, a1, a2, a3}};
  }) | fr::to("rows", to);
}

void q16(fr::pipeline& job, const input_ptr& from, const summing& to) {
  const auto last_minute = fr::max("minute", [](const bid& b) { return minute_of_day(b.at); });
  auto days = timed<bid>(job, "bids", from) | fr::key_by(&bid::channel) |
              fr::window(fr::tumbling{24h}) | statistics("days", last_minute);
  days | fr::map([](const auto& row) {
    const auto& [n, n1, n2, n3, b, b1, b2, b3, a, a1, a2, a3, minute] = row.values;
    return q16_row{row.key,         day_of(row.window.begin), minute,
                   {n, n1, n2, n3}, {b, b1, b2, b3},          {a, a1, a2, a3}};
  }) | fr::to("rows", to);
}

void q17(fr::pipeline& job, const input_ptr& from, const summing& to) {
  auto days = timed<bid>(job, "bids", from) | fr::key_by(&bid::auction) |
              fr::window(fr::tumbling{24h}) |
              fr::aggregate("days", fr::count("bids"), fr::count("bids_1", in_rank<0>),
                            fr::count("bids_2", in_rank<1>), fr::count("bids_3", in_rank<2>),
                            fr::min("lowest", &bid::price), fr::max("highest", &bid::price),
                            fr::sum("sum", &bid::price));
  days | fr::map([](const auto& row) {
    const auto& [n, n1, n2, n3, lowest, highest, sum] = row.values;
    const std::int64_t average = sum / static_cast<std::int64_t>(n);
    return q17_row{row.key, day_of(row.window.begin), {n, n1, n2, n3}, lowest, highest, average,
                   sum};
  }) | fr::to("rows", to);
}

}  // namespace

std::vector<query> table_queries() {
  return {{"q15", "bids, bidders and auctions of a day, by price", bids_alone, q15},
          {"q16", "the same of every channel", bids_alone, q16},
          {"q17", "prices of an auction and day", bids_alone, q17}};
}

}  // namespace nexmark
