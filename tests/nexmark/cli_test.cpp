// What the program refuses, and how it says so.
#include "catch.hpp"
#include "nexmark/support.hpp"

#include <string>
#include <vector>

namespace {

using namespace nexmark::test;
using freshet::test::says;
using freshet::test::scratch_folder;

void check_refused(const arguments& given, const std::string& words) {
  const auto how = run_nexmark(given);
  INFO(how.errors);
  CHECK(how.exit_code == 1);
  CHECK(says(how.errors, "nexmark: "));
  CHECK(says(how.errors, words));
}

}  // namespace

TEST_CASE("nexmark refuses what it cannot mean, by the option's name", "[nexmark][cli]") {
  check_refused({"--query", "q99"}, "--query: 'q99' is no query; give some of q0 q1 q2");
  check_refused({"--query", ""}, "--query: '' is no query");
  check_refused({"--query", "q0,,q1"}, "--query: '' is no query");
  check_refused({"--events", "1e6"}, "--events: found '1e6', wanted a whole number");
  check_refused({"--events=-5"}, "--events: found '-5', wanted a whole number");
  check_refused({"--events", "99999999999999999999"}, "wanted a whole number below 2^64");
  check_refused({"--events", "0"}, "--events: found 0");
  check_refused({"--rate", "0"}, "--rate: found 0");
  check_refused({"--seed", "x"}, "--seed: found 'x'");
  check_refused({"--ooo", "953", "--events", "953"}, "--ooo: found 953");
  check_refused({"--ooo", "1000", "--events", "1500"}, "--events: found 1500");
  check_refused({"--parallelism", "0"}, "--parallelism: found 0, wanted 1 to 128");
  check_refused({"--parallelism", "129"}, "--parallelism: found 129");
  check_refused({"--mode", "fast"}, "--mode: found 'fast', wanted pre or inline");
  check_refused({"--every", "1s"}, "--every: it needs a --checkpoint directory");
  check_refused({"--checkpoint", "x", "--every", "soon"},
                "--every: 'soon' is no positive duration");
  check_refused({"--checkpoint", "x", "--every", "0s"}, "--every: '0s' is no positive duration");
  check_refused({"--checkpoint", ""}, "--checkpoint: found '', wanted a directory");
  check_refused({"--speed", "9"}, "--speed");
}

TEST_CASE("nexmark refuses a log that memory cannot hold, instead of running out of it",
          "[nexmark][cli]") {
  for (const char* events : {"1000000000000000000", "9000000000000000000"}) {
    check_refused({"--query", "q0", "--mode", "pre", "--rate", "1000000000", "--events", events},
                  "do not fit into memory before anything runs; give fewer, or --mode inline");
  }
}

TEST_CASE("nexmark refuses the checkpoint of another log", "[nexmark][cli]") {
  const scratch_folder folder;
  const arguments asked = {"--query", "q2", "--checkpoint", folder / "job", "--events", "5000"};
  const auto first = run_nexmark(asked + arguments{"--json"});
  INFO(first.errors);
  REQUIRE(first.exit_code == 0);
  // The job has finished: once more it has nothing to do, and the same answer.
  const auto again = run_nexmark(asked + arguments{"--json"});
  INFO(again.errors);
  REQUIRE(again.exit_code == 0);
  CHECK(answers_in(again.errors) == answers_in(first.errors));
  CHECK(answers_in(first.errors).size() == 1);
  check_refused(asked + arguments{"--seed", "1"}, "seed=");
}
