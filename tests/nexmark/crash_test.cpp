// Real kills: a query that dies and is started again ends with the answer of one that did not.
//
// A kill waits until the job has committed. Where a machine finishes first, the log is doubled
// until it does not; so what is tested does not depend on how fast that is.
#include "catch.hpp"
#include "nexmark/support.hpp"

#include <log.hpp>
#include <loops.hpp>

#include <chrono>
#include <cstdint>
#include <iomanip>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace nexmark;
using namespace nexmark::test;
using namespace freshet::test;
using namespace std::chrono_literals;

/// How many tasks the run has that follows `kills` kills.
arguments tasks_of(int kills, bool rescaled) {
  static constexpr const char* numbers[] = {"2", "1", "4", "3"};
  return rescaled ? arguments{"--parallelism", numbers[kills]} : arguments{};
}

/// Kills up to three runs of `query` in `folder` once they have committed, each at a moment of its
/// own. \return how many of them were killed.
int kill_runs(const std::string& query, const arguments& asked, bool rescaled,
              const scratch_folder& folder, std::mt19937_64& random) {
  int kills = 0;
  for (; kills < 3; ++kills) {
    running_program program(built_program("bench/nexmark"), asked + tasks_of(kills, rescaled),
                            folder / "said");
    const auto committed = [&] { return has_commits(folder / ("job/" + query + "/state")); };
    if (!program.ended_within(10min, committed)) {
      program.ended_within(std::chrono::microseconds(random() % 40'000));
    }
    const ending how = program.kill();
    INFO(how.errors);
    if (!how.killed) {
      REQUIRE(how.exit_code == 0);
      return kills;
    }
  }
  return kills;
}

/// The lines of all files below a folder, with the minutes that they are said to be of.
std::multiset<std::string> lines_in(const std::string& folder) {
  std::multiset<std::string> all;
  for (const auto& [path, text] : contents_of(folder)) {
    if (!path.ends_with(".csv")) continue;
    const std::string name = path.substr(folder.size() + 1);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) all.insert(name + " " + line);
  }
  return all;
}

/// The same of a log, by the definition of q10.
std::multiset<std::string> lines_of(const log_options& log) {
  std::multiset<std::string> all;
  for (const bid& b : pregenerate(log, 0, 1, {.bids = true}).bids.events) {
    const auto at = b.at.time_since_epoch() / 1ms;
    const auto minute = at / 60'000 % (24 * 60);
    std::ostringstream line;
    line << "2015-07-15/" << std::setfill('0') << std::setw(2) << minute / 60 << ':' << std::setw(2)
         << minute % 60 << ".csv " << b.auction << ',' << b.bidder << ',' << b.price << ','
         << b.channel.view() << ',' << b.url.view() << ',' << at << ',' << b.extra.view();
    all.insert(line.str());
  }
  return all;
}

/// `rescaled`: each run has another parallelism.
void check_kills(const std::string& query, const arguments& further, bool rescaled = false) {
  std::mt19937_64 random(20261128);
  constexpr std::uint64_t enough_events = 1ULL << 30;
  // q10 has a file for each minute of a log of some hours.
  const std::uint64_t rate = query == "q10" ? 100 : 1'000'000;
  log_options log{.events = 256'000, .rate_per_second = rate, .seed = 8, .group = 1000};
  for (int kills = 0; kills == 0; log.events *= 2) {
    REQUIRE(log.events < enough_events);
    const scratch_folder folder(medium::memory);
    const arguments asked =
        options_of(log) + further + arguments{"--query",      query,          "--check", "--json",
                                              "--checkpoint", folder / "job", "--every", "5ms"};
    kills = kill_runs(query, asked, rescaled, folder, random);
    const ending how = run_nexmark(asked + tasks_of(kills, rescaled));
    INFO(query << " over " << log.events << " events: " << how.errors);
    REQUIRE(how.exit_code == 0);
    const answer expected = run_loop(query, log, nullptr, true).all;
    CHECK(answers_in(how.errors) == std::map<std::string, answer>{{query, expected}});
    if (query == "q10") CHECK(lines_in(folder / "job/q10/files") == lines_of(log));
  }
}

}  // namespace

TEST_CASE("nexmark gives the same answer after kills, without keys", "[nexmark][crash]") {
  check_kills("q22", {});
}
TEST_CASE("nexmark gives the same files after kills", "[nexmark][crash]") {
  check_kills("q10", {});
}
TEST_CASE("nexmark gives the same answer after kills, with windows above process",
          "[nexmark][crash]") {
  check_kills("q5", {"--parallelism", "2"});
}
TEST_CASE("nexmark gives the same answer after kills, with merged sources and timers",
          "[nexmark][crash]") {
  check_kills("q9", {});
}
TEST_CASE("nexmark gives the same answer after kills, with the newest rows of keys",
          "[nexmark][crash]") {
  check_kills("q18", {"--parallelism", "2", "--mode", "pre"});
}
TEST_CASE("nexmark goes on with another parallelism after kills", "[nexmark][crash]") {
  check_kills("q9", {}, true);
  check_kills("q19", {"--mode", "pre"}, true);
}
