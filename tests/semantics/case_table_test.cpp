// The table in tests/semantics/README.md says which file tests which case. It is held against the
// names of the tests, in both directions.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int cases = 112;  ///< In the project's list.

/// Case numbers by file, relative to tests/.
using tested_cases = std::map<int, std::set<std::string>>;

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

void skip_spaces(std::string_view& text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
}

/// Takes `what` from the front of `text`, where it is there.
bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// The names of the tests in a source: the literals after TEST_CASE( joined.
std::vector<std::string> names_in(std::string_view source) {
  constexpr std::string_view test = "TEST_CASE(";
  std::vector<std::string> names;
  for (std::size_t at = source.find(test); at != source.npos; at = source.find(test)) {
    source.remove_prefix(at + test.size());
    std::string name;
    for (skip_spaces(source); take(source, "\""); skip_spaces(source)) {
      while (!source.empty() && source.front() != '"') {
        const std::size_t length =
            std::min<std::size_t>(source.front() == '\\' ? 2 : 1, source.size());
        name += source.substr(0, length);
        source.remove_prefix(length);
      }
      take(source, "\"");
    }
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

/// `case 35: ...`, `case 38, 39: ...`, `cases 16 to 29: ...`; none for other names.
std::set<int> numbers_of(std::string_view name) {
  std::set<int> numbers;
  if (take(name, "cases ")) {
    const auto first = take_number(name);
    const auto last = take(name, " to ") ? take_number(name) : std::nullopt;
    for (int i = first.value_or(1); i <= last.value_or(0); ++i) numbers.insert(i);
  } else if (take(name, "case ")) {
    do {
      if (const auto number = take_number(name)) numbers.insert(*number);
    } while (take(name, ", "));
  }
  return take(name, ": ") ? numbers : std::set<int>();
}

struct case_table {
  std::multiset<int> numbers;  ///< Of all rows.
  tested_cases tested;
};

/// The files of a cell that holds nothing else: `file`, `file`.
std::set<std::string> files_in(std::string_view cell) {
  std::set<std::string> files;
  do {
    if (!take(cell, "`")) return {};
    const std::size_t end = cell.find('`');
    if (end == cell.npos) return {};
    files.emplace(cell.substr(0, end));
    cell.remove_prefix(end + 1);
  } while (take(cell, ", "));
  return cell.empty() ? files : std::set<std::string>();
}

/// Rows `| 35 | what it says | `file`, `file` |`, or `| 72-81 | ... | a reason. |`.
case_table table_in(const std::string& page) {
  case_table table;
  std::istringstream lines(page);
  for (std::string text; std::getline(lines, text);) {
    std::string_view line = text;
    if (!take(line, "| ")) continue;
    const auto first = take_number(line);
    const auto last = take(line, "-") ? take_number(line) : first;
    if (!first || !last || !take(line, " | ") || !line.ends_with(" |")) continue;
    line.remove_suffix(2);
    for (int number = *first; number <= *last; ++number) table.numbers.insert(number);
    const std::size_t cell = line.find(" | ");
    if (cell == line.npos) continue;
    for (const std::string& file : files_in(line.substr(cell + 3))) {
      table.tested[*first].insert(file);
    }
  }
  return table;
}

tested_cases cases_tested_below(const fs::path& tests) {
  tested_cases found;
  for (const fs::directory_entry& each : fs::recursive_directory_iterator(tests)) {
    if (each.path().extension() != ".cpp") continue;
    const std::string file = fs::relative(each.path(), tests).generic_string();
    for (const std::string& name : names_in(text_of(each.path()))) {
      for (const int number : numbers_of(name)) found[number].insert(file);
    }
  }
  return found;
}

/// What `a` holds and `b` does not, as sentences.
std::vector<std::string> missing(const tested_cases& a, const tested_cases& b,
                                 const std::string& say) {
  std::vector<std::string> all;
  for (const auto& [number, files] : a) {
    for (const std::string& file : files) {
      const auto found = b.find(number);
      if (found != b.end() && found->second.count(file) > 0) continue;
      all.push_back("case " + std::to_string(number) + ", " + file + ": " + say);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("every case of the list has one row in the table, and its tests exist",
          "[semantics][table]") {
  const char* const root = std::getenv("FRESHET_SOURCE_DIR");
  if (root == nullptr) FAIL("FRESHET_SOURCE_DIR is not set; run through ctest, or set it");
  const fs::path tests = fs::path(root) / "tests";
  const case_table table = table_in(text_of(tests / "semantics" / "README.md"));
  for (int number = 1; number <= cases; ++number) {
    INFO("case " << number << " of tests/semantics/README.md");
    CHECK(table.numbers.count(number) == 1);
  }
  const tested_cases found = cases_tested_below(tests);
  const auto none = std::vector<std::string>();
  CHECK(missing(table.tested, found, "the table names it, and no test there has that number") ==
        none);
  CHECK(missing(found, table.tested, "it tests the case; add it to the table") == none);
}

TEST_CASE("names of tests and rows of the table are read as they are written",
          "[semantics][table]") {
  REQUIRE(names_in("TEST_CASE(\"case 1: a\", \"[x]\") {\n} TEST_CASE(\n    \"case 2: \\\"b\\\" \"\n"
                   "    \"c\",\n \"[x]\")") ==
          std::vector<std::string>{"case 1: a", "case 2: \\\"b\\\" c"});
  REQUIRE(numbers_of("case 38, 39: a late record") == std::set<int>{38, 39});
  REQUIRE(numbers_of("cases 16 to 18: below a merge") == std::set<int>{16, 17, 18});
  REQUIRE(numbers_of("at_close fires once, as case 12 says: no").empty());
  const case_table table = table_in(
      "| case | what | where |\n|---|---|---|\n| 1 | boundaries | `a/b.cpp`, `c.cpp` |\n"
      "| 2-4 | joins | Not yet, see `d.cpp`. |\n");
  REQUIRE(table.numbers == std::multiset<int>{1, 2, 3, 4});
  REQUIRE(table.tested == tested_cases{{1, {"a/b.cpp", "c.cpp"}}});
  REQUIRE(missing(table.tested, {{1, {"c.cpp"}}}, "gone") ==
          std::vector<std::string>{"case 1, a/b.cpp: gone"});
}
