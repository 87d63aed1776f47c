// Auctions and the bids on them as one stream, for queries that bring the two together.
#pragma once

#include "source.hpp"

#include <freshet/pipeline/transform.hpp>

#include <cstdint>
#include <memory>
#include <variant>

namespace nexmark {

using market_event = std::variant<auction, bid>;

inline std::int64_t auction_of(const market_event& event) {
  const auto* opened = std::get_if<auction>(&event);
  return opened != nullptr ? opened->id : std::get<bid>(event).auction;
}

inline fr::stream<market_event> market(fr::pipeline& job,
                                       const std::shared_ptr<const input>& from) {
  auto opened = timed<auction>(job, "auctions", from) |
                fr::map([](const auction& a) { return market_event(a); });
  auto offered =
      timed<bid>(job, "bids", from) | fr::map([](const bid& b) { return market_event(b); });
  return fr::merge(opened, offered);
}

}  // namespace nexmark
