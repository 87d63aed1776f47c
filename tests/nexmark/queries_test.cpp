// The queries as pipelines, run by the built program, against the loops.
#include "catch.hpp"
#include "nexmark/support.hpp"

#include <golden.hpp>
#include <loops.hpp>

#include <map>
#include <string>
#include <vector>

namespace {

using namespace nexmark;
using namespace nexmark::test;

/// Runs all queries over `log` and compares them with the loops here.
void check_queries(const log_options& log, const arguments& further) {
  const auto how = run_nexmark(options_of(log) + further +
                               arguments{"--query", "all", "--repeat", "1", "--check", "--json"});
  INFO(how.errors);
  REQUIRE(how.exit_code == 0);
  const std::map<std::string, answer> given = answers_in(how.errors);
  CHECK(given.size() == loop_queries().size());
  for (const auto& [query, found] : given) {
    INFO(query << " over seed " << log.seed << " at " << log.rate_per_second << "/s in groups of "
               << log.group);
    CHECK(found == run_loop(query, log, nullptr, true).all);
  }
}

}  // namespace

TEST_CASE("nexmark queries give the golden answers", "[nexmark][queries]") {
  const log_options log{.events = 100'000};
  const auto how = run_nexmark(options_of(log) + arguments{"--repeat", "1", "--check", "--json"});
  INFO(how.errors);
  REQUIRE(how.exit_code == 0);
  for (const auto& [query, found] : answers_in(how.errors)) {
    INFO(query);
    if (const auto golden = golden_answer(query, log)) CHECK(found == *golden);
  }
}

TEST_CASE("nexmark queries agree with the loops in order, whatever rate and parallelism",
          "[nexmark][queries]") {
  check_queries({.events = 20'000, .rate_per_second = 10'000, .seed = 1}, {});
  check_queries({.events = 20'000, .rate_per_second = 100, .seed = 2}, {"--parallelism", "2"});
  check_queries({.events = 20'000, .rate_per_second = 1'000'000, .seed = 3},
                {"--parallelism", "4"});
}

TEST_CASE("nexmark queries agree with the loops out of order, whatever rate and parallelism",
          "[nexmark][queries]") {
  check_queries({.events = 20'000, .rate_per_second = 10'000'000, .seed = 4, .group = 1000}, {});
  check_queries({.events = 20'000, .rate_per_second = 1'000'000, .seed = 5, .group = 1000},
                {"--parallelism", "2", "--mode", "pre"});
  check_queries({.events = 20'000, .rate_per_second = 100, .seed = 6, .group = 1000},
                {"--parallelism", "4"});
}

TEST_CASE("nexmark queries read from memory what they would generate", "[nexmark][queries]") {
  check_queries({.events = 20'000, .rate_per_second = 10'000, .seed = 7}, {"--mode", "pre"});
}

TEST_CASE("nexmark takes logs of hardly any events", "[nexmark][queries]") {
  check_queries({.events = 1}, {});
  check_queries({.events = 5}, {"--parallelism", "2"});
}
