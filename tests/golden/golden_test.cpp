// Checkpoints of every format there ever was, restored by this build: the rows are those of a job
// that never stopped. Written by golden_write, see write.cpp.
#include "catch.hpp"
#include "connectors/csv_test_support.hpp"
#include "golden/job.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace freshet::test;

namespace {

/// The folders that each hold `state` and `rows`.
std::vector<fs::path> golden_folders() {
  const char* source = std::getenv("FRESHET_SOURCE_DIR");
  const fs::path all = fs::path(source == nullptr ? "." : source) / "tests/golden/checkpoints";
  std::vector<fs::path> found;
  for (const auto& format : fs::directory_iterator(all)) {
    for (const auto& each : fs::directory_iterator(format.path())) found.push_back(each.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What the sinks of the stopped job held.
golden::sinks sinks_of(const fs::path& folder) {
  auto sinks = golden::fresh_sinks();
  for (std::size_t sink = 0; sink < sinks.size(); ++sink) {
    std::ifstream rows(folder / "rows" / golden::sink_names[sink]);
    REQUIRE(rows.is_open());
    for (std::string row; std::getline(rows, row);) sinks[sink]->rows.push_back(row);
    sinks[sink]->published = sinks[sink]->rows.size();
  }
  return sinks;
}

}  // namespace

TEST_CASE("golden checkpoints are restored, by the structs that wrote them and by newer ones",
          "[golden]") {
  const auto untouched = golden::fresh_sinks();
  golden::run_of whole;
  REQUIRE(golden::run_v1(whole, untouched).ok());
  const auto wanted = golden::rows_of(untouched);
  const auto folders = golden_folders();
  REQUIRE(folders.size() >= 2);
  for (const fs::path& folder : folders) {
    for (const auto& run_version : {golden::run_v1, golden::run_v2}) {
      for (const std::size_t parallelism : {1U, 3U}) {
        INFO(folder.string() << ", version " << (run_version == golden::run_v1 ? 1 : 2)
                             << ", parallelism " << parallelism);
        const csv_test::temporary_folder copy;
        fs::copy(folder / "state", copy / "state", fs::copy_options::recursive);
        const auto sinks = sinks_of(folder);
        golden::run_of run;
        run.options.parallelism = parallelism;
        run.options.scheduler = freshet::thread_pool(parallelism);
        run.options.checkpoint.directory = copy / "state";
        const absl::Status done = run_version(run, sinks);
        INFO(done.ToString());
        REQUIRE(done.ok());
        REQUIRE(run.summary.resumed);
        const auto rows = golden::rows_of(sinks);
        for (std::size_t sink = 0; sink < wanted.size(); ++sink) {
          INFO(golden::sink_names[sink]);
          REQUIRE(rows[sink] == wanted[sink]);
        }
      }
    }
  }
}
