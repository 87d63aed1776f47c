// Windows over any CSV file: count, sum, min, max and mean of a column per key and window.
// Run:  csv_windows --input trips.csv --time at --key city --value fare --window tumbling:10min
//                   --max-disorder 30s --out fares.csv [--checkpoint DIR --every 1s --resume]
//
// Every input file is a split with its own watermark: its largest time so far minus --max-disorder.
// The output is a function of the files alone, whatever is killed and resumed in between.
#include <freshet/connectors/csv.hpp>
#include <freshet/freshet.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace fr = freshet;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::string key;
  double value = 0;
  fr::timestamp at;
  fr::csv::raw_record record;
};
BOOST_DESCRIBE_STRUCT(reading, (), (key, value, at, record))

struct output_row {
  std::string key;
  fr::timestamp window_start;
  fr::timestamp window_end;
  std::uint64_t count = 0;
  double sum = 0, min = 0, max = 0, mean = 0;
};
BOOST_DESCRIBE_STRUCT(output_row, (), (key, window_start, window_end, count, sum, min, max, mean))

struct dead_row {
  std::string file;
  std::uint64_t line = 0;
  std::string reason;
  std::string record;
};
BOOST_DESCRIBE_STRUCT(dead_row, (), (file, line, reason, record))

struct arguments {
  std::vector<std::string> inputs;
  std::string time_column, key_column, value_column, time_format = "iso";
  std::string window, offset = "0s", disorder = "0s", lateness = "0s";
  std::string checkpoint, every, out, late, dead;
  std::size_t parallelism = 1;
  bool resume = false, progress = false;
};

/// The window as asked for: `tumbling:10min`, `sliding:10min/1min`, or `session:30min`.
struct window_choice {
  std::optional<fr::sliding> fixed;  // A tumbling window is a sliding one that slides by its size.
  fr::session session;
};

fr::duration duration_of(const std::string& option, const std::string& text) {
  if (const auto parsed = fr::parse_duration(text)) return *parsed;
  throw std::invalid_argument(fmt::format(
      "{}: '{}' is no duration; give a number and one of us ms s min h d", option, text));
}

template <class Assigner>
void require_usable(const std::string& text, const Assigner& assigner) {
  if (const std::string wrong = assigner.check(); !wrong.empty()) {
    throw std::invalid_argument(fmt::format("--window '{}': {}", text, wrong));
  }
}

window_choice window_of(const arguments& given) {
  const std::size_t colon = given.window.find(':');
  const std::string kind = given.window.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : given.window.substr(colon + 1);
  const fr::duration offset = duration_of("--offset", given.offset);
  // Offsets that differ by whole steps mean the same; the assigners want the one within a step.
  const auto within = [offset](fr::duration step) {
    return step > fr::duration::zero() ? offset % step : offset;
  };
  window_choice choice;
  if (kind == "tumbling" && !rest.empty()) {
    const fr::duration size = duration_of("--window", rest);
    const fr::tumbling tumbling{size, within(size)};
    require_usable(given.window, tumbling);
    choice.fixed = fr::sliding{tumbling.size, tumbling.size, tumbling.offset};
  } else if (const std::size_t slash = rest.find('/');
             kind == "sliding" && slash != std::string::npos) {
    const fr::duration slide = duration_of("--window", rest.substr(slash + 1));
    choice.fixed =
        fr::sliding{duration_of("--window", rest.substr(0, slash)), slide, within(slide)};
    require_usable(given.window, *choice.fixed);
  } else if (kind == "session" && !rest.empty()) {
    choice.session = fr::session{duration_of("--window", rest)};
    require_usable(given.window, choice.session);
    if (offset != fr::duration::zero()) {
      throw std::invalid_argument("--offset: sessions have none; leave it out");
    }
  } else {
    throw std::invalid_argument(
        fmt::format("--window: found '{}', wanted tumbling:SIZE, sliding:SIZE/SLIDE or session:GAP",
                    given.window));
  }
  return choice;
}

fr::csv::read_options reading_options(const arguments& given) {
  static const std::map<std::string, fr::csv::timestamp_format> formats = {
      {"iso", fr::csv::timestamp_format::iso},
      {"epoch_s", fr::csv::timestamp_format::epoch_s},
      {"epoch_ms", fr::csv::timestamp_format::epoch_ms},
      {"epoch_us", fr::csv::timestamp_format::epoch_us}};
  const auto format = formats.find(given.time_format);
  if (format == formats.end()) {
    throw std::invalid_argument(fmt::format(
        "--time-format: found '{}', wanted iso, epoch_s, epoch_ms or epoch_us", given.time_format));
  }
  fr::csv::read_options options;
  options.time_format = format->second;
  options.rename = {
      {"key", given.key_column}, {"value", given.value_column}, {"at", given.time_column}};
  return options;
}

/// One spelling for each file; pipes have none but their own.
std::filesystem::path one_spelling(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path spelled = std::filesystem::weakly_canonical(path, failed);
  return failed ? std::filesystem::path(path) : spelled;
}

/// Throws when an input is given twice, or when an output is an input or another output, which
/// writing it would destroy, or cannot be where it is wanted: all before anything is created.
void require_usable_paths(const arguments& given) {
  std::map<std::filesystem::path, std::string> taken;
  for (const std::string& input : given.inputs) {
    const std::string name = "--input '" + input + "'";
    if (!taken.emplace(one_spelling(input), name).second) {
      throw std::invalid_argument(name +
                                  ": given twice, wanted each file once; drop the repetition");
    }
  }
  for (const auto& [option, path] : {std::pair("--out", given.out), std::pair("--late", given.late),
                                     std::pair("--dead", given.dead)}) {
    if (path.empty()) continue;
    const std::string name = fmt::format("{} '{}'", option, path);
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder)) {
      throw std::invalid_argument(
          fmt::format("{}: '{}' is no folder; create it first", name, folder.string()));
    }
    if (std::filesystem::is_directory(path)) {
      throw std::invalid_argument(name + ": is a directory, wanted a file; give another path");
    }
    for (const std::string& used : {path, path + ".inprogress"}) {
      const auto [other, free] = taken.emplace(one_spelling(used), name);
      if (free) continue;
      throw std::invalid_argument(fmt::format(
          "{}: '{}' is the file of {}; give each a file of its own", name, used, other->second));
    }
  }
}

/// Throws when a file cannot be read or lacks a column, before anything is created. A pipe can be
/// read only once, and what a checkpoint goes on with may be finished and gone: there the engine
/// judges.
void require_columns(const arguments& given) {
  if (given.resume && std::filesystem::exists(given.checkpoint)) return;
  for (const std::string& input : given.inputs) {
    const auto kind = std::filesystem::status(input).type();
    if (kind == std::filesystem::file_type::fifo) continue;
    const auto header = fr::csv::read_header(input);
    if (!header.ok()) throw std::invalid_argument(std::string(header.status().message()));
    for (const auto& [option, name] :
         {std::pair("--time", given.time_column), std::pair("--key", given.key_column),
          std::pair("--value", given.value_column)}) {
      if (std::count(header->columns.begin(), header->columns.end(), name) == 1) continue;
      throw std::invalid_argument(fmt::format(
          "{}: '{}' has not one column '{}' but the columns {}; give the name of one of them",
          option, input, name, fmt::join(header->columns, ", ")));
    }
  }
}

/// The header line that late rows share. Throws when the files do not agree on one.
std::string common_header(const std::vector<std::string>& inputs) {
  std::string header;
  for (const std::string& input : inputs) {
    const auto found = fr::csv::read_header(input);
    if (!found.ok()) return header;  // The engine tells, unless the job needs its files no more.
    if (&input != &inputs.front() && found->text != header) {
      throw std::invalid_argument(fmt::format(
          "--late: '{}' and '{}' have different header lines, and late rows are written as they "
          "came; give files of one header, or leave --late out",
          inputs.front(), input));
    }
    header = found->text;
  }
  return header;
}

template <class Assigner>
void compose(const arguments& given, const fr::keyed_stream<reading, std::string reading::*>& keyed,
             const Assigner& assigner) {
  const fr::csv::write_options epoch_us{.time_format = fr::csv::timestamp_format::epoch_us};
  auto windows =
      keyed |
      fr::window(assigner, {.allowed_lateness = duration_of("--lateness", given.lateness),
                            .fire = fr::firing::at_close}) |
      fr::aggregate("windows", fr::count("count"), fr::sum("sum", &reading::value),
                    fr::min("min", &reading::value), fr::max("max", &reading::value),
                    fr::mean("mean", &reading::value));
  windows.template as<output_row>() | fr::to("out", fr::csv::write(given.out, epoch_us));
  if (given.late.empty()) return;
  fr::csv::write_options verbatim;
  verbatim.header = common_header(given.inputs);
  windows.late() | fr::map(&reading::record) | fr::to("late", fr::csv::write(given.late, verbatim));
}

fr::run_options running_options(const arguments& given) {
  fr::run_options options;
  options.parallelism = given.parallelism;
  options.checkpoint.directory = given.checkpoint;
  if (!given.every.empty()) options.checkpoint.every = duration_of("--every", given.every);
  options.resume = given.resume ? fr::resume::automatic : fr::resume::never;
  if (given.checkpoint.empty() && (given.resume || !given.every.empty())) {
    throw std::invalid_argument("--resume and --every: they need a --checkpoint directory");
  }
  return options;
}

absl::Status run(const arguments& given) {
  require_usable_paths(given);
  require_columns(given);
  fr::pipeline pipeline("csv_windows");
  auto input = pipeline.from("input", fr::csv::read<reading>(given.inputs, reading_options(given)));
  if (!given.dead.empty()) {
    input.dead() | fr::map([](const fr::dead_letter& letter) {
      return dead_row{letter.split, letter.line, letter.reason, letter.record};
    }) | fr::to("dead", fr::csv::write(given.dead));
  }
  auto keyed = input |
               fr::event_time(&reading::at,
                              fr::bounded_disorder{duration_of("--max-disorder", given.disorder)}) |
               fr::key_by(&reading::key);
  const window_choice window = window_of(given);
  window.fixed ? compose(given, keyed, *window.fixed) : compose(given, keyed, window.session);

  absl::StatusOr<fr::job> job = pipeline.start(running_options(given));
  if (!job.ok()) return job.status();
  if (given.resume && !job->summary().resumed) {
    fmt::print(stderr, "csv_windows: nothing is committed in '{}' yet; starting fresh\n",
               given.checkpoint);
  }
  while (!job->wait_for(500ms)) {
    if (!given.progress) continue;
    const fr::job_metrics now = job->metrics();
    fmt::print(stderr, "csv_windows: {} records, {} checkpoints\n", now.records(), now.checkpoints);
  }
  if (absl::Status done = job->wait(); !done.ok()) return done;
  const fr::run_summary& summary = job->summary();
  for (const std::string& each : summary.warnings) {
    fmt::print(stderr, "csv_windows: {}\n", each);
  }
  fmt::print(stderr, "csv_windows: records={} late={} dead={} windows={} seconds={:.3f}{}\n",
             summary.metrics.records(), summary.metrics.late(), summary.metrics.dead(),
             summary.metrics.of("to", "out").records_in, summary.seconds,
             summary.nothing_to_do ? " (finished before; nothing to do)" : "");
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  arguments given;
  CLI::App app("Windows over any CSV file: count, sum, min, max and mean per key and window.");
  app.add_option("--input", given.inputs, "CSV files with a header (.gz .bz2 .xz .zst too)")
      ->required();
  app.add_option("--time", given.time_column, "column of the event time")->required();
  app.add_option("--time-format", given.time_format, "iso, epoch_s, epoch_ms or epoch_us");
  app.add_option("--key", given.key_column, "column of the key")->required();
  app.add_option("--value", given.value_column, "column of the number")->required();
  app.add_option("--window", given.window, "tumbling:SIZE, sliding:SIZE/SLIDE or session:GAP")
      ->required();
  app.add_option("--offset", given.offset, "shifts window starts");
  app.add_option("--max-disorder", given.disorder,
                 "how far behind a file's largest time rows may come");
  app.add_option("--lateness", given.lateness, "how long after its end a window accepts rows");
  app.add_option("--parallelism", given.parallelism, "number of workers");
  app.add_option("--checkpoint", given.checkpoint, "directory for checkpoints");
  app.add_option("--every", given.every, "time between checkpoints (1s)");
  app.add_flag("--resume", given.resume, "go on from the newest checkpoint, if there is one");
  app.add_option("--out", given.out, "CSV file for the windows")->required();
  app.add_option("--late", given.late, "CSV file for rows late for all of their windows");
  app.add_option("--dead", given.dead, "CSV file for malformed rows");
  app.add_flag("--progress", given.progress, "tell about progress on stderr");
  try {
    app.parse(argc, argv);
    const absl::Status done = run(given);
    if (done.ok()) return 0;
    fmt::print(stderr, "csv_windows: {}\n", std::string(done.message()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "csv_windows: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "csv_windows: {}\n", error.what());
  }
  return 1;
}
