// The layers of freshet hold in this checkout, and the check that says so reports every kind of
// violation in trees made for that purpose.
#include "architecture/layers.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace {

namespace fs = std::filesystem;
using freshet::architecture::check_layers;
using freshet::architecture::report;
using freshet::architecture::violation;

// A folder of files that lives as long as the test case.
class fixture_tree {
 public:
  fixture_tree() {
    std::string pattern = (fs::temp_directory_path() / "freshet_layers_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  fixture_tree(const fixture_tree&) = delete;
  fixture_tree& operator=(const fixture_tree&) = delete;
  ~fixture_tree() { fs::remove_all(root_); }

  void add(const fs::path& name, std::string_view text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

// The report on a tree that holds one file.
report report_on(const fs::path& name, std::string_view text) {
  const fixture_tree tree;
  tree.add(name, text);
  return check_layers(tree.root());
}

bool is_refused(const fs::path& name, std::string_view text, std::string_view reason) {
  const report found = report_on(name, text);
  return found.violations.size() == 1 && found.violations[0].file == name.generic_string() &&
         found.violations[0].reason.find(reason) != std::string::npos;
}

bool is_accepted(const fs::path& name, std::string_view text) {
  const report found = report_on(name, text);
  return found.files == 1 && found.violations.empty();
}

}  // namespace

TEST_CASE("freshet's own files include downwards only", "[architecture]") {
  const char* const root = std::getenv("FRESHET_SOURCE_DIR");
  if (root == nullptr) FAIL("FRESHET_SOURCE_DIR is not set; run through ctest, or set it");
  const report found = check_layers(root);
  for (const violation& each : found.violations) {
    UNSCOPED_INFO(each.file << ":" << each.line << ": " << each.reason);
  }
  CHECK(found.violations.empty());
  CHECK(found.files >= 5);
  CHECK(found.includes >= 5);
}

TEST_CASE("an include of a lower level or of the own folder is accepted", "[architecture]") {
  CHECK(is_accepted("include/freshet/window/a.hpp", "#include <freshet/core/time.hpp>\n"));
  CHECK(is_accepted("include/freshet/window/a.hpp", "#include <freshet/window/assigner.hpp>\n"));
  CHECK(is_accepted("include/freshet/pipeline/detail/a.hpp", "#include <freshet/state/b.hpp>\n"));
  CHECK(is_accepted("include/freshet/sketch/a.hpp", "#include <freshet/core/hash.hpp>\n"));
  CHECK(is_accepted("include/freshet/aggregate/a.hpp", "#include <freshet/sketch/b.hpp>\n"));
  CHECK(is_accepted("include/freshet/freshet.hpp", "#include <freshet/pipeline/pipeline.hpp>\n"));
  CHECK(is_accepted("src/runtime/task.cpp", "#include <freshet/pipeline/pipeline.hpp>\n"));
  CHECK(is_accepted("src/state/rocksdb.cpp", "#include <rocksdb/db.h>\n"));
}

TEST_CASE("an include of a higher level is reported with its line", "[architecture]") {
  const report found = report_on("include/freshet/core/a.hpp",
                                 "#pragma once\n\n  #  include <freshet/window/b.hpp>\n");
  REQUIRE(found.violations.size() == 1);
  CHECK(found.violations[0].file == "include/freshet/core/a.hpp");
  CHECK(found.violations[0].line == 3);
  CHECK(found.violations[0].reason.find("a higher level") != std::string::npos);
}

TEST_CASE("a sketch that includes what stands on sketches is reported", "[architecture]") {
  CHECK(is_refused("include/freshet/sketch/a.hpp", "#include <freshet/aggregate/b.hpp>\n",
                   "a higher level"));
  CHECK(is_refused("src/sketch/a.cpp", "#include <freshet/sampling/b.hpp>\n", "a higher level"));
}

TEST_CASE("an include of another folder on the own level is reported", "[architecture]") {
  CHECK(is_refused("include/freshet/window/a.hpp", "#include <freshet/aggregate/b.hpp>\n",
                   "another folder of its own level"));
  CHECK(is_refused("include/freshet/testing/a.hpp", "#include \"freshet/connectors/b.hpp\"\n",
                   "another folder of its own level"));
}

TEST_CASE("an include of the umbrella from inside is reported", "[architecture]") {
  CHECK(
      is_refused("include/freshet/testing/a.hpp", "#include <freshet/freshet.hpp>\n", "umbrella"));
  CHECK(is_refused("src/runtime/a.cpp", "#include <freshet/freshet.hpp>\n", "umbrella"));
}

TEST_CASE("an umbrella that reaches above pipeline is reported", "[architecture]") {
  CHECK(is_refused("include/freshet/freshet.hpp", "#include <freshet/connectors/csv.hpp>\n",
                   "another folder of its own level"));
}

TEST_CASE("each banned foreign header is reported in a public header", "[architecture]") {
  const std::string_view header =
      GENERATE(as<std::string_view>{}, "rocksdb/db.h", "boost/asio.hpp", "boost/asio/ip/tcp.hpp",
               "boost/beast/http.hpp", "tbb/task_arena.h", "oneapi/tbb.h", "librdkafka/rdkafka.h",
               "hiredis/hiredis.h", "curl/curl.h", "execution");
  const std::string line = "#include <" + std::string(header) + ">\n";
  CAPTURE(line);
  CHECK(is_refused("include/freshet/state/a.hpp", line, "in a public header"));
}

TEST_CASE("a relative include in a public header is reported", "[architecture]") {
  CHECK(is_refused("include/freshet/core/a.hpp", "#include \"../window/b.hpp\"\n",
                   "so that it is checked"));
}

TEST_CASE("a folder without a level is reported as file and as target", "[architecture]") {
  CHECK(is_refused("include/freshet/misc/a.hpp", "", "stands in no layer"));
  CHECK(is_refused("include/freshet/runtime/a.hpp", "", "stands in no layer"));
  CHECK(is_refused("src/a.cpp", "", "stands in no layer"));
  CHECK(is_refused("include/freshet/core/a.hpp", "#include <freshet/misc/b.hpp>\n", "is no layer"));
}

TEST_CASE("a source below src has the level of its folder", "[architecture]") {
  CHECK(is_refused("src/state/a.cpp", "#include <freshet/pipeline/b.hpp>\n", "a higher level"));
  CHECK(is_refused("src/runtime/a.cpp", "#include <freshet/connectors/b.hpp>\n", "a higher level"));
}
