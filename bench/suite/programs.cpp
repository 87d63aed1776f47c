#include "programs.hpp"

#include "specs.hpp"

#include <fmt/core.h>

#include <boost/json.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace suite {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using arguments = std::vector<std::string>;

measurement& find_or_add(std::vector<measurement>& all, const std::string& program,
                         const std::string& benchmark) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const measurement& each) {
    return each.program == program && each.benchmark == benchmark;
  });
  if (found != all.end()) return *found;
  return all.emplace_back(measurement{program, benchmark, {}, ""});
}

/// `scaling/keys:100/iterations:5/real_time` is `scaling/keys:100`.
std::string plain_name(std::string_view name) {
  constexpr std::array<std::string_view, 6> added{
      "iterations:", "repeats:", "min_time:", "real_time", "manual_time", "process_time"};
  std::string made;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    const bool ours = std::none_of(added.begin(), added.end(),
                                   [&](std::string_view each) { return part.starts_with(each); });
    if (ours) made += (made.empty() ? "" : "/") + std::string(part);
  }
  return made;
}

bool is_counter(std::string_view name) {
  constexpr std::array<std::string_view, 9> others{"family_index", "per_family_instance_index",
                                                   "repetitions",  "repetition_index",
                                                   "threads",      "iterations",
                                                   "real_time",    "cpu_time",
                                                   "time_unit"};
  return std::find(others.begin(), others.end(), name) == others.end();
}

std::string text_in(const json::object& in, std::string_view name) {
  const json::value* const found = in.if_contains({name.data(), name.size()});
  if (found == nullptr || !found->is_string()) return "";
  return {found->get_string().data(), found->get_string().size()};
}

std::optional<double> number_in(const json::value& of) {
  if (of.is_double()) return of.get_double();
  if (of.is_int64()) return static_cast<double>(of.get_int64());
  if (of.is_uint64()) return static_cast<double>(of.get_uint64());
  return std::nullopt;
}

/// Google Benchmark writes what is no number in a way that is no JSON: `"x_cv": NaN,`.
std::string without_odd_numbers(std::string_view text) {
  std::string made(text);
  for (const std::string_view odd : {": NaN", ": -NaN", ": Infinity", ": -Infinity"}) {
    for (auto at = made.find(odd); at != std::string::npos; at = made.find(odd, at)) {
      made.replace(at, odd.size(), ": null");
    }
  }
  return made;
}

json::value parsed(const std::string& program, std::string_view text) {
  boost::system::error_code failed;
  json::value found = json::parse({text.data(), text.size()}, failed);
  if (failed) throw std::runtime_error(fmt::format("{}: no JSON: {}", program, failed.message()));
  return found;
}

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Runs a program to its end; what it prints goes to `log`. \return its exit code, 128 and more for
/// a signal.
int run(const arguments& what, const fs::path& log) {
  std::vector<char*> pointers;
  for (const std::string& each : what) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const std::string errors = log.string() + ".errors";
  ::posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0644);
  pid_t child = -1;
  const int failed =
      ::posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || ::waitpid(child, &status, 0) != child) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Runs one program and gives its output to `read`.
template <class Read>
void run_one(const std::string& name, const arguments& what, const fs::path& log, const Read& read,
             std::vector<measurement>& all) {
  std::string line;
  for (const std::string& each : what) line += " " + each;
  const auto begin = std::chrono::steady_clock::now();
  fmt::print(stderr, "bench:{}\n", line);
  const int code = run(what, log);
  std::string error;
  try {
    read();
  } catch (const std::runtime_error& wrong) {
    error = wrong.what();
  }
  if (code != 0) {
    std::string said = content(log.string() + ".errors");
    said = said.substr(0, said.find('\n'));
    error = fmt::format("exit code {}: {}", code, said);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print(stderr, "bench: {} took {:.0f} s{}{}\n", name, took.count(),
             error.empty() ? "" : ", and failed: ", error);
  if (!error.empty()) all.push_back({name, "", {}, error});
}

void run_google_benchmark(const std::string& name, const run_settings& how,
                          std::vector<measurement>& all) {
  const arguments* const given = arguments_of(name, how.quick);
  if (given == nullptr) return;
  const fs::path out = fs::path(how.raw) / (name + ".json");
  std::error_code ignored;
  fs::remove(out, ignored);
  arguments what{how.programs + "/" + name, "--benchmark_out=" + out.string(),
                 "--benchmark_out_format=json"};
  what.insert(what.end(), given->begin(), given->end());
  run_one(
      name, what, fs::path(how.raw) / (name + ".log"),
      [&] { read_google_benchmark(name, content(out), all); }, all);
}

void run_nexmark(const run_settings& how, std::vector<measurement>& all) {
  const int rounds = how.quick ? 1 : 3;
  for (int round = 0; round < rounds; ++round) {
    for (const std::string mode : {"inline", "pre"}) {
      const fs::path log = fs::path(how.raw) / fmt::format("nexmark_{}_{}.log", mode, round + 1);
      const arguments what{how.programs + "/nexmark",
                           "--json",
                           "--mode",
                           mode,
                           "--events",
                           how.quick ? "200000" : "1000000",
                           "--repeat",
                           how.quick ? "2" : "3"};
      run_one("nexmark", what, log, [&] { read_nexmark(mode, content(log), all); }, all);
    }
  }
}

}  // namespace

void read_google_benchmark(const std::string& program, std::string_view text,
                           std::vector<measurement>& all) {
  const json::value file = parsed(program, without_odd_numbers(text));
  const json::value* const list =
      file.is_object() ? file.get_object().if_contains("benchmarks") : nullptr;
  if (list == nullptr || !list->is_array()) {
    throw std::runtime_error(program + ": found no list 'benchmarks' in its output");
  }
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) continue;
    const json::object& entry = each.get_object();
    if (text_in(entry, "run_type") == "aggregate") continue;
    std::string name = text_in(entry, "run_name");
    if (name.empty()) name = text_in(entry, "name");
    measurement& to = find_or_add(all, program, plain_name(name));
    const json::value* const failed = entry.if_contains("error_occurred");
    if (failed != nullptr && failed->is_bool() && failed->get_bool()) {
      if (to.error.empty()) to.error = text_in(entry, "error_message");
      if (to.error.empty()) to.error = "failed";
      continue;
    }
    for (const auto& [key, value] : entry) {
      const std::string_view counter(key.data(), key.size());
      const std::optional<double> number = number_in(value);
      if (number && is_counter(counter)) to.counters[std::string(counter)].push_back(*number);
    }
  }
}

void read_nexmark(const std::string& mode, std::string_view text, std::vector<measurement>& all) {
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    const json::value parsed_line = parsed("nexmark", line);
    if (!parsed_line.is_object()) throw std::runtime_error("nexmark: found a line without object");
    const json::object& entry = parsed_line.get_object();
    const auto rate = [&](std::string_view name) {
      const json::value* const found = entry.if_contains({name.data(), name.size()});
      const std::optional<double> number = found ? number_in(*found) : std::nullopt;
      if (!number || !(*number > 0)) {
        throw std::runtime_error(fmt::format("nexmark: '{}' is no positive number", name));
      }
      return *number;
    };
    const double ours = 1e9 / rate("events_per_second");
    const double loop = 1e9 / rate("loop_events_per_second");
    auto& counters = find_or_add(all, "nexmark", text_in(entry, "query") + " " + mode).counters;
    counters["ns_per_event"].push_back(ours);
    counters["loop_ns_per_event"].push_back(loop);
    counters["ratio"].push_back(ours / loop);
    counters["overhead_ns"].push_back(ours - loop);
  }
}

void read_header_cost(std::string_view text, std::vector<measurement>& all) {
  // `LABEL, -O2   1.23 s user   45 MB peak`
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    const std::size_t unit = line.find(" s user");
    if (unit == std::string::npos) continue;
    const std::size_t number = line.find_last_of(' ', unit - 1);
    if (number == std::string::npos) continue;
    std::string label = line.substr(0, number);
    label.erase(label.find_last_not_of(' ') + 1);
    find_or_add(all, "header_cost.sh", label)
        .counters["seconds"]
        .push_back(std::stod(line.substr(number + 1, unit - number - 1)));
  }
}

std::vector<measurement> run_programs(const run_settings& how) {
  fs::create_directories(how.raw);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(how.programs)) {
    const std::string name = entry.path().filename().string();
    const bool runs = entry.is_regular_file() && ::access(entry.path().c_str(), X_OK) == 0;
    if (runs && name.ends_with("_bench")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::vector<measurement> all;
  const auto wanted = [&](std::string_view name) {
    return how.only.empty() || name.find(how.only) != std::string_view::npos;
  };
  for (const std::string& name : names) {
    if (wanted(name)) run_google_benchmark(name, how, all);
  }
  if (wanted("nexmark") && fs::exists(how.programs + "/nexmark")) run_nexmark(how, all);
  const fs::path script = fs::path(how.repository) / "bench/header_cost.sh";
  if (wanted("header_cost.sh") && !how.quick && fs::exists(script)) {
    const fs::path log = fs::path(how.raw) / "header_cost.log";
    run_one(
        "header_cost.sh", {script.string(), how.repository + "/bench/suite/one_window.cpp"}, log,
        [&] { read_header_cost(content(log), all); }, all);
  }
  return all;
}

}  // namespace suite
