// Writes the golden checkpoints of the present format: run it by hand, once for each new format.
//
//   golden_write FOLDER
//
// FOLDER is made, as in tests/golden/checkpoints/manifest_4. It holds for every parallelism the
// checkpoint directory of a job that was stopped, and the rows of its sinks. Checkpoints of earlier
// formats stay where they are: golden_test reads every folder it finds.
#include "golden/job.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

namespace {

namespace fs = std::filesystem;

/// A job that was stopped twice: some rows are older than its last commit, and others are gone.
bool write(const fs::path& folder, std::size_t parallelism) {
  fs::create_directories(folder / "rows");
  const auto sinks = golden::fresh_sinks();
  constexpr std::size_t records_per_run = 60;
  for (std::uint64_t stop = 1; stop <= 2; ++stop) {
    golden::run_of run{
        .options = {}, .pause_after = records_per_run, .stop_at = stop * 2 * records_per_run};
    run.options.parallelism = parallelism;
    run.options.scheduler = freshet::thread_pool(parallelism);
    run.options.checkpoint.directory = folder / "state";
    const absl::Status stopped = golden::run_v1(run, sinks);
    if (!stopped.ok() || run.summary.finished || run.summary.metrics.checkpoints == 0) {
      std::cerr << folder << ": " << run.summary.metrics.checkpoints << " commits, "
                << stopped.ToString() << "\n";
      return false;
    }
  }
  for (std::size_t sink = 0; sink < sinks.size(); ++sink) {
    std::ofstream rows(folder / "rows" / golden::sink_names[sink]);
    for (const std::string& each : sinks[sink]->rows) rows << each << "\n";
  }
  // What RocksDB tells of its work is no part of a checkpoint.
  for (const fs::directory_entry& each : fs::recursive_directory_iterator(folder / "state")) {
    if (each.path().filename().string().starts_with("LOG")) fs::remove(each.path());
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2 || fs::exists(arguments[1])) {
    std::cerr << "golden_write FOLDER: makes FOLDER, which must not exist\n";
    return 1;
  }
  const fs::path folder = arguments[1];
  return write(folder / "parallelism_1", 1) && write(folder / "parallelism_3", 3) ? 0 : 1;
}
