// The table in tests/semantics/README.md says which file tests which case. It is held against the
// names of the tests, in both directions.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
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

/// The names of the tests in a source, their literals joined.
std::vector<std::string> names_in(const std::string& source) {
  static const std::regex test("TEST_CASE\\(\\s*((?:\"(?:[^\"\\\\]|\\\\.)*\"\\s*)+)");
  static const std::regex literal("\"((?:[^\"\\\\]|\\\\.)*)\"");
  std::vector<std::string> names;
  for (std::sregex_iterator each(source.begin(), source.end(), test), end; each != end; ++each) {
    const std::string literals = each->str(1);
    std::string& name = names.emplace_back();
    std::sregex_iterator part(literals.begin(), literals.end(), literal);
    for (; part != end; ++part) name += part->str(1);
  }
  return names;
}

/// `case 35: ...`, `case 38, 39: ...`, `cases 16 to 29: ...`; none for other names.
std::set<int> numbers_of(const std::string& name) {
  static const std::regex list("case ([0-9]+(?:, [0-9]+)*): .*");
  static const std::regex range("cases ([0-9]+) to ([0-9]+): .*");
  std::smatch found;
  std::set<int> numbers;
  if (std::regex_match(name, found, list)) {
    std::istringstream text(found.str(1));
    for (int number = 0; text >> number; text.ignore(2)) numbers.insert(number);
  } else if (std::regex_match(name, found, range)) {
    for (int i = std::stoi(found.str(1)); i <= std::stoi(found.str(2)); ++i) numbers.insert(i);
  }
  return numbers;
}

struct case_table {
  std::multiset<int> numbers;  ///< Of all rows.
  tested_cases tested;
};

/// Rows `| 35 | what it says | `file`, `file` |`, or `| 72-81 | ... | a reason. |`.
case_table table_in(const std::string& page) {
  static const std::regex row("\\| ([0-9]+)(?:-([0-9]+))? \\| [^|]+ \\| ([^|]+) \\|");
  static const std::regex files("`[^`]+`(?:, `[^`]+`)*");
  static const std::regex file("`([^`]+)`");
  case_table table;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (!std::regex_match(line, found, row)) continue;
    const int first = std::stoi(found.str(1));
    const int last = found[2].matched ? std::stoi(found.str(2)) : first;
    for (int number = first; number <= last; ++number) table.numbers.insert(number);
    const std::string where = found.str(3);
    if (!std::regex_match(where, files)) continue;
    for (std::sregex_iterator each(where.begin(), where.end(), file), end; each != end; ++each) {
      table.tested[first].insert(each->str(1));
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
