// The sampling benchmark: does rarity sampling learn as much from fewer examples, on real data?
// Run:  sampling_benchmark --data hflights.csv.xz --rates 0.4,0.2 --seeds 20 [--json]
//
// The library's own operators select, a small network learns in one pass. Exits with 0 when every
// bar is held, 1 when one is missed, 2 when it cannot be said. README.md in this folder says
// what the options and the output mean.
#include "study.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace sampling_benchmark;

struct arguments {
  std::string data;
  std::string only;
  std::vector<double> rates{0.4, 0.2};
  std::size_t seeds = 20;
  std::uint64_t first_seed = 1;
  std::size_t made_rows = 20'000;
  bool json = false;
};

void check(const arguments& given) {
  for (const double rate : given.rates) {
    if (rate > 0 && rate < 1) continue;
    throw std::invalid_argument(
        fmt::format("--rates: found {}, wanted shares of the records between 0 and 1", rate));
  }
  if (given.seeds < 1 || given.seeds > 10'000) {
    throw std::invalid_argument(fmt::format("--seeds: found {}, wanted 1 to 10000", given.seeds));
  }
  if (given.made_rows < 1'000 || given.made_rows > 10'000'000) {
    throw std::invalid_argument(
        fmt::format("--rows: found {}, wanted 1000 to 10000000", given.made_rows));
  }
}

/// The file of flights: the one given, or the one in the folder $FRESHET_DATA; empty if none.
std::string flights_file(const arguments& given) {
  if (!given.data.empty()) return given.data;
  const char* const folder = std::getenv("FRESHET_DATA");
  if (folder == nullptr) return {};
  std::string file = std::string(folder) + "/hflights.csv.xz";
  return std::filesystem::exists(file) ? file : std::string();
}

/// \return the exit code.
int run(const arguments& given) {
  check(given);
  const study_options options{.rates = given.rates,
                              .seeds = given.seeds,
                              .first_seed = given.first_seed,
                              .json = given.json};
  std::size_t bars = 0;
  std::size_t missed = 0;
  const auto judge = [&](const dataset& data) {
    for (const bar& each : run_study(data, options).bars) {
      ++bars;
      missed += each.held ? 0 : 1;
    }
  };
  const bool everything = given.only.empty();
  if (given.only == "made") judge(make_rows(given.made_rows));
  if (everything || given.only == "flights") {
    if (const std::string file = flights_file(given); !file.empty()) {
      judge(read_flights(file));
    } else {
      fmt::print(stderr, "hflights: skipped, no file was given; give --data hflights.csv.xz\n");
    }
  }
  if (everything || given.only == "images") {
    if (const std::string folder = find_images(); !folder.empty()) judge(read_images(folder));
  }
  if (bars == 0) {
    fmt::print(stderr,
               "sampling_benchmark: nothing was measured; give --data, and --rates with "
               "0.4 or 0.2, which the bars are about\n");
    return 2;
  }
  if (!given.json) fmt::print("\n{} of {} bars held\n", bars - missed, bars);
  return missed > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  arguments given;
  CLI::App app("Does rarity sampling learn as much from fewer examples?");
  app.add_option("--data", given.data, "hflights.csv, also compressed")->check(CLI::ExistingFile);
  app.add_option("--rates", given.rates, "shares of the records, with commas")->delimiter(',');
  app.add_option("--seeds", given.seeds, "runs of each method");
  app.add_option("--first-seed", given.first_seed, "the others count up from it");
  app.add_option("--only", given.only, "one data set: flights, images, or made")
      ->check(CLI::IsMember({"flights", "images", "made"}));
  app.add_option("--rows", given.made_rows, "of the data set made");
  app.add_flag("--json", given.json, "an object per line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  try {
    return run(given);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "sampling_benchmark: {}\n", failure.what());
    return 2;
  }
}
