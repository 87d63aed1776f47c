// nab_score --data DIR: what our anomaly detectors score on seven real series of the Numenta
// Anomaly Benchmark (realKnownCause), by its rules for the profile "standard".
//
// Each series runs through a pipeline of its own: csv::read, event times, detect_anomalies. DIR has
// combined_windows.json and realKnownCause/*.csv. The detectors have one setting for all series;
// the threshold on their scores is chosen as the benchmark does for every detector, by its best sum
// over these series. Prints a table; exits with 1 and a
// message when a file is missing, and with 0 and a message without --data.
#include "rules.hpp"

#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/csv.hpp>
#include <freshet/core/time_text.hpp>
#include <freshet/pipeline/event_time.hpp>
#include <freshet/pipeline/pipeline.hpp>
#include <freshet/pipeline/quality.hpp>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fr = freshet;

namespace {

struct reading {
  fr::timestamp timestamp;
  double value = 0;
};
BOOST_DESCRIBE_STRUCT(reading, (), (timestamp, value))

constexpr std::array series_names = {"ambient_temperature_system_failure",
                                     "cpu_utilization_asg_misconfiguration",
                                     "ec2_request_latency_system_failure",
                                     "machine_temperature_system_failure",
                                     "nyc_taxi",
                                     "rogue_agent_key_hold",
                                     "rogue_agent_key_updown"};

/// The windows of every file: in the texts between quotes a file's name is followed by the first
/// and the last time of each of its windows.
using window_times = std::map<std::string, std::vector<std::pair<fr::timestamp, fr::timestamp>>>;

absl::StatusOr<window_times> read_windows(const std::string& path) {
  std::ifstream input(path);
  if (!input) return absl::NotFoundError(path + ": cannot open");
  std::stringstream whole;
  whole << input.rdbuf();
  const std::string text = whole.str();
  window_times all;
  std::string file;
  std::optional<fr::timestamp> first;
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 1)) {
    const std::size_t end = text.find('"', at + 1);
    if (end == std::string::npos) break;
    const std::string quoted = text.substr(at + 1, end - at - 1);
    at = end;
    if (quoted.ends_with(".csv")) {
      file = quoted;
      continue;
    }
    const std::optional<fr::timestamp> time = fr::parse_iso_8601(quoted);
    if (!time) return absl::DataLossError(path + ": '" + quoted + "' is no time");
    if (first) {
      all[file].emplace_back(*first, *time);
      first.reset();
    } else {
      first = time;
    }
  }
  return all;
}

/// The rows between two times, both included.
absl::StatusOr<nab::window> rows_between(const std::vector<fr::timestamp>& times,
                                         const std::pair<fr::timestamp, fr::timestamp>& window) {
  const auto first = std::find(times.begin(), times.end(), window.first);
  const auto last = std::find(first, times.end(), window.second);
  if (last == times.end()) {
    return absl::DataLossError("no row at the edge of the window from " +
                               fr::to_iso_8601(window.first));
  }
  return nab::window{static_cast<std::size_t>(first - times.begin()),
                     static_cast<std::size_t>(last - times.begin())};
}

/// Runs one series through a pipeline. A row that is not flagged has the score 0.
template <class Detector>
absl::StatusOr<nab::series> score_series(const std::string& folder, const std::string& name,
                                         const window_times& windows, const Detector& detector) {
  const std::string file = "realKnownCause/" + name + ".csv";
  nab::series of;
  of.name = name;
  std::vector<fr::timestamp> times;
  fr::pipeline p("nab");
  p.from("readings", fr::csv::read<reading>(folder + "/" + file)) |
      fr::event_time(&reading::timestamp, fr::bounded_disorder{}) |
      fr::detect_anomalies("detector", detector, &reading::value) |
      fr::to("scores", fr::callback([&](const fr::scored<reading>& row) {
               times.push_back(row.value.timestamp);
               of.scores.push_back(row.flagged ? row.score : 0);
             }));
  if (absl::Status done = p.run(); !done.ok()) return done;
  const auto mine = windows.find(file);
  if (mine == windows.end()) return absl::NotFoundError(file + ": it has no windows");
  for (const auto& each : mine->second) {
    const absl::StatusOr<nab::window> rows = rows_between(times, each);
    if (!rows.ok()) return absl::DataLossError(file + ": " + std::string(rows.status().message()));
    of.windows.push_back(*rows);
  }
  return of;
}

template <class Detector>
absl::Status print_scores(const std::string& folder, const window_times& windows,
                          std::string_view name, const Detector& detector) {
  std::vector<nab::series> all;
  for (const char* const each : series_names) {
    absl::StatusOr<nab::series> of = score_series(folder, each, windows, detector);
    if (!of.ok()) return of.status();
    all.push_back(*std::move(of));
  }
  const nab::result best = nab::best_of(all);
  fmt::print("{:34} {:6.2f}  {:9.3f}", name, best.normalized, best.threshold);
  for (const nab::series& of : all) fmt::print(" {:6.2f}", nab::score_at(of, best.threshold));
  fmt::print("\n");
  return absl::OkStatus();
}

absl::Status run(const std::string& folder) {
  const absl::StatusOr<window_times> windows = read_windows(folder + "/combined_windows.json");
  if (!windows.ok()) return windows.status();
  fmt::print("{:34} {:>6}  {:>9}  raw scores per series\n", "detector", "score", "threshold");
  const fr::alarm_options every{.threshold = 2, .warm_up = 50, .hold = 0};
  const fr::alarm_options held{.threshold = 5, .warm_up = 50, .hold = 300};
  absl::Status done = absl::OkStatus();
  const auto print = [&](std::string_view name, const auto& detector) {
    if (done.ok()) done = print_scores(folder, *windows, name, detector);
  };
  print("zscore, every score above 2", fr::zscore{.window = 500, .alarm = every});
  print("ewma_zscore, every score above 2", fr::ewma_zscore{.half_life = 100, .alarm = every});
  print("triple_z, every score above 2", fr::triple_z{.alarm = every});
  print("zscore, flags above 5 held 300", fr::zscore{.window = 500, .alarm = held});
  print("ewma_zscore, flags above 5 held 300", fr::ewma_zscore{.half_life = 100, .alarm = held});
  print("triple_z, flags above 5 held 300", fr::triple_z{.alarm = held});
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const auto data = std::find(arguments.begin(), arguments.end(), "--data");
  if (data == arguments.end()) {
    fmt::print("nab_score: nothing to score; give --data DIR, where combined_windows.json is\n");
    return 0;
  }
  if (data + 1 == arguments.end()) {
    fmt::print(stderr, "nab_score: --data has no value; give the folder of the series\n");
    return 2;
  }
  const absl::Status done = run(std::string(data[1]));
  if (done.ok()) return 0;
  fmt::print(stderr, "nab_score: {}\n", std::string(done.message()));
  return 1;
}
