// Nexmark: the queries of the field's benchmark, each beside a loop written by hand.
// Run:  nexmark --query q5 --events 1000000 --rate 10000 --seed 0 --ooo 1 --parallelism 1
//               [--mode pre|inline] [--check] [--checkpoint DIR --every 1s] [--json]
//
// README.md in the folder above says what the options and the output mean.
#include "measure.hpp"
#include "saved.hpp"

#include <freshet/core/time_text.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace nexmark;

/// What was given, as text: numbers are read here, so that what is wrong with them is said in one
/// way.
struct arguments {
  std::string queries = "all", events = "1000000", rate = "10000", seed = "0", group = "1";
  std::string parallelism = "1", repeat = "3", mode = "inline", every;
  std::optional<std::string> checkpoint;
  bool check = false, json = false;
};

std::uint64_t number_of(std::string_view option, const std::string& text) {
  std::uint64_t value = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || stop != text.data() + text.size()) {
    throw std::invalid_argument(
        fmt::format("{}: found '{}', wanted a whole number below 2^64", option, text));
  }
  return value;
}

std::uint64_t number_within(std::string_view option, const std::string& text, std::uint64_t most) {
  const std::uint64_t value = number_of(option, text);
  if (value >= 1 && value <= most) return value;
  throw std::invalid_argument(fmt::format("{}: found {}, wanted 1 to {}", option, value, most));
}

/// `q5`, `q5,q7`, or `all`.
std::vector<query> queries_of(const std::string& text) {
  if (text == "all") return all_queries();
  std::vector<query> chosen;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view name = std::string_view(text).substr(begin, end - begin);
    const auto found = std::find_if(all_queries().begin(), all_queries().end(),
                                    [name](const query& each) { return each.name == name; });
    if (found == all_queries().end()) {
      std::string names;
      for (const query& each : all_queries()) names += fmt::format(" {}", each.name);
      throw std::invalid_argument(fmt::format(
          "--query: '{}' is no query; give some of{}, separated by commas, or all", name, names));
    }
    chosen.push_back(*found);
    begin = end + 1;
  }
  return chosen;
}

measure_options options_of(const arguments& given) {
  measure_options options;
  options.log.events = number_of("--events", given.events);
  options.log.rate_per_second = number_of("--rate", given.rate);
  options.log.seed = number_of("--seed", given.seed);
  options.log.group = number_of("--ooo", given.group);
  if (std::string wrong = options.log.check(); !wrong.empty()) throw std::invalid_argument(wrong);
  options.parallelism = number_within("--parallelism", given.parallelism, most_splits);
  options.repeat = number_within("--repeat", given.repeat, 1000);
  if (given.mode != "pre" && given.mode != "inline") {
    throw std::invalid_argument(
        fmt::format("--mode: found '{}', wanted pre or inline", given.mode));
  }
  options.pregenerated = given.mode == "pre";
  options.check = given.check;
  if (given.checkpoint && given.checkpoint->empty()) {
    throw std::invalid_argument("--checkpoint: found '', wanted a directory");
  }
  options.checkpoint = given.checkpoint.value_or("");
  if (!given.every.empty()) {
    if (!given.checkpoint) {
      throw std::invalid_argument("--every: it needs a --checkpoint directory");
    }
    const auto every = fr::parse_duration(given.every);
    if (!every || *every <= fr::duration::zero()) {
      throw std::invalid_argument(fmt::format(
          "--every: '{}' is no positive duration; give a number and one of us ms s min h d",
          given.every));
    }
    options.every = *every;
  }
  return options;
}

void print_json(const measurement& of, const measure_options& options) {
  const auto events = static_cast<double>(options.log.events);
  // Of a job that went on from a commit nobody knows what all of it would have cost.
  const auto unless_resumed = [&of](double value, int digits) {
    return of.resumed ? std::string("null") : fmt::format("{:.{}f}", value, digits);
  };
  fmt::print(
      "{{\"query\":\"{}\",\"events\":{},\"rows\":{},\"checksum\":\"{:016x}\",\"cpu_seconds\":{:.6f}"
      ","
      "\"wall_seconds\":{:.6f},\"events_per_second\":{},\"loop_events_per_second\":{:.0f},"
      "\"ratio\":{}}}\n",
      of.query, options.log.events, of.all.rows, of.all.checksum, of.cpu_seconds, of.wall_seconds,
      unless_resumed(events / of.cpu_seconds, 0), events / of.loop_seconds,
      unless_resumed(of.loop_seconds / of.cpu_seconds, 4));
}

void print_row(const query& what, const measurement& of, const measure_options& options) {
  const auto events = static_cast<double>(options.log.events);
  const auto nanoseconds = [events](double seconds) { return seconds * 1e9 / events; };
  // Of a job that went on from a commit nobody knows what all of it would have cost.
  const std::string ratio =
      of.resumed ? "-" : fmt::format("{:.2f}", of.loop_seconds / of.cpu_seconds);
  fmt::print("{:5} {:>10} {:016x} {:>9.1f} {:>9.1f} {:>9.1f} {:>6}  {}\n", of.query, of.all.rows,
             of.all.checksum, nanoseconds(of.cpu_seconds), nanoseconds(of.wall_seconds),
             nanoseconds(of.loop_seconds), ratio,
             of.resumed ? "(went on from a commit: times of the rest)" : what.asks);
}

void run(const arguments& given) {
  const measure_options options = options_of(given);
  const std::vector<query> chosen = queries_of(given.queries);
  if (!given.json) {
    fmt::print("{} events, {}/s of event time, seed {}, groups of {}, parallelism {}, {}\n",
               options.log.events, options.log.rate_per_second, options.log.seed, options.log.group,
               options.parallelism, given.mode);
    fmt::print("{:5} {:>10} {:16} {:>9} {:>9} {:>9} {:>6}  {}\n", "query", "rows", "checksum",
               "cpu ns", "wall ns", "loop ns", "ratio", "per event; ratio: loop / cpu");
  }
  for (const query& what : chosen) {
    const absl::StatusOr<measurement> done = measure(what, options);
    if (!done.ok()) throw std::runtime_error(std::string(done.status().message()));
    if (given.json) {
      print_json(*done, options);
    } else {
      print_row(what, *done, options);
    }
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  arguments given;
  CLI::App app("The queries of Nexmark, each beside a loop written by hand.");
  app.add_option("--query", given.queries, "q0 to q22, several with commas, or all");
  app.add_option("--events", given.events, "how many events there are (1000000)");
  app.add_option("--rate", given.rate, "events per second of event time (10000)");
  app.add_option("--seed", given.seed, "of the random numbers (0)");
  app.add_option("--ooo", given.group, "events are shuffled within groups of so many (1)");
  app.add_option("--parallelism", given.parallelism, "number of tasks and threads (1)");
  app.add_option("--mode", given.mode,
                 "pre: events are in memory before; inline: generated (inline)");
  app.add_option("--repeat", given.repeat, "how often both are timed; the best counts (3)");
  app.add_option("--checkpoint", given.checkpoint, "directory: goes on there after a kill");
  app.add_option("--every", given.every, "time between checkpoints (1s)");
  app.add_flag("--check", given.check, "compare checksums with the loop and known answers");
  app.add_flag("--json", given.json, "one JSON object per query");
  try {
    app.parse(argc, argv);
    run(given);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "nexmark: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "nexmark: {}\n", error.what());
  }
  return 1;
}
