// A job over a followed log, written in parts: it waits, stops at once, and goes on after a
// rotation that it did not see.
#include "connectors/csv_test_support.hpp"
#include "pipeline/support.hpp"

#include <freshet/connectors/lines.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fr = freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> lines_in(const std::string& folder) {
  std::vector<std::string> all;
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator each(folder, gone), end; !gone && each != end;
       each.increment(gone)) {
    if (!each->path().filename().string().starts_with("part-")) continue;
    const auto part = csv_test::read_split(fr::lines::read(each->path().string()));
    all.insert(all.end(), part.rows.begin(), part.rows.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("a job follows a log through stops and rotations, every line once",
          "[connectors][follow][parts]") {
  const csv_test::temporary_folder folder;
  const std::string log = folder / "a.log";
  const std::string out = folder / "out";
  const auto commits = std::make_shared<fr::memory_checkpoint>();
  std::vector<std::string> expected;
  const auto append = [&](int count) {
    std::ofstream to(log, std::ios::app);
    for (; count > 0; --count) {
      expected.push_back(std::to_string(1000 + expected.size()));
      to << expected.back() << '\n';
    }
  };
  for (int run = 0; run < 3; ++run) {
    fr::pipeline p("tail");
    p.from("log", fr::lines::read(log, {.follow = fr::follow{.poll = 1ms}})) |
        fr::to("out", fr::lines::write_parts(
                          out, [](const std::string& line) { return line.substr(3); },
                          {.age_max = 0us}));
    auto job = p.start(committing_to(commits));
    REQUIRE(job.ok());
    append(30);
    while (lines_in(out).size() < expected.size()) REQUIRE_FALSE(job->wait_for(1ms));
    job->stop();
    REQUIRE(job->wait().ok());
    REQUIRE(lines_in(out) == expected);
    append(20);  // While nobody reads.
    if (std::filesystem::exists(log + ".1")) std::filesystem::rename(log + ".1", log + ".2");
    std::filesystem::rename(log, log + ".1");
    append(10);
  }
}
