// The benchmarks of the repository as one run, `./run bench`: a table, a file of JSON that can be
// held against another, and the page docs/explanation/measurements.md.
//
//     suite run --programs DIR --repository DIR --commit HASH --out FILE [--quick] [--only NAME]
//     suite compare BEFORE.json AFTER.json
//     suite page RESULTS.json FOLDER        writes FOLDER/measurements.md and FOLDER/measurements/
//
// Exit code 1 of `run`: a program failed, or a result was not that of its loop; a target that was
// missed is in the table. Of `compare`: a row has become worse, or failed. 2: the command cannot be
// meant, or a file cannot be read.
#include "compare.hpp"
#include "machine.hpp"
#include "page.hpp"
#include "programs.hpp"
#include "results.hpp"
#include "specs.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using words = std::vector<std::string>;

struct options {
  suite::run_settings how;
  std::string out, commit = "unknown";
};

options options_of(const words& given) {
  options made;
  for (std::size_t i = 1; i < given.size(); ++i) {
    const std::string& name = given[i];
    if (name == "--quick") {
      made.how.quick = true;
      continue;
    }
    std::string* const to = name == "--programs"     ? &made.how.programs
                            : name == "--repository" ? &made.how.repository
                            : name == "--out"        ? &made.out
                            : name == "--commit"     ? &made.commit
                            : name == "--only"       ? &made.how.only
                                                     : nullptr;
    if (to == nullptr) {
      throw std::invalid_argument(fmt::format(
          "'{}' is no option; these are --quick, --only NAME, --out FILE, and those that ./run "
          "gives: --programs, --repository, --commit",
          name));
    }
    if (i + 1 == given.size()) throw std::invalid_argument(name + " needs a value");
    *to = given[++i];
  }
  if (made.how.programs.empty() || made.how.repository.empty() || made.out.empty()) {
    throw std::invalid_argument("run needs --programs, --repository and --out");
  }
  return made;
}

int run(const words& given) {
  options from = options_of(given);
  const fs::path out(from.out);
  if (out.has_parent_path()) fs::create_directories(out.parent_path());
  from.how.raw = (out.parent_path() / "raw").string();
  const auto begin = std::chrono::steady_clock::now();
  suite::results all;
  all.of = suite::circumstances_now(from.commit, from.how.quick);
  for (int i = 0; i < 3; ++i) suite::calibrate(all.of);
  const std::vector<suite::measurement> found = suite::run_programs(from.how);
  for (int i = 0; i < 2; ++i) suite::calibrate(all.of);
  all.of.load_after = suite::load_average();
  all.of.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  all.rows = suite::rows_of(found, all.of);
  all.beside = suite::published_beside(all.rows);
  suite::save(from.out, suite::to_json(all));
  fmt::print("{}", suite::to_text(all));
  fmt::print(stderr, "bench: results are in {}\n", from.out);
  if (all.rows.empty()) throw std::runtime_error("no program has given a row");
  return std::any_of(all.rows.begin(), all.rows.end(),
                     [](const suite::row& each) { return !each.error.empty(); })
             ? 1
             : 0;
}

int compare(const words& given) {
  if (given.size() != 3) throw std::invalid_argument("compare needs BEFORE.json and AFTER.json");
  const suite::comparison found = suite::compare(suite::load(given[1]), suite::load(given[2]));
  fmt::print("{}", found.text);
  return found.worse + found.failed > 0 ? 1 : 0;
}

int write_page(const words& given) {
  if (given.size() != 3) throw std::invalid_argument("page needs RESULTS.json and a FOLDER");
  const suite::page made = suite::to_page(suite::load(given[1]));
  const fs::path folder(given[2]);
  fs::create_directories(folder / "measurements");
  suite::save((folder / "measurements.md").string(), made.markdown);
  for (const auto& [path, svg] : made.charts) suite::save((folder / path).string(), svg);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const words given(argv + 1, argv + argc);
  const std::string_view command = given.empty() ? "" : std::string_view(given[0]);
  try {
    if (command == "run") return run(given);
    if (command == "compare") return compare(given);
    if (command == "page") return write_page(given);
    throw std::invalid_argument("wanted run, compare or page");
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
  }
  return 2;
}
