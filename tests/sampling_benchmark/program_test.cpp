// bench/sampling_benchmark as a user runs it: on rows that it makes, and on real flights where they
// are. What the bars say there is not the subject: with few seeds they may say anything.
#include "process/program.hpp"
#include "catch.hpp"

#include <cstdlib>
#include <map>
#include <regex>
#include <sstream>

namespace {

using namespace freshet::test;

ending run_benchmark(const arguments& given) {
  const scratch_folder folder;
  return running_program(built_program("bench/sampling_benchmark"), given, folder / "said").wait();
}

const std::string number = R"((-?\d+(?:\.\d+)?(?:e[-+]\d+)?|null))";

/// How many lines there are of each kind; fails the test where one is no object as README.md says.
std::map<std::string, std::size_t> kinds_in(const std::string& printed, const std::string& data) {
  const std::string begin = "\\{\"data\":\"" + data + "\",";
  const std::map<std::string, std::regex> patterns{
      {"run", std::regex(begin + R"("seed":\d+,"method":"[a-z_+]+","rate":)" + number +
                         R"(,"learning_rate":)" + number + R"(,"examples":\d+,"examples_to_98":)" +
                         number + R"(,"validation_pr_auc":)" + number + R"(,"pr_auc":)" + number +
                         R"(,"log_loss":)" + number + R"(,"balanced_accuracy":)" + number +
                         R"(,"cpu_seconds":)" + number + R"(\})")},
      {"summary",
       std::regex(begin + R"("summary":"[a-z_+]+","rate":.*,"cpu_ratio":)" + number + R"(\})")},
      {"bar", std::regex(begin + R"("bar":"[^"]+","found":)" + number + R"(,"wanted":)" + number +
                         R"(,"held":(true|false)\})")}};
  std::map<std::string, std::size_t> kinds;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    std::size_t matching = 0;
    for (const auto& [kind, pattern] : patterns) {
      if (!std::regex_match(line, pattern)) continue;
      ++matching;
      ++kinds[kind];
    }
    REQUIRE(matching == 1);
  }
  return kinds;
}

/// The exit code says what the bars say.
void check_exit_code(const ending& how) {
  INFO(how.errors);
  CHECK(how.exit_code == (says(how.errors, "\"held\":false") ? 1 : 0));
}

}  // namespace

TEST_CASE("the sampling benchmark prints every seed, a summary and the bars, and exits by them",
          "[sampling_benchmark][cli]") {
  const ending how = run_benchmark(
      {"--only", "made", "--rows", "4000", "--rates", "0.4,0.2", "--seeds", "2", "--json"});
  check_exit_code(how);
  // Full, and four methods at each of two rates.
  CHECK(kinds_in(how.errors, "made") ==
        std::map<std::string, std::size_t>{{"run", 18}, {"summary", 9}, {"bar", 5}});
}

TEST_CASE("the sampling benchmark refuses what it cannot mean with exit code 2",
          "[sampling_benchmark][cli]") {
  const auto check_refused = [](const arguments& given, const std::string& words) {
    const ending how = run_benchmark(given);
    INFO(how.errors);
    CHECK(how.exit_code == 2);
    CHECK(says(how.errors, words));
  };
  check_refused({"--only", "made", "--rates", "1.5"}, "--rates: found 1.5");
  check_refused({"--only", "made", "--seeds", "0"}, "--seeds: found 0, wanted 1 to 10000");
  check_refused({"--only", "made", "--rows", "10"}, "--rows: found 10");
  check_refused({"--only", "paintings"}, "--only");
  check_refused({"--data", "nowhere.csv"}, "nowhere.csv");
}

TEST_CASE("the sampling benchmark reads flights and finds their features",
          "[sampling_benchmark][cli]") {
  // Two flights of each day; every fifth day both are late. A few of the fields matter.
  const scratch_folder folder;
  std::string text =
      "Year,Month,DayofMonth,DepTime,UniqueCarrier,ActualElapsedTime,ArrDelay,DepDelay,Origin,Dest,"
      "Distance\n";
  for (int month = 1; month <= 12; ++month) {
    for (int day = 1; day <= 28; ++day) {
      const char* const delay = day % 5 == 0 ? "60.0,50.0" : "-3.0,0.0";
      for (const char* clock : {"730.0", "2359.0"}) {
        text += "2011," + std::to_string(month) + "," + std::to_string(day) + "," + clock +
                ",AA,60.0," + delay + ",IAH,DFW,224\n";
      }
      text += "2011," + std::to_string(month) + "," + std::to_string(day) + ",,AA,,,,IAH,DFW,224\n";
    }
  }
  const ending how = run_benchmark({"--only", "flights", "--data", folder.file("flights.csv", text),
                                    "--rates", "0.4", "--seeds", "1", "--json"});
  check_exit_code(how);
  CHECK(kinds_in(how.errors, "hflights") ==
        std::map<std::string, std::size_t>{{"run", 5}, {"summary", 5}, {"bar", 4}});
}
