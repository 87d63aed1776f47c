#include "architecture/layers.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace freshet::architecture {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, int>, 13> levels = {{
    {"core", 0},
    {"sketch", 1},
    {"window", 2},
    {"aggregate", 2},
    {"sampling", 2},
    {"model", 2},
    {"quality", 2},
    {"state", 2},
    {"pipeline", 3},
    {"runtime", 3},
    {"features", 4},
    {"connectors", 4},
    {"testing", 4},
}};

// A header that begins so costs every user its compile time, or forces its flags on them.
constexpr std::array<std::string_view, 9> banned_prefixes = {
    "rocksdb/",    "boost/asio", "boost/beast", "tbb/",      "oneapi/",
    "librdkafka/", "hiredis/",   "curl/",       "execution",
};

// But for headers that are there to bring one of them in, and that nothing else includes.
constexpr std::array<std::pair<std::string_view, std::string_view>, 1> opt_in = {{
    {"include/freshet/connectors/asio.hpp", "boost/asio"},
}};

struct include_line {
  std::string_view path;  // Between the delimiters.
  bool quoted = false;
};

std::optional<int> level_of(std::string_view folder) {
  for (const auto& [name, level] : levels) {
    if (name == folder) return level;
  }
  return std::nullopt;
}

// The part before the first slash; empty for a file that stands in no folder.
std::string_view first_folder(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view skip_spaces(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

std::optional<include_line> parse_include(std::string_view line) {
  line = skip_spaces(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = skip_spaces(line.substr(1));
  constexpr std::string_view word = "include";
  if (!line.starts_with(word)) return std::nullopt;
  line = skip_spaces(line.substr(word.size()));
  if (line.empty() || (line.front() != '<' && line.front() != '"')) return std::nullopt;
  const bool quoted = line.front() == '"';
  line.remove_prefix(1);
  const std::size_t end = line.find(quoted ? '"' : '>');
  if (end == std::string_view::npos) return std::nullopt;
  return include_line{.path = line.substr(0, end), .quoted = quoted};
}

// Where a file stands: its folder, and whether users see it.
struct place {
  std::string_view folder;  // Empty for the umbrella.
  int level = 0;
  bool is_public = false;
};

bool may_bring(std::string_view file, std::string_view path) {
  return std::any_of(opt_in.begin(), opt_in.end(), [&](const auto& each) {
    return file == each.first && path.starts_with(each.second);
  });
}

std::optional<std::string> find_fault(const place& from, const include_line& include) {
  constexpr std::string_view own = "freshet/";
  const std::string path(include.path);
  if (!include.path.starts_with(own)) {
    if (from.is_public && include.quoted) {
      return "includes \"" + path + "\"; write <freshet/FOLDER/HEADER.hpp>, so that it is checked";
    }
    if (!from.is_public) return std::nullopt;
    for (const std::string_view banned : banned_prefixes) {
      if (include.path.starts_with(banned)) {
        return "includes <" + path + "> in a public header; move it into a source below src/";
      }
    }
    return std::nullopt;
  }
  const std::string_view target = include.path.substr(own.size());
  const std::string_view folder = first_folder(target);
  if (folder.empty()) {
    return "includes the umbrella <" + path + ">; include the headers it needs";
  }
  const std::optional<int> level = level_of(folder);
  if (!level) {
    return "includes <" + path + ">, and '" + std::string(folder) +
           "' is no layer; use one of those in tests/architecture/layers.cpp";
  }
  if (folder == from.folder || *level < from.level) return std::nullopt;
  // The runtime implements the pipeline: both stand on one level and may meet inside src/.
  if (from.folder == "runtime" && folder == "pipeline") return std::nullopt;
  return "includes <" + path + ">, which is " +
         (*level == from.level ? "another folder of its own level" : "a higher level") +
         "; include downwards only, or move the shared part down";
}

void check_file(const fs::path& file, const std::string& name, const place& from, report& found) {
  ++found.files;
  std::ifstream input(file);
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    const std::optional<include_line> include = parse_include(line);
    if (!include || may_bring(name, include->path)) continue;
    if (include->path.starts_with("freshet/")) ++found.includes;
    if (std::optional<std::string> fault = find_fault(from, *include)) {
      found.violations.push_back({.file = name, .line = number, .reason = std::move(*fault)});
    }
  }
}

void check_tree(const fs::path& root, const fs::path& base, bool is_public, report& found) {
  if (!fs::is_directory(root / base)) return;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / base)) {
    const fs::path extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".hpp" && extension != ".cpp")) continue;
    std::string name = entry.path().lexically_relative(root).generic_string();
    const std::string below = entry.path().lexically_relative(root / base).generic_string();
    const std::string_view folder = first_folder(below);
    const std::optional<int> level = level_of(folder);
    if (is_public && below == "freshet.hpp") {
      // The umbrella stands between `pipeline` and what an application chooses by itself.
      check_file(entry.path(), name, {.folder = {}, .level = 4, .is_public = true}, found);
    } else if (level && !(is_public && folder == "runtime")) {
      check_file(entry.path(), name, {.folder = folder, .level = *level, .is_public = is_public},
                 found);
    } else {
      found.violations.push_back({.file = std::move(name),
                                  .line = 0,
                                  .reason = "stands in no layer; move it into a folder of one"});
    }
  }
}

}  // namespace

report check_layers(const fs::path& root) {
  report found;
  check_tree(root, fs::path("include") / "freshet", true, found);
  check_tree(root, "src", false, found);
  std::sort(found.violations.begin(), found.violations.end(),
            [](const violation& left, const violation& right) {
              return std::tie(left.file, left.line) < std::tie(right.file, right.line);
            });
  return found;
}

}  // namespace freshet::architecture
