#include "support.hpp"

#include "catch.hpp"

#include <regex>
#include <sstream>

namespace nexmark::test {

using namespace freshet::test;

arguments options_of(const log_options& log) {
  return {"--events", std::to_string(log.events), "--rate", std::to_string(log.rate_per_second),
          "--seed",   std::to_string(log.seed),   "--ooo",  std::to_string(log.group)};
}

ending run_nexmark(const arguments& given) {
  const scratch_folder folder;
  return running_program(built_program("bench/nexmark"), given, folder / "said").wait();
}

std::map<std::string, answer> answers_in(const std::string& printed) {
  static const std::regex line_pattern(
      R"line(\{"query":"(q\w+)","events":\d+,"rows":(\d+),"checksum":"([0-9a-f]{16})",)line"
      R"line("cpu_seconds":\d+\.\d+,"wall_seconds":\d+\.\d+,"events_per_second":(\d+|null),)line"
      R"line("loop_events_per_second":\d+,"ratio":(\d+\.\d+|null)\})line");
  std::map<std::string, answer> all;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    INFO(line);
    REQUIRE(std::regex_match(line, parts, line_pattern));
    all[parts[1]] = {std::stoull(parts[2]), std::stoull(parts[3], nullptr, 16), 0};
  }
  return all;
}

}  // namespace nexmark::test
