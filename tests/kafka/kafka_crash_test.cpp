// From a topic to topics, exactly once, against Apache Kafka itself: a job with windows is killed
// with `kill -9` at random moments, and readers of committed messages find each result once.
//
// Moments are drawn from a `moment_range`; how many of them hit a running job is told, not asked.
//
// FRESHET_KAFKA_RECORDS, _KILLS, _PACE and _SEED change what is tried: 1000000, 50 and 0us, say.
#include "catch.hpp"
#include "kafka/support.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace freshet::test;
namespace kafka = freshet::kafka;

namespace {

constexpr int partitions = 4;
constexpr std::int64_t keys = 7;

std::string setting(const char* name, const char* otherwise) {
  const char* const given = std::getenv(name);
  return given != nullptr ? given : otherwise;
}

/// Times ascend by a millisecond, but for a disorder of less than the second that is allowed.
std::int64_t time_of(std::int64_t number, std::mt19937_64& random) {
  return number + static_cast<std::int64_t>(random() % 500);
}

std::vector<std::string> sorted(std::vector<std::string> all) {
  std::sort(all.begin(), all.end());
  return all;
}

/// Writes the records; fills in what must become of them.
void write_input(const std::string& brokers, std::int64_t records, std::mt19937_64& random,
                 std::vector<std::string>& copies, std::vector<std::string>& sums) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::pair<std::int64_t, std::int64_t>> windows;
  std::vector<kafka::message> all;
  for (std::int64_t number = 0; number < records; ++number) {
    const std::int64_t at = time_of(number, random);
    const auto key = static_cast<std::int64_t>(random() % keys);
    auto& [count, sum] = windows[{key, at / 1000 * 1000}];
    ++count;
    sum += number;
    copies.push_back(std::to_string(number));
    all.push_back(
        {.key = {},
         .value = std::to_string(key) + " " + std::to_string(at) + " " + std::to_string(number),

         .partition = static_cast<std::int32_t>(random() % partitions)});
  }
  for (const auto& [window, result] : windows) {
    sums.push_back(std::to_string(window.first) + " " + std::to_string(window.second) + " " +
                   std::to_string(result.first) + " " + std::to_string(result.second));
  }
  create_topic(brokers, "in", partitions);
  create_topic(brokers, "copies", 3);
  create_topic(brokers, "sums", 2);
  produce(brokers, "in", all);
}

}  // namespace

TEST_CASE("a job killed at random moments writes each result to Kafka once",
          "[kafka][crash][slow]") {
  real_broker* broker = real_broker::get();
  if (broker == nullptr) return;
  const std::int64_t records = std::stoll(setting("FRESHET_KAFKA_RECORDS", "8000"));
  const int kills = std::stoi(setting("FRESHET_KAFKA_KILLS", "8"));
  std::mt19937_64 random(std::stoull(setting("FRESHET_KAFKA_SEED", "1")));
  std::vector<std::string> copies;
  std::vector<std::string> sums;
  write_input(broker->brokers(), records, random, copies, sums);

  const scratch_folder folder;
  const std::string state = folder / "state";
  const arguments given = {broker->brokers(), state, "20ms",
                           setting("FRESHET_KAFKA_PACE", "200us")};
  const auto program = built_program("tests/freshet_kafka_job");
  moment_range moments;
  moments.start_with(std::chrono::seconds(1));
  int landed = 0;
  bool has_ended = false;
  for (int kill = 0; kill < kills && !has_ended; ++kill) {
    running_program job(program, given, folder / "errors");
    (void)job.ended_within(moments.draw(random));
    const ending end = job.kill();
    INFO(end.errors);
    REQUIRE((end.killed || end.exit_code == 0));
    moments.learn(end.killed, has_commits(state));
    landed += end.killed ? 1 : 0;
    has_ended = !end.killed;
  }
  running_program job(program, given, folder / "errors");
  const ending end = job.wait();
  INFO(end.errors);
  REQUIRE(end.exit_code == 0);
  const std::vector<std::string> found_copies = sorted(values_of(broker->brokers(), "copies"));
  const std::vector<std::string> found_sums = sorted(values_of(broker->brokers(), "sums"));
  WARN(landed << " of " << kills << " kills hit the job");
  // Long lists are compared as wholes: printed, they would help nobody.
  CHECK(found_copies.size() == copies.size());
  CHECK((found_copies == sorted(copies)));
  CHECK(found_sums.size() == sums.size());
  CHECK((found_sums == sorted(sums)));
}
