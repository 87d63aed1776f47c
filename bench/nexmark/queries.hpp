// The queries of Nexmark as pipelines of public operators, in queries_*.cpp.
#pragma once

#include "sink.hpp"
#include "source.hpp"

#include <freshet/pipeline/pipeline.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace nexmark {

/// A query: its name, what it asks, and what composes it.
struct query {
  std::string_view name;
  std::string_view asks;
  kinds wanted;
  void (*compose)(fr::pipeline& job, const std::shared_ptr<const input>& from, const summing& to);
};

std::vector<query> stateless_queries();
std::vector<query> window_queries();
std::vector<query> table_queries();
std::vector<query> winner_queries();
std::vector<query> join_queries();

/// All of them, in the order of their numbers.
const std::vector<query>& all_queries();

inline constexpr kinds bids_alone{.bids = true};
inline constexpr kinds auctions_and_bids{.auctions = true, .bids = true};
inline constexpr kinds persons_and_auctions{.persons = true, .auctions = true};

}  // namespace nexmark
